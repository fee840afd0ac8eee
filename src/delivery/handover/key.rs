//! Judges the API key that an email depends on: when it is taken from the queue, and again when it is handed over.

use uuid::Uuid;

use super::Handed;
use super::record::last_of_failure;
use crate::clock::Timestamp;
use crate::delivery::Delivery;
use crate::delivery::runner::{Run, WINDOW};
use crate::providers::delivery::key_refused;
use crate::store::api_keys::{self, ApiKey};
use crate::store::delivery_accounts::NextDue;
use crate::store::{DbError, emails};

/// Whether an email may go as far as its key is concerned.
pub(in crate::delivery) enum KeyVerdict {
    /// With the key that it depends on, where it depends on one.
    Usable(Option<ApiKey>),
    /// Revoked, expired or gone.
    Refused,
}

/// The database is asked each time, so that a key which was revoked a moment ago sends nothing.
pub(in crate::delivery) async fn judge_key(
    delivery: &Delivery,
    id: Option<Uuid>,
    now: Timestamp,
) -> Result<KeyVerdict, DbError> {
    let Some(id) = id else { return Ok(KeyVerdict::Usable(None)) };
    let found = api_keys::find(&delivery.db, id).await?;
    let usable = found.map(|(key, _)| key).filter(|key| key.is_usable(now));
    Ok(usable.map_or(KeyVerdict::Refused, |key| KeyVerdict::Usable(Some(key))))
}

/// Writes down of held mail whose key may not be used why it stays, now that the account is open. False where there is none.
pub(in crate::delivery) async fn explain_held(run: &Run<'_>) -> Result<bool, DbError> {
    let delivery = run.delivery();
    let now = delivery.clock.now();
    let last = last_of_failure(&key_refused(), now);
    let code = last.code().unwrap_or_default();
    let mut changed = false;
    for id in emails::held_without_key(&delivery.db, &run.tenant, code, now, WINDOW).await? {
        changed |= run.change(id, |email| email.keep_held(&last, now)).await?;
    }
    Ok(changed)
}

/// Holds a mail whose key may not be used, and writes down why.
pub(in crate::delivery) async fn hold(run: &Run<'_>, id: Uuid) -> Result<Handed, DbError> {
    let now = run.delivery().clock.now();
    let last = last_of_failure(&key_refused(), now);
    let is_held = run
        .change(id, |email| {
            let mut events = email.recover(run.fence, now);
            events.extend(email.apply_unknown_policy(now));
            events.extend(email.expire(now));
            events.extend(email.hold(Some(&last), now));
            events
        })
        .await?;
    if run.probes() {
        // Another mail is to show whether the account works.
        return Ok(Handed::Closed(NextDue::At(now)));
    }
    Ok(if is_held { Handed::Done } else { Handed::Nothing })
}
