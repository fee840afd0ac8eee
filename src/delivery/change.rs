//! Reads, changes and writes an email or an account for a person, again where another write came first.

use uuid::Uuid;

use super::Error;
use crate::clock::{Clock, Timestamp};
use crate::id::TenantId;
use crate::outgoing::breaker::AccountState;
use crate::outgoing::{Email, Event};
use crate::store::delivery_accounts::DeliveryAccount;
use crate::store::{Db, Statement, Write, WriteOutcome, delivery_accounts, emails};

/// How often a change is tried again because another write came first.
const MAX_ATTEMPTS: usize = 10;

/// An email before and after a change that was written.
pub(super) struct Changed {
    pub before: Email,
    pub after: Email,
    pub events: Vec<Event>,
}

/// Changes an email. `with` is written together with it.
pub(super) async fn change_email(
    db: &Db,
    clock: &Clock,
    tenant: &TenantId,
    id: Uuid,
    with: Option<&Statement>,
    mut change: impl FnMut(&mut Email, Timestamp) -> Result<Vec<Event>, Error>,
) -> Result<Changed, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let before = emails::find(db, tenant, id).await?.ok_or(Error::NotFound)?.email;
        let (mut after, now) = (before.clone(), clock.now());
        let events = change(&mut after, now)?;
        let save = emails::save(tenant, &before, &after, &events, None, now);
        let wake = after.due_at().map(|at| delivery_accounts::wake(tenant, at));
        let write = Write::default().then_all(save).then_all(wake).then_all(with.cloned());
        if db.write(write).await? == WriteOutcome::Committed {
            return Ok(Changed { before, after, events });
        }
    }
    Err(Error::Contended)
}

/// Changes whether an account sends. `with` is written together with it. The state afterwards, and whether it has changed.
pub(super) async fn change_account(
    db: &Db,
    clock: &Clock,
    tenant: &TenantId,
    with: Option<&Statement>,
    change: impl Fn(&AccountState) -> AccountState,
) -> Result<(AccountState, bool), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let account = find_or_add(db, tenant).await?;
        let after = change(&account.state);
        if after == account.state {
            return Ok((after, false));
        }
        let write = Write::default()
            .then_all(delivery_accounts::change_state(&account, &after, clock.now()))
            .then_all(with.cloned());
        if db.write(write).await? == WriteOutcome::Committed {
            return Ok((after, true));
        }
    }
    Err(Error::Contended)
}

async fn find_or_add(db: &Db, tenant: &TenantId) -> Result<DeliveryAccount, Error> {
    if let Some(account) = delivery_accounts::find(db, tenant).await? {
        return Ok(account);
    }
    let _ = db.write(Write::default().then(delivery_accounts::add(tenant))).await?;
    delivery_accounts::find(db, tenant).await?.ok_or(Error::Contended)
}
