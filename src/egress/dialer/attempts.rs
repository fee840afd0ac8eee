//! Tries the addresses of a host in turn until one answers (RFC 8305).

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::DialError;
use crate::mail::transcript::{Stage, Transcript};

/// RFC 8305 section 5, "Connection Attempt Delay".
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The most addresses of a host that are tried.
const MAX_ATTEMPTS: usize = 6;

/// An established connection.
#[derive(Debug)]
pub(super) struct Connected {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    /// An IPv6 address was tried before the IPv4 one that answered.
    pub ipv6_path_broken: bool,
}

type Attempt = (SocketAddr, io::Result<TcpStream>);

/// Connects to the first of `addresses` that answers. A further one is tried where an attempt failed, and
/// where none has answered for a while; the slower ones are dropped.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
    transcript: &mut Transcript,
) -> Result<Connected, DialError> {
    connect_by(attempt, addresses, deadline, transcript).await
}

async fn connect_by<F: Future<Output = Attempt> + Send + 'static>(
    attempt: impl Fn(SocketAddr) -> F,
    addresses: &[SocketAddr],
    deadline: Instant,
    transcript: &mut Transcript,
) -> Result<Connected, DialError> {
    transcript.begin(Stage::Connect);
    let started = Instant::now();
    let mut waiting: VecDeque<_> = interleaved(addresses).into_iter().take(MAX_ATTEMPTS).collect();
    let mut under_way: JoinSet<Attempt> = JoinSet::new();
    let mut tried_ipv6 = false;
    let mut failure = None;
    loop {
        if let Some(address) = waiting.pop_front() {
            tried_ipv6 |= address.is_ipv6();
            under_way.spawn(attempt(address));
        }
        let patience =
            if waiting.is_empty() { deadline } else { deadline.min(Instant::now() + ATTEMPT_DELAY) };
        let Ok(ended) = timeout_at(patience, under_way.join_next()).await else {
            if Instant::now() < deadline && !waiting.is_empty() {
                continue;
            }
            transcript.fail(Stage::Connect, started.elapsed(), &DialError::ConnectTimeout.to_string());
            return Err(DialError::ConnectTimeout);
        };
        match ended {
            Some(Ok((peer, Ok(stream)))) => {
                transcript.add(Stage::Connect, started.elapsed(), &peer.to_string());
                let ipv6_path_broken = tried_ipv6 && peer.is_ipv4();
                return Ok(Connected { stream, peer, ipv6_path_broken });
            }
            Some(Ok((address, Err(error)))) => {
                let reason = meaning(&error);
                transcript.fail(Stage::Connect, started.elapsed(), &format!("{address}: {reason}"));
                failure = Some(failure.map_or(reason.clone(), |before| more_specific(before, reason)));
            }
            None if waiting.is_empty() => return Err(failure.unwrap_or(DialError::Unreachable)),
            // An attempt that panicked has been logged.
            Some(Err(_)) | None => {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that connects")]
async fn attempt(address: SocketAddr) -> Attempt {
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    (address, connected.await)
}

/// The families in turn, beginning with that of the first address (RFC 8305 section 4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let leads =
        |address: &&SocketAddr| addresses.first().is_some_and(|first| first.is_ipv6() == address.is_ipv6());
    let mut first = addresses.iter().filter(leads);
    let mut second = addresses.iter().filter(|address| !leads(address));
    let mut ordered = Vec::with_capacity(addresses.len());
    while ordered.len() < addresses.len() {
        ordered.extend(first.next());
        ordered.extend(second.next());
    }
    ordered
}

fn meaning(error: &io::Error) -> DialError {
    match error.kind() {
        // The last two: the connection was accepted and ended at once.
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            DialError::ConnectRefused
        }
        ErrorKind::TimedOut => DialError::ConnectTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => DialError::Unreachable,
        _ => {
            // Too many open files, a local firewall: the operator's matter.
            tracing::warn!(%error, "a connection attempt failed locally");
            DialError::Unreachable
        }
    }
}

/// A refused connection shows that the host is reachable; silence does not.
fn more_specific(one: DialError, other: DialError) -> DialError {
    let rank = |error: &DialError| match error {
        DialError::ConnectRefused => 2,
        DialError::ConnectTimeout => 1,
        _ => 0,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn sockets(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Security case K14.
    #[test]
    fn an_end_before_anybody_looked_is_no_lack_of_a_way() {
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe] {
            assert_eq!(meaning(&kind.into()), DialError::ConnectRefused, "{kind}");
        }
        assert_eq!(meaning(&ErrorKind::HostUnreachable.into()), DialError::Unreachable);
    }

    #[test]
    fn the_families_take_turns() {
        let cases: [(&[&str], &[&str]); 3] = [
            (&[], &[]),
            (
                &["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "192.0.2.1:1", "192.0.2.2:1"],
                &["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "192.0.2.2:1", "[2001:db8::3]:1"],
            ),
            (
                &["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"],
                &["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1"],
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(interleaved(&sockets(given)), sockets(expected));
        }
    }

    #[tokio::test]
    async fn an_address_that_never_answers_does_not_hold_up_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let silent = |address: SocketAddr| async move {
            if address.is_ipv6() { std::future::pending().await } else { attempt(address).await }
        };
        let addresses = [sockets(&["[2001:db8::1]:587", "[2001:db8::2]:587"]), vec![good]].concat();
        let deadline = Instant::now() + Duration::from_mins(1);
        let found = connect_by(silent, &addresses, deadline, &mut Transcript::default()).await.unwrap();
        assert_eq!((found.peer, found.ipv6_path_broken), (good, true));
    }

    #[tokio::test]
    async fn an_address_has_a_moment_for_itself_before_the_next_is_tried() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let soon = move |address: SocketAddr| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::task::yield_now().await;
                attempt(address).await
            }
        };
        let deadline = Instant::now() + Duration::from_mins(1);
        let found = connect_by(soon, &[good, good, good], deadline, &mut Transcript::default()).await;
        assert_eq!((found.unwrap().peer, tries.load(Ordering::SeqCst)), (good, 1));
    }

    #[tokio::test]
    async fn at_the_deadline_nothing_more_is_tried() {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let never = move |_: SocketAddr| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::pending()
        };
        let addresses = sockets(&["[2001:db8::1]:587", "192.0.2.1:587"]);
        let mut transcript = Transcript::default();
        let found = connect_by(never, &addresses, Instant::now(), &mut transcript).await;
        assert_eq!(found.unwrap_err(), DialError::ConnectTimeout);
        assert_eq!((transcript.entries().len(), tries.load(Ordering::SeqCst)), (1, 1));
    }

    #[test]
    fn an_error_of_the_network_has_one_meaning() {
        let cases = [
            (ErrorKind::ConnectionRefused, DialError::ConnectRefused),
            (ErrorKind::ConnectionReset, DialError::ConnectRefused),
            (ErrorKind::TimedOut, DialError::ConnectTimeout),
            (ErrorKind::HostUnreachable, DialError::Unreachable),
            (ErrorKind::NetworkUnreachable, DialError::Unreachable),
            (ErrorKind::PermissionDenied, DialError::Unreachable),
        ];
        for (kind, expected) in cases {
            assert_eq!(meaning(&io::Error::from(kind)), expected);
        }
    }

    #[test]
    fn the_most_specific_failure_is_reported() {
        use DialError::{ConnectRefused, ConnectTimeout, Unreachable};
        assert_eq!(more_specific(Unreachable, ConnectRefused), ConnectRefused);
        assert_eq!(more_specific(ConnectRefused, ConnectTimeout), ConnectRefused);
        assert_eq!(more_specific(Unreachable, ConnectTimeout), ConnectTimeout);
    }
}
