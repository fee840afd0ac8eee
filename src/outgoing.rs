//! An outgoing email: its recipients with their states, when each is tried again, and what has happened. Pure.
//!
//! The rules are functions from values to values: [`state`] has the states, [`transition`] what an attempt or a person
//! changes, [`retry`] when a recipient is tried again, [`account_settings`] what a tenant sets, [`breaker`] when an account
//! stops, [`pace`] how fast it may send, [`played`] which outcome
//! of a test is played, [`order`] which of its mails goes next, [`schedule`] whose mail does.

pub mod account_settings;
pub mod breaker;
pub mod event;
pub mod order;
pub mod pace;
pub mod played;
pub mod retry;
pub mod schedule;
pub mod state;
pub mod transition;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::mail::address::EmailAddress;
pub use event::{Event, EventKind};
pub use state::{EmailStatus, RecipientState};

/// Which mail goes first where an account has both.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Lane {
    #[default]
    Transactional,
    Bulk,
}

impl Lane {
    pub const ALL: [Self; 2] = [Self::Transactional, Self::Bulk];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::Bulk => "bulk",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text)
    }
}

/// What becomes of a recipient whose outcome is unknown, once the wait is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnUnknown {
    /// One more attempt: the recipient may get two copies.
    RetryOnce,
    /// No further attempt: a person decides.
    Hold,
}

impl OnUnknown {
    pub const ALL: [Self; 2] = [Self::RetryOnce, Self::Hold];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetryOnce => "retry_once",
            Self::Hold => "hold",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}

/// The header field that names a recipient; none for `bcc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecipientKind {
    To,
    Cc,
    Bcc,
}

impl RecipientKind {
    pub const ALL: [Self; 3] = [Self::To, Self::Cc, Self::Bcc];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::To => "to",
            Self::Cc => "cc",
            Self::Bcc => "bcc",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The last attempt for one recipient, as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LastAttempt {
    pub at: Timestamp,
    /// The stage of the session that decided.
    pub stage: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp_code: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Whether the server refused this recipient and nothing else.
    #[serde(default)]
    pub is_recipients_fault: bool,
    /// The diagnosis in each language of the API, by the language's tag; none after a success.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub diagnosis: serde_json::Map<String, serde_json::Value>,
}

impl LastAttempt {
    /// The code of the diagnosis.
    pub fn code(&self) -> Option<&str> {
        self.diagnosis.get("en")?.get("code")?.as_str()
    }
}

/// One recipient.
#[derive(Clone, PartialEq, Debug)]
pub struct Recipient {
    pub position: i64,
    /// None once it was erased.
    pub address: Option<EmailAddress>,
    pub kind: RecipientKind,
    pub state: RecipientState,
    /// Hand-overs that have begun.
    pub attempts: i64,
    /// Attempts that followed an unknown outcome: that is the number of copies that may have arrived besides the first.
    pub copies: i64,
    /// When the hand-over that is under way began, and the fence of its owner.
    pub started: Option<Started>,
    pub next_attempt_at: Option<Timestamp>,
    pub last: Option<LastAttempt>,
}

/// A hand-over that has begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Started {
    pub at: Timestamp,
    pub fence: i64,
}

impl Recipient {
    /// Whether it waits for its account to open, and not for a time.
    pub fn is_held_for_account(&self) -> bool {
        self.state == RecipientState::Held && self.next_attempt_at.is_none()
    }

    /// Whether it stays held when the account opens, since its API key may not be used.
    pub fn waits_for_its_key(&self) -> bool {
        self.last.as_ref().and_then(LastAttempt::code) == Some("API_KEY_REFUSED")
    }

    /// Whether an attempt may begin now. What is held waits for its account, or until a time.
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self.state {
            RecipientState::Queued | RecipientState::Deferred => {
                self.next_attempt_at.is_none_or(|at| at <= now)
            }
            RecipientState::Held => self.next_attempt_at.is_some_and(|at| at <= now),
            _ => false,
        }
    }
}

/// One outgoing email.
#[derive(Clone, PartialEq, Debug)]
pub struct Email {
    pub id: Uuid,
    pub lane: Lane,
    pub created_at: Timestamp,
    pub scheduled_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    pub on_unknown: OnUnknown,
    pub message_id: String,
    /// The size of the message in octets.
    pub size: i64,
    /// Whether the content is still there.
    pub has_content: bool,
    /// Counts the changes of this email.
    pub version: i64,
    /// The API key that it was taken with.
    pub api_key_id: Option<Uuid>,
    /// The API key that has to be usable when it is handed over: that of the request which has queued it last.
    pub required_key_id: Option<Uuid>,
    /// It was taken with a test key: its outcome is played.
    pub is_test: bool,
    /// In the order of their positions.
    pub recipients: Vec<Recipient>,
}

impl Email {
    /// The status as the API shows it at `now`.
    pub fn status(&self, now: Timestamp) -> EmailStatus {
        let is_scheduled = self.scheduled_at.is_some_and(|at| at > now);
        let states: Vec<_> = self.recipients.iter().map(|recipient| recipient.state).collect();
        state::status(&states, is_scheduled)
    }

    /// When something has to be done: the next attempt, the policy of an unknown outcome, or the end of the lifetime.
    /// None where nothing waits.
    pub fn due_at(&self) -> Option<Timestamp> {
        let due = |recipient: &Recipient| match recipient.state {
            RecipientState::Queued | RecipientState::Deferred => {
                Some(recipient.next_attempt_at.unwrap_or(self.created_at).min(self.expires_at))
            }
            RecipientState::Held => {
                Some(recipient.next_attempt_at.map_or(self.expires_at, |at| at.min(self.expires_at)))
            }
            RecipientState::Sending | RecipientState::Unknown => recipient.next_attempt_at,
            _ => None,
        };
        self.recipients.iter().filter_map(due).min()
    }

    /// Whether recipients wait for their account to open, and nothing else waits.
    pub fn is_held(&self) -> bool {
        let waits = |recipient: &&Recipient| recipient.state.is_waiting();
        let mut waiting = self.recipients.iter().filter(waits).peekable();
        waiting.peek().is_some() && waiting.all(Recipient::is_held_for_account)
    }
}
