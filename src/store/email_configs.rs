//! The table of configurations: one row for each tenant that has one.

use super::{Db, DbError, Statement};
use crate::clock::Timestamp;
use crate::email_config::{CheckOutcome, EmailConfig};
use crate::id::TenantId;

/// The tenant's configuration.
///
/// # Errors
/// See [`DbError`]; a row that cannot be understood is [`DbError::Statement`].
pub async fn find(_db: &Db, _tenant: &TenantId) -> Result<Option<EmailConfig>, DbError> {
    todo!()
}

/// Creates the row; touches none where the tenant has one already.
#[must_use]
pub fn insert(_tenant: &TenantId, _next: &EmailConfig) -> Statement {
    todo!()
}

/// Replaces the row where its version is still `version`.
#[must_use]
pub fn update(_tenant: &TenantId, _version: &str, _next: &EmailConfig) -> Statement {
    todo!()
}

/// Deletes the row where its version is still `version`.
#[must_use]
pub fn delete(_tenant: &TenantId, _version: &str) -> Statement {
    todo!()
}

/// Writes what a check showed about the configuration with this version; touches no row where the version has
/// moved, or where the outcome changes nothing. `None` where the outcome says nothing.
#[must_use]
pub fn record_check(
    _tenant: &TenantId,
    _version: &str,
    _outcome: &CheckOutcome,
    _now: Timestamp,
) -> Option<Statement> {
    todo!()
}
