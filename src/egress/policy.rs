//! Which hosts, ports and addresses may be reached.

use std::net::{IpAddr, SocketAddr};

use super::Host;
use crate::config::Egress;

/// The operator's decision about destinations, built once from the settings.
#[derive(Clone, Debug)]
pub struct Policy {}

/// A setting that the service refuses to start with.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct PolicyError {
    pub key: &'static str,
    pub reason: String,
}

/// Why a destination is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// An address in a denied range. The class is for the operator's log, never for a client.
    Address { address: IpAddr, class: &'static str },
    /// A name that is never looked up here (`localhost`, `*.internal`, a single label …).
    Name,
    /// A port outside `egress.ports`.
    Port { allowed: Vec<u16> },
}

impl Policy {
    /// # Errors
    /// Names the setting and the entry that cannot stand.
    pub fn new(_settings: &Egress) -> Result<Self, PolicyError> {
        todo!()
    }

    /// What can be judged when a configuration is written: the port, the form of the name, an IP literal.
    ///
    /// # Errors
    /// The first reason to refuse; the port is judged after the host.
    pub fn check_written(&self, _host: Option<&Host>, _port: Option<u16>) -> Result<(), Refusal> {
        todo!()
    }

    /// Judges one address as it would be connected to.
    ///
    /// # Errors
    /// [`Refusal::Address`].
    pub fn check_address(&self, _address: SocketAddr) -> Result<(), Refusal> {
        todo!()
    }

    /// Whether `egress.allow` opens this address: only there may a password travel in the clear.
    #[must_use]
    pub fn opened_by_operator(&self, _address: IpAddr) -> bool {
        todo!()
    }

    /// Adds one of this service's own listeners, which is never a destination.
    pub fn add_own_listener(&self, _listener: SocketAddr) {
        todo!()
    }
}
