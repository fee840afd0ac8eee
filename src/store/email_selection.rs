//! Finds emails of all tenants for the operator, in steps over the table of emails, and counts what is under way.

use uuid::Uuid;

use super::{Columns, Db, DbError, Row, Statement, emails, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::outgoing::{Lane, RecipientState};

statements! {
    /// The operator's, of all tenants: the email that ends the next step.
    STEP_END = "select tenant_id, id from emails
        where (tenant_id, id) > ($1, $2) and (tenant_id, id) <= ($3, $4)
        order by tenant_id, id limit 1 offset $5";
    /// The operator's, of all tenants: those of a step that fit. Mail that is held for its account has the account's code.
    FITTING = "select tenant_id, id from emails
        where (tenant_id, id) > ($1, $2) and (tenant_id, id) <= ($3, $4) and ($5 = '' or lane = $5) and created_at <= $6
            and exists (select 1 from email_recipients
                where email_recipients.tenant_id = emails.tenant_id and email_recipients.email_id = emails.id
                    and $7 like '%,' || email_recipients.state || ',%'
                    and ($8 = '' or email_recipients.last like $8 or (email_recipients.state = 'held'
                        and exists (select 1 from delivery_accounts
                            where delivery_accounts.tenant_id = emails.tenant_id
                                and delivery_accounts.state_code = $9))))
        order by tenant_id, id";
    /// The operator's, of all tenants: the tenant of an email.
    TENANT = "select tenant_id from emails where id = $1";
    /// The operator's, of all tenants, or of tenant $1: emails whose attempt has begun, also by a process that has ended, and
    /// when the last of them counts as interrupted.
    IN_FLIGHT = "select count(*), max(email_queue.due_at) from email_queue
            join emails on emails.tenant_id = email_queue.tenant_id and emails.id = email_queue.email_id
        where email_queue.lane <> 'held' and emails.status = 'sending' and ($1 = '' or email_queue.tenant_id = $1)";
    /// The operator's, of all tenants, or of tenant $1: emails that are due, of accounts that send.
    DUE = "select count(*) from email_queue where due_at <= $2 and lane <> 'held' and ($1 = '' or tenant_id = $1)
        and not exists (select 1 from delivery_accounts
            where delivery_accounts.tenant_id = email_queue.tenant_id and state <> 'open')";
    /// The operator's, of all tenants, or of tenant $1: emails that are held until a time, and not for their account.
    HELD_UNTIL = "select count(*) from email_queue
            join emails on emails.tenant_id = email_queue.tenant_id and emails.id = email_queue.email_id
        where email_queue.lane <> 'held' and email_queue.due_at > $2 and emails.status = 'held'
            and ($1 = '' or email_queue.tenant_id = $1)";
    /// The operator's, of all tenants: those with most that waits.
    LONGEST = "select tenant_id, count(*), cast(coalesce(sum(size), 0) as bigint) from email_queue
        group by tenant_id order by 2 desc, tenant_id limit $1";
}

/// Emails of one step over the table.
const STEP: i64 = 2_000;

/// Above every id of an email.
const ABOVE_ALL: &str = "g";

/// Which emails are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    pub tenant: Option<TenantId>,
    /// At least one recipient is in one of these.
    pub states: Vec<RecipientState>,
    /// The diagnosis of the recipient's last attempt, or of the account that holds it.
    pub code: Option<String>,
    pub lane: Option<Lane>,
    /// Taken at this time or before.
    pub until: Timestamp,
}

/// Where a walk over the emails stands: behind this email.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Position {
    pub tenant: String,
    pub email: String,
}

/// An email and its tenant.
pub type EmailKey = (TenantId, Uuid);

