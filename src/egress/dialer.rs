//! Connects: one look-up, every answer judged, then a connection to that very address.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Host, Policy, Refusal, Resolver};
use crate::transcript::{Stage, Transcript};

/// Makes every outgoing connection of the service. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    pub policy: Arc<Policy>,
    pub resolver: Resolver,
}

/// A connection to an address that the policy allows, `TCP_NODELAY` set.
pub struct Connection {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    /// The address lies in `egress.allow`: a password may travel in the clear.
    pub opened_by_operator: bool,
    /// An IPv6 address of the host was dead, an IPv4 one answered.
    pub ipv6_path_broken: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DialError {
    Refused(Refusal),
    NotFound,
    DnsUnavailable,
    ConnectRefused,
    ConnectTimeout,
    /// No route, or another error of the network below TCP.
    Unreachable,
}

impl DialError {
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Refused(_) => Stage::Policy,
            Self::NotFound | Self::DnsUnavailable => Stage::Dns,
            Self::ConnectRefused | Self::ConnectTimeout | Self::Unreachable => Stage::Connect,
        }
    }
}

impl Dialer {
    /// Connects to a destination that a tenant named.
    ///
    /// # Errors
    /// See [`DialError`]; a refusal by policy falls before any packet is sent.
    pub async fn dial(
        &self,
        _host: &Host,
        _port: u16,
        _deadline: Instant,
        _transcript: &mut Transcript,
    ) -> Result<Connection, DialError> {
        todo!()
    }

    /// Connects to a destination that the operator configured: not held to the tenants' policy.
    ///
    /// # Errors
    /// See [`DialError`].
    pub async fn dial_for_operator(
        &self,
        _host: &str,
        _port: u16,
        _deadline: Instant,
    ) -> Result<Connection, DialError> {
        todo!()
    }
}
