//! The table of sending accounts: which process owns each (lease and fence), whether it sends, and how fast.

use std::time::Duration;

use uuid::Uuid;

use super::api_keys::KeyOwner;
use super::{Columns, Db, DbError, Row, Statement, Write, email_events, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::outgoing::Event;
use crate::outgoing::account_settings::{AccountSettings, AllowedSender};
use crate::outgoing::breaker::{AccountState, Pauser, Stop};
use crate::outgoing::pace::PaceState;

statements! {
    /// Touches no row where something is due earlier already.
    WAKE = "insert into delivery_accounts (tenant_id, next_due_at) values ($1, $2)
        on conflict (tenant_id) do update set next_due_at = excluded.next_due_at
            where delivery_accounts.next_due_at is null or delivery_accounts.next_due_at > excluded.next_due_at";
    /// The outer conditions are those that are looked at again where another owner came first. Leases are those of the
    /// database's clock, where it has one; $3 is the time of this process, and $2 the length of a lease.
    TAKE = "update delivery_accounts set taken_from = owner, owner = $1, fence = fence + 1,
            lease_until = coalesce((select now from lease_clock), $3) + $2
        where tenant_id in (select tenant_id from delivery_accounts
                where next_due_at <= $3 and lease_until < coalesce((select now from lease_clock), $3)
                order by next_due_at limit $4)
            and next_due_at <= $3 and lease_until < coalesce((select now from lease_clock), $3)
        returning tenant_id, fence, state, state_code, state_since, probe_at, failures, failed_version, pace_at, pace,
            paused_by, allowed_senders, max_per_minute, max_connections, taken_from";
    ANY_DUE = "select tenant_id from delivery_accounts
        where next_due_at <= $1 and lease_until < coalesce((select now from lease_clock), $1) limit 1";
    RENEW = "update delivery_accounts set lease_until = coalesce((select now from lease_clock), $3) + $2
        where owner = $1";
    /// The leases of processes that have ended.
    VOID_LEASES = "update delivery_accounts set owner = null, lease_until = 0 where owner is not null
        returning tenant_id";
    /// The account belongs to nobody.
    RELEASE = "update delivery_accounts set owner = null, lease_until = 0 where tenant_id = $1 and fence = $2";
    /// It is due when its next email is. A statement of its own, so that on PostgreSQL it sees the mail of the
    /// transactions that [`WAKE`] had made [`RELEASE`] wait for.
    SET_NEXT_DUE = "update delivery_accounts
        set next_due_at = (select min(due_at) from email_queue where email_queue.tenant_id = $1)
        where tenant_id = $1 and fence = $2";
    /// The same, and at $3 at the latest.
    SET_NEXT_DUE_BEFORE = "update delivery_accounts set next_due_at = (select min(due_at) from
            (select due_at from email_queue where email_queue.tenant_id = $1 union all select cast($3 as bigint)) as due)
        where tenant_id = $1 and fence = $2";
    /// The account belongs to nobody, and is due at $3.
    RELEASE_UNTIL = "update delivery_accounts set owner = null, lease_until = 0, next_due_at = $3
        where tenant_id = $1 and fence = $2";
    /// Nothing earlier is forgotten: an account that nothing waits for is looked at again where its queue holds something.
    SWEEP = "update delivery_accounts set next_due_at = $1
        where next_due_at is null and exists (select 1 from email_queue
            where email_queue.tenant_id = delivery_accounts.tenant_id)";
    FIND = "select tenant_id, fence, state, state_code, state_since, probe_at, failures, failed_version, pace_at, pace,
            paused_by, allowed_senders, max_per_minute, max_connections
        from delivery_accounts where tenant_id = $1";
    SET_STATE = "update delivery_accounts set state_event = case when state <> $2 then $9 else state_event end,
            state = $2, state_code = $3, state_since = $4, probe_at = $5, failures = $6, failed_version = $7
        where tenant_id = $1 and fence = $8";
    SET_PACE = "update delivery_accounts set pace_at = $3, pace = $4 where tenant_id = $1 and fence = $2";
    /// By a person: whoever owns the account reads it again.
    PAUSE = "update delivery_accounts set state_event = case when state <> 'paused' then $5 else state_event end,
            state = 'paused', state_code = null, state_since = $3, probe_at = null, failures = 0,
            failed_version = null, fence = fence + 1, owner = null, lease_until = 0, paused_by = $4
        where tenant_id = $1 and fence = $2";
    ADD = "insert into delivery_accounts (tenant_id) values ($1) on conflict do nothing";
    SET_ALLOWED_SENDERS = "insert into delivery_accounts (tenant_id, allowed_senders) values ($1, $2)
        on conflict (tenant_id) do update set allowed_senders = excluded.allowed_senders";
    SET_MAX_PER_MINUTE = "insert into delivery_accounts (tenant_id, max_per_minute) values ($1, $2)
        on conflict (tenant_id) do update set max_per_minute = excluded.max_per_minute";
    SET_MAX_CONNECTIONS = "insert into delivery_accounts (tenant_id, max_connections) values ($1, $2)
        on conflict (tenant_id) do update set max_connections = excluded.max_connections";
    /// Whoever owns the account reads it again.
    END_OWNERSHIP = "update delivery_accounts set fence = fence + 1, owner = null, lease_until = 0 where tenant_id = $1";
    /// The owner of the account looks again at what is held.
    LOOK_AGAIN = "update delivery_accounts set fence = fence + 1, owner = null, lease_until = 0, next_due_at = $2
        where tenant_id = $1";
    /// The operator's, of all tenants: the same where mail of a key of the platform is held.
    LOOK_AGAIN_FOR_KEY = "update delivery_accounts set fence = fence + 1, owner = null, lease_until = 0, next_due_at = $2
        where tenant_id in (select tenant_id from emails where required_key_id = $1 and status = 'held')";
    /// After a change of the configuration or a passed check: what a failure has stopped goes on, what a person has
    /// stopped does not.
    REOPEN = "update delivery_accounts set state_event = $3, state = 'open', state_code = null, state_since = $2, probe_at = null,
            failures = 0, failed_version = null, fence = fence + 1, owner = null, lease_until = 0, next_due_at = $2
        where tenant_id = $1 and state = 'stopped'";
    OPEN = "update delivery_accounts set state_event = $4, state = 'open', state_code = null, state_since = $3, probe_at = null,
            failures = 0, failed_version = null, fence = fence + 1, owner = null, lease_until = 0, next_due_at = $3,
            paused_by = null
        where tenant_id = $1 and fence = $2";
    /// The operator's, of all tenants: the next accounts in this state behind tenant $2.
    IN_STATE = "select tenant_id, fence, state, state_code, state_since, probe_at, failures, failed_version, pace_at, pace,
            paused_by, allowed_senders, max_per_minute, max_connections
        from delivery_accounts where state = $1 and tenant_id > $2 order by tenant_id limit $3";
    /// The operator's, of all tenants: the next tenant behind $1 of which something waits.
    WAITING_TENANT = "select min(tenant_id) from email_queue where tenant_id > $1";
}

