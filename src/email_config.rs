//! The subject: a tenant's mail configuration, its completeness and its health, as values.
//!
//! Nothing here reads a clock, a database or a network.

mod advice;
mod change;
mod destination;
pub mod fields;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod health;
pub mod patch;
pub mod put;

pub use advice::{Advice, advice, has_password_at_microsoft365};
pub use change::{Change, SecretChange};
pub use destination::{canonical, keeps_secret};
pub use health::{CheckOutcome, Health, HealthState};

use crate::clock::Timestamp;
use crate::egress::Host;
use crate::language::{Language, Text, texts};
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::secret::Sealed;
use crate::smtp::Security;

texts! {
    NOT_SET_YET = "Not set yet: {missing}.";
    NO_ACCOUNT = "No mail account is configured.";
}

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
    Microsoft365(Microsoft365),
}

/// An app of Microsoft 365 that sends from one mailbox. It is only ever set as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Microsoft365 {
    pub client_id: String,
    /// The directory: a GUID, or a verified domain name; in lower case.
    pub provider_tenant: String,
    /// The mailbox, and From.
    pub email_address: EmailAddress,
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

/// Makes the `ETag`, and serialises writers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// New and unique with every change by an administrator; never used again, also after a deletion.
    pub config: String,
    /// Counts the changes of health since then.
    pub health: i64,
}

/// The contract's `errorCode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorCode {
    Ok,
    ConfigNotSet,
    IncompleteConfig,
    InvalidCredentials,
    ProviderError,
}

impl ErrorCode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::ConfigNotSet => "CONFIG_NOT_SET",
            Self::IncompleteConfig => "INCOMPLETE_CONFIG",
            Self::InvalidCredentials => "INVALID_CREDENTIALS",
            Self::ProviderError => "PROVIDER_ERROR",
        }
    }

    /// The contract's `status.statusCode`.
    #[must_use]
    pub fn status_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::ConfigNotSet => 1,
            Self::IncompleteConfig => 2,
            Self::InvalidCredentials => 3,
            Self::ProviderError => 4,
        }
    }
}

impl Settings {
    /// The contract's `serviceProvider`.
    #[must_use]
    pub fn provider_name(&self) -> &'static str {
        match self {
            Self::BasicAuth(_) => "BasicAuth",
            Self::Microsoft365(_) => "Microsoft365",
        }
    }

    /// The name of the secret in the API and in the vault's associated data.
    #[must_use]
    pub fn secret_field(&self) -> &'static str {
        match self {
            Self::BasicAuth(_) => fields::EMAIL_PASSWORD,
            Self::Microsoft365(_) => fields::CLIENT_SECRET,
        }
    }

    /// From and `MAIL FROM`.
    #[must_use]
    pub fn email_address(&self) -> Option<&EmailAddress> {
        match self {
            Self::BasicAuth(basic) => basic.email_address.as_ref(),
            Self::Microsoft365(app) => Some(&app.email_address),
        }
    }

    /// The name that stands beside the sender address.
    #[must_use]
    pub fn sender_name(&self) -> Option<&HeaderText> {
        match self {
            Self::BasicAuth(basic) => basic.sender_name.as_ref(),
            Self::Microsoft365(_) => None,
        }
    }

    /// The fields that are still needed, by their names in the API and in the order of the form.
    #[must_use]
    pub fn missing(&self, secret_exists: bool) -> Vec<&'static str> {
        match self {
            Self::BasicAuth(basic) => basic.missing(secret_exists),
            Self::Microsoft365(_) if secret_exists => Vec::new(),
            Self::Microsoft365(_) => vec![fields::CLIENT_SECRET],
        }
    }
}

impl BasicAuth {
    /// Complete is: server, port, security and sender address, and user name and password both or neither.
    fn missing(&self, password_exists: bool) -> Vec<&'static str> {
        let needed = [
            (self.server_address.is_none(), fields::SERVER_ADDRESS),
            (self.server_port.is_none(), fields::SERVER_PORT),
            (self.security.is_none(), fields::SECURITY_TYPE),
            (self.email_address.is_none(), fields::EMAIL_ADDRESS),
            (self.username.is_none() && password_exists, fields::USERNAME),
            (self.username.is_some() && !password_exists, fields::EMAIL_PASSWORD),
        ];
        needed.into_iter().filter_map(|(missing, field)| missing.then_some(field)).collect()
    }
}

impl EmailConfig {
    /// See [`Settings::missing`].
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.settings.missing(self.secret.is_some())
    }

    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        if !self.missing().is_empty() {
            return ErrorCode::IncompleteConfig;
        }
        match self.health.state {
            HealthState::Ok => ErrorCode::Ok,
            HealthState::InvalidCredentials => ErrorCode::InvalidCredentials,
            HealthState::ProviderError => ErrorCode::ProviderError,
        }
    }

    /// Complete, and not known to fail.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.error_code() == ErrorCode::Ok
    }

    /// `OK`, or one sentence that an administrator understands.
    #[must_use]
    pub fn status_reason(&self, language: Language) -> String {
        match self.error_code() {
            ErrorCode::Ok => "OK".to_owned(),
            ErrorCode::IncompleteConfig => {
                Text::new(NOT_SET_YET).with("missing", self.missing().join(", ")).say(language)
            }
            ErrorCode::ConfigNotSet => Text::new(NO_ACCOUNT).say(language),
            code @ (ErrorCode::InvalidCredentials | ErrorCode::ProviderError) => {
                self.health.reason_in(language).unwrap_or_else(|| code.as_str().to_owned())
            }
        }
    }
}

/// Every text of a configuration's state, and all advice.
#[cfg(test)]
pub(crate) fn texts() -> Vec<&'static str> {
    [TEXTS, advice::TEXTS].concat()
}

#[cfg(test)]
mod tests;
