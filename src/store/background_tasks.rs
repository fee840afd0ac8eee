//! Locks of background tasks: a replica holds the task's row while it runs a step of it.

use super::{Statement, sql};
use crate::clock::Timestamp;

statements! {
    HOLD = "update background_tasks set last_step_at = $2 where name = $1";
}

/// Removing rows of the audit.
pub const AUDIT_RETENTION: &str = "audit_retention";

/// Removing emails, what they say, and their events.
pub const EMAIL_RETENTION: &str = "email_retention";

/// Holds the task's row until the write that this is the first statement of has ended: on PostgreSQL another
/// process waits here, so that two of them never lock the same rows in different orders. SQLite has one writer.
pub fn hold_row(task: &'static str, now: Timestamp) -> Statement {
    sql(HOLD).bind(task).bind(now.0).require_affected()
}
