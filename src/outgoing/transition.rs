//! What attempts, persons and the passing of time change in an email. Each change returns its events.

use std::time::Duration;

use uuid::Uuid;

use super::event::{Event, EventDetails, EventKind};
use super::{Email, LastAttempt, OnUnknown, Recipient, RecipientState, Started, retry};
use crate::clock::Timestamp;

/// How an attempt ended for one recipient.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    pub result: AttemptResult,
    pub last: LastAttempt,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttemptResult {
    Accepted,
    /// For good.
    Refused,
    /// Temporarily; the server may have asked for a pause.
    Deferred {
        retry_after: Option<Duration>,
    },
    /// The account could not send: this consumes no attempt.
    Held,
    /// Nothing was sent, and the account can: this consumes no attempt.
    NotSent,
    /// The server may have taken the message.
    Unknown,
    /// A fault of this service.
    Failed,
}

/// What a change needs to know of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// `delivery.unknown_wait_seconds`: before the policy for an unknown outcome acts.
    pub unknown: Duration,
    /// How long the owner of an account may have gone on after it was last seen: its lease.
    pub lease: Duration,
}

/// The lifetime of an email would end before it is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndsBeforeDue;

impl Email {
    /// Begins a hand-over: the recipients that are due are `sending` from now on. Returns their positions.
    ///
    /// Where no result is ever written, because the process died, the recipients are due again when its lease and the
    /// wait for unknown outcomes are over; see [`Self::recover`].
    pub fn begin(&mut self, max: usize, fence: i64, waits: Waits, now: Timestamp) -> Vec<i64> {
        let mut positions = Vec::new();
        let due = self.recipients.iter_mut().filter(|recipient| recipient.is_due(now));
        for recipient in due.take(max) {
            recipient.state = RecipientState::Sending;
            recipient.attempts += 1;
            recipient.started = Some(Started { at: now, fence });
            recipient.next_attempt_at = Some(now.after(waits.lease + waits.unknown));
            positions.push(recipient.position);
        }
        positions
    }

    /// Writes down how a hand-over ended. Recipients that another owner has taken over meanwhile are left alone.
    pub fn finish(
        &mut self,
        attempts: &[(i64, Attempt)],
        fence: i64,
        waits: Waits,
        now: Timestamp,
    ) -> Vec<Event> {
        let (id, retries_unknown) = (self.id, self.on_unknown == OnUnknown::RetryOnce);
        let events = self.change(now, |recipient| {
            let is_ours = recipient.state == RecipientState::Sending
                && recipient.started.is_some_and(|started| started.fence == fence);
            let (_, attempt) = attempts.iter().find(|(position, _)| *position == recipient.position)?;
            is_ours.then(|| apply(recipient, attempt, id, retries_unknown, waits, now))
        });
        self.drop_content_of_accepted();
        events
    }

    /// Nothing of an accepted email is ever sent again.
    fn drop_content_of_accepted(&mut self) {
        if self.recipients.iter().all(|recipient| recipient.state.was_accepted()) {
            self.has_content = false;
        }
    }

    /// Finds recipients whose hand-over has no result although its time is over: nobody knows the outcome. The wait for
    /// unknown outcomes is over as well, so that the policy acts at once.
    pub fn recover(&mut self, fence: i64, now: Timestamp) -> Vec<Event> {
        let mut events = self.change(now, |recipient| {
            let lost = recipient.state == RecipientState::Sending
                && recipient.started.is_none_or(|started| started.fence < fence)
                && recipient.next_attempt_at.is_none_or(|at| at <= now);
            lost.then(|| recipient.state = RecipientState::Unknown)
        });
        events.extend(self.apply_unknown_policy(now));
        events
    }

    /// After the wait for an unknown outcome: one more attempt, or none.
    pub fn apply_unknown_policy(&mut self, now: Timestamp) -> Vec<Event> {
        let retries = self.on_unknown == OnUnknown::RetryOnce && self.has_content;
        let mut events = self.change(now, |recipient| {
            let is_due = recipient.state == RecipientState::Unknown
                && recipient.next_attempt_at.is_some_and(|at| at <= now);
            (is_due && retries && recipient.copies == 0).then(|| {
                recipient.copies += 1;
                queue(recipient, now);
            })
        });
        for recipient in &mut self.recipients {
            // Nothing more happens by itself.
            if recipient.state == RecipientState::Unknown
                && recipient.next_attempt_at.is_some_and(|at| at <= now)
            {
                recipient.next_attempt_at = None;
            }
        }
        events.retain(|event| !event.details.positions.is_empty());
        events
    }