/// The emails of the next step that fit. The position behind the step; none at the end.
pub async fn step(
    db: &Db,
    selection: &Selection,
    after: &Position,
) -> Result<(Vec<EmailKey>, Option<Position>), DbError> {
    let after_all = Position {
        // Behind every tenant's id: no text of UTF-8 is above it.
        tenant: selection.tenant.as_ref().map_or_else(|| char::MAX.to_string(), ToString::to_string),
        email: ABOVE_ALL.to_owned(),
    };
    let between = |text, end: &Position| {
        sql(text)
            .bind(after.tenant.as_str())
            .bind(after.email.as_str())
            .bind(end.tenant.as_str())
            .bind(end.email.as_str())
    };
    let end = db.optional(between(STEP_END, &after_all).bind(STEP - 1)).await?;
    let end = end.map(|row| read_position(&mut row.columns())).transpose()?;
    let states: Vec<_> = selection.states.iter().map(|state| state.as_str()).collect();
    let pattern = selection.code.as_ref().map_or_else(String::new, |code| format!("%\"code\":\"{code}\"%"));
    let fitting = between(FITTING, end.as_ref().unwrap_or(&after_all))
        .bind(selection.lane.map_or("", Lane::as_str))
        .bind(selection.until.0)
        .bind(format!(",{},", states.join(",")))
        .bind(pattern)
        .bind(selection.code.as_deref().unwrap_or_default());
    let key = |row: Row| {
        let mut columns = row.columns();
        Ok((TenantId::from_operator(&columns.text()?), emails::read_id(&columns.text()?)?))
    };
    let keys = db.all(fitting).await?.into_iter().map(key).collect::<Result<_, _>>()?;
    Ok((keys, end))
}

fn read_position(columns: &mut Columns) -> Result<Position, DbError> {
    Ok(Position { tenant: columns.text()?, email: columns.text()? })
}

/// The tenant of an email.
pub async fn tenant_of(db: &Db, id: Uuid) -> Result<Option<TenantId>, DbError> {
    let row = db.optional(sql(TENANT).bind(id.to_string())).await?;
    row.map(|row| Ok(TenantId::from_operator(&row.columns().text()?))).transpose()
}

/// What is being sent, and what would be.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct UnderWay {
    /// Emails whose attempt has begun.
    pub in_flight: i64,
    /// When each of them has a result, or counts as interrupted, so that its outcome is unknown.
    pub settled_by: Option<Timestamp>,
    pub due: i64,
}

/// How many emails have an attempt that has begun, and how many are due.
pub async fn under_way(db: &Db, tenant: Option<&TenantId>, now: Timestamp) -> Result<UnderWay, DbError> {
    let tenant = tenant.map_or("", TenantId::as_str);
    let mut under_way = UnderWay::default();
    if let Some(row) = db.optional(sql(IN_FLIGHT).bind(tenant)).await? {
        let mut columns = row.columns();
        under_way.in_flight = columns.integer()?;
        under_way.settled_by = columns.optional_integer()?.map(Timestamp);
    }
    under_way.due = count(db, sql(DUE).bind(tenant).bind(now.0)).await?;
    Ok(under_way)
}

/// How many emails are held until a time, and not for their account.
pub async fn held_until(db: &Db, tenant: Option<&TenantId>, now: Timestamp) -> Result<i64, DbError> {
    count(db, sql(HELD_UNTIL).bind(tenant.map_or("", TenantId::as_str)).bind(now.0)).await
}

async fn count(db: &Db, statement: Statement) -> Result<i64, DbError> {
    let row = db.optional(statement).await?;
    row.map_or(Ok(0), |row| row.columns().integer())
}

/// The tenants with most that waits: emails and octets.
pub async fn longest(db: &Db, limit: i64) -> Result<Vec<(TenantId, i64, i64)>, DbError> {
    let rows = db.all(sql(LONGEST).bind(limit)).await?;
    let row = |row: Row| {
        let mut columns = row.columns();
        Ok((TenantId::from_operator(&columns.text()?), columns.integer()?, columns.integer()?))
    };
    rows.into_iter().map(row).collect()
}
