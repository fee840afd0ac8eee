//! The audit: who did what to which tenant's configuration. Rows outlive the configuration.

use std::net::IpAddr;

use uuid::Uuid;

use super::background_tasks::{self, AUDIT_RETENTION};
use super::{Columns, Db, DbError, Statement, Write, sql};
use crate::clock::Timestamp;
use crate::diagnosis::StoredDiagnosis;
use crate::id::{TenantId, TraceId, UserId};

statements! {
    INSERT = "insert into audit (id, tenant_id, at, user_id, action, outcome, changed, trace_id,
            remote_address, recipient, api_key_id, user_name, count)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)";
    /// Adds what the check showed to its row.
    ATTACH_DIAGNOSIS = "update audit set diagnosis = $3 where tenant_id = $1 and id = $2";
    /// Counts a repetition in the row of the first occurrence.
    COUNT_AGAIN = "update audit set count = count + 1 where tenant_id = $1 and id = $2";
    /// Newest first, from behind a position on. Two rows never have the same one, so that rows which arrive
    /// between two pages move none of the others over a border.
    PAGE = "select id, at, user_id, action, outcome, changed, remote_address, trace_id, recipient, api_key_id,
            user_name, count, diagnosis
        from audit
        where tenant_id = $1 and (at, id) < ($2, $3) order by at desc, id desc limit $4";
    /// The operator's, of all tenants.
    REMOVE_OLD = "delete from audit where id in (select id from audit where at < $1 order by at limit $2)";
}

/// One row to write.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Timestamp,
    pub user: UserId,
    /// The person's name, as the token had it at that time.
    pub user_name: Option<String>,
    /// Such as `put` or `pause-account`.
    pub action: &'static str,
    /// `OK`, the code of a diagnosis, or `NOT_STORED`.
    pub outcome: &'static str,
    /// The names of the fields that changed; a secret only by its name.
    pub changed: Vec<&'static str>,
    pub trace_id: TraceId,
    /// Where the request came from; none where it was a command of the operator.
    pub remote: Option<IpAddr>,
    /// To whom a test mail went, or a hash of it.
    pub recipient: Option<String>,
    /// The API key that was made, changed or revoked.
    pub api_key: Option<Uuid>,
}

/// One row that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEntry {
    pub position: Position,
    pub user: String,
    pub action: String,
    pub outcome: String,
    pub changed: Vec<String>,
    /// None in a row of the operator's, or from before this was kept.
    pub remote: Option<String>,
    pub trace_id: String,
    pub recipient: Option<String>,
    pub api_key: Option<String>,
    pub user_name: Option<String>,
    /// How often it happened within a minute.
    pub count: i64,
    /// What a failed check showed.
    pub diagnosis: Option<StoredDiagnosis>,
}

/// Where a row stands in a tenant's audit: by its time, and by its id among those of the same millisecond.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    pub at: Timestamp,
    /// A UUID in its usual form.
    pub id: String,
}

/// Adds a row, as a part of the write that it records.
pub fn insert(tenant: &TenantId, id: Uuid, entry: &Entry) -> Statement {
    sql(INSERT)
        .bind(id.to_string())
        .bind(tenant.as_str())
        .bind(entry.at.0)
        .bind(entry.user.as_str())
        .bind(entry.action)
        .bind(entry.outcome)
        .bind(entry.changed.join(","))
        .bind(entry.trace_id.to_string())
        .bind(entry.remote.map(|remote| remote.to_string()))
        .bind(entry.recipient.clone())
        .bind(entry.api_key.map(|id| id.to_string()))
        .bind(entry.user_name.clone())
}

/// Adds the diagnosis of a failed check to its row, in the same write.
pub fn attach_diagnosis(tenant: &TenantId, id: Uuid, diagnosis: &StoredDiagnosis) -> Statement {
    // Text and numbers alone: it can always be written.
    let text = serde_json::to_string(diagnosis).ok();
    sql(ATTACH_DIAGNOSIS).bind(tenant.as_str()).bind(id.to_string()).bind(text)
}

/// Counts a repetition in a row; undoes the write where the row is gone.
pub fn count_repetition(tenant: &TenantId, id: Uuid) -> Statement {
    sql(COUNT_AGAIN).bind(tenant.as_str()).bind(id.to_string()).require_affected()
}

/// At most `most` rows of a tenant, newest first: the newest ones, or those that are older than `after`.
pub async fn page(
    db: &Db,
    tenant: &TenantId,
    after: Option<&Position>,
    most: i64,
) -> Result<Vec<StoredEntry>, DbError> {
    let (at, id) = after.map_or((i64::MAX, ""), |position| (position.at.0, position.id.as_str()));
    let rows = db.all(sql(PAGE).bind(tenant.as_str()).bind(at).bind(id).bind(most)).await?;
    rows.into_iter().map(|row| read(&mut row.columns())).collect()
}

fn read(columns: &mut Columns) -> Result<StoredEntry, DbError> {
    let (id, at) = (columns.text()?, Timestamp(columns.integer()?));
    Ok(StoredEntry {
        position: Position { at, id },
        user: columns.text()?,
        action: columns.text()?,
        outcome: columns.text()?,
        changed: columns.text()?.split_terminator(',').map(str::to_owned).collect(),
        remote: columns.optional_text()?,
        trace_id: columns.text()?,
        recipient: columns.optional_text()?,
        api_key: columns.optional_text()?,
        user_name: columns.optional_text()?,
        count: columns.integer()?,
        // One that a newer version has written may not be readable.
        diagnosis: columns.optional_text()?.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

/// Removes at most `most` of the rows that are older than the retention, of all tenants. Touches nothing where
/// there are none.
pub fn remove_older_than(oldest: Timestamp, most: i64, now: Timestamp) -> Write {
    Write::default()
        .then(background_tasks::hold_row(AUDIT_RETENTION, now))
        .then(sql(REMOVE_OLD).bind(oldest.0).bind(most).require_affected())
}
