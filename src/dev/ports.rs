//! Binds ports on loopback: the requested one, or the next free one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// Ports after a taken one that are tried before the system picks any.
const MAX_OFFSET: u16 = 20;

/// Listens on 127.0.0.1, on `port` or the next free one; 0 takes any.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    let mut candidates = candidates(port);
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, candidates.next().unwrap_or(0))).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
}

/// Listens on the same port of 127.0.0.1 and, where this machine has IPv6, of `::1`. `localhost` may be either, and
/// another program on the other one must not receive the mail.
pub async fn bind_localhost(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut candidates = candidates(port);
    loop {
        match bind_both(candidates.next().unwrap_or(0)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
}

async fn bind_both(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), v4.local_addr()?.port());
    match TcpListener::bind(v6).await {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // Without IPv6 no other program can listen there either.
        Err(_) => Ok(vec![v4]),
    }
}

fn candidates(port: u16) -> impl Iterator<Item = u16> {
    port..=port.saturating_add(if port == 0 { 0 } else { MAX_OFFSET })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_gives_another_one() {
        let first = bind(0).await.expect("a free port");
        let taken = first.local_addr().expect("is bound").port();
        let second = bind(taken).await.expect("another port").local_addr().expect("is bound");
        assert_ne!(second.port(), taken);
        assert!(second.ip().is_loopback());
    }

    #[tokio::test]
    async fn a_port_that_is_free_on_one_side_of_localhost_only_is_taken() {
        let Ok(other) = TcpListener::bind("[::1]:0").await else { return };
        let taken = other.local_addr().expect("is bound").port();
        let found = bind_localhost(taken).await.expect("another port");
        let addresses: Vec<SocketAddr> =
            found.iter().map(|listener| listener.local_addr().expect("is bound")).collect();
        assert_ne!(addresses[0].port(), taken);
        assert_eq!(addresses[0].port(), addresses[1].port());
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    }
}
