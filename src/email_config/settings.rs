//! What an administrator sets, apart from the secret. Each provider's part has a file of its own.

pub mod basic_auth;
pub mod microsoft365;

use std::sync::Arc;

use super::fields::{self, MemberReader};
use crate::egress::Policy;
use crate::error::{InputFault, Reason};
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::secret::Secret;
pub use basic_auth::BasicAuth;
pub use microsoft365::Microsoft365;

/// The providers that a mail account can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProviderKind {
    BasicAuth,
    Microsoft365,
}

impl ProviderKind {
    pub const ALL: [Self; 2] = [Self::BasicAuth, Self::Microsoft365];

    /// The contract's `serviceProvider`; the database holds the same word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BasicAuth => "BasicAuth",
            Self::Microsoft365 => "Microsoft365",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The settings of one of the providers. What is unset is `None`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settings {
    BasicAuth(BasicAuth),
    Microsoft365(Microsoft365),
}

/// What the settings of every provider tell.
trait ProviderSettings {
    fn kind(&self) -> ProviderKind;
    /// The name of the secret in the API and in the vault's associated data.
    fn secret_field(&self) -> &'static str;
    fn email_address(&self) -> Option<&EmailAddress>;
    fn sender_name(&self) -> Option<&HeaderText>;
    /// The fields that are still needed, in the order of the form.
    fn missing(&self, secret_exists: bool) -> Vec<&'static str>;
    /// What must stay for the secret to stay: see [`Settings::destination`].
    fn destination(&self) -> String;
    fn to_row(&self) -> SettingsRow;
    /// The secret was left out, and none is stored for this provider.
    fn secret_is_required(&self) -> InputFault;
    /// What a stored secret belongs to that cannot be kept.
    fn other_destination(&self) -> &'static str;
}

/// The settings as a row of the database holds them. The columns of other providers are empty.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SettingsRow {
    pub server_address: Option<String>,
    pub server_port: Option<i64>,
    pub security_type: Option<String>,
    pub username: Option<String>,
    pub email_address: Option<String>,
    pub sender_name: Option<String>,
    pub client_id: Option<String>,
    pub provider_tenant_id: Option<String>,
}

/// A column that holds what no settings can be. It never shows the value: a row that was edited by hand may hold
/// anything.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{column} {problem}")]
pub struct RowError {
    pub column: &'static str,
    pub problem: String,
}

impl RowError {
    fn new(column: &'static str, problem: &impl ToString) -> Self {
        Self { column, problem: problem.to_string() }
    }
}

/// Settings as a PUT gives them, with the secret where it brings one.
pub(super) type Parsed = (Settings, Option<Arc<Secret>>);

impl Settings {
    /// Reads the `providerConfig` of a PUT. The faults are the reader's.
    pub(super) fn parse(
        kind: ProviderKind,
        reader: &mut MemberReader<'_>,
        policy: &Policy,
    ) -> Option<Parsed> {
        match kind {
            ProviderKind::BasicAuth => Some(basic_auth::parse(reader, policy)),
            ProviderKind::Microsoft365 => microsoft365::parse(reader),
        }
    }

    /// # Errors
    /// A column that holds what the provider's settings cannot be.
    pub fn from_row(kind: ProviderKind, row: SettingsRow) -> Result<Self, RowError> {
        match kind {
            ProviderKind::BasicAuth => BasicAuth::from_row(row).map(Self::BasicAuth),
            ProviderKind::Microsoft365 => Microsoft365::from_row(row).map(Self::Microsoft365),
        }
    }

    pub fn to_row(&self) -> SettingsRow {
        self.provider().to_row()
    }

    fn provider(&self) -> &dyn ProviderSettings {
        match self {
            Self::BasicAuth(basic) => basic,
            Self::Microsoft365(app) => app,
        }
    }

    pub fn kind(&self) -> ProviderKind {
        self.provider().kind()
    }

    /// The name of the secret in the API and in the vault's associated data.
    pub fn secret_field(&self) -> &'static str {
        self.provider().secret_field()
    }

    /// From and `MAIL FROM`.
    pub fn email_address(&self) -> Option<&EmailAddress> {
        self.provider().email_address()
    }

    /// The name that stands beside the sender address.
    pub fn sender_name(&self) -> Option<&HeaderText> {
        self.provider().sender_name()
    }

    /// The fields that are still needed, by their names in the API and in the order of the form.
    pub fn missing(&self, secret_exists: bool) -> Vec<&'static str> {
        self.provider().missing(secret_exists)
    }

    /// Where the secret may be sent, in the one form that is bound to the sealed secret.
    ///
    /// Each part is preceded by its length, so that no two destinations give the same text.
    pub fn destination(&self) -> String {
        self.provider().destination()
    }

    /// Whether a secret that was entered for `before` may stay for these settings.
    ///
    /// A part of the destination that was not set yet may be set; a part that was set must stay as it is, and the
    /// security type must not become weaker.
    pub fn keeps_secret_of(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::BasicAuth(before), Self::BasicAuth(after)) => after.keeps_password_of(before),
            (Self::Microsoft365(before), Self::Microsoft365(after)) => after.keeps_client_secret_of(before),
            (Self::BasicAuth(_) | Self::Microsoft365(_), _) => false,
        }
    }

    /// The fields that differ from what is stored, in the order of the form; all that are set where another provider
    /// is stored, or nothing.
    pub fn changed_fields(&self, before: Option<&Self>) -> Vec<&'static str> {
        match (before, self) {
            (Some(Self::BasicAuth(before)), Self::BasicAuth(after)) => after.changed_fields(Some(before)),
            (Some(Self::Microsoft365(before)), Self::Microsoft365(after)) => {
                after.changed_fields(Some(before))
            }
            (Some(_), after) => [vec![fields::SERVICE_PROVIDER], after.changed_fields(None)].concat(),
            (None, Self::BasicAuth(after)) => after.changed_fields(None),
            (None, Self::Microsoft365(after)) => after.changed_fields(None),
        }
    }

    /// A secret that was left out cannot be kept; `stored` where one of this provider is stored.
    pub(super) fn secret_not_kept(&self, stored: bool) -> InputFault {
        if !stored {
            return self.provider().secret_is_required();
        }
        let other = self.provider().other_destination();
        InputFault::new(
            self.secret_field(),
            Reason::SecretNotKept,
            format!("must be entered again: the stored one belongs to another {other}"),
        )
    }
}

/// A part of a destination, preceded by its length.
fn with_length(part: Option<&str>) -> String {
    part.map_or_else(|| "-;".to_owned(), |text| format!("{}:{text};", text.len()))
}
