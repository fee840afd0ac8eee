//! Counts and deletes all rows of one tenant, for the operator.

use super::background_tasks::{self, AUDIT_RETENTION};
use super::{Db, DbError, Write, WriteOutcome, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;

statements! {
    COUNT_CONFIGS = "select count(*) from email_configs where tenant_id = $1";
    COUNT_AUDIT = "select count(*) from audit where tenant_id = $1";
    REMOVE_CONFIG = "delete from email_configs where tenant_id = $1";
    REMOVE_AUDIT = "delete from audit
        where tenant_id = $1 and id in (select id from audit where tenant_id = $1 order by at limit $2)";
}

/// Rows of the audit that are removed in one transaction: it takes some milliseconds, and others write between
/// two of them.
const BATCH_SIZE: i64 = 1_000;

/// The rows that are stored of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantRows {
    pub configuration: bool,
    pub audit_rows: i64,
}

/// Counts what is stored of a tenant.
pub async fn count(db: &Db, tenant: &TenantId) -> Result<TenantRows, DbError> {
    let count = async |text| {
        let row = db.optional(sql(text).bind(tenant.as_str())).await?;
        row.map_or(Ok(0), |row| row.columns().integer())
    };
    Ok(TenantRows { configuration: count(COUNT_CONFIGS).await? > 0, audit_rows: count(COUNT_AUDIT).await? })
}

/// Removes the configuration, then the audit in batches. After an interruption it can be called again.
pub async fn remove(db: &Db, tenant: &TenantId, now: Timestamp) -> Result<(), DbError> {
    let _ = db.write(Write::default().then(sql(REMOVE_CONFIG).bind(tenant.as_str()))).await?;
    loop {
        let step = Write::default()
            .then(background_tasks::hold_row(AUDIT_RETENTION, now))
            .then(sql(REMOVE_AUDIT).bind(tenant.as_str()).bind(BATCH_SIZE).require_affected());
        if db.write(step).await? == WriteOutcome::NoRowsAffected {
            return Ok(());
        }
    }
}
