//! What happened to an email or to an account, for the feed of events.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::breaker::AccountState;
use super::{LastAttempt, RecipientState};
use crate::clock::Timestamp;

/// The type of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    Queued,
    Scheduled,
    Sent,
    DeliveryDelayed,
    Held,
    Unknown,
    Failed,
    Bounced,
    Complained,
    Suppressed,
    Expired,
    Canceled,
    AccountPaused,
    AccountResumed,
}

impl EventKind {
    pub const ALL: [Self; 14] = [
        Self::Queued,
        Self::Scheduled,
        Self::Sent,
        Self::DeliveryDelayed,
        Self::Held,
        Self::Unknown,
        Self::Failed,
        Self::Bounced,
        Self::Complained,
        Self::Suppressed,
        Self::Expired,
        Self::Canceled,
        Self::AccountPaused,
        Self::AccountResumed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "email.queued",
            Self::Scheduled => "email.scheduled",
            Self::Sent => "email.sent",
            Self::DeliveryDelayed => "email.delivery_delayed",
            Self::Held => "email.held",
            Self::Unknown => "email.unknown",
            Self::Failed => "email.failed",
            Self::Bounced => "email.bounced",
            Self::Complained => "email.complained",
            Self::Suppressed => "email.suppressed",
            Self::Expired => "email.expired",
            Self::Canceled => "email.canceled",
            Self::AccountPaused => "account.paused",
            Self::AccountResumed => "account.resumed",
        }
    }

    /// The event of a recipient that has come into a state; none where an attempt begins.
    pub(super) fn from_state(state: RecipientState, is_recipients_fault: bool) -> Option<Self> {
        Some(match state {
            RecipientState::Queued => Self::Queued,
            RecipientState::Held => Self::Held,
            RecipientState::Deferred => Self::DeliveryDelayed,
            RecipientState::Sending => return None,
            RecipientState::Unknown => Self::Unknown,
            RecipientState::Accepted => Self::Sent,
            RecipientState::Expired => Self::Expired,
            RecipientState::Canceled => Self::Canceled,
            RecipientState::Refused if is_recipients_fault => Self::Bounced,
            RecipientState::Failed | RecipientState::Refused => Self::Failed,
            RecipientState::Suppressed => Self::Suppressed,
            RecipientState::Bounced => Self::Bounced,
            RecipientState::Complained => Self::Complained,
        })
    }
}

/// One event. Recipients that change together in one attempt share it.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    pub id: Uuid,
    pub kind: EventKind,
    pub at: Timestamp,
    pub details: EventDetails,
}

impl Event {
    /// The event of an account that has come into this state.
    pub fn of_account(state: &AccountState, now: Timestamp) -> Self {
        let stop = match state {
            AccountState::Stopped(stop) => Some(stop),
            AccountState::Open | AccountState::Paused(_) => None,
        };
        let kind = match state {
            AccountState::Open => EventKind::AccountResumed,
            AccountState::Paused(_) | AccountState::Stopped(_) => EventKind::AccountPaused,
        };
        let details = EventDetails {
            positions: Vec::new(),
            state: state.as_str().to_owned(),
            attempt: 0,
            next_attempt_at: stop.and_then(|stop| stop.probe_at),
            version: 0,
            last: None,
            code: stop.map(|stop| stop.code.clone()),
        };
        Self { id: Uuid::now_v7(), kind, at: now, details }
    }
}

/// What is stored of an event besides its type and time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventDetails {
    /// The positions of the recipients that it is about.
    pub positions: Vec<i64>,
    pub state: String,
    pub attempt: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// The version of the email that this change has made; 0 in an event of the account.
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastAttempt>,
    /// The code of the diagnosis that has stopped the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
