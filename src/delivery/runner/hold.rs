//! Holds the mail of an account that is closed, and lets it go on.

use uuid::Uuid;

use super::{Run, WINDOW, WINDOW_LENGTH};
use crate::outgoing::{Email, Event, Lane, LastAttempt};
use crate::store::delivery_accounts::NextDue;
use crate::store::{DbError, Write, WriteOutcome, emails};

impl Run<'_> {
    /// Ends the mail that has waited for its account until its lifetime was over.
    pub(super) async fn expire_held(&self) -> Result<(), DbError> {
        let delivery = self.delivery();
        loop {
            let now = delivery.clock.now();
            let due = emails::expired_while_held(&delivery.db, &self.tenant, now, WINDOW).await?;
            let mut changed = false;
            for (_, id) in due {
                changed |= self.change(id, |email| email.expire(now)).await?;
            }
            if !changed || self.is_over() {
                return Ok(());
            }
        }
    }

    /// Holds everything that is due, since the account is closed.
    pub(in crate::delivery) async fn hold_all(&self) -> Result<(), DbError> {
        let delivery = self.delivery();
        for lane in Lane::ALL {
            loop {
                let now = delivery.clock.now();
                let due = emails::window(&delivery.db, &self.tenant, lane, now, WINDOW).await?;
                let count = due.len();
                let mut changed = false;
                for (_, id) in due {
                    if self.state().in_hand.contains(&id) {
                        continue;
                    }
                    changed |= self
                        .change(id, |email| {
                            let mut events = email.recover(self.fence, now);
                            events.extend(email.expire(now));
                            events.extend(email.hold(None, now));
                            events
                        })
                        .await?;
                }
                if !changed || count < WINDOW_LENGTH {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Holds one mail, and writes down why.
    pub(in crate::delivery) async fn hold_one(&self, id: Uuid, last: &LastAttempt) -> Result<(), DbError> {
        let now = self.delivery().clock.now();
        self.change(id, |email| {
            let mut events = email.expire(now);
            events.extend(email.hold(Some(last), now));
            events
        })
        .await
        .map(drop)
    }

    /// Queues held mail again, at most so many. False where none was queued: there was none, or the account has another
    /// owner.
    pub(super) async fn release_held(&self, limit: i64) -> Result<bool, DbError> {
        self.release(false, limit).await
    }

    /// The same for mail that is sent, or for mail that is played.
    pub(super) async fn release(&self, is_test: bool, limit: i64) -> Result<bool, DbError> {
        let now = self.delivery().clock.now();
        let held = emails::held(&self.delivery().db, &self.tenant, is_test, now, limit).await?;
        let mut changed = false;
        for id in held {
            changed |= self.change(id, |email| email.release(now)).await?;
        }
        Ok(changed)
    }

    /// Changes one email as the owner of its account. False where the account has another owner, or nothing changed.
    pub(in crate::delivery) async fn change(
        &self,
        id: Uuid,
        change: impl FnOnce(&mut Email) -> Vec<Event>,
    ) -> Result<bool, DbError> {
        let delivery = self.delivery();
        let Some(stored) = emails::find(&delivery.db, &self.tenant, id).await? else { return Ok(false) };
        let mut email = stored.email.clone();
        let events = change(&mut email);
        if email == stored.email {
            return Ok(false);
        }
        let now = delivery.clock.now();
        let save = emails::save(&self.tenant, &stored.email, &email, &events, Some(self.fence), now);
        let outcome = delivery.db.write(Write::default().then_all(save)).await?;
        delivery.announce();
        match outcome {
            WriteOutcome::Committed => {
                delivery.record_change(&self.tenant, &stored.email, &email, &events);
            }
            WriteOutcome::NoRowsAffected => self.end(NextDue::WithNextEmail),
        }
        Ok(outcome == WriteOutcome::Committed)
    }
}
