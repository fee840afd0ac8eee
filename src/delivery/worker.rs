//! Takes accounts that are due, and runs each until it is idle; renews their leases.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

use super::slots::Slots;
use super::{Delivery, runner};
use crate::store::delivery_accounts::{self, TakenAccount};
use crate::store::{DbError, SenderLock, Write};

/// How often accounts that have become due elsewhere are looked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often accounts are looked for whose queue holds something although nothing of them is due.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// Accounts that are taken with one statement.
const MAX_TAKEN: i64 = 64;

/// Sends the mail of the accounts that this process owns.
pub struct Worker {
    shared: Arc<Shared>,
    runners: TaskTracker,
}

/// What all runners of this process share.
pub(super) struct Shared {
    pub delivery: Arc<Delivery>,
    /// Mails in hand at the same time.
    pub slots: Slots,
    /// Until when, on the clock that only runs on, every lease of this process lasts at least; milliseconds.
    lease_until: AtomicI64,
    pub stopping: watch::Receiver<bool>,
}

impl Shared {
    /// Whether the leases last long enough to begin something.
    pub fn may_begin(&self) -> bool {
        self.lease().is_long_enough(self) && !*self.stopping.borrow()
    }

    /// The leases as they are now.
    pub fn lease(&self) -> Lease {
        Lease { until: self.lease_until.load(Ordering::Acquire) }
    }
}

/// The leases as they were at one moment. Where this process stood still for longer than they lasted, it may have lost
/// accounts, and a renewal afterwards does not bring them back.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    until: i64,
}

impl Lease {
    /// Whether enough of it is left to send something.
    pub fn is_long_enough(self, shared: &Shared) -> bool {
        lasts(self.until, shared.delivery.waits().lease, elapsed(&shared.delivery))
    }
}

/// Whether enough of a lease is left: what begins now is still ours when its first command has gone.
fn lasts(lease_until: i64, lease: Duration, elapsed: i64) -> bool {
    lease_until - elapsed > milliseconds(lease / 3)
}

