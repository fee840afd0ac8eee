//! What a person does with an email: cancels it, tries it again, settles it, moves it or erases it.

use std::time::Duration;

use uuid::Uuid;

use super::change::change_email;
use super::request::ends_before_due;
use super::{Delivery, Error};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::mail::address::EmailAddress;
use crate::outgoing::{Email, Event, RecipientState};
use crate::store::api_keys::ApiKey;
use crate::store::erasure::{self, Erasure};

impl Delivery {
    /// Withdraws what was not handed over.
    pub async fn cancel(&self, tenant: &TenantId, id: Uuid) -> Result<(), Error> {
        self.save_change(tenant, id, cancel).await
    }

    /// Queues recipients for another attempt; all that allow one where none are named. Who does so answers for the email
    /// from now on: the key that it came with is not asked any more.
    pub async fn retry(
        &self,
        tenant: &TenantId,
        id: Uuid,
        recipients: Option<&[EmailAddress]>,
        api_key: Option<&ApiKey>,
    ) -> Result<(), Error> {
        let lifetime = self.lifetime();
        self.save_change(tenant, id, |email, now| {
            let positions = positions(email, recipients);
            let retried = retry(email, positions.as_deref(), lifetime, now);
            let events = retried.map_err(|error| name_stranger(error, email, recipients))?;
            email.required_key_id = api_key.map(|key| key.id);
            Ok(events)
        })
        .await
    }

    /// Says of unknown outcomes that they have arrived; of all where no recipients are named.
    pub async fn settle(
        &self,
        tenant: &TenantId,
        id: Uuid,
        recipients: Option<&[EmailAddress]>,
    ) -> Result<(), Error> {
        self.save_change(tenant, id, |email, now| {
            let events = email.settle(positions(email, recipients).as_deref(), now);
            if events.is_empty() {
                let conflict = Error::Conflict("no outcome of this email is unknown".into());
                return Err(name_stranger(conflict, email, recipients));
            }
            Ok(events)
        })
        .await
    }

    /// Moves the first attempt, or the end of the lifetime.
    pub async fn reschedule(
        &self,
        tenant: &TenantId,
        id: Uuid,
        scheduled_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        const NOTHING_WAITS: &str = "nothing of this email waits any more";
        let waits = |email: &Email| email.recipients.iter().any(|recipient| recipient.state.is_waiting());
        self.save_change(tenant, id, |email, now| {
            if !waits(email) {
                return Err(Error::Conflict(NOTHING_WAITS.into()));
            }
            let moved = email.reschedule(scheduled_at, expires_at, now);
            moved.map_err(|_| Error::Refused(ends_before_due().into()))?;
            Ok(Vec::new())
        })
        .await
    }

    /// Removes content, subject, metadata and addresses; what waits is withdrawn. The states stay.
    pub async fn erase(&self, tenant: &TenantId, id: Uuid) -> Result<(), Error> {
        match erasure::erase(&self.db, tenant, id, None, self.clock.now()).await? {
            Erasure::Erased => {
                self.announce();
                self.wake(tenant);
                Ok(())
            }
            Erasure::NotFound => Err(Error::NotFound),
            Erasure::Contended => Err(Error::Contended),
        }
    }

    /// Reads, changes and writes an email, again where another write came first.
    pub(super) async fn save_change(
        &self,
        tenant: &TenantId,
        id: Uuid,
        change: impl FnMut(&mut Email, Timestamp) -> Result<Vec<Event>, Error>,
    ) -> Result<(), Error> {
        let changed = change_email(&self.db, &self.clock, tenant, id, None, change).await?;
        self.record_change(tenant, &changed.before, &changed.after, &changed.events);
        self.announce();
        self.wake(tenant);
        Ok(())
    }
}

/// Queues recipients for another attempt; all that allow one where no positions are given.
pub(super) fn retry(
    email: &mut Email,
    positions: Option<&[i64]>,
    lifetime: Duration,
    now: Timestamp,
) -> Result<Vec<Event>, Error> {
    // The retention may remove the content at any time.
    if !email.has_content {
        let is_accepted =
            email.recipients.iter().all(|recipient| recipient.state == RecipientState::Accepted);
        return Err(Error::ContentGone { is_accepted });
    }
    let events = email.retry(positions, lifetime, now);
    let conflict = Error::Conflict("no recipient of this email can be tried again".into());
    if events.is_empty() { Err(conflict) } else { Ok(events) }
}

/// Withdraws what waits.
pub(super) fn cancel(email: &mut Email, now: Timestamp) -> Result<Vec<Event>, Error> {
    let events = email.cancel(now);
    let conflict = Error::Conflict("nothing of this email waits any more".into());
    if events.is_empty() { Err(conflict) } else { Ok(events) }
}

/// Names whom a change that changed nothing was about, where that is no recipient of the email. An erased email knows none.
fn name_stranger(error: Error, email: &Email, recipients: Option<&[EmailAddress]>) -> Error {
    let known: Vec<_> = email.recipients.iter().filter_map(|recipient| recipient.address.as_ref()).collect();
    if !matches!(error, Error::Conflict(_)) || known.len() < email.recipients.len() {
        return error;
    }
    let is_known = |named: &&EmailAddress| known.iter().any(|known| known.is_same_mailbox(named));
    match recipients.into_iter().flatten().find(|named| !is_known(named)) {
        Some(stranger) => Error::Conflict(format!("this email has no recipient {stranger}").into()),
        None => error,
    }
}

fn positions(email: &Email, recipients: Option<&[EmailAddress]>) -> Option<Vec<i64>> {
    let recipients = recipients?;
    let named = |address: &EmailAddress| recipients.iter().any(|named| named.is_same_mailbox(address));
    let positions = email.recipients.iter().filter(|recipient| recipient.address.as_ref().is_some_and(named));
    Some(positions.map(|recipient| recipient.position).collect())
}
