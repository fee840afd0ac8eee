//! A way to PostgreSQL that can be blocked, cut and tampered with.

use std::net::SocketAddr;
use std::pin::pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Nothing comes through, and nobody is told. A connection that has been silent stays so.
    Silent,
    /// Connections are closed as soon as they are made.
    Cut,
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

    /// Holds for connections that are there and for those to come.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

#[expect(clippy::disallowed_methods, reason = "the proxy stands outside of the service")]
async fn carry(client: TcpStream, server: SocketAddr, replaced: Replaced, mut way: watch::Receiver<Way>) {
    let server = TcpStream::connect(server).await.expect("PostgreSQL answers");
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = pin!(copy(from_client, to_server, replaced));
    let back = pin!(copy(from_server, to_client, ("", "")));
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

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, (old, new): Replaced) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &mut buffer[..length];
        if !old.is_empty()
            && let Some(start) = bytes.windows(old.len()).position(|window| window == old.as_bytes())
        {
            bytes[start..start + new.len()].copy_from_slice(new.as_bytes());
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
