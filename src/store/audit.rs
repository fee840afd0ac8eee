//! The audit: who did what to which tenant's configuration. Rows outlive the configuration.

use uuid::Uuid;

use super::{Statement, sql};
use crate::clock::Timestamp;
use crate::id::{TenantId, TraceId, UserId};

statements! {
    INSERT = "insert into audit (id, tenant_id, at, user_id, action, outcome, changed, trace_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// The operator's, of all tenants.
    REMOVE_OLDER_THAN = "delete from audit where at < $1";
}

/// One row.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Timestamp,
    pub user: UserId,
    /// `put`, `patch`, `delete`, `verify-connection` or `send-test-email`.
    pub action: &'static str,
    /// `OK`, or the code of a diagnosis.
    pub outcome: &'static str,
    /// The names of the fields that changed; a secret only by its name.
    pub changed: Vec<&'static str>,
    pub trace_id: TraceId,
}

/// Adds a row; part of the write that it tells of.
#[must_use]
pub fn insert(tenant: &TenantId, entry: &Entry) -> Statement {
    sql(INSERT)
        .bind(Uuid::now_v7().to_string())
        .bind(tenant.as_str())
        .bind(entry.at.0)
        .bind(entry.user.0.as_str())
        .bind(entry.action)
        .bind(entry.outcome)
        .bind(entry.changed.join(","))
        .bind(entry.trace_id.to_string())
}

/// Removes what is older than the retention, of all tenants.
#[must_use]
pub fn remove_older_than(oldest: Timestamp) -> Statement {
    sql(REMOVE_OLDER_THAN).bind(oldest.0)
}
