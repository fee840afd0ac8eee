//! The table of sending accounts: which process owns each (lease and fence), whether it sends, and how fast.

use std::time::Duration;

use super::{Columns, Db, DbError, Row, Statement, Write, email_events, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::outgoing::Event;
use crate::outgoing::account_settings::{AccountSettings, AllowedSender};
use crate::outgoing::breaker::{AccountState, Stop};
use crate::outgoing::pace::PaceState;

statements! {
    /// Touches no row where something is due earlier already.
    WAKE = "insert into delivery_accounts (tenant_id, next_due_at) values ($1, $2)
        on conflict (tenant_id) do update set next_due_at = excluded.next_due_at
            where delivery_accounts.next_due_at is null or delivery_accounts.next_due_at > excluded.next_due_at";
    /// The outer conditions are those that are looked at again where another owner came first. Leases are those of the
    /// database's clock, where it has one; $3 is the time of this process, and $2 the length of a lease.
    TAKE = "update delivery_accounts set owner = $1, fence = fence + 1,
            lease_until = coalesce((select now from lease_clock), $3) + $2
        where tenant_id in (select tenant_id from delivery_accounts
                where next_due_at <= $3 and lease_until < coalesce((select now from lease_clock), $3)
                order by next_due_at limit $4)
            and next_due_at <= $3 and lease_until < coalesce((select now from lease_clock), $3)
        returning tenant_id, fence, state, state_code, state_since, probe_at, failures, failed_version, pace_at, pace,
            allowed_senders, max_per_minute, max_connections";
    ANY_DUE = "select tenant_id from delivery_accounts
        where next_due_at <= $1 and lease_until < coalesce((select now from lease_clock), $1) limit 1";
    RENEW = "update delivery_accounts set lease_until = coalesce((select now from lease_clock), $3) + $2
        where owner = $1";
    /// The leases of processes that have ended.
    VOID_LEASES = "update delivery_accounts set owner = null, lease_until = 0 where owner is not null";
    /// The account belongs to nobody.
    RELEASE = "update delivery_accounts set owner = null, lease_until = 0 where tenant_id = $1 and fence = $2";
    /// It is due when its next email is. A statement of its own, so that on PostgreSQL it sees the mail of the
    /// transactions that [`WAKE`] had made [`RELEASE`] wait for.
    SET_NEXT_DUE = "update delivery_accounts
        set next_due_at = (select min(due_at) from email_queue where email_queue.tenant_id = $1)
        where tenant_id = $1 and fence = $2";
    /// The account belongs to nobody, and is due at $3.
    RELEASE_UNTIL = "update delivery_accounts set owner = null, lease_until = 0, next_due_at = $3
        where tenant_id = $1 and fence = $2";
    /// Nothing earlier is forgotten: an account that nothing waits for is looked at again where its queue holds something.
    SWEEP = "update delivery_accounts set next_due_at = $1
        where next_due_at is null and exists (select 1 from email_queue
            where email_queue.tenant_id = delivery_accounts.tenant_id)";
    FIND = "select tenant_id, fence, state, state_code, state_since, probe_at, failures, failed_version, pace_at, pace,
            allowed_senders, max_per_minute, max_connections
        from delivery_accounts where tenant_id = $1";
    SET_STATE = "update delivery_accounts set state_event = case when state <> $2 then $9 else state_event end,
            state = $2, state_code = $3, state_since = $4, probe_at = $5, failures = $6, failed_version = $7
        where tenant_id = $1 and fence = $8";
    SET_PACE = "update delivery_accounts set pace_at = $3, pace = $4 where tenant_id = $1 and fence = $2";
    /// By a person: whoever owns the account reads it again.
    PAUSE = "insert into delivery_accounts (tenant_id, state, state_since, state_event) values ($1, 'paused', $2, $3)
        on conflict (tenant_id) do update set state_event = case when delivery_accounts.state <> 'paused'
                then excluded.state_event else delivery_accounts.state_event end,
            state = 'paused', state_code = null, state_since = excluded.state_since, probe_at = null, failures = 0,
            failed_version = null, fence = delivery_accounts.fence + 1, owner = null, lease_until = 0";
    SET_ALLOWED_SENDERS = "insert into delivery_accounts (tenant_id, allowed_senders) values ($1, $2)
        on conflict (tenant_id) do update set allowed_senders = excluded.allowed_senders";
    SET_MAX_PER_MINUTE = "insert into delivery_accounts (tenant_id, max_per_minute) values ($1, $2)
        on conflict (tenant_id) do update set max_per_minute = excluded.max_per_minute";
    SET_MAX_CONNECTIONS = "insert into delivery_accounts (tenant_id, max_connections) values ($1, $2)
        on conflict (tenant_id) do update set max_connections = excluded.max_connections";
    /// Whoever owns the account reads it again.
    END_OWNERSHIP = "update delivery_accounts set fence = fence + 1, owner = null, lease_until = 0 where tenant_id = $1";
    /// After a change of the configuration or a passed check: what a failure has stopped goes on, what a person has
    /// stopped does not.
    REOPEN = "update delivery_accounts set state_event = $3, state = 'open', state_code = null, state_since = $2, probe_at = null,
            failures = 0, failed_version = null, fence = fence + 1, owner = null, lease_until = 0, next_due_at = $2
        where tenant_id = $1 and state = 'stopped'";
    OPEN = "update delivery_accounts set state_event = $3, state = 'open', state_code = null, state_since = $2, probe_at = null,
            failures = 0, failed_version = null, fence = fence + 1, owner = null, lease_until = 0, next_due_at = $2
        where tenant_id = $1 and state <> 'open'";
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
) -> Result<Vec<DeliveryAccount>, DbError> {
    let take = sql(TAKE).bind(owner).bind(milliseconds(lease)).bind(now.0).bind(limit).returning_rows();
    let rows = db.write_returning(Write::default().then(take)).await?.unwrap_or_default();
    rows.into_iter().map(read).collect()
}

/// Renews the leases of all accounts that this process owns.
pub fn renew(owner: &str, lease: Duration, now: Timestamp) -> Statement {
    sql(RENEW).bind(owner).bind(milliseconds(lease)).bind(now.0)
}

/// Ends all leases. For the only process that sends: every lease is that of a process which has ended.
pub fn void_leases() -> Statement {
    sql(VOID_LEASES)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Gives the account up. `until` is when a stopped account tries again; otherwise it is due when its next email is.
pub fn release(tenant: &TenantId, fence: i64, until: Option<Timestamp>) -> Vec<Statement> {
    let bound = |text| sql(text).bind(tenant.as_str()).bind(fence);
    match until {
        Some(until) => vec![bound(RELEASE_UNTIL).bind(until.0)],
        None => vec![bound(RELEASE), bound(SET_NEXT_DUE)],
    }
}

/// Makes accounts due that nothing waits for although their queue holds something.
pub fn sweep(now: Timestamp) -> Statement {
    sql(SWEEP).bind(now.0)
}

pub async fn find(db: &Db, tenant: &TenantId) -> Result<Option<DeliveryAccount>, DbError> {
    db.optional(sql(FIND).bind(tenant.as_str())).await?.map(read).transpose()
}

/// Writes down whether the account sends, with the event where that has changed. Affects no row where it has another owner.
pub fn set_state(account: &DeliveryAccount, now: Timestamp) -> Vec<Statement> {
    let stop = match &account.state {
        AccountState::Stopped(stop) => Some(stop),
        AccountState::Open | AccountState::Paused => None,
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

/// Stops the account until a person resumes it, whoever owns it.
pub fn pause(tenant: &TenantId, now: Timestamp) -> Vec<Statement> {
    change_state(PAUSE, &AccountState::Paused, tenant, now)
}

/// Changes the state, whoever owns the account, with the event where that has changed anything.
fn change_state(
    text: &'static str,
    state: &AccountState,
    tenant: &TenantId,
    now: Timestamp,
) -> Vec<Statement> {
    let event = Event::of_account(state, now);
    let change = sql(text).bind(tenant.as_str()).bind(now.0).bind(event.id.to_string());
    vec![change, email_events::insert_of_account(tenant, &event)]
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

/// Opens an account that is paused or stopped, whoever owns it; touches no row where it is open.
pub fn open(tenant: &TenantId, now: Timestamp) -> Vec<Statement> {
    change_state(OPEN, &AccountState::Open, tenant, now)
}

/// Lets an account go on that a failure has stopped: its configuration has changed, or a check has passed.
pub fn reopen(tenant: &TenantId, now: Timestamp) -> Vec<Statement> {
    change_state(REOPEN, &AccountState::Open, tenant, now)
}

fn read(row: Row) -> Result<DeliveryAccount, DbError> {
    let columns = &mut row.columns();
    let tenant = TenantId::from_operator(&columns.text()?);
    let fence = columns.integer()?;
    let (state, code) = (columns.text()?, columns.optional_text()?);
    let (since, probe_at) = (time(columns)?, time(columns)?);
    let failures = columns.integer()?;
    let state = match state.as_str() {
        AccountState::OPEN => AccountState::Open,
        AccountState::PAUSED => AccountState::Paused,
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
    let failed_version = columns.optional_text()?;
    let due = columns.integer()?;
    // What cannot be read is as good as nothing: it is written again with the next mail.
    let kept: Option<PaceState> = columns.optional_text()?.and_then(|text| serde_json::from_str(&text).ok());
    let mut pace = kept.unwrap_or_default();
    pace.due = due;
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
