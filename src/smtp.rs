//! SMTP (RFC 5321): a client session over a connection that the caller made, and in [`server`] the other side.
//!
//! It knows no tenant, no store and no HTTP, and it never resolves a name.

mod auth;
mod capabilities;
mod client;
mod data;
mod error;
mod first_bytes;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod reply;
pub mod server;
mod socket;
mod stream;
mod timeouts;
mod tls;

pub use auth::{Credentials, Mechanism};
pub use capabilities::Capabilities;
pub use client::{Delivery, Envelope, Receipt, RecipientReply, Session, Settings};
pub use error::{Chain, Error, ErrorKind, OtherProtocol, TlsFailure};
pub use reply::{EnhancedCode, Reply};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
pub enum Security {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "StartTLS")]
    StartTls,
    /// TLS from the first byte.
    #[serde(rename = "SSL/TLS")]
    Tls,
}

impl Security {
    pub const ALL: [Self; 3] = [Self::None, Self::StartTls, Self::Tls];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "StartTLS",
            Self::Tls => "SSL/TLS",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|security| security.as_str() == text)
    }
}
