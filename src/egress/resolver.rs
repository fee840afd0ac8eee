//! Name resolution: the system's, or a test's table.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Look-ups under way at the same time. The system's resolver blocks a thread and cannot be told to stop, so
/// names that never get an answer must not take all of the runtime's 512 blocking threads.
static LOOK_UPS: Semaphore = Semaphore::const_new(256);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResolveError {
    /// NXDOMAIN, or a name without an address.
    #[error("no such host")]
    NotFound,
    /// SERVFAIL, or no answer: nothing is known about the name.
    #[error("the name server did not answer")]
    Unavailable,
}

/// What a test's name server says.
type Answers = dyn Fn(&str) -> Result<Vec<IpAddr>, ResolveError> + Send + Sync;

/// Asked once per dial.
#[derive(Clone)]
pub enum Resolver {
    System,
    /// A test's answers; also counts the questions, if the closure does.
    Table(Arc<Answers>),
    /// A test's name server that never answers.
    Silent,
}

impl Resolver {
    /// The addresses of a name, at least one, in the system's order (RFC 6724). How many there can be is
    /// bounded by DNS: a message has 64 KiB, an answer at least 16 octets.
    ///
    /// The caller sets the time limit.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let answers = match self {
            Self::System => ask_the_system(name).await,
            Self::Table(answers) => answers(name),
            Self::Silent => std::future::pending().await,
        }?;
        if answers.is_empty() { Err(ResolveError::NotFound) } else { Ok(answers) }
    }
}

/// One call of `getaddrinfo`.
async fn ask_the_system(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let place = LOOK_UPS.acquire().await.map_err(|_| ResolveError::Unavailable)?;
    let name = name.to_owned();
    let answers = spawn_blocking(move || {
        // Held until the thread is free again, also where nobody waits for the answer any more.
        let _place = place;
        look_up(&name)
    });
    answers.await.map_err(|_| ResolveError::Unavailable)?
}

#[expect(clippy::disallowed_methods, reason = "the one place that resolves a name")]
fn look_up(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    match (name, 0).to_socket_addrs() {
        Ok(answers) => Ok(answers.map(|answer| answer.ip()).collect()),
        Err(error) => {
            tracing::debug!(name, %error, "a name was not resolved");
            Err(meaning(&error.to_string()))
        }
    }
}

/// The standard library keeps the code of `getaddrinfo` to itself, and tells its text: that of `gai_strerror`
/// in the C locale, which no Rust program leaves. What is not known to mean that there is no such host means
/// that nothing is known.
fn meaning(error: &str) -> ResolveError {
    let no_such_host = [
        // glibc: EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY.
        "Name or service not known",
        "No address associated with hostname",
        "Address family for hostname not supported",
        // musl: EAI_NONAME, EAI_NODATA.
        "Name does not resolve",
        "Name has no usable address",
        // macOS and the BSDs: EAI_NONAME, EAI_NODATA.
        "nodename nor servname provided, or not known",
        "No address associated with nodename",
        "hostname nor servname provided, or not known",
    ];
    if no_such_host.iter().any(|text| error.ends_with(text)) {
        ResolveError::NotFound
    } else {
        ResolveError::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security case A12.
    #[test]
    fn the_texts_of_the_system_are_told_apart() {
        let cases = [
            ("Name or service not known", ResolveError::NotFound),
            ("No address associated with hostname", ResolveError::NotFound),
            ("Name does not resolve", ResolveError::NotFound),
            ("nodename nor servname provided, or not known", ResolveError::NotFound),
            ("Temporary failure in name resolution", ResolveError::Unavailable),
            ("Non-recoverable failure in name resolution", ResolveError::Unavailable),
            ("Try again", ResolveError::Unavailable),
            ("Memory allocation failure", ResolveError::Unavailable),
            ("", ResolveError::Unavailable),
        ];
        for (text, expected) in cases {
            assert_eq!(meaning(&format!("failed to lookup address information: {text}")), expected, "{text}");
        }
    }

    /// Security case A12.
    #[tokio::test]
    async fn this_system_has_one_of_these_texts() {
        // Longer than a label may be, so that no name server is asked.
        let name = format!("{}.example.com", "a".repeat(64));
        assert_eq!(Resolver::System.resolve(&name).await, Err(ResolveError::NotFound));
    }

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let answers = Resolver::System.resolve("localhost").await.unwrap();
        assert!(answers.iter().all(IpAddr::is_loopback), "{answers:?}");
    }

    /// Security case A12.
    #[tokio::test]
    async fn a_name_without_an_address_is_not_found() {
        let resolver = Resolver::Table(Arc::new(|_| Ok(Vec::new())));
        assert_eq!(resolver.resolve("empty.example.com").await, Err(ResolveError::NotFound));
    }
}
