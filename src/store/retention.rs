//! Deletes rows whose retention has ended: audit rows older than `audit.retention_days`, ended sessions that have expired,
//! and counted windows of rate limits that have passed.

use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::store::{Db, DbError, WriteOutcome, audit, ended_sessions, rate_limits};

const HOURLY: Duration = Duration::from_hours(1);

/// The windows last a minute.
const RATE_LIMITS_INTERVAL: Duration = Duration::from_mins(1);

/// Rows that one transaction deletes: it takes some milliseconds, and others write between two of them.
const BATCH: i64 = 1_000;

const MILLISECONDS_PER_DAY: i64 = 24 * 3600 * 1000;

/// Deletes rows whose retention has ended. Any number of replicas may do so at once.
pub struct Retention {
    db: Db,
    clock: Clock,
    /// In milliseconds.
    audit_age: i64,
    /// Whether the database counts requests.
    shares_rate_limits: bool,
}

impl Retention {
    pub fn new(config: &Config, clock: Clock, db: Db) -> Self {
        let audit_age = i64::from(config.audit.retention_days) * MILLISECONDS_PER_DAY;
        Self { db, clock, audit_age, shares_rate_limits: config.shares_rate_limits() }
    }

    /// Deletes the old rows of the audit, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_old_audit_rows(&self) -> Result<(), DbError> {
        loop {
            let now = self.clock.now();
            let batch = audit::remove_older_than(Timestamp(now.0 - self.audit_age), BATCH, now);
            if self.db.write(batch).await? == WriteOutcome::NoRowsAffected {
                return Ok(());
            }
        }
    }

    /// Deletes the ended sessions that have expired, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_expired_sessions(&self) -> Result<(), DbError> {
        loop {
            let batch = ended_sessions::remove_expired(self.clock.now(), BATCH);
            if self.db.write(batch).await? == WriteOutcome::NoRowsAffected {
                return Ok(());
            }
        }
    }

    /// Deletes the windows that have ended, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_ended_windows(&self) -> Result<(), DbError> {
        if !self.shares_rate_limits {
            return Ok(());
        }
        while self.db.write(rate_limits::remove_ended(BATCH)).await? == WriteOutcome::Committed {}
        Ok(())
    }

    /// Runs all jobs at start, then hourly (audit, sessions) and every minute (rate limits).
    pub async fn run(self) {
        let mut hourly = tokio::time::interval(HOURLY);
        let mut rate_limits = tokio::time::interval(RATE_LIMITS_INTERVAL);
        loop {
            tokio::select! {
                _ = hourly.tick() => {
                    if let Err(error) = self.delete_old_audit_rows().await {
                        tracing::warn!(%error, "old audit rows could not be deleted");
                    }
                    if let Err(error) = self.delete_expired_sessions().await {
                        tracing::warn!(%error, "expired sessions could not be deleted");
                    }
                }
                _ = rate_limits.tick() => {
                    if let Err(error) = self.delete_ended_windows().await {
                        tracing::warn!(%error, "ended windows of rate limits could not be deleted");
                    }
                }
            }
        }
    }
}
