//! A tenant's mail configuration: its settings, whether they are complete, and its health, as values.
//!
//! Nothing here reads a clock, a database or a network.

mod advice;
mod change;
pub mod fields;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod health;
mod last_check;
pub mod patch;
pub mod put;
pub mod settings;

pub use advice::{Advice, advice, has_password_at_microsoft365};
pub use change::{Change, SecretChange};
pub use health::{CheckOutcome, Health, HealthState};
pub use last_check::{CheckOperation, LastCheck, NotVerified};
pub use settings::{BasicAuth, Microsoft365, ProviderKind, Settings};

use crate::clock::Timestamp;
use crate::language::{Language, Text, texts};
use crate::secret::Sealed;

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
    /// None where these settings have not been tried since they were changed.
    pub last_check: Option<LastCheck>,
    pub version: Version,
    /// The last time that an administrator changed the configuration.
    pub modified_at: Timestamp,
    /// The last time that anything here changed, health included.
    pub updated_at: Timestamp,
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

impl EmailConfig {
    /// See [`Settings::missing`].
    pub fn missing(&self) -> Vec<&'static str> {
        self.settings.missing(self.secret.is_some())
    }

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
    pub fn is_valid(&self) -> bool {
        self.error_code() == ErrorCode::Ok
    }

    /// `OK`, or one sentence that an administrator understands.
    pub fn status_reason(&self, language: Language) -> String {
        match self.error_code() {
            ErrorCode::Ok => "OK".to_owned(),
            ErrorCode::IncompleteConfig => {
                Text::new(NOT_SET_YET).with("missing", self.missing().join(", ")).render(language)
            }
            ErrorCode::ConfigNotSet => Text::new(NO_ACCOUNT).render(language),
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
