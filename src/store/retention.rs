//! Deletes what its retention no longer covers: audit rows older than `audit.retention_days`, the content of emails after
//! `delivery.keep_content_hours` and their rows after `delivery.keep_metadata_days`, API keys so long after they were revoked, ended sessions that have expired, and
//! counted windows of rate limits that have passed.

use std::time::Duration;

use uuid::Uuid;

use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::id::TenantId;
use crate::store::emails::{self, Ended};
use crate::store::{
    Db, DbError, Write, WriteOutcome, api_keys, audit, content_keys, email_events, ended_sessions,
    rate_limits,
};

const HOURLY: Duration = Duration::from_hours(1);

/// The windows last a minute.
const RATE_LIMITS_INTERVAL: Duration = Duration::from_mins(1);

/// Rows that one transaction deletes: it takes some milliseconds, and others write between two of them.
const BATCH: i64 = 1_000;

/// Emails that one transaction removes, each with the rows that belong to it: their content may be large.
const EMAIL_BATCH: i64 = 50;

const MILLISECONDS_PER_HOUR: i64 = 3600 * 1000;

const MILLISECONDS_PER_DAY: i64 = 24 * MILLISECONDS_PER_HOUR;

/// Deletes rows whose retention has ended. Any number of replicas may do so at once.
pub struct Retention {
    db: Db,
    clock: Clock,
    /// In milliseconds.
    audit_age: i64,
    /// Of the content of emails after their last outcome, in milliseconds.
    content_age: i64,
    /// Of emails and their events after the same, in milliseconds.
    email_age: i64,
    /// Whether the database counts requests.
    shares_rate_limits: bool,
}

impl Retention {
    pub fn new(config: &Config, clock: Clock, db: Db) -> Self {
        let audit_age = i64::from(config.audit.retention_days) * MILLISECONDS_PER_DAY;
        let hours = i64::try_from(config.delivery.keep_content_hours).unwrap_or(i64::MAX);
        let content_age = hours.saturating_mul(MILLISECONDS_PER_HOUR);
        let email_age = i64::from(config.delivery.keep_metadata_days) * MILLISECONDS_PER_DAY;
        Self {
            db,
            clock,
            audit_age,
            content_age,
            email_age: email_age.max(content_age),
            shares_rate_limits: config.shares_rate_limits(),
        }
    }

    /// Deletes the old rows of the audit, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_old_audit_rows(&self) -> Result<(), DbError> {
        self.in_batches(|now| audit::remove_older_than(Timestamp(now.0 - self.audit_age), BATCH, now)).await
    }

    /// Deletes the content of emails of which nothing has waited for so long, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_old_content(&self) -> Result<(), DbError> {
        let until = self.before(self.content_age);
        self.for_ended(Ended::WithContent, until, |batch, now| emails::remove_content(batch, until, now))
            .await
    }

    /// Deletes emails of which nothing has waited for so long, their events, API keys that were revoked as long ago, and
    /// the keys that nothing is sealed with any more, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_old_emails(&self) -> Result<(), DbError> {
        let until = self.before(self.email_age);
        self.for_ended(Ended::Any, until, |batch, now| emails::remove_rows(batch, until, now)).await?;
        self.in_batches(|now| email_events::remove_old(until, BATCH, now)).await?;
        self.in_batches(|now| api_keys::remove_revoked(until, BATCH, now)).await?;
        let day = until.0.div_euclid(MILLISECONDS_PER_DAY);
        self.in_batches(|now| content_keys::remove_unused(day, BATCH, now)).await
    }

    /// The time that long ago.
    fn before(&self, age: i64) -> Timestamp {
        Timestamp(self.clock.now().0.saturating_sub(age))
    }

    /// Writes batch after batch of the emails that have ended, until none is left. Another replica may come first with
    /// some of them, and a person may queue one again: a batch leaves those alone.
    async fn for_ended(
        &self,
        kind: Ended,
        until: Timestamp,
        remove: impl Fn(&[(TenantId, Uuid)], Timestamp) -> Write,
    ) -> Result<(), DbError> {
        loop {
            let batch = emails::ended(&self.db, kind, until, EMAIL_BATCH).await?;
            if batch.is_empty() {
                return Ok(());
            }
            let _ = self.db.write(remove(&batch, self.clock.now())).await?;
        }
    }

    /// Writes batches until one affects nothing.
    async fn in_batches(&self, batch: impl Fn(Timestamp) -> Write) -> Result<(), DbError> {
        while self.db.write(batch(self.clock.now())).await? == WriteOutcome::Committed {}
        Ok(())
    }

    /// Deletes the ended sessions that have expired, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_expired_sessions(&self) -> Result<(), DbError> {
        self.in_batches(|now| ended_sessions::remove_expired(now, BATCH)).await
    }

    /// Deletes the windows that have ended, in batches.
    ///
    /// # Errors
    /// Leaves the batches before it deleted.
    pub async fn delete_ended_windows(&self) -> Result<(), DbError> {
        if !self.shares_rate_limits {
            return Ok(());
        }
        self.in_batches(|_| rate_limits::remove_ended(BATCH)).await
    }

    /// Runs all jobs at start, then hourly (audit, emails, sessions) and every minute (rate limits).
    pub async fn run(self) {
        let mut hourly = tokio::time::interval(HOURLY);
        let mut rate_limits = tokio::time::interval(RATE_LIMITS_INTERVAL);
        loop {
            tokio::select! {
                _ = hourly.tick() => {
                    if let Err(error) = self.delete_old_audit_rows().await {
                        tracing::warn!(%error, "old audit rows could not be deleted");
                    }
                    if let Err(error) = self.delete_old_content().await {
                        tracing::warn!(%error, "the content of old emails could not be deleted");
                    }
                    if let Err(error) = self.delete_old_emails().await {
                        tracing::warn!(%error, "old emails could not be deleted");
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