    /// Ends a hand-over that broke off by a fault of ours. What was under way may have been sent; what was due and had
    /// not begun has failed, so that the fault is not met again and again.
    pub fn abandon(&mut self, fence: i64, last: &LastAttempt, waits: Waits, now: Timestamp) -> Vec<Event> {
        let under_way = |recipient: &&Recipient| recipient.state == RecipientState::Sending;
        let attempt = Attempt { result: AttemptResult::Unknown, last: last.clone() };
        let positions = self.recipients.iter().filter(under_way).map(|recipient| recipient.position);
        let attempts: Vec<_> = positions.map(|position| (position, attempt.clone())).collect();
        if !attempts.is_empty() {
            return self.finish(&attempts, fence, waits, now);
        }
        self.change(now, |recipient| {
            recipient.is_due(now).then(|| {
                recipient.last = Some(last.clone());
                end(recipient, RecipientState::Failed);
            })
        })
    }

    /// Ends what still waits when the lifetime is over.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Event> {
        if self.expires_at > now {
            return Vec::new();
        }
        self.change(now, |recipient| {
            recipient.state.is_waiting().then(|| end(recipient, RecipientState::Expired))
        })
    }

    /// Holds the recipients that are due, since their account is closed.
    pub fn hold(&mut self, last: Option<&LastAttempt>, now: Timestamp) -> Vec<Event> {
        self.change(now, |recipient| {
            recipient.is_due(now).then(|| {
                recipient.state = RecipientState::Held;
                recipient.next_attempt_at = None;
                if let Some(last) = last {
                    recipient.last = Some(last.clone());
                }
            })
        })
    }

    /// Writes down why recipients that are held for their account stay so when it is open.
    pub fn keep_held(&mut self, last: &LastAttempt, now: Timestamp) -> Vec<Event> {
        self.change(now, |recipient| {
            let is_known = recipient.last.as_ref().is_some_and(|known| known.code() == last.code());
            (recipient.is_held_for_account() && !is_known).then(|| recipient.last = Some(last.clone()))
        })
    }

    /// Holds these recipients until a time, for a reason that is not their account's.
    pub fn hold_until(
        &mut self,
        positions: &[i64],
        until: Timestamp,
        last: &LastAttempt,
        now: Timestamp,
    ) -> Vec<Event> {
        self.change(now, |recipient| {
            positions.contains(&recipient.position).then(|| {
                recipient.state = RecipientState::Held;
                recipient.next_attempt_at = Some(until);
                recipient.last = Some(last.clone());
            })
        })
    }

    /// Queues the recipients that are held for their account, since it is open again.
    pub fn release(&mut self, now: Timestamp) -> Vec<Event> {
        self.change(now, |recipient| recipient.is_held_for_account().then(|| queue(recipient, now)))
    }

    /// Withdraws what was not handed over yet. No events where nothing was left to withdraw.
    pub fn cancel(&mut self, now: Timestamp) -> Vec<Event> {
        self.change(now, |recipient| {
            recipient.state.is_waiting().then(|| end(recipient, RecipientState::Canceled))
        })
    }

    /// Queues recipients again that a person wants to be tried once more. `positions` are all where it is none. The
    /// lifetime begins anew where it has ended.
    pub fn retry(&mut self, positions: Option<&[i64]>, lifetime: Duration, now: Timestamp) -> Vec<Event> {
        let events = self.change(now, |recipient| {
            let is_wanted = positions.is_none_or(|positions| positions.contains(&recipient.position));
            let can = matches!(
                recipient.state,
                RecipientState::Refused
                    | RecipientState::Expired
                    | RecipientState::Failed
                    | RecipientState::Held
                    | RecipientState::Unknown
            );
            (is_wanted && can && recipient.address.is_some()).then(|| {
                if recipient.state == RecipientState::Unknown {
                    recipient.copies += 1;
                }
                queue(recipient, now);
            })
        });
        if !events.is_empty() && self.expires_at <= now {
            self.expires_at = now.after(lifetime);
        }
        events
    }

    /// A person says that unknown outcomes have arrived.
    pub fn settle(&mut self, positions: Option<&[i64]>, now: Timestamp) -> Vec<Event> {
        let events = self.change(now, |recipient| {
            let is_wanted = positions.is_none_or(|positions| positions.contains(&recipient.position));
            (is_wanted && recipient.state == RecipientState::Unknown)
                .then(|| end(recipient, RecipientState::Accepted))
        });
        self.drop_content_of_accepted();
        events
    }

    /// Moves the next attempt of what waits for its time, and the end of the lifetime. An email that is moved to later, and gets
    /// no end, lives as much longer.
    ///
    /// # Errors
    /// The lifetime would end before the email is due. Then nothing is changed.
    pub fn reschedule(
        &mut self,
        at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), EndsBeforeDue> {
        let due = self.scheduled_at.unwrap_or(self.created_at);
        let later = at.map_or(0, |at| at.0.saturating_sub(due.0).max(0));
        let end = expires_at.unwrap_or(Timestamp(self.expires_at.0.saturating_add(later)));
        if end <= at.unwrap_or(due).max(now) {
            return Err(EndsBeforeDue);
        }
        self.expires_at = end;
        let Some(at) = at else { return Ok(()) };
        self.scheduled_at = Some(at);
        for recipient in &mut self.recipients {
            if matches!(recipient.state, RecipientState::Queued | RecipientState::Deferred) {
                recipient.next_attempt_at = Some(at);
            }
        }
        Ok(())
    }

    /// Removes what says who the recipients were. What waits is withdrawn first.
    pub fn erase(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = self.cancel(now);
        for recipient in &mut self.recipients {
            recipient.address = None;
            recipient.last = None;
        }
        for event in &mut events {
            event.details.last = None;
        }
        self.has_content = false;
        events
    }

    /// The events of a new email.
    pub fn created(&self, now: Timestamp) -> Vec<Event> {
        let kind = if self.scheduled_at.is_some_and(|at| at > now) {
            EventKind::Scheduled
        } else {
            EventKind::Queued
        };
        let details = EventDetails {
            positions: self.recipients.iter().map(|recipient| recipient.position).collect(),
            state: RecipientState::Queued.as_str().to_owned(),
            attempt: 0,
            next_attempt_at: self.scheduled_at,
            version: self.version,
            last: None,
            code: None,
        };
        vec![Event { id: Uuid::now_v7(), kind, at: now, details }]
    }

    /// Changes each recipient for which `change` gives something. Recipients that come into the same state for the same
    /// reason share an event.
    fn change(&mut self, now: Timestamp, mut change: impl FnMut(&mut Recipient) -> Option<()>) -> Vec<Event> {
        let version = self.version + 1;
        let mut events: Vec<Event> = Vec::new();
        for recipient in &mut self.recipients {
            if change(recipient).is_none() {
                continue;
            }
            let is_recipients_fault = recipient.last.as_ref().is_some_and(|last| last.is_recipients_fault);
            let Some(kind) = EventKind::from_state(recipient.state, is_recipients_fault) else { continue };
            let details = EventDetails {
                positions: vec![recipient.position],
                state: recipient.state.as_str().to_owned(),
                attempt: recipient.attempts,
                next_attempt_at: recipient.next_attempt_at,
                version,
                last: recipient.last.clone(),
                code: None,
            };
            let same = |event: &&mut Event| {
                event.kind == kind
                    && event.details.state == details.state
                    && event.details.attempt == details.attempt
                    && event.details.last == details.last
            };
            match events.iter_mut().find(same) {
                Some(event) => {
                    event.details.positions.push(recipient.position);
                    // The times are spread: the earliest is the next thing that happens.
                    event.details.next_attempt_at =
                        event.details.next_attempt_at.into_iter().chain(details.next_attempt_at).min();
                }
                None => events.push(Event { id: Uuid::now_v7(), kind, at: now, details }),
            }
        }
        events
    }
}

