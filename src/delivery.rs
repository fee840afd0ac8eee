//! Sends the platform's mail through the tenants' accounts: takes it durably, hands it over, and keeps what became of each
//! recipient.
//!
//! One process at a time owns an account and sends its mail; a fence keeps an earlier owner from writing. See
//! `docs/delivery.md`.

mod account;
pub mod api_keys;
mod backlog;
mod capacity;
mod change;
mod content;
mod details;
mod door;
mod email_actions;
mod given_text;
mod handover;
pub mod operator;
mod outbox;
mod query;
mod queue_limits;
pub mod request;
mod runner;
mod slots;
mod submission;
mod worker;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::account::Accounts;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::error::InputFault;
use crate::id::TenantId;
use crate::outgoing::transition::Waits;
use crate::outgoing::{Email, Event, EventKind, RecipientState};
use crate::store::{Db, DbError};
use crate::telemetry::metrics::Metrics;
use crate::vault::{Vault, VaultError};

pub use account::{ALLOWED_SENDERS, MAX_CONNECTIONS, MAX_PER_MINUTE};
pub use api_keys::{KeyError, KeyRefusal};
pub use details::Details;
pub use outbox::Enqueued;
pub use query::{AccountView, EmailView};
pub use worker::Worker;

/// What takes mail, and what shows it.
pub struct Delivery {
    accounts: Arc<Accounts>,
    db: Db,
    vault: Arc<Vault>,
    clock: Clock,
    settings: config::Delivery,
    /// How long a message that comes again by SMTP is recognised; 0 is not at all.
    repetition_window: Duration,
    keys: content::ContentKeys,
    capacity: capacity::Capacity,
    queue_limits: queue_limits::QueueLimits,
    pub api_keys: api_keys::ApiKeys,
    backlog: backlog::Backlog,
    /// Wakes the worker of this process: an account without an owner has become due.
    due: Notify,
    /// Wakes those who send the mail of an account that this process owns.
    owned: Mutex<HashMap<TenantId, Arc<Notify>>>,
    /// Counts the changes that this process has written, for those who wait for one.
    changes: watch::Sender<u64>,
    /// Cancelled when the process is about to end: requests that wait for a change are answered.
    pub stopping: CancellationToken,
    /// The name of this process among the owners.
    owner: String,
}

/// Why a use case of the delivery ended without its result.
#[derive(Debug)]
pub enum Error {
    /// The tenant has no account to send with.
    NotConfigured,
    /// A sender is neither the account's address nor one of its `allowed_senders`.
    SenderNotAllowed {
        /// Where the sender stands in the request: a JSON Pointer.
        pointer: &'static str,
        /// The senders that are.
        allowed: Vec<String>,
    },
    /// A sender is none of the `allowed_senders` of the API key.
    SenderNotAllowedByKey {
        pointer: &'static str,
        allowed: Vec<String>,
    },
    /// A change of the account or of an API key that cannot be made.
    Input(Vec<InputFault>),
    /// As many API keys as there may be.
    TooManyKeys,
    /// A fault that shows only beside the account, or the time.
    Refused(request::RequestFaults),
    /// One of several emails is refused.
    OfBatch {
        /// Among those that were to be stored together.
        index: usize,
        error: Box<Error>,
    },
    /// The idempotency key came with another request before.
    KeyReused,
    /// Larger than the limit; both in octets.
    TooLarge {
        limit: usize,
        size: usize,
        /// Whether the limit is the account provider's. Otherwise it is `delivery.max_message_bytes`.
        is_of_provider: bool,
    },
    /// The tenant's queue is full.
    QueueFull,
    /// This installation has no room for more mail: its disk is nearly full, or all tenants together have too much waiting.
    NoRoom,
    NotFound,
    /// Nothing of the email is in a state that this can change.
    Conflict(Cow<'static, str>),
    /// The content was removed.
    ContentGone {
        /// Because the account's server has taken the email for every recipient.
        is_accepted: bool,
    },
    KeysUnavailable,
    /// Other writes came first, again and again.
    Contended,
    Database(DbError),
    Internal(anyhow::Error),
}

impl Error {
    /// The same error, of an email that stands alone.
    pub fn without_index(self) -> Self {
        if let Self::OfBatch { error, .. } = self { *error } else { self }
    }

