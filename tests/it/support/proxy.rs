//! A way to a server that can be blocked, cut, slow and thin, and tampered with.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_postgres::config::Host;

use super::database::Database;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Open,
    /// Nothing comes through, and nobody is told. A connection that has been silent stays so.
    Silent,
    /// Connections are closed as soon as they are made.
    Cut,
    /// Each piece comes a moment later.
    Slow,
    /// Few bytes at a time, a moment apart.
    Thin,
    /// One byte at a time, without a pause.
    Sliced,
    /// What is closed on one side is closed on the other only after a while.
    LateClose,
    /// So many bytes of the server come through, and then the connection is reset.
    Reset(usize),
    /// So many bytes of the server come through, and then the connection is closed.
    Limited(usize),
}

pub struct Proxy {
    pub address: SocketAddr,
    way: watch::Sender<Way>,
}

/// What is put in the place of what, on the way to the server; both of the same length.
type Replaced = (&'static str, &'static str);

impl Proxy {
    pub async fn to(server: SocketAddr) -> Self {
        Self::replacing(("", ""), server).await
    }

    pub async fn replacing(replaced: Replaced, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let (way, watched) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, replaced, watched.clone()));
            }
        });
        Self { address, way }
    }

    /// A way to a database on PostgreSQL, and its URL by that way.
    pub async fn to_database(database: &Database) -> (Self, String) {
        let proxy = Self::to(Self::server_of(database)).await;
        let url = Self::url_by(database, proxy.address);
        (proxy, url)
    }

    /// The server of a database.
    pub fn server_of(database: &Database) -> SocketAddr {
        let config: tokio_postgres::Config = database.url().parse().expect("a URL");
        let [Host::Tcp(host)] = config.get_hosts() else { panic!("leads over TCP") };
        format!("{host}:{}", config.get_ports()[0]).parse().expect("an address")
    }

    /// The URL of a database by another address.
    pub fn url_by(database: &Database, address: SocketAddr) -> String {
        let config: tokio_postgres::Config = database.url().parse().expect("a URL");
        let name = config.get_dbname().expect("a name");
        format!("postgres://postgres@{address}/{name}?sslmode=disable")
    }

    /// Holds for connections that are there and for those to come.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

#[expect(clippy::disallowed_methods, reason = "the proxy stands outside of the service")]
async fn carry(client: TcpStream, server: SocketAddr, replaced: Replaced, mut way: watch::Receiver<Way>) {
    let server = TcpStream::connect(server).await.expect("the server answers");
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = pin!(copy(from_client, to_server, replaced, way.clone(), false));
    let back = pin!(copy(from_server, to_client, ("", ""), way.clone(), true));
    let mut silenced = way.clone();
    tokio::select! {
        biased;
        _ = way.wait_for(|way| *way == Way::Cut) => return,
        _ = silenced.wait_for(|way| *way == Way::Silent) => {}
        () = there => return,
        () = back => return,
    }
    let _ = way.wait_for(|way| *way == Way::Cut).await;
}

/// Carries bytes one way until either side ends.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (old, new): Replaced,
    way: watch::Receiver<Way>,
    is_back: bool,
) {
    const MOMENT: Duration = Duration::from_millis(20);
    const A_WHILE: Duration = Duration::from_millis(500);
    let mut buffer = vec![0; 16 * 1024];
    // Counted from when the way became what it is.
    let (mut known, mut carried) = (Way::Open, 0);
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut bytes = &mut buffer[..length];
        if !old.is_empty()
            && let Some(start) = bytes.windows(old.len()).position(|window| window == old.as_bytes())
        {
            bytes[start..start + new.len()].copy_from_slice(new.as_bytes());
        }
        let now = *way.borrow();
        if now != known {
            (known, carried) = (now, 0);
        }
        let (piece, pause) = match now {
            Way::Slow => (bytes.len(), MOMENT),
            Way::Thin => (256, MOMENT),
            Way::Sliced => (1, Duration::ZERO),
            _ => (bytes.len(), Duration::ZERO),
        };
        let mut ends = false;
        if let (Way::Reset(most) | Way::Limited(most), true) = (now, is_back) {
            ends = carried + length >= most;
            bytes = &mut bytes[..length.min(most - carried)];
            carried += bytes.len();
        }
        for piece in bytes.chunks(piece.max(1)) {
            // A sleep of nothing takes a millisecond, too, and a piece may be one byte.
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
        if ends {
            if matches!(now, Way::Reset(_)) {
                let socket = socket2::SockRef::from(to.as_ref());
                socket.set_linger(Some(Duration::ZERO)).expect("a socket");
            }
            return;
        }
    }
    if *way.borrow() == Way::LateClose {
        tokio::time::sleep(A_WHILE).await;
    }
}
