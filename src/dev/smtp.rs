//! The SMTP server of the inbox (RFC 5321): takes any mail, on loopback.
//!
//! In the clear nobody has to sign in, as with a relay in an own network; over TLS MAIL needs a sign-in, as
//! with a mail host. A password is always checked. Wrong passwords and recipients that begin with
//! [`UNKNOWN_USER`] are refused, so that a failure can be seen.

mod command;
mod connection;
mod data;
mod dialogue;
mod lines;
mod reply;
mod sign_in;

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::inbox::Inbox;
use crate::clock::Clock;
use crate::secret::Secret;

/// The one user that can sign in.
pub const USER: &str = "dev";

/// A recipient whose local part begins so does not exist.
pub const UNKNOWN_USER: &str = "nouser";

/// The largest mail that is taken, in bytes.
pub const MAX_MESSAGE: usize = 25 * 1024 * 1024;

/// Connections at the same time, each of which may be sending the largest mail; further ones wait.
const MAX_CONNECTIONS: usize = 32;

/// What a listener begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// Text, until the client asks for STARTTLS (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314 section 3.3).
    Implicit,
}

pub struct Server {
    inbox: Inbox,
    tls: Arc<ServerConfig>,
    password: Secret,
    clock: Clock,
    places: Arc<Semaphore>,
}

impl Server {
    /// `password` is the one that [`USER`] signs in with.
    #[must_use]
    pub fn new(inbox: Inbox, tls: Arc<ServerConfig>, password: Secret, clock: Clock) -> Arc<Self> {
        Arc::new(Self { inbox, tls, password, clock, places: Arc::new(Semaphore::new(MAX_CONNECTIONS)) })
    }

    /// Serves for as long as the runtime lives; a task for each connection.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, security: Security) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(&self);
                    tokio::spawn(async move {
                        if let Err(error) = connection::serve(&server, stream, security).await {
                            tracing::debug!(%error, "a connection to the inbox ended early");
                        }
                        drop(place);
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
