//! The subject: a tenant's mail configuration, its completeness and its health, as values.
//!
//! Nothing here reads a clock, a database or a network.

use crate::address::EmailAddress;
use crate::clock::Timestamp;
use crate::egress::Host;
use crate::message::HeaderText;
use crate::smtp::Security;
use crate::vault::Sealed;

/// A tenant's stored configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmailConfig {
    pub settings: Settings,
    /// The password, sealed.
    pub secret: Option<Sealed>,
    pub health: Health,
    pub version: Version,
    /// The last time that an administrator changed the configuration.
    pub modified_at: Timestamp,
    /// The last time that anything here changed, health included.
    pub updated_at: Timestamp,
}

/// What an administrator sets, apart from the secret. What is unset is `None`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settings {
    BasicAuth(BasicAuth),
}

/// An SMTP server, with or without a sign-in.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct BasicAuth {
    pub server_address: Option<Host>,
    pub server_port: Option<u16>,
    pub security: Option<Security>,
    pub username: Option<String>,
    /// From and `MAIL FROM`; never a name to sign in with.
    pub email_address: Option<EmailAddress>,
    pub sender_name: Option<HeaderText>,
}

/// What the last check or sending said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    pub state: HealthState,
    /// Credential refusals since the last success or the last change of credentials.
    pub auth_failures: i64,
    /// The code of the diagnosis, where `state` is not `Ok`.
    pub diagnosis_code: Option<String>,
    /// One sentence for the administrator, where `state` is not `Ok`.
    pub reason: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HealthState {
    Ok,
    InvalidCredentials,
    ProviderError,
}

/// Makes the `ETag`, and serialises writers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// New and unique with every change by an administrator; never used again, also after a deletion.
    pub config: String,
    /// Counts the changes of health since then.
    pub health: i64,
}
