//! Resolves a host once, judges every address, and connects to a judged address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Host, Lookup, Policy, Refusal, ResolveError, Resolver};
use crate::mail::transcript::{Stage, Transcript};

mod attempts;

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
    /// The address lies in `egress.allow`: a password may be sent unencrypted.
    pub opened_by_operator: bool,
    /// An IPv6 address of the host was dead, an IPv4 one answered.
    pub ipv6_path_broken: bool,
    /// The host's other addresses, judged like this one.
    pub alternatives: Vec<SocketAddr>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DialError {
    #[error("the destination is not allowed")]
    Refused(Refusal),
    #[error("there is no such host")]
    NotFound,
    #[error("the name could not be looked up")]
    DnsUnavailable,
    #[error("the connection was refused")]
    ConnectRefused,
    #[error("the connection was not accepted in time")]
    ConnectTimeout,
    /// No route, or another error of the network below TCP.
    #[error("the host cannot be reached")]
    Unreachable,
}

impl DialError {
    pub fn stage(&self) -> Stage {
        match self {
            Self::Refused(_) => Stage::Policy,
            Self::NotFound | Self::DnsUnavailable => Stage::Dns,
            Self::ConnectRefused | Self::ConnectTimeout | Self::Unreachable => Stage::Connect,
        }
    }
}

impl From<ResolveError> for DialError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NotFound => Self::NotFound,
            ResolveError::Unavailable => Self::DnsUnavailable,
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
        host: &Host,
        port: u16,
        deadline: Instant,
        transcript: &mut Transcript,
    ) -> Result<Connection, DialError> {
        self.policy
            .check_destination(Some(host), Some(port))
            .map_err(|refusal| refused(host, port, refusal, transcript))?;
        let lookup = self.policy.lookup_of(host);
        let addresses = self.look_up(host, port, lookup, deadline, transcript).await?;
        // One denied address among allowed ones is suspicious: none is used.
        for address in &addresses {
            self.policy
                .check_answer(host, *address)
                .map_err(|refusal| refused(host, port, refusal, transcript))?;
        }
        self.connect(&addresses, deadline, transcript).await
    }

    /// Connects to a destination that the operator configured; the tenants' policy does not apply.
    pub async fn dial_for_operator(
        &self,
        host: &Host,
        port: u16,
        deadline: Instant,
    ) -> Result<Connection, DialError> {
        let mut transcript = Transcript::default();
        let addresses = self.look_up(host, port, Lookup::SearchList, deadline, &mut transcript).await?;
        self.connect(&addresses, deadline, &mut transcript).await
    }

    /// Connects to one of the [`Connection::alternatives`] after a connection that failed.
    pub async fn dial_alternative(
        &self,
        alternatives: &[SocketAddr],
        deadline: Instant,
        transcript: &mut Transcript,
    ) -> Result<Connection, DialError> {
        self.connect(alternatives, deadline, transcript).await
    }

    async fn connect(
        &self,
        addresses: &[SocketAddr],
        deadline: Instant,
        transcript: &mut Transcript,
    ) -> Result<Connection, DialError> {
        let found = attempts::connect(addresses, deadline, transcript).await?;
        Ok(Connection {
            opened_by_operator: self.policy.is_opened_by_operator(found.peer.ip()),
            stream: found.stream,
            peer: found.peer,
            ipv6_path_broken: found.ipv6_path_broken,
            alternatives: addresses.iter().copied().filter(|address| *address != found.peer).collect(),
        })
    }

    /// The addresses as they will be connected to: canonical, each once.
    async fn look_up(
        &self,
        host: &Host,
        port: u16,
        lookup: Lookup,
        deadline: Instant,
        transcript: &mut Transcript,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let name = match host {
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, port)]),
            Host::Name(name) => name,
        };
        transcript.begin(Stage::Dns);
        let started = Instant::now();
        let found = self.resolver.resolve(name, lookup, deadline).await;
        let answers = found.map_err(DialError::from).inspect_err(|error| {
            transcript.fail(Stage::Dns, started.elapsed(), &format!("{name}: {error}"));
        })?;
        // Neither how many nor which: a refusal must not show what the name resolves to.
        transcript.add(Stage::Dns, started.elapsed(), &format!("{name} was found"));
        let mut addresses = Vec::new();
        for answer in answers {
            let address = SocketAddr::new(answer.to_canonical(), port);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }
}

/// Logs the reason for the operator; the tenant learns only that it was refused.
fn refused(host: &Host, port: u16, refusal: Refusal, transcript: &mut Transcript) -> DialError {
    match &refusal {
        Refusal::Address { address, class } => {
            tracing::warn!(%host, port, %address, class, "a destination was refused");
        }
        Refusal::Name => tracing::warn!(%host, port, class = "local name", "a destination was refused"),
        Refusal::Port { .. } => tracing::warn!(%host, port, class = "port", "a destination was refused"),
        Refusal::OwnGateway => {
            tracing::warn!(%host, port, class = "own gateway", "a destination was refused");
        }
    }
    let error = DialError::Refused(refusal);
    transcript.fail(Stage::Policy, Duration::ZERO, &error.to_string());
    error
}