/// An account with what its owner needs to know.
#[derive(Clone, PartialEq, Debug)]
pub struct DeliveryAccount {
    pub tenant: TenantId,
    pub fence: i64,
    pub state: AccountState,
    /// Failures of the same class in a row, also while the account is open.
    pub failures: i64,
    /// The version of the configuration that failed.
    pub failed_version: Option<String>,
    pub pace: PaceState,
    pub settings: AccountSettings,
}

/// Settings to change; what is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SettingsChange {
    pub allowed_senders: Option<Vec<AllowedSender>>,
    /// `Some(None)` removes the tenant's bound.
    pub max_per_minute: Option<Option<u32>>,
    pub max_connections: Option<Option<u32>>,
}

/// When an account that is given up is due again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextDue {
    /// When its next email is.
    WithNextEmail,
    /// When its next email is, and at this time at the latest.
    WithNextEmailOrAt(Timestamp),
    /// At this time, and not before.
    At(Timestamp),
}

impl NextDue {
    /// Of an account that sends nothing: its mail is held as it comes, and one mail tries again at `probe_at`.
    pub fn of_closed(probe_at: Option<Timestamp>) -> Self {
        probe_at.map_or(Self::WithNextEmail, Self::WithNextEmailOrAt)
    }

    /// The same, and at this time at the latest, where there is a time.
    #[must_use]
    pub fn before(self, latest: Timestamp) -> Self {
        match self {
            Self::WithNextEmail => Self::WithNextEmail,
            Self::WithNextEmailOrAt(at) => Self::WithNextEmailOrAt(at.min(latest)),
            Self::At(at) => Self::At(at.min(latest)),
        }
    }
}

/// An account that was taken.
#[derive(Clone, PartialEq, Debug)]
pub struct TakenAccount {
    pub account: DeliveryAccount,
    /// Its last owner had not given it up.
    pub is_takeover: bool,
}

/// Makes the account due at this time, unless it is due earlier.
pub fn wake(tenant: &TenantId, at: Timestamp) -> Statement {
    sql(WAKE).bind(tenant.as_str()).bind(at.0)
}

/// Whether an account is due that belongs to nobody.
pub async fn is_any_due(db: &Db, now: Timestamp) -> Result<bool, DbError> {
    db.optional(sql(ANY_DUE).bind(now.0)).await.map(|row| row.is_some())
}

