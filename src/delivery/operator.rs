//! What the operator does with the mail of all tenants. Works on the database alone: without keys, so that no content is read,
//! and whether the service runs or not. A service that runs notices within a second.

mod summary;

use std::time::Duration;

use uuid::Uuid;

pub use summary::{ClosedAccounts, NAMED, Summary};

use super::change::{change_account, change_email};
use super::{Error, email_actions};
use crate::clock::{Clock, Timestamp};
use crate::config;
use crate::id::{TenantId, TraceId, UserId};
use crate::outgoing::breaker::{AccountState, Pauser, Stop};
use crate::outgoing::{Email, RecipientState};
use crate::store::delivery_accounts::DeliveryAccount;
use crate::store::email_events::StoredEvent;
use crate::store::email_selection::{self, EmailKey, Position, Selection, UnderWay};
use crate::store::erasure::{self, Erasure};
use crate::store::{Db, DbError, Statement, audit, delivery_accounts, email_events, emails, tenants};

/// Accounts that are read at once.
const ACCOUNTS: i64 = 500;

/// The mail of all tenants, for the operator.
pub struct Operator {
    db: Db,
    clock: Clock,
    /// How long an email is tried again whose lifetime had ended.
    lifetime: Duration,
}

/// What is done with emails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Tries recipients again.
    Retry,
    /// Withdraws what waits.
    Cancel,
    /// Withdraws what waits, and erases what the email says and to whom it went.
    Purge,
}

impl Action {
    /// What the audit calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry-emails",
            Self::Cancel => "cancel-emails",
            Self::Purge => "purge-emails",
        }
    }

    /// The states of recipients that it changes.
    pub fn states(self) -> &'static [RecipientState] {
        match self {
            Self::Retry => &[
                RecipientState::Refused,
                RecipientState::Expired,
                RecipientState::Failed,
                RecipientState::Held,
                RecipientState::Unknown,
            ],
            Self::Cancel => &[RecipientState::Queued, RecipientState::Held, RecipientState::Deferred],
            Self::Purge => &RecipientState::ALL,
        }
    }
}

/// What an action has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Done {
    pub changed: usize,
    /// Emails that no longer were in a state which the action changes, or whose content is gone.
    pub skipped: usize,
}

/// Emails that were selected.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counted {
    pub emails: usize,
    pub tenants: usize,
}

