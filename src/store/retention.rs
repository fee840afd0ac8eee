//! The end of what is kept for a time: entries of the audit beyond `audit.retention_days`, and shared counts of
//! requests whose window has ended.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::clock::Timestamp;
use crate::store::{DbError, WriteOutcome, audit, rate_limits};

/// How often it is looked for entries to remove.
const EVERY: Duration = Duration::from_hours(1);

/// How often ended windows are looked for: they last a minute.
const EVERY_OF_COUNTS: Duration = Duration::from_mins(1);

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
        if app.db.write(step).await? == WriteOutcome::NoRowsAffected {
            return Ok(());
        }
    }
}

/// Removes the windows that have ended, in steps, where the database counts requests.
///
/// # Errors
/// See [`DbError`]; the steps that were done stay done.
pub async fn remove_ended_counts(app: &App) -> Result<(), DbError> {
    if !app.config.shares_rate_limits() {
        return Ok(());
    }
    while app.db.write(rate_limits::remove_ended(TOGETHER)).await? == WriteOutcome::Committed {}
    Ok(())
}

/// Does so now, and the one every hour and the other every minute, until it is dropped.
pub async fn keep(app: Arc<App>) {
    let (mut of_audit, mut of_counts) =
        (tokio::time::interval(EVERY), tokio::time::interval(EVERY_OF_COUNTS));
    loop {
        tokio::select! {
            _ = of_audit.tick() => {
                if let Err(error) = remove_old_audit(&app).await {
                    tracing::warn!(%error, "old entries of the audit could not be removed");
                }
            }
            _ = of_counts.tick() => {
                if let Err(error) = remove_ended_counts(&app).await {
                    tracing::warn!(%error, "ended counts of requests could not be removed");
                }
            }
        }
    }
}
