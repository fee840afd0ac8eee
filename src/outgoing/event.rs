//! What happened to an email, for the feed of events.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LastAttempt, RecipientState};
use crate::clock::Timestamp;

/// The type of an event about an email.
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
}

impl EventKind {
    pub const ALL: [Self; 12] = [
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

/// What is stored of an event besides its type and time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventDetails {
    /// The positions of the recipients that it is about.
    pub positions: Vec<i64>,
    pub state: String,
    pub attempt: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// The version of the email that this change has made.
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastAttempt>,
}