impl Operator {
    pub fn new(db: &Db, clock: Clock, settings: &config::Delivery) -> Self {
        Self { db: db.clone(), clock, lifetime: Duration::from_hours(settings.lifetime_hours) }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn for_accounts(&self, state: &str, mut see: impl FnMut(&DeliveryAccount)) -> Result<(), DbError> {
        let mut after = String::new();
        loop {
            let accounts = delivery_accounts::in_state(&self.db, state, &after, ACCOUNTS).await?;
            accounts.iter().for_each(&mut see);
            let Some(last) = accounts.last() else { return Ok(()) };
            last.tenant.as_str().clone_into(&mut after);
        }
    }

    /// How many emails have an attempt that has begun, and how many are due of accounts that send.
    pub async fn under_way(&self, tenant: Option<&TenantId>) -> Result<UnderWay, DbError> {
        email_selection::under_way(&self.db, tenant, self.now()).await
    }

    /// Why a failure has stopped an account, and when it tries one email again; none if it sends, or a person has paused it.
    pub async fn stop(&self, tenant: &TenantId) -> Result<Option<Stop>, DbError> {
        let account = delivery_accounts::find(&self.db, tenant).await?;
        Ok(account.and_then(|account| match account.state {
            AccountState::Stopped(stop) => Some(stop),
            AccountState::Open | AccountState::Paused(_) => None,
        }))
    }

    /// Calls `see` with the selected emails, step by step.
    async fn for_selected(
        &self,
        selection: &Selection,
        after: Position,
        mut see: impl FnMut(Vec<EmailKey>),
    ) -> Result<(), DbError> {
        let mut position = after;
        loop {
            let (keys, next) = email_selection::step(&self.db, selection, &position).await?;
            see(keys);
            let Some(next) = next else { return Ok(()) };
            position = next;
        }
    }

    /// The selected emails behind a position, at most so many, and how many more there are.
    pub async fn list(
        &self,
        selection: &Selection,
        after: Position,
        limit: usize,
    ) -> Result<(Vec<(TenantId, Email)>, usize), DbError> {
        let (mut keys, mut more) = (Vec::new(), 0);
        self.for_selected(selection, after, |step| {
            let room = limit - keys.len();
            more += step.len().saturating_sub(room);
            keys.extend(step.into_iter().take(room));
        })
        .await?;
        let mut listed = Vec::with_capacity(keys.len());
        for (tenant, id) in keys {
            // It may have been removed in between.
            let found = emails::find(&self.db, &tenant, id).await?;
            listed.extend(found.map(|stored| (tenant, stored.email)));
        }
        Ok((listed, more))
    }

    /// Counts the selected emails.
    pub async fn count(&self, selection: &Selection) -> Result<Counted, DbError> {
        let (mut counted, mut last) = (Counted::default(), None);
        self.for_selected(selection, first(selection), |keys| {
            for (tenant, _) in keys {
                counted.emails += 1;
                if last.as_ref() != Some(&tenant) {
                    counted.tenants += 1;
                    last = Some(tenant);
                }
            }
        })
        .await?;
        Ok(counted)
    }

    /// The tenants of these emails; those that are not stored are left out.
    pub async fn keys_of(&self, ids: &[Uuid]) -> Result<Vec<EmailKey>, DbError> {
        let mut keys = Vec::with_capacity(ids.len());
        for id in ids {
            let tenant = email_selection::tenant_of(&self.db, *id).await?;
            keys.extend(tenant.map(|tenant| (tenant, *id)));
        }
        Ok(keys)
    }

    /// An email with its events, the oldest first. Nothing of what it says.
    pub async fn show(&self, key: &EmailKey) -> Result<Option<(Email, Vec<StoredEvent>)>, DbError> {
        let (tenant, id) = key;
        let Some(stored) = emails::find(&self.db, tenant, *id).await? else { return Ok(None) };
        Ok(Some((stored.email, email_events::of_email(&self.db, tenant, *id).await?)))
    }

    /// Acts on all selected emails.
    ///
    /// # Errors
    /// What was changed before stays changed.
    pub async fn act_on_selected(&self, action: Action, selection: &Selection) -> Result<Done, Error> {
        let (mut done, mut position, mut audited) = (Done::default(), first(selection), None);
        loop {
            let (keys, next) = email_selection::step(&self.db, selection, &position).await?;
            self.act_on(action, &keys, &selection.states, &mut audited, &mut done).await?;
            let Some(next) = next else { return Ok(done) };
            position = next;
        }
    }

    /// Acts on these emails.
    ///
    /// # Errors
    /// What was changed before stays changed.
    pub async fn act_on_keys(&self, action: Action, keys: &[EmailKey]) -> Result<Done, Error> {
        let mut done = Done::default();
        self.act_on(action, keys, action.states(), &mut None, &mut done).await?;
        Ok(done)
    }

    /// One row of the audit for each tenant, written with the first change of its emails.
    async fn act_on(
        &self,
        action: Action,
        keys: &[EmailKey],
        states: &[RecipientState],
        audited: &mut Option<TenantId>,
        done: &mut Done,
    ) -> Result<(), Error> {
        for (tenant, id) in keys {
            let row = (audited.as_ref() != Some(tenant)).then(|| self.audit_row(tenant, action.as_str()));
            match self.act(action, tenant, *id, states, row.as_ref()).await {
                Ok(()) => {
                    *audited = Some(tenant.clone());
                    done.changed += 1;
                }
                Err(Error::NotFound | Error::Conflict(_) | Error::ContentGone { .. }) => done.skipped += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn act(
        &self,
        action: Action,
        tenant: &TenantId,
        id: Uuid,
        states: &[RecipientState],
        row: Option<&Statement>,
    ) -> Result<(), Error> {
        if action == Action::Purge {
            return match erasure::erase(&self.db, tenant, id, row, self.now()).await? {
                Erasure::Erased => Ok(()),
                Erasure::NotFound => Err(Error::NotFound),
                Erasure::Contended => Err(Error::Contended),
            };
        }
        change_email(&self.db, &self.clock, tenant, id, row, |email, now| match action {
            Action::Retry => {
                let wanted = |recipient: &&crate::outgoing::Recipient| states.contains(&recipient.state);
                let positions: Vec<_> =
                    email.recipients.iter().filter(wanted).map(|recipient| recipient.position).collect();
                let events = email_actions::retry(email, Some(&positions), self.lifetime, now)?;
                email.required_key_id = None;
                Ok(events)
            }
            Action::Cancel | Action::Purge => email_actions::cancel(email, now),
        })
        .await
        .map(drop)
    }

    /// Pauses an account for the operator. The state afterwards, and whether it has changed.
    pub async fn pause(&self, tenant: &TenantId) -> Result<(AccountState, bool), Error> {
        let row = self.audit_row(tenant, "pause-account");
        let pause = |state: &AccountState| state.paused_by(Pauser::Operator);
        change_account(&self.db, &self.clock, tenant, Some(&row), pause).await
    }

    /// Ends the operator's pause of an account, or opens one that a failure has stopped. The state afterwards, and whether it
    /// has changed.
    pub async fn resume(&self, tenant: &TenantId) -> Result<(AccountState, bool), Error> {
        let row = self.audit_row(tenant, "resume-account");
        let resume = |state: &AccountState| state.resumed_by(Pauser::Operator);
        change_account(&self.db, &self.clock, tenant, Some(&row), resume).await
    }

    /// The tenants of which something waits and whose account the operator has not paused.
    pub async fn tenants_to_hold(&self) -> Result<Vec<TenantId>, DbError> {
        let (mut tenants, mut after) = (Vec::new(), String::new());
        while let Some(tenant) = delivery_accounts::waiting_tenant(&self.db, &after).await? {
            tenant.as_str().clone_into(&mut after);
            let account = delivery_accounts::find(&self.db, &tenant).await?;
            let state = account.map(|account| account.state);
            let is_held = matches!(state, Some(AccountState::Paused(pauser)) if pauser.includes_operator());
            tenants.extend((!is_held).then_some(tenant));
        }
        Ok(tenants)
    }

    /// The tenants whose account the operator has paused; with a code, those that a failure with this diagnosis has stopped.
    pub async fn tenants_to_release(&self, code: Option<&str>) -> Result<Vec<TenantId>, DbError> {
        let mut tenants = Vec::new();
        let state = if code.is_some() { AccountState::STOPPED } else { AccountState::PAUSED };
        self.for_accounts(state, |account| {
            let is_meant = match &account.state {
                AccountState::Open => false,
                AccountState::Paused(pauser) => pauser.includes_operator(),
                AccountState::Stopped(stop) => code == Some(stop.code.as_str()),
            };
            tenants.extend(is_meant.then(|| account.tenant.clone()));
        })
        .await?;
        Ok(tenants)
    }

    /// Whether there is anything of a tenant to pause: otherwise its name is mistyped, or it was deleted.
    pub async fn is_stored(&self, tenant: &TenantId) -> Result<bool, DbError> {
        tenants::is_stored(&self.db, tenant).await
    }

    /// Whether an account sends; none where it has never sent anything.
    pub async fn account(&self, tenant: &TenantId) -> Result<Option<AccountState>, DbError> {
        Ok(delivery_accounts::find(&self.db, tenant).await?.map(|account| account.state))
    }

    /// How many emails of a tenant wait.
    pub async fn waiting(&self, tenant: &TenantId) -> Result<i64, DbError> {
        Ok(emails::waiting(&self.db, tenant).await?.0)
    }

    fn audit_row(&self, tenant: &TenantId, action: &'static str) -> Statement {
        let entry = audit::Entry {
            at: self.now(),
            user: UserId::operator(),
            user_name: None,
            action,
            outcome: "OK",
            changed: Vec::new(),
            trace_id: TraceId::random(),
            remote: None,
            recipient: None,
            api_key: None,
        };
        audit::insert(tenant, Uuid::now_v7(), &entry)
    }
}

/// Where a walk over the selected emails begins.
pub fn first(selection: &Selection) -> Position {
    let tenant = selection.tenant.as_ref().map_or("", TenantId::as_str);
    Position { tenant: tenant.to_owned(), email: String::new() }
}
