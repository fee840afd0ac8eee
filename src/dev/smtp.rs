//! The SMTP server of the inbox (RFC 5321): accepts any mail on loopback.
//!
//! Without TLS no sign-in is needed, as with a relay in a private network; over TLS, MAIL needs one, as with a mail
//! host. Wrong passwords are refused, and an [`Outcome`] is played for recipients that ask for it, so that users can try
//! failures.

mod command;
mod connection;
mod data;
mod dialogue;
mod lines;
mod outcomes;
mod reply;
mod sign_in;

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::inbox::Inbox;
use crate::clock::Clock;
use crate::secret::Secret;
use outcomes::LaterAttempts;

pub use outcomes::Outcome;

/// The only user that can sign in.
pub const USER: &str = "dev";

/// The largest accepted mail, in bytes.
pub const MAX_MESSAGE: usize = 25 * 1024 * 1024;

/// Concurrent connections, each of which may be sending the largest mail; further ones wait.
const MAX_CONNECTIONS: usize = 32;

/// How a listener secures its connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// Plain text until the client sends STARTTLS (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314 section 3.3).
    Implicit,
}

pub struct Server {
    inbox: Inbox,
    tls: Arc<ServerConfig>,
    password: Secret,
    clock: Clock,
    permits: Arc<Semaphore>,
    later: LaterAttempts,
}

impl Server {
    /// `password` is that of [`USER`].
    pub fn new(inbox: Inbox, tls: Arc<ServerConfig>, password: Secret, clock: Clock) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Arc::new(Self { inbox, tls, password, clock, permits, later: LaterAttempts::default() })
    }

    /// Accepts connections until the runtime stops; each runs as a task.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, security: Security) {
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(&self);
                    tokio::spawn(async move {
                        if let Err(error) = connection::serve(&server, stream, security).await {
                            tracing::debug!(%error, "a connection to the inbox ended early");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the inbox could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
}
