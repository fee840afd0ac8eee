//! The keys that the content of emails is sealed with: one for each tenant and day.

use super::{Db, DbError, Statement, sql};
use crate::id::TenantId;
use crate::secret::Sealed;

statements! {
    FIND = "select key_id, wrapped_key, payload from content_keys where tenant_id = $1 and day = $2";
    INSERT = "insert into content_keys (tenant_id, day, key_id, wrapped_key, payload) values ($1, $2, $3, $4, $5)
        on conflict do nothing";
}

pub async fn find(db: &Db, tenant: &TenantId, day: i64) -> Result<Option<Sealed>, DbError> {
    let Some(row) = db.optional(sql(FIND).bind(tenant.as_str()).bind(day)).await? else { return Ok(None) };
    let mut columns = row.columns();
    Ok(Some(Sealed { key_id: columns.text()?, wrapped_key: columns.bytes()?, payload: columns.bytes()? }))
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