fn apply(
    recipient: &mut Recipient,
    attempt: &Attempt,
    email: Uuid,
    retries_unknown: bool,
    waits: Waits,
    now: Timestamp,
) {
    // The reply may name a recipient that was erased meanwhile.
    recipient.last = recipient.address.is_some().then(|| attempt.last.clone());
    match attempt.result {
        AttemptResult::Accepted => end(recipient, RecipientState::Accepted),
        AttemptResult::Refused => end(recipient, RecipientState::Refused),
        AttemptResult::Failed => end(recipient, RecipientState::Failed),
        AttemptResult::Deferred { retry_after } => {
            let delay = retry::delay(recipient.attempts, attempt.last.code(), email, recipient.position);
            let delay = retry_after.map_or(delay, |asked| asked.max(delay));
            recipient.state = RecipientState::Deferred;
            recipient.started = None;
            recipient.next_attempt_at = Some(now.after(delay));
        }
        AttemptResult::Held => {
            recipient.state = RecipientState::Held;
            recipient.attempts -= 1;
            recipient.started = None;
            recipient.next_attempt_at = None;
        }
        AttemptResult::NotSent => {
            recipient.attempts -= 1;
            queue(recipient, now);
        }
        AttemptResult::Unknown => {
            end(recipient, RecipientState::Unknown);
            if retries_unknown && recipient.copies == 0 {
                recipient.next_attempt_at = Some(now.after(waits.unknown));
            }
        }
    }
}

fn queue(recipient: &mut Recipient, now: Timestamp) {
    recipient.state = RecipientState::Queued;
    recipient.started = None;
    recipient.next_attempt_at = Some(now);
}

fn end(recipient: &mut Recipient, state: RecipientState) {
    recipient.state = state;
    recipient.started = None;
    recipient.next_attempt_at = None;
}

#[cfg(test)]
mod tests;
