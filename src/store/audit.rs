//! The audit: who did what to which tenant's configuration. Rows outlive the configuration.

use super::Statement;
use crate::clock::Timestamp;
use crate::id::{TenantId, TraceId, UserId};

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
pub fn insert(_tenant: &TenantId, _entry: &Entry) -> Statement {
    todo!()
}

/// Removes what is older than the retention, of all tenants.
#[must_use]
pub fn remove_older_than(_oldest: Timestamp) -> Statement {
    todo!()
}
