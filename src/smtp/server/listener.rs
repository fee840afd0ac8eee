//! Accepts connections and serves each in a task of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::connections::{Connections, Place};
use super::message::Memory;
use super::reply::TOO_MANY_CONNECTIONS;
use super::socket::{ClientSocket, reset_on_close};
use super::{FrontDoor, Limits};
use crate::smtp::{Reply, Security};

/// How long nothing is accepted after the system has refused to.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A front door with its limits, for any number of listeners.
pub struct Server<D> {
    pub(super) door: D,
    pub(super) limits: Limits,
    pub(super) memory: Memory,
    pub(super) connections: Arc<Connections>,
}

impl<D: FrontDoor> Server<D> {
    pub fn new(door: D, limits: Limits) -> Arc<Self> {
        let connections = Connections::new(&limits);
        Arc::new(Self { door, limits, memory: Memory::new(limits.max_held_octets), connections })
    }

    pub fn door(&self) -> &D {
        &self.door
    }

    /// How many connections are open, over all listeners.
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }

    /// Serves until `stop`, then ends idle connections, and lets transactions finish within [`Limits::shutdown`]. A message
    /// that the front door is about to accept gets its reply, however long that takes.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, security: Security, stop: CancellationToken) {
        let end = CancellationToken::new();
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = tasks.join_next() => continue,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((tcp, peer)) => match self.connections.admit(self.door.peer_group(peer.ip())) {
                    Some(place) => {
                        tasks.spawn(Arc::clone(&self).connection(
                            tcp,
                            peer,
                            security,
                            place,
                            (stop.clone(), end.clone()),
                        ));
                    }
                    None => refuse(&tcp, security),
                },
                Err(error) => {
                    // Usually too many open files: an eviction may free one.
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.connections.evict_idle();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        if timeout(self.limits.shutdown, all_ended(&mut tasks)).await.is_err() {
            tracing::warn!("shutdown deadline passed with SMTP transactions open");
            end.cancel();
            all_ended(&mut tasks).await;
        }
    }

    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        peer: SocketAddr,
        security: Security,
        place: Place,
        (stop, end): (CancellationToken, CancellationToken),
    ) {
        let socket = ClientSocket::new(tcp, self.limits.write);
        let connection = Connection { server: &self, peer, place, stop, end };
        let (messages, end) = connection.serve(socket, security).await;
        tracing::debug!(messages, %end, "SMTP connection closed");
    }
}

async fn all_ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Sends the reason where it can be written at once, and closes. A TLS client could not read it.
fn refuse(tcp: &TcpStream, security: Security) {
    if security != Security::Tls {
        let mut wire = Vec::new();
        Reply::from(TOO_MANY_CONNECTIONS).encode_to(&mut wire);
        if SockRef::from(tcp).send(&wire).is_ok() {
            return;
        }
    }
    reset_on_close(tcp);
}
