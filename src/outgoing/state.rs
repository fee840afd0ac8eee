//! The states of a recipient, and the status of an email that follows from them.

/// The state of one recipient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RecipientState {
    /// Waits for its first attempt, or for another one that a person or a policy has asked for.
    Queued,
    /// Waits for the account to open.
    Held,
    /// Waits for another attempt after a temporary refusal.
    Deferred,
    /// An attempt has begun and has no result yet.
    Sending,
    /// The connection ended before the server had answered to the whole message.
    Unknown,
    /// The account's server took the message for this recipient.
    Accepted,
    /// The lifetime ended first.
    Expired,
    /// A person withdrew it.
    Canceled,
    /// A fault of this service.
    Failed,
    /// The server refused this recipient or the message for good.
    Refused,
    /// Never tried: the address is suppressed.
    Suppressed,
    /// A report says that it did not arrive.
    Bounced,
    /// A report says that the recipient complained.
    Complained,
}

impl RecipientState {
    pub const ALL: [Self; 13] = [
        Self::Queued,
        Self::Held,
        Self::Deferred,
        Self::Sending,
        Self::Unknown,
        Self::Accepted,
        Self::Expired,
        Self::Canceled,
        Self::Failed,
        Self::Refused,
        Self::Suppressed,
        Self::Bounced,
        Self::Complained,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Deferred => "deferred",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Suppressed => "suppressed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether an attempt is still to come, and none is under way.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Held | Self::Deferred)
    }

    /// Whether the account's server took the message, whatever became of it afterwards.
    pub fn was_accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::Bounced | Self::Complained)
    }

    /// The word of Resend's `last_event`. `is_recipients_fault` says whether the diagnosis of a refusal names the
    /// recipient.
    pub fn last_event(self, is_recipients_fault: bool) -> &'static str {
        match self {
            Self::Accepted => "sent",
            Self::Deferred => "delivery_delayed",
            Self::Refused if is_recipients_fault => "bounced",
            Self::Refused | Self::Failed => "failed",
            Self::Queued | Self::Held | Self::Sending | Self::Unknown => "queued",
            other => other.as_str(),
        }
    }
}

/// The status of an email as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmailStatus {
    Scheduled,
    Queued,
    Sending,
    Held,
    Unknown,
    Accepted,
    PartiallyAccepted,
    Canceled,
    Expired,
    Failed,
}

impl EmailStatus {
    pub const ALL: [Self; 10] = [
        Self::Scheduled,
        Self::Queued,
        Self::Sending,
        Self::Held,
        Self::Unknown,
        Self::Accepted,
        Self::PartiallyAccepted,
        Self::Canceled,
        Self::Expired,
        Self::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::PartiallyAccepted => "partially_accepted",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The status that follows from the states of all recipients: what is under way before what waits, what waits before
/// what is decided. Where nothing was accepted, the most frequent end decides.
pub fn status(states: &[RecipientState], is_scheduled: bool) -> EmailStatus {
    use RecipientState as State;
    let count = |wanted: fn(State) -> bool| states.iter().filter(|state| wanted(**state)).count();
    if count(|state| state == State::Sending) > 0 {
        return EmailStatus::Sending;
    }
    if count(|state| matches!(state, State::Queued | State::Deferred)) > 0 {
        return if is_scheduled { EmailStatus::Scheduled } else { EmailStatus::Queued };
    }
    if count(|state| state == State::Held) > 0 {
        return EmailStatus::Held;
    }
    if count(|state| state == State::Unknown) > 0 {
        return EmailStatus::Unknown;
    }
    let accepted = count(State::was_accepted);
    if accepted > 0 {
        let is_whole = accepted == states.len();
        return if is_whole { EmailStatus::Accepted } else { EmailStatus::PartiallyAccepted };
    }
    let (canceled, expired) =
        (count(|state| state == State::Canceled), count(|state| state == State::Expired));
    let failed = states.len() - canceled - expired;
    if failed >= canceled.max(expired) {
        EmailStatus::Failed
    } else if expired >= canceled {
        EmailStatus::Expired
    } else {
        EmailStatus::Canceled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for state in RecipientState::ALL {
            assert_eq!(RecipientState::parse(state.as_str()), Some(state));
        }
        for status in EmailStatus::ALL {
            assert_eq!(EmailStatus::parse(status.as_str()), Some(status));
        }
    }

    #[test]
    fn the_status_follows_from_the_recipients() {
        use RecipientState as State;
        let cases: [(&[State], EmailStatus); 16] = [
            (&[State::Queued], EmailStatus::Queued),
            (&[State::Deferred, State::Accepted], EmailStatus::Queued),
            (&[State::Sending, State::Queued, State::Held], EmailStatus::Sending),
            (&[State::Held, State::Unknown], EmailStatus::Held),
            (&[State::Held, State::Queued], EmailStatus::Queued),
            (&[State::Unknown, State::Accepted], EmailStatus::Unknown),
            (&[State::Accepted, State::Accepted], EmailStatus::Accepted),
            (&[State::Accepted, State::Bounced], EmailStatus::Accepted),
            (&[State::Accepted, State::Refused], EmailStatus::PartiallyAccepted),
            (&[State::Accepted, State::Canceled], EmailStatus::PartiallyAccepted),
            (&[State::Refused], EmailStatus::Failed),
            (&[State::Suppressed], EmailStatus::Failed),
            (&[State::Canceled, State::Canceled, State::Refused], EmailStatus::Canceled),
            (&[State::Expired, State::Expired, State::Canceled], EmailStatus::Expired),
            (&[State::Expired, State::Refused], EmailStatus::Failed),
            (&[State::Failed], EmailStatus::Failed),
        ];
        for (states, expected) in cases {
            assert_eq!(status(states, false), expected, "{states:?}");
        }
        assert_eq!(status(&[State::Queued], true), EmailStatus::Scheduled);
        assert_eq!(status(&[State::Accepted], true), EmailStatus::Accepted);
    }
}