/// Waits until the process stops.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn elapsed(delivery: &Delivery) -> i64 {
    milliseconds(delivery.clock.elapsed())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Worker {
    pub fn new(delivery: Arc<Delivery>, stopping: watch::Receiver<bool>) -> Self {
        delivery.metrics().observe_slots(delivery.settings.slots);
        let shared = Shared {
            slots: Slots::new(delivery.settings.slots, delivery.clock.clone()),
            lease_until: AtomicI64::new(0),
            stopping,
            delivery,
        };
        Self { shared: Arc::new(shared), runners: TaskTracker::new() }
    }

    /// Runs until the process stops; then waits for the mails in hand.
    pub async fn run(self) {
        let delivery = Arc::clone(&self.shared.delivery);
        let mut stopping = self.shared.stopping.clone();
        let lease = delivery.waits().lease;
        let Some(_lock) = self.join_senders().await else { return };
        // Before the first account is taken: nothing of it would begin otherwise.
        self.extend_lease(lease, elapsed(&delivery));
        let [mut poll, mut renew, mut sweep] = [POLL_INTERVAL, lease / 3, SWEEP_INTERVAL].map(|period| {
            let mut interval = tokio::time::interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        loop {
            let done = tokio::select! {
                () = stopped(&mut stopping) => break,
                _ = renew.tick() => self.renew(lease).await,
                _ = sweep.tick() => self.sweep().await,
                _ = poll.tick() => {
                    self.shared.slots.mark_slow();
                    self.take(lease).await
                }
                () = delivery.due.notified() => self.take(lease).await,
            };
            if let Err(error) = done {
                tracing::warn!(%error, "the queue of mail cannot be read or written");
            }
        }
        self.runners.close();
        let mut renew = tokio::time::interval(lease / 3);
        loop {
            tokio::select! {
                () = self.runners.wait() => return,
                _ = renew.tick() => {
                    let _ = self.renew(lease).await;
                }
            }
        }
    }

    /// The lock under which this process sends; none where it stops first. On SQLite the leases of former processes end
    /// here where no other process sends: this process need not wait for them.
    async fn join_senders(&self) -> Option<Option<SenderLock>> {
        let mut stopping = self.shared.stopping.clone();
        loop {
            match self.try_join_senders().await {
                Ok(lock) => return Some(lock),
                Err(error) => tracing::warn!(%error, "sending cannot start yet"),
            }
            tokio::select! {
                () = stopped(&mut stopping) => return None,
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    async fn try_join_senders(&self) -> anyhow::Result<Option<SenderLock>> {
        let db = &self.shared.delivery.db;
        let Some(mut lock) = db.lock_as_sender().await? else { return Ok(None) };
        if lock.is_alone() {
            for _ in delivery_accounts::void_leases(db).await? {
                self.shared.delivery.metrics().record_lease_takeover();
            }
        }
        lock.share()?;
        Ok(Some(lock))
    }

    async fn renew(&self, lease: Duration) -> Result<(), DbError> {
        let delivery = &self.shared.delivery;
        let (now, begun) = (delivery.clock.now(), elapsed(delivery));
        if !self.runners.is_empty() {
            let renewal = delivery_accounts::renew(&delivery.owner, lease, now);
            let _ = delivery.db.write(Write::default().then(renewal)).await?;
        }
        self.extend_lease(lease, begun);
        Ok(())
    }

    fn extend_lease(&self, lease: Duration, begun: i64) {
        self.shared.lease_until.store(begun + milliseconds(lease), Ordering::Release);
    }

    async fn sweep(&self) -> Result<(), DbError> {
        let delivery = &self.shared.delivery;
        let sweep = delivery_accounts::sweep(delivery.clock.now());
        delivery.db.write(Write::default().then(sweep)).await.map(|_| ())
    }

    async fn take(&self, lease: Duration) -> Result<(), DbError> {
        let delivery = &self.shared.delivery;
        // Where this process stood still, it would take from itself what nobody else has taken, and lose what is in hand.
        if !self.shared.lease().is_long_enough(&self.shared) {
            self.renew(lease).await?;
        }
        loop {
            let now = delivery.clock.now();
            // A read costs nothing, where a write would wake the disk each second.
            if !delivery_accounts::is_any_due(&delivery.db, now).await? {
                return Ok(());
            }
            let taken = delivery_accounts::take(&delivery.db, &delivery.owner, lease, now, MAX_TAKEN).await?;
            let count = taken.len();
            for account in taken {
                self.start(account);
            }
            if i64::try_from(count).is_ok_and(|count| count < MAX_TAKEN) {
                return Ok(());
            }
        }
    }

    fn start(&self, taken: TakenAccount) {
        let TakenAccount { account, is_takeover } = taken;
        if is_takeover {
            self.shared.delivery.metrics().record_lease_takeover();
            tracing::warn!(
                "the lease of another process has ended; this process now sends the account's mail (the other one may have died)"
            );
        }
        let (shared, tenant) = (Arc::clone(&self.shared), account.tenant.clone());
        let wake = Arc::new(Notify::new());
        let owned = || self.shared.delivery.owned.lock().unwrap_or_else(PoisonError::into_inner);
        owned().insert(tenant.clone(), Arc::clone(&wake));
        self.runners.spawn(async move {
            runner::run(&shared, account, &wake).await;
            let mut owned = shared.delivery.owned.lock().unwrap_or_else(PoisonError::into_inner);
            // Another run of the same account may have begun, where this one had lost it.
            if owned.get(&tenant).is_some_and(|owner| Arc::ptr_eq(owner, &wake)) {
                owned.remove(&tenant);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_in_the_last_third_of_a_lease() {
        let lease = Duration::from_secs(15);
        for (elapsed, begins) in [(0, true), (9_999, true), (10_000, false), (15_000, false), (90_000, false)]
        {
            assert_eq!(lasts(15_000, lease, elapsed), begins, "{elapsed}");
        }
    }
}
