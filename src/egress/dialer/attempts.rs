//! Which of a host's addresses answers: RFC 8305, without its look-ups.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::{Connection, DialError};
use crate::transcript::{Stage, Transcript};

/// RFC 8305 section 5, "Connection Attempt Delay".
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A host with many addresses does not make the service knock on each of them.
const MAX_ATTEMPTS: usize = 6;

type Attempt = (SocketAddr, io::Result<TcpStream>);

/// Connects to the first of `addresses` that answers. A further one is tried where an attempt failed, and
/// where none has answered for a while; those that are behind are dropped.
///
/// `opened_by_operator` is left to the caller.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
    transcript: &mut Transcript,
) -> Result<Connection, DialError> {
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
            transcript.add(Stage::Connect, started.elapsed(), &DialError::ConnectTimeout.to_string());
            return Err(DialError::ConnectTimeout);
        };
        match ended {
            Some(Ok((peer, Ok(stream)))) => {
                transcript.add(Stage::Connect, started.elapsed(), &peer.to_string());
                let ipv6_path_broken = tried_ipv6 && peer.is_ipv4();
                return Ok(Connection { stream, peer, opened_by_operator: false, ipv6_path_broken });
            }
            Some(Ok((address, Err(error)))) => {
                let reason = meaning(&error);
                transcript.add(Stage::Connect, started.elapsed(), &format!("{address}: {reason}"));
                failure = Some(failure.map_or(reason.clone(), |before| more_telling(before, reason)));
            }
            // The attempt panicked, which has been logged.
            Some(Err(_)) => {}
            None if waiting.is_empty() => return Err(failure.unwrap_or(DialError::Unreachable)),
            None => {}
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
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => DialError::ConnectRefused,
        ErrorKind::TimedOut => DialError::ConnectTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => DialError::Unreachable,
        _ => {
            // Too many open files, a local firewall: the operator's matter.
            tracing::warn!(%error, "a connection could not be tried");
            DialError::Unreachable
        }
    }
}

/// A host that says no is there; one that nobody hears may be.
fn more_telling(one: DialError, other: DialError) -> DialError {
    let rank = |error: &DialError| match error {
        DialError::ConnectRefused => 2,
        DialError::ConnectTimeout => 1,
        _ => 0,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
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
    fn the_most_telling_failure_is_told() {
        use DialError::{ConnectRefused, ConnectTimeout, Unreachable};
        assert_eq!(more_telling(Unreachable, ConnectRefused), ConnectRefused);
        assert_eq!(more_telling(ConnectRefused, ConnectTimeout), ConnectRefused);
        assert_eq!(more_telling(Unreachable, ConnectTimeout), ConnectTimeout);
    }
}
