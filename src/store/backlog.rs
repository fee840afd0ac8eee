//! Counts what waits and what is stored of emails: of all tenants in short steps, or of one tenant.

use super::{Columns, Db, DbError, Row, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;

statements! {
    /// The operator's, of all tenants: when the oldest email of lane $1 is due, among the $2 open accounts that are due first.
    OLDEST_DUE = "select min(oldest.due_at) from
        (select (select min(email_queue.due_at) from email_queue
                where email_queue.tenant_id = due.tenant_id and email_queue.lane = $1) as due_at
            from (select tenant_id, state from delivery_accounts
                where next_due_at is not null order by next_due_at limit $2) as due
            where due.state = 'open') as oldest";
    /// The operator's, of all tenants: at most $2.
    ACCOUNTS = "select count(*) from (select tenant_id from delivery_accounts where state = $1 limit $2) as counted";
    /// The operator's, of all tenants: the row of the queue that ends the next step.
    QUEUE_STEP = "select tenant_id, lane, due_at, email_id from email_queue
        where (tenant_id, lane, due_at, email_id) > ($1, $2, $3, $4)
        order by tenant_id, lane, due_at, email_id limit 1 offset $5";
    /// The operator's, of all tenants: the next $5 rows of the queue. The limit keeps PostgreSQL on the index.
    QUEUE = "select lane, count(*), cast(coalesce(sum(size), 0) as bigint) from
        (select lane, size from email_queue where (tenant_id, lane, due_at, email_id) > ($1, $2, $3, $4)
            order by tenant_id, lane, due_at, email_id limit $5) as step
        group by lane";
    LANES_OF_TENANT = "select lane, count(*), cast(coalesce(sum(size), 0) as bigint), min(due_at) from email_queue
        where tenant_id = $1 group by lane";
    /// The operator's, of all tenants: content of emails of which nothing waits.
    KEPT_STEP = "select settled_at, tenant_id, id from emails
        where has_content and settled_at is not null and (settled_at, tenant_id, id) > ($1, $2, $3)
        order by settled_at, tenant_id, id limit 1 offset $4";
    /// The operator's, of all tenants: the next $4 of them.
    KEPT = "select cast(coalesce(sum(size), 0) as bigint) from
        (select size from emails
            where has_content and settled_at is not null and (settled_at, tenant_id, id) > ($1, $2, $3)
            order by settled_at, tenant_id, id limit $4) as step";
}

/// Rows of one step: some milliseconds.
const STEP: i64 = 2_000;

/// Where a walk over the queue stands.
#[derive(Clone, Default, Debug)]
pub struct QueuePosition {
    tenant: String,
    lane: String,
    due_at: i64,
    email: String,
}

/// Where a walk over kept content stands.
#[derive(Clone, Default, Debug)]
pub struct KeptPosition {
    settled_at: i64,
    tenant: String,
    email: String,
}

/// What a lane holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneCount {
    /// `transactional`, `bulk`, or `held` until the account sends again.
    pub lane: String,
    pub emails: i64,
    pub octets: i64,
}

/// When the oldest email of a lane is due, of the open accounts. Looks at the accounts that are due first, at most so many.
pub async fn oldest_due(db: &Db, lane: &str, accounts: i64) -> Result<Option<Timestamp>, DbError> {
    let row = db.optional(sql(OLDEST_DUE).bind(lane).bind(accounts)).await?;
    Ok(row.map(|row| row.columns().optional_integer()).transpose()?.flatten().map(Timestamp))
}

/// How many accounts are in a state, counted to at most so many.
pub async fn accounts(db: &Db, state: &str, most: i64) -> Result<i64, DbError> {
    let row = db.optional(sql(ACCOUNTS).bind(state).bind(most)).await?;
    row.map_or(Ok(0), |row| row.columns().integer())
}

/// Counts the next rows of the queue. The position behind them; none at the end.
pub async fn queue_step(
    db: &Db,
    after: &QueuePosition,
) -> Result<(Vec<LaneCount>, Option<QueuePosition>), DbError> {
    let bound = |text| {
        sql(text)
            .bind(after.tenant.as_str())
            .bind(after.lane.as_str())
            .bind(after.due_at)
            .bind(after.email.as_str())
    };
    let end = db.optional(bound(QUEUE_STEP).bind(STEP - 1)).await?;
    let end = end.map(|row| read_queue_position(&mut row.columns())).transpose()?;
    let lane = |row: Row| {
        let mut columns = row.columns();
        Ok(LaneCount { lane: columns.text()?, emails: columns.integer()?, octets: columns.integer()? })
    };
    let counts = db.all(bound(QUEUE).bind(STEP)).await?.into_iter().map(lane).collect::<Result<_, _>>()?;
    Ok((counts, end))
}

/// What each lane of one tenant holds, and when its oldest email is due.
pub async fn lanes_of_tenant(
    db: &Db,
    tenant: &TenantId,
) -> Result<Vec<(LaneCount, Option<Timestamp>)>, DbError> {
    let rows = db.all(sql(LANES_OF_TENANT).bind(tenant.as_str())).await?;
    let lane = |row: Row| {
        let mut columns = row.columns();
        let (lane, emails, octets) = (columns.text()?, columns.integer()?, columns.integer()?);
        Ok((LaneCount { lane, emails, octets }, columns.optional_integer()?.map(Timestamp)))
    };
    rows.into_iter().map(lane).collect()
}

fn read_queue_position(columns: &mut Columns) -> Result<QueuePosition, DbError> {
    Ok(QueuePosition {
        tenant: columns.text()?,
        lane: columns.text()?,
        due_at: columns.integer()?,
        email: columns.text()?,
    })
}

/// The octets of the next emails of which nothing waits and whose content is kept. The position behind them; none at the
/// end.
pub async fn kept_step(db: &Db, after: &KeptPosition) -> Result<(i64, Option<KeptPosition>), DbError> {
    let bound =
        |text| sql(text).bind(after.settled_at).bind(after.tenant.as_str()).bind(after.email.as_str());
    let end = db.optional(bound(KEPT_STEP).bind(STEP - 1)).await?;
    let end = end.map(|row| read_kept_position(&mut row.columns())).transpose()?;
    let row = db.optional(bound(KEPT).bind(STEP)).await?;
    Ok((row.map_or(Ok(0), |row| row.columns().integer())?, end))
}

fn read_kept_position(columns: &mut Columns) -> Result<KeptPosition, DbError> {
    Ok(KeptPosition { settled_at: columns.integer()?, tenant: columns.text()?, email: columns.text()? })
}
