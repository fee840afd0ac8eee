//! Wraps the data keys of all rows with the current key. Sealed secrets stay as they are.
//!
//! Progress is in the rows themselves: a new run continues where the last one stopped, and several may run at the same
//! time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::task::JoinSet;

use super::check::{self, CanaryCheckError};
use super::key_service::{WrapError, Wrapped};
use super::keys::Keys;
use crate::clock::Clock;
use crate::id::TenantId;
use crate::store::sealed_rows::{self, SealedRow};
use crate::store::{Db, DbError, Write, WriteOutcome};

/// Rows in one transaction: it locks them, so that it has to be short.
const BATCH_SIZE: usize = 100;

/// Attempts at something that fails for the moment: a busy file, a service that is restarted.
const MAX_ATTEMPTS: usize = 10;

const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A rewrapping of all rows to one key.
pub struct Rewrap {
    keys: Arc<Keys>,
    db: Db,
    target: String,
}

/// What one pass over all rows did.
#[derive(Clone, Default, Debug)]
pub struct RewrapReport {
    /// Rows whose data key was rewrapped, or that another write has changed meanwhile.
    pub done: i64,
    /// Tenants with a data key that does not open with the key that its row names. These rows stay as they are.
    pub unreadable: Vec<TenantId>,
}

impl Rewrap {
    /// Tries the keys first, as at the start of the service.
    ///
    /// # Errors
    /// Which key does not fit, or why the key service cannot be used.
    pub async fn begin(keys: Arc<Keys>, db: &Db, clock: &Clock) -> anyhow::Result<Self> {
        check::check_ring(&keys, db, clock).await?;
        if let Some(remote) = &keys.remote {
            retry_while(
                async || check::try_service(remote, db, clock).await,
                |error| matches!(error, CanaryCheckError::Unavailable(_)),
            )
            .await
            .context("the key service cannot be used")?;
        }
        let target = retry_while(async || keys.first().await, unavailable).await?;
        Ok(Self { keys, db: db.clone(), target })
    }

    /// The key that all rows are to be sealed with.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The other keys that rows need, each with how many.
    pub async fn remaining(&self) -> Result<Vec<(String, i64)>, DbError> {
        let mut left = Vec::new();
        for key in self.retry_database(async || sealed_rows::keys_in_use(&self.db).await).await? {
            if key != self.target {
                let rows = self.retry_database(async || sealed_rows::count(&self.db, &key).await).await?;
                left.push((key, rows));
            }
        }
        Ok(left)
    }

    /// Goes once over all rows that are sealed with another key. `progress` gets the number of rows done so far.
    ///
    /// # Errors
    /// Where database or key service do not answer for some time. What was done stays done.
    pub async fn pass(&self, mut progress: impl FnMut(i64)) -> anyhow::Result<RewrapReport> {
        let mut pass = RewrapReport::default();
        for (key, _) in self.remaining().await? {
            let mut last = None;
            loop {
                let next = async || sealed_rows::next(&self.db, &key, last.as_ref(), BATCH_SIZE).await;
                let rows = self.retry_database(next).await?;
                let Some(end) = rows.last() else { break };
                last = Some(end.clone());
                pass.done += self.batch(rows, &mut pass.unreadable).await?;
                progress(pass.done);
            }
        }
        Ok(pass)
    }

    async fn batch(&self, rows: Vec<SealedRow>, unreadable: &mut Vec<TenantId>) -> anyhow::Result<i64> {
        let mut write = Write::default();
        for (row, wrapped) in self.rewrap_rows(rows).await {
            match wrapped {
                Ok(wrapped) if wrapped.key_id == row.key_id => {}
                Ok(wrapped) => {
                    write = write.then(sealed_rows::rewrap(&row, &wrapped.key_id, &wrapped.bytes));
                }
                Err(WrapError::Refused(_)) => unreadable.push(row.tenant),
                Err(error @ WrapError::Unavailable(_)) => return Err(error).context("the key service"),
            }
        }
        let done = i64::try_from(write.statements.len())?;
        let outcome = self.retry_database(async || self.db.write(write.clone()).await).await?;
        if done > 0 && outcome == WriteOutcome::NoRowsAffected {
            bail!("key {} was removed in the meantime: see `transports keys status`", self.target);
        }
        Ok(done)
    }

    /// Each row with its new wrapping, in the order of the rows. A service is asked for many of them at once.
    async fn rewrap_rows(&self, rows: Vec<SealedRow>) -> Vec<(SealedRow, Result<Wrapped, WrapError>)> {
        let mut tasks = JoinSet::new();
        for row in rows {
            tasks.spawn(rewrap_row(Arc::clone(&self.keys), row));
        }
        let mut done = tasks.join_all().await;
        // The same order everywhere, so that two of them never wait for each other's rows.
        done.sort_by(|(one, _), (other, _)| {
            (one.tenant.as_str(), one.day).cmp(&(other.tenant.as_str(), other.day))
        });
        done
    }

    /// Retries while the database is busy or unreachable.
    async fn retry_database<T>(&self, query: impl AsyncFn() -> Result<T, DbError>) -> Result<T, DbError> {
        retry_while(query, |error| matches!(error, DbError::Unavailable(_))).await
    }
}

async fn rewrap_row(keys: Arc<Keys>, row: SealedRow) -> (SealedRow, Result<Wrapped, WrapError>) {
    let mut tries = 1;
    loop {
        let wrapped = keys.rewrap(&row.key_id, &row.wrapped_key).await;
        if tries == MAX_ATTEMPTS || !wrapped.as_ref().is_err_and(unavailable) {
            return (row, wrapped);
        }
        tries += 1;
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

fn unavailable(error: &WrapError) -> bool {
    matches!(error, WrapError::Unavailable(_))
}

async fn retry_while<T, E>(
    attempt: impl AsyncFn() -> Result<T, E>,
    is_temporary: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 1..MAX_ATTEMPTS {
        match attempt().await {
            Err(error) if is_temporary(&error) => tokio::time::sleep(RETRY_PAUSE).await,
            result => return result,
        }
    }
    attempt().await
}
