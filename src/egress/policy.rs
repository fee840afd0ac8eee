//! Decides which hosts, ports and addresses may be reached.
//!
//! It is pure except for one question to the kernel: whether an address is this machine's own.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{PoisonError, RwLock};

use ipnet::{IpNet, Ipv6Net};

use super::{Host, Lookup};
use crate::config::{Config, Egress};

mod embedded;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod oracle;
mod settings;
mod special;
#[cfg(test)]
mod tests;

/// Names that have a meaning only on this machine or in this network (RFC 6761, 6762, 8375; the names that
/// ICANN reserves; `svc` and `cluster.local` of Kubernetes), with all names below them.
const LOCAL_NAMES: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "svc"];

/// The operator's decision about destinations, built once from the settings.
#[derive(Debug)]
pub struct Policy {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    allow_hosts: HashSet<String>,
    ports: Vec<u16>,
    nat64_prefixes: Vec<Ipv6Net>,
    own_listeners: RwLock<Vec<SocketAddr>>,
    /// Those of the SMTP gateway: a tenant that names one would get its mail back.
    gateway_listeners: RwLock<Vec<SocketAddr>>,
}

/// A setting that the service refuses to start with.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct PolicyError {
    pub key: &'static str,
    /// Begins with the wrong entry.
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
    /// The SMTP gateway of this service.
    OwnGateway,
}

impl Policy {
    /// # Errors
    /// Names the setting and the wrong entry.
    pub fn new(settings: &Egress) -> Result<Self, PolicyError> {
        Ok(Self {
            allow: settings::allow(&settings.allow)?,
            deny: settings::deny(&settings.deny)?,
            allow_hosts: settings::allow_hosts(&settings.allow_hosts)?,
            ports: settings::ports(&settings.ports)?,
            nat64_prefixes: settings::nat64_prefixes(&settings.nat64_prefixes)?,
            own_listeners: RwLock::default(),
            gateway_listeners: RwLock::default(),
        })
    }

    /// The policy of the default settings.
    ///
    /// # Panics
    /// Never: a test holds the defaults.
    pub fn of_the_defaults() -> Self {
        Self::new(&Config::default().egress).expect("the defaults are sound")
    }

    /// Every setting of the policy that is faulty.
    pub fn faults(settings: &Egress) -> Vec<PolicyError> {
        [
            settings::allow(&settings.allow).err(),
            settings::deny(&settings.deny).err(),
            settings::allow_hosts(&settings.allow_hosts).err(),
            settings::ports(&settings.ports).err(),
            settings::nat64_prefixes(&settings.nat64_prefixes).err(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Checks what is known when a configuration is written: the port, the form of the name, an IP literal.
    ///
    /// # Errors
    /// The first reason to refuse; the host is checked before the port.
    pub fn check_destination(&self, host: Option<&Host>, port: Option<u16>) -> Result<(), Refusal> {
        match host {
            Some(Host::Address(address)) => {
                self.check_address(SocketAddr::new(*address, port.unwrap_or_default()))?;
            }
            Some(Host::Name(name)) => self.check_name(name)?,
            None => {}
        }
        port.map_or(Ok(()), |port| self.check_port(port))
    }

    /// Checks one address before a connection to it.
    pub fn check_address(&self, address: SocketAddr) -> Result<(), Refusal> {
        self.check(address, false)
    }

    /// Checks one address that a host has resolved to: where `egress.allow_hosts` has the name, it may lie in a refused
    /// range.
    pub fn check_answer(&self, host: &Host, address: SocketAddr) -> Result<(), Refusal> {
        let opened_by_name = matches!(host, Host::Name(name) if self.allow_hosts.contains(name));
        self.check(address, opened_by_name)
    }

    /// How a tenant's host is looked up: the search list applies to the names of `egress.allow_hosts` alone, for a name
    /// that it completes has not been judged.
    pub fn lookup_of(&self, host: &Host) -> Lookup {
        match host {
            Host::Name(name) if self.allow_hosts.contains(name) => Lookup::SearchList,
            _ => Lookup::Absolute,
        }
    }

    /// Whether `egress.allow` opens this address: only there may a password be sent unencrypted.
    pub fn is_opened_by_operator(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        contains(&self.allow, self.nat64_target(address))
            && self.class_of_refusal(address, 0, false).is_none()
    }

    /// Adds one of this service's own listeners, which is never a destination.
    pub fn add_own_listener(&self, listener: SocketAddr) {
        self.own_listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Adds a listener of the SMTP gateway, which is never a destination. The diagnosis says that it is the gateway.
    pub fn add_gateway_listener(&self, listener: SocketAddr) {
        self.gateway_listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        let is_local = !name.contains('.')
            || LOCAL_NAMES.iter().any(|local| {
                name.strip_suffix(local).is_some_and(|front| front.is_empty() || front.ends_with('.'))
            });
        if is_local && !self.allow_hosts.contains(name) { Err(Refusal::Name) } else { Ok(()) }
    }

    fn check_port(&self, port: u16) -> Result<(), Refusal> {
        let all = self.ports.contains(&0);
        if port != 0 && (all || self.ports.contains(&port)) {
            Ok(())
        } else {
            Err(Refusal::Port { allowed: self.ports.clone() })
        }
    }

    fn check(&self, socket: SocketAddr, opened_by_name: bool) -> Result<(), Refusal> {
        let address = socket.ip().to_canonical();
        if listens(&self.gateway_listeners, self.nat64_target(address), socket.port()) {
            return Err(Refusal::OwnGateway);
        }
        match self.class_of_refusal(address, socket.port(), opened_by_name) {
            Some(class) => Err(Refusal::Address { address, class }),
            None => Ok(()),
        }
    }

    /// `address` is canonical.
    fn class_of_refusal(&self, address: IpAddr, port: u16, opened_by_name: bool) -> Option<&'static str> {
        let target = self.nat64_target(address);
        let inner = match target {
            IpAddr::V6(target) => embedded::tunnel_target(target).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        let all = || [Some(address), Some(target), inner].into_iter().flatten();
        if listens(&self.own_listeners, target, port) {
            return Some("own listener");
        }
        if let Some(class) = all().find_map(special::never_opened) {
            return Some(class);
        }
        if all().any(|address| contains(&self.deny, address)) {
            return Some("egress.deny");
        }
        if opened_by_name || contains(&self.allow, target) {
            return None;
        }
        special::refused(target)
            .or_else(|| inner.filter(|inner| !contains(&self.allow, *inner)).and_then(special::refused))
    }

    /// What is reached through the operator's NAT64, or the address itself.
    fn nat64_target(&self, address: IpAddr) -> IpAddr {
        let IpAddr::V6(v6) = address else { return address };
        let inner = self.nat64_prefixes.iter().find_map(|prefix| embedded::nat64_target(prefix, v6));
        inner.map_or(address, IpAddr::V4)
    }
}

/// Whether one of the listeners is reached there.
fn listens(listeners: &RwLock<Vec<SocketAddr>>, address: IpAddr, port: u16) -> bool {
    let listeners = listeners.read().unwrap_or_else(PoisonError::into_inner);
    listeners.iter().filter(|listener| listener.port() == port).any(|listener| {
        let ip = listener.ip().to_canonical();
        ip == address || (ip.is_unspecified() && is_on_this_machine(address))
    })
}

/// The kernel lets a socket have only an address that the machine has. Asked each time, for addresses change.
fn is_on_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}
