//! The queue of outgoing emails: what is due, what is held, and how much waits.

use uuid::Uuid;

use super::{HELD, TEST, read_id};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::outgoing::Lane;
use crate::store::{Db, DbError, Row, Statement, sql};

statements! {
    WINDOW = "select due_at, email_id from email_queue
        where tenant_id = $1 and lane = $2 and due_at <= $3 order by due_at, email_id limit $4";
    NEXT_DUE_TO_SEND = "select min(due_at) from email_queue where tenant_id = $1 and lane <> 'test'";
    /// Without those whose API key may not be used.
    HELD_EMAILS = "select email_id from email_queue where tenant_id = $1 and lane = 'held'
            and exists (select 1 from emails
                where emails.tenant_id = $1 and emails.id = email_queue.email_id and emails.is_test = $4
                    and (required_key_id is null or exists (select 1 from api_keys
                        where api_keys.id = emails.required_key_id and usable_until > $3)))
        order by due_at limit $2";
    /// Held emails whose API key may not be used, without that diagnosis. $3 is a pattern that matches it.
    HELD_WITHOUT_KEY = "select email_id from email_queue where tenant_id = $1 and lane = 'held'
            and exists (select 1 from emails
                where emails.tenant_id = $1 and emails.id = email_queue.email_id and required_key_id is not null
                    and not exists (select 1 from api_keys
                        where api_keys.id = emails.required_key_id and usable_until > $2))
            and exists (select 1 from email_recipients
                where email_recipients.tenant_id = $1 and email_recipients.email_id = email_queue.email_id
                    and state = 'held' and next_attempt_at is null and (last is null or last not like $3))
        order by due_at limit $4";
    /// The operator's, of all tenants.
    WAITING_OCTETS = "select cast(coalesce(sum(size), 0) as bigint) from email_queue";
    WAITING = "select count(*), cast(coalesce(sum(size), 0) as bigint) from email_queue where tenant_id = $1";
}

/// The emails of a lane that are due, the oldest first, at most so many.
pub async fn window(
    db: &Db,
    tenant: &TenantId,
    lane: Lane,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(Timestamp, Uuid)>, DbError> {
    due_in_lane(db, tenant, lane.as_str(), now, limit).await
}

/// The emails whose outcome is played now.
pub async fn due_to_play(
    db: &Db,
    tenant: &TenantId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(Timestamp, Uuid)>, DbError> {
    due_in_lane(db, tenant, TEST, now, limit).await
}

/// The held emails whose lifetime is over.
pub async fn expired_while_held(
    db: &Db,
    tenant: &TenantId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(Timestamp, Uuid)>, DbError> {
    due_in_lane(db, tenant, HELD, now, limit).await
}

async fn due_in_lane(
    db: &Db,
    tenant: &TenantId,
    lane: &str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(Timestamp, Uuid)>, DbError> {
    let rows = db.all(sql(WINDOW).bind(tenant.as_str()).bind(lane).bind(now.0).bind(limit)).await?;
    let row = |row: Row| {
        let mut columns = row.columns();
        Ok((Timestamp(columns.integer()?), read_id(&columns.text()?)?))
    };
    rows.into_iter().map(row).collect()
}

/// Held emails that may go once their account is open, at most so many: those that are sent, or those that are played.
pub async fn held(
    db: &Db,
    tenant: &TenantId,
    is_test: bool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Uuid>, DbError> {
    let held = sql(HELD_EMAILS).bind(tenant.as_str()).bind(limit).bind(now.0).bind(is_test);
    let rows = db.all(held).await?;
    rows.into_iter().map(|row| read_id(&row.columns().text()?)).collect()
}

/// Held emails whose API key may not be used and whose recipients have another diagnosis than this one, at most so many.
pub async fn held_without_key(
    db: &Db,
    tenant: &TenantId,
    code: &str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Uuid>, DbError> {
    let code = format!("%\"code\":\"{code}\"%");
    let held = sql(HELD_WITHOUT_KEY).bind(tenant.as_str()).bind(now.0).bind(code).bind(limit);
    let rows = db.all(held).await?;
    rows.into_iter().map(|row| read_id(&row.columns().text()?)).collect()
}

/// When the tenant's next email is due, without those that are played.
pub async fn next_due_to_send(db: &Db, tenant: &TenantId) -> Result<Option<Timestamp>, DbError> {
    earliest(db, sql(NEXT_DUE_TO_SEND).bind(tenant.as_str())).await
}

async fn earliest(db: &Db, statement: Statement) -> Result<Option<Timestamp>, DbError> {
    let row = db.optional(statement).await?;
    Ok(row.map(|row| row.columns().optional_integer()).transpose()?.flatten().map(Timestamp))
}

/// The size of all mail that waits, in octets.
pub async fn waiting_octets(db: &Db) -> Result<i64, DbError> {
    let row = db.optional(sql(WAITING_OCTETS)).await?;
    row.map_or(Ok(0), |row| row.columns().integer())
}

/// How many emails of the tenant wait, and their size in octets.
pub async fn waiting(db: &Db, tenant: &TenantId) -> Result<(i64, i64), DbError> {
    let Some(row) = db.optional(sql(WAITING).bind(tenant.as_str())).await? else { return Ok((0, 0)) };
    let mut columns = row.columns();
    Ok((columns.integer()?, columns.integer()?))
}