    /// The name of a refusal at the door, for the metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::SenderNotAllowed { .. } | Self::SenderNotAllowedByKey { .. } => {
                request::ErrorName::InvalidFromAddress.as_str()
            }
            Self::Refused(faults) => faults.name().as_str(),
            Self::OfBatch { error, .. } => error.name(),
            Self::KeyReused => "invalid_idempotent_request",
            Self::TooLarge { .. } => "message_too_large",
            Self::QueueFull => "queue_full",
            Self::NotFound => "not_found",
            Self::Input(_) | Self::TooManyKeys | Self::Conflict(_) | Self::ContentGone { .. } => {
                request::ErrorName::ValidationError.as_str()
            }
            Self::NoRoom | Self::KeysUnavailable | Self::Contended | Self::Database(_) => "unavailable",
            Self::Internal(_) => "internal_server_error",
        }
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Unavailable => Self::KeysUnavailable,
            VaultError::Unreadable => Self::Internal(anyhow::anyhow!(
                "a content key does not open with the keys of this installation"
            )),
        }
    }
}

/// The states whose rise is watched: their counters exist from the start.
const WATCHED_STATES: [RecipientState; 2] = [RecipientState::Unknown, RecipientState::Expired];

/// The refusals that are watched in the same way: mail that clients have to send again.
const WATCHED_REFUSALS: [Error; 2] = [Error::QueueFull, Error::NoRoom];

impl Delivery {
    pub fn new(accounts: &Arc<Accounts>, config: &Config) -> Self {
        for state in WATCHED_STATES {
            accounts.metrics.record_recipients(state.as_str(), 0);
        }
        for refusal in WATCHED_REFUSALS {
            accounts.metrics.record_submitted(refusal.name(), 0);
        }
        Self {
            db: accounts.db.clone(),
            vault: Arc::clone(&accounts.vault),
            clock: accounts.clock.clone(),
            accounts: Arc::clone(accounts),
            settings: config.delivery.clone(),
            repetition_window: Duration::from_secs(config.submission.dedup_seconds),
            keys: content::ContentKeys::new(),
            capacity: capacity::Capacity::new(config),
            api_keys: api_keys::ApiKeys::new(&accounts.db, accounts.clock.clone()),
            queue_limits: queue_limits::QueueLimits::new(&config.delivery),
            backlog: backlog::Backlog::default(),
            due: Notify::new(),
            owned: Mutex::default(),
            changes: watch::Sender::new(0),
            stopping: CancellationToken::new(),
            owner: Uuid::new_v4().to_string(),
        }
    }

    fn waits(&self) -> Waits {
        Waits {
            unknown: Duration::from_secs(self.settings.unknown_wait_seconds),
            lease: Duration::from_secs(self.settings.lease_seconds),
        }
    }

    /// How long a mail is tried that names no end.
    pub fn lifetime(&self) -> Duration {
        Duration::from_hours(self.settings.lifetime_hours)
    }

    /// The largest message, in octets.
    pub fn max_message_bytes(&self) -> usize {
        self.settings.max_message_bytes
    }

    /// Says that something of the tenant is due now.
    fn wake(&self, tenant: &TenantId) {
        let owner = self.owned.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        match owner {
            Some(owner) => owner.notify_waiters(),
            None => self.due.notify_one(),
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.accounts.metrics
    }

    /// Counts the recipients whose state a stored change has set, and logs a warning for each unknown outcome.
    fn record_change(&self, tenant: &TenantId, before: &Email, after: &Email, events: &[Event]) {
        for Event { kind, details, .. } in events {
            if *kind == EventKind::Unknown && !after.is_test {
                let (tenant, recipients) = (tenant.as_str(), details.positions.len());
                tracing::warn!(tenant, email = %after.id, recipients, "it is unknown whether an email has arrived");
            }
            if let Some(state) = RecipientState::parse(&details.state) {
                self.metrics().record_recipients(state.as_str(), details.positions.len());
            }
        }
        let copies = |email: &Email| email.recipients.iter().map(|recipient| recipient.copies).sum::<i64>();
        self.metrics().record_copies((copies(after) - copies(before)).unsigned_abs());
    }

    /// Says that something was written, to those who wait for a change.
    fn announce(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Waits until this process has written something, or a second has passed, since others may write as well.
    pub async fn changed(&self, seen: &mut watch::Receiver<u64>) {
        let _ = tokio::time::timeout(Duration::from_secs(1), seen.changed()).await;
    }

    /// For [`Self::changed`]; take it before the look that is repeated.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
