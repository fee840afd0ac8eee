//! The keys that the content of emails is sealed with: one for each tenant and day.

use super::background_tasks::{self, EMAIL_RETENTION};
use super::{Db, DbError, Statement, Write, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::secret::Sealed;

statements! {
    FIND = "select key_id, wrapped_key, payload from content_keys where tenant_id = $1 and day = $2";
    DAYS = "select day from content_keys where tenant_id = $1 order by day";
    INSERT = "insert into content_keys (tenant_id, day, key_id, wrapped_key, payload) values ($1, $2, $3, $4, $5)
        on conflict do nothing";
    /// The operator's, of all tenants: keys of earlier days that no email needs any more.
    REMOVE_UNUSED = "delete from content_keys where (tenant_id, day) in (select tenant_id, day from content_keys
            where day < $1 and not exists (select 1 from emails
                where emails.tenant_id = content_keys.tenant_id and emails.key_day = content_keys.day)
            limit $2)";
}

pub async fn find(db: &Db, tenant: &TenantId, day: i64) -> Result<Option<Sealed>, DbError> {
    let Some(row) = db.optional(sql(FIND).bind(tenant.as_str()).bind(day)).await? else { return Ok(None) };
    let mut columns = row.columns();
    Ok(Some(Sealed { key_id: columns.text()?, wrapped_key: columns.bytes()?, payload: columns.bytes()? }))
}

/// The days of a tenant that have a key, the oldest first.
pub async fn days(db: &Db, tenant: &TenantId) -> Result<Vec<i64>, DbError> {
    let rows = db.all(sql(DAYS).bind(tenant.as_str())).await?;
    rows.into_iter().map(|row| row.columns().integer()).collect()
}

/// Stores a key, unless there is one.
pub fn insert(tenant: &TenantId, day: i64, sealed: &Sealed) -> Statement {
    sql(INSERT)
        .bind(tenant.as_str())
        .bind(day)
        .bind(sealed.key_id.as_str())
        .bind(sealed.wrapped_key.as_slice())
        .bind(sealed.payload.as_slice())
}

/// Removes at most `most` of the keys of days before this one that no email needs any more. Affects nothing where there are
/// none.
pub fn remove_unused(before_day: i64, most: i64, now: Timestamp) -> Write {
    Write::default()
        .then(background_tasks::hold_row(EMAIL_RETENTION, now))
        .then(sql(REMOVE_UNUSED).bind(before_day).bind(most).require_affected())
}
