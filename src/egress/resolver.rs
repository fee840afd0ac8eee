//! Name resolution: the system's name servers, or a test's table.

mod system;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

pub use system::SystemResolver;

/// How long one look-up may take, whatever the deadline of the connection is. A name server that is asked twice has
/// answered by then, and the rest of the time stays for the connection.
const LOOK_UP_TIME: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResolveError {
    /// NXDOMAIN, or a name without an address.
    #[error("no such host")]
    NotFound,
    /// SERVFAIL, or no answer: nothing is known about the name.
    #[error("the name server did not answer")]
    Unavailable,
}

/// How a name is completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The name as it stands: the search list of `resolv.conf` is not tried. What a tenant names is looked up so, since
    /// the policy has judged this name and no other.
    Absolute,
    /// The search list applies: names that the operator configured.
    SearchList,
}

/// The answers of a test's name server.
type Answers = dyn Fn(&str) -> Result<Vec<IpAddr>, ResolveError> + Send + Sync;

/// Resolves names, once per dial. Cheap to clone.
#[derive(Clone)]
pub enum Resolver {
    System(Arc<SystemResolver>),
    /// A test's answers; also counts the questions, if the closure does.
    Table(Arc<Answers>),
    /// A test's name server that never answers.
    Silent,
}

impl Resolver {
    /// The name servers of `/etc/resolv.conf`, after the table in `/etc/hosts`.
    pub fn system() -> Self {
        Self::System(Arc::new(SystemResolver::new("/etc/resolv.conf", "/etc/hosts", system::DNS_PORT)))
    }

    /// The addresses of a name, at least one; those that this machine has no route to come last. How many there can be
    /// is bounded by DNS: a message has 64 KiB, an answer at least 16 octets.
    ///
    /// Ends at `deadline`, or earlier by the time limit of a look-up. Nothing runs on afterwards.
    pub(super) async fn resolve(
        &self,
        name: &str,
        lookup: Lookup,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, ResolveError> {
        let deadline = deadline.min(Instant::now() + LOOK_UP_TIME);
        let answers = async {
            match self {
                Self::System(system) => system.resolve(name, lookup).await,
                Self::Table(answers) => answers(name),
                Self::Silent => std::future::pending().await,
            }
        };
        let answers = timeout_at(deadline, answers).await.unwrap_or(Err(ResolveError::Unavailable))?;
        if answers.is_empty() { Err(ResolveError::NotFound) } else { Ok(answers) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_one_minute() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let answers =
            Resolver::system().resolve("localhost", Lookup::SearchList, in_one_minute()).await.unwrap();
        assert!(answers.iter().all(IpAddr::is_loopback), "{answers:?}");
    }

    /// Security case A12.
    #[tokio::test]
    async fn a_name_without_an_address_is_not_found() {
        let resolver = Resolver::Table(Arc::new(|_| Ok(Vec::new())));
        let answers = resolver.resolve("empty.example.com", Lookup::Absolute, in_one_minute()).await;
        assert_eq!(answers, Err(ResolveError::NotFound));
    }
}