/// Takes accounts that are due and belong to nobody, until the lease ends.
pub async fn take(
    db: &Db,
    owner: &str,
    lease: Duration,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<TakenAccount>, DbError> {
    let take = sql(TAKE).bind(owner).bind(milliseconds(lease)).bind(now.0).bind(limit).returning_rows();
    let rows = db.write_returning(Write::default().then(take)).await?.unwrap_or_default();
    let taken = |row: Row| {
        let mut columns = row.columns();
        let account = read(&mut columns)?;
        Ok(TakenAccount { account, is_takeover: columns.optional_text()?.is_some() })
    };
    rows.into_iter().map(taken).collect()
}

/// Renews the leases of all accounts that this process owns.
pub fn renew(owner: &str, lease: Duration, now: Timestamp) -> Statement {
    sql(RENEW).bind(owner).bind(milliseconds(lease)).bind(now.0)
}

/// Ends all leases, and names their tenants. For the only process that sends: every lease is that of a process which has
/// ended.
pub async fn void_leases(db: &Db) -> Result<Vec<TenantId>, DbError> {
    let void = Write::default().then(sql(VOID_LEASES).returning_rows());
    let rows = db.write_returning(void).await?.unwrap_or_default();
    rows.into_iter().map(|row| Ok(TenantId::from_operator(&row.columns().text()?))).collect()
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Gives the account up, and says when it is due again.
pub fn release(tenant: &TenantId, fence: i64, due: NextDue) -> Vec<Statement> {
    let bound = |text| sql(text).bind(tenant.as_str()).bind(fence);
    match due {
        NextDue::WithNextEmail => vec![bound(RELEASE), bound(SET_NEXT_DUE)],
        NextDue::WithNextEmailOrAt(at) => vec![bound(RELEASE), bound(SET_NEXT_DUE_BEFORE).bind(at.0)],
        NextDue::At(at) => vec![bound(RELEASE_UNTIL).bind(at.0)],
    }
}

/// Makes accounts due that nothing waits for although their queue holds something.
pub fn sweep(now: Timestamp) -> Statement {
    sql(SWEEP).bind(now.0)
}

pub async fn find(db: &Db, tenant: &TenantId) -> Result<Option<DeliveryAccount>, DbError> {
    let row = db.optional(sql(FIND).bind(tenant.as_str())).await?;
    row.map(|row| read(&mut row.columns())).transpose()
}

/// Writes down whether the account sends, with the event where that has changed. Affects no row where it has another owner.
pub fn set_state(account: &DeliveryAccount, now: Timestamp) -> Vec<Statement> {
    let stop = match &account.state {
        AccountState::Stopped(stop) => Some(stop),
        AccountState::Open | AccountState::Paused(_) => None,
    };
    let event = Event::of_account(&account.state, now);
    let state = sql(SET_STATE)
        .bind(account.tenant.as_str())
        .bind(account.state.as_str())
        .bind(stop.map(|stop| stop.code.as_str()))
        .bind(stop.map(|stop| stop.since.0))
        .bind(stop.and_then(|stop| stop.probe_at).map(|at| at.0))
        .bind(account.failures)
        .bind(account.failed_version.as_deref())
        .bind(account.fence)
        .bind(event.id.to_string());
    vec![state, email_events::insert_of_account(&account.tenant, &event)]
}

/// Writes down what is kept of the account's sending. Affects no row where it has another owner.
pub fn set_pace(tenant: &TenantId, fence: i64, pace: &PaceState) -> Statement {
    let kept = serde_json::to_string(pace).ok();
    sql(SET_PACE).bind(tenant.as_str()).bind(fence).bind(pace.due).bind(kept)
}

/// Makes the row of an account that has never sent anything; touches no other.
pub fn add(tenant: &TenantId) -> Statement {
    sql(ADD).bind(tenant.as_str())
}

/// Changes what the tenant sets for its account. Whoever owns the account takes it again with the new settings.
pub fn change_settings(tenant: &TenantId, change: &SettingsChange) -> Vec<Statement> {
    let bound = |text| sql(text).bind(tenant.as_str());
    let mut statements = Vec::new();
    if let Some(senders) = &change.allowed_senders {
        // Texts can always be written as JSON.
        let senders = serde_json::to_string(senders).unwrap_or_default();
        statements.push(bound(SET_ALLOWED_SENDERS).bind(senders));
    }
    if let Some(max) = change.max_per_minute {
        statements.push(bound(SET_MAX_PER_MINUTE).bind(max.map(i64::from)));
    }
    if let Some(max) = change.max_connections {
        statements.push(bound(SET_MAX_CONNECTIONS).bind(max.map(i64::from)));
    }
    statements.push(bound(END_OWNERSHIP));
    statements
}

/// Lets the owner of the account of a key's mail look again at what is held, since the key may be usable again.
pub fn look_again(owner: &KeyOwner, key: Uuid, now: Timestamp) -> Statement {
    match owner {
        KeyOwner::Tenant(tenant) => sql(LOOK_AGAIN).bind(tenant.as_str()).bind(now.0),
        KeyOwner::Platform => sql(LOOK_AGAIN_FOR_KEY).bind(key.to_string()).bind(now.0),
    }
}

/// Writes that a person has paused or opened the account, whoever owns it, with the event where that has changed. The first
/// statement affects no row where another write came first.
pub fn change_state(before: &DeliveryAccount, after: &AccountState, now: Timestamp) -> Vec<Statement> {
    let event = Event::of_account(after, now);
    let bound = |text| sql(text).bind(before.tenant.as_str()).bind(before.fence).bind(now.0);
    let change = match after {
        AccountState::Paused(pauser) => bound(PAUSE).bind(pauser.as_str()),
        AccountState::Open | AccountState::Stopped(_) => bound(OPEN),
    };
    let change = change.bind(event.id.to_string()).require_affected();
    vec![change, email_events::insert_of_account(&before.tenant, &event)]
}

/// The next accounts in a state behind a tenant, at most so many.
pub async fn in_state(
    db: &Db,
    state: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<DeliveryAccount>, DbError> {
    let rows = db.all(sql(IN_STATE).bind(state).bind(after).bind(limit)).await?;
    rows.into_iter().map(|row| read(&mut row.columns())).collect()
}

/// The next tenant of which something waits.
pub async fn waiting_tenant(db: &Db, after: &str) -> Result<Option<TenantId>, DbError> {
    let row = db.optional(sql(WAITING_TENANT).bind(after)).await?;
    let tenant = row.map(|row| row.columns().optional_text()).transpose()?.flatten();
    Ok(tenant.as_deref().map(TenantId::from_operator))
}

/// Lets an account go on that a failure has stopped: its configuration has changed, or a check has passed.
pub fn reopen(tenant: &TenantId, now: Timestamp) -> Vec<Statement> {
    let event = Event::of_account(&AccountState::Open, now);
    let reopen = sql(REOPEN).bind(tenant.as_str()).bind(now.0).bind(event.id.to_string());
    vec![reopen, email_events::insert_of_account(tenant, &event)]
}

fn read(columns: &mut Columns) -> Result<DeliveryAccount, DbError> {
    let tenant = TenantId::from_operator(&columns.text()?);
    let fence = columns.integer()?;
    let (state, code) = (columns.text()?, columns.optional_text()?);
    let (since, probe_at) = (time(columns)?, time(columns)?);
    let failures = columns.integer()?;
    let failed_version = columns.optional_text()?;
    let due = columns.integer()?;
    // What cannot be read is as good as nothing: it is written again with the next mail.
    let kept: Option<PaceState> = columns.optional_text()?.and_then(|text| serde_json::from_str(&text).ok());
    let mut pace = kept.unwrap_or_default();
    pace.due = due;
    let paused_by = columns.optional_text()?.and_then(|text| Pauser::parse(&text));
    let state = match state.as_str() {
        AccountState::OPEN => AccountState::Open,
        // A program from before this column has paused it for an administrator.
        AccountState::PAUSED => AccountState::Paused(paused_by.unwrap_or(Pauser::Administrator)),
        AccountState::STOPPED => AccountState::Stopped(Stop {
            code: code.unwrap_or_default(),
            since: since.unwrap_or(Timestamp(0)),
            probe_at,
            failures,
        }),
        _ => {
            let text = "a row of delivery_accounts cannot be understood: state is not one of ours";
            return Err(DbError::Statement(text.to_owned()));
        }
    };
    let settings = read_settings(columns)?;
    Ok(DeliveryAccount { tenant, fence, state, failures, failed_version, pace, settings })
}

fn read_settings(columns: &mut Columns) -> Result<AccountSettings, DbError> {
    let unreadable =
        || DbError::Statement("the settings of a delivery account cannot be understood".to_owned());
    let allowed_senders = match columns.optional_text()? {
        Some(text) => serde_json::from_str(&text).map_err(|_| unreadable())?,
        None => Vec::new(),
    };
    let mut number = || -> Result<Option<u32>, DbError> {
        columns.optional_integer()?.map(u32::try_from).transpose().map_err(|_| unreadable())
    };
    Ok(AccountSettings { allowed_senders, max_per_minute: number()?, max_connections: number()? })
}

fn time(columns: &mut Columns) -> Result<Option<Timestamp>, DbError> {
    Ok(columns.optional_integer()?.map(Timestamp))
}
