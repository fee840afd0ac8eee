//! Measures what waits and what is stored, for the metrics: when they are read, in small steps, and so seldom that it costs at
//! most a hundredth of the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Delivery;
use crate::outgoing::Lane;
use crate::outgoing::breaker::AccountState;
use crate::store::backlog::{self, KeptPosition, QueuePosition};
use crate::store::{DbError, emails};

/// How long a measurement holds at least.
const MIN_AGE: Duration = Duration::from_secs(5);

/// A measurement holds so many times as long as it took.
const SHARE: u32 = 100;

/// Steps of one measurement, at most: two million emails.
const MAX_STEPS: usize = 1_000;

/// The accounts among which the oldest due email is looked for.
const MAX_ACCOUNTS: i64 = 1_000;

/// Accounts of one state are counted up to this number.
const MAX_COUNTED: i64 = 100_000;

/// When the next measurement may be made.
#[derive(Default)]
pub(super) struct Backlog(Mutex<Option<Instant>>);

impl Delivery {
    /// Tells the metrics what waits; called before they are read. Where the database does not answer they stay as they are.
    pub async fn observe_backlog(&self) {
        let mut next = self.backlog.0.lock().await;
        let begun = Instant::now();
        if next.is_some_and(|next| begun < next) {
            return;
        }
        if let Err(error) = self.measure().await {
            tracing::warn!(%error, "waiting emails could not be counted for the metrics");
        }
        let took = begun.elapsed();
        *next = Some(Instant::now() + took.saturating_mul(SHARE).max(MIN_AGE));
    }

    async fn measure(&self) -> Result<(), DbError> {
        let metrics = &self.accounts.metrics;
        let now = self.clock.now();
        for lane in Lane::ALL {
            let oldest = backlog::oldest_due(&self.db, lane.as_str(), MAX_ACCOUNTS).await?;
            let age = oldest.map_or(0, |due_at| (now.0 - due_at.0).max(0) / 1_000);
            metrics.observe_oldest_due(lane.as_str(), age);
        }
        for state in AccountState::NAMES {
            metrics.observe_accounts(state, backlog::accounts(&self.db, state, MAX_COUNTED).await?);
        }
        let lanes = [Lane::Transactional.as_str(), Lane::Bulk.as_str(), emails::HELD, emails::TEST];
        let mut waiting: BTreeMap<_, _> = lanes.map(|lane| (lane, 0)).into();
        let mut octets = 0;
        let mut position = QueuePosition::default();
        for _ in 0..MAX_STEPS {
            let (counts, next) = backlog::queue_step(&self.db, &position).await?;
            for count in counts {
                octets += count.octets;
                if let Some(waiting) = waiting.get_mut(count.lane.as_str()) {
                    *waiting += count.emails;
                }
            }
            let Some(next) = next else { break };
            position = next;
            tokio::task::yield_now().await;
        }
        for (lane, count) in waiting {
            metrics.observe_waiting(lane, count);
        }
        metrics.observe_content(octets + self.kept_octets().await?);
        Ok(())
    }

    /// The content of emails of which nothing waits.
    async fn kept_octets(&self) -> Result<i64, DbError> {
        let (mut octets, mut position) = (0, KeptPosition::default());
        for _ in 0..MAX_STEPS {
            let (more, next) = backlog::kept_step(&self.db, &position).await?;
            octets += more;
            let Some(next) = next else { break };
            position = next;
            tokio::task::yield_now().await;
        }
        Ok(octets)
    }
}
