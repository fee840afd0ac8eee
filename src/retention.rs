//! The end of what is kept for a time: entries of the audit beyond `audit.retention_days`.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::clock::Timestamp;
use crate::store::{DbError, WriteOutcome, audit};

/// How often it is looked for entries to remove.
const EVERY: Duration = Duration::from_hours(1);

/// Entries that are removed in one transaction: it takes some milliseconds, and others write between two of them.
const TOGETHER: i64 = 1_000;

const MILLISECONDS_PER_DAY: i64 = 24 * 3600 * 1000;

/// Removes what is older than `audit.retention_days`, in steps. Any number of replicas may do so at once.
///
/// # Errors
/// See [`DbError`]; the steps that were done stay done.
pub async fn remove_old_audit(app: &App) -> Result<(), DbError> {
    let retention = i64::from(app.config.audit.retention_days) * MILLISECONDS_PER_DAY;
    loop {
        let now = app.clock.now();
        let step = audit::remove_older_than(Timestamp(now.0 - retention), TOGETHER, now);
        if app.db.write(step).await? == WriteOutcome::NothingTouched {
            return Ok(());
        }
    }
}

/// Does so now and every hour, until it is dropped.
pub async fn keep(app: Arc<App>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = remove_old_audit(&app).await {
            tracing::warn!(%error, "old entries of the audit could not be removed");
        }
    }
}
