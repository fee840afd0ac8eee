//! Sends the mail of one account for as long as this process owns it and something is due.

mod breaker;
mod hold;
mod play;
mod queue;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use uuid::Uuid;

use super::Delivery;
use super::handover::{self, Handed};
use super::worker::{Shared, stopped};
use crate::account::OpenAccount;
use crate::id::TenantId;
use crate::outgoing::breaker::AccountState;
use crate::outgoing::pace::Pace;
use crate::providers::delivery::FailedHandover;
use crate::store::delivery_accounts::{self, DeliveryAccount, NextDue};
use crate::store::{DbError, Write, email_configs};
use crate::unwind::catch_panic;

pub(super) use queue::pace;

/// Emails that are read from the queue at once. Memory knows these, never all that wait.
pub(super) const WINDOW: i64 = 64;
const WINDOW_LENGTH: usize = 64;

/// Recipients of one transaction, at most; one call of Graph has all of them.
const MAX_RECIPIENTS: usize = 50;

/// How long a session without a mail is kept open.
const IDLE: Duration = Duration::from_secs(15);

/// How often the queue of an account with an open session is looked at.
const POLL: Duration = Duration::from_secs(1);

/// How long a session is used, after which another one is opened.
const MAX_SESSION_AGE: Duration = Duration::from_mins(5);

/// How long to wait where a bound of this service keeps an account from being opened.
pub(super) const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// How long an account is left alone of which some mail could not begin.
const SKIPPED_PAUSE: Duration = Duration::from_secs(30);

/// How long to wait before an account that could not be given up is given up again.
const RELEASE_RETRY: Duration = Duration::from_secs(1);

/// The run of one account.
pub(super) struct Run<'a> {
    pub shared: &'a Shared,
    pub tenant: TenantId,
    pub fence: i64,
    state: Mutex<RunState>,
    pace: Pace,
    /// Recipients of one hand-over, at most.
    pub max_recipients: usize,
    /// The kind of account, for metrics and traces.
    pub provider: &'static str,
    wake: &'a Notify,
    /// Nothing more begins in this run.
    is_over: AtomicBool,
    /// One session is opened at a time.
    opening: tokio::sync::Mutex<()>,
    /// The server does not know BDAT, although it offers it.
    avoids_chunking: AtomicBool,
}

struct RunState {
    account: DeliveryAccount,
    window: VecDeque<Uuid>,
    in_hand: HashSet<Uuid>,
    /// Mails that stand in the queue, and of which nothing can begin: the next run looks at them again.
    skipped: HashSet<Uuid>,
    /// Mails that were taken from the window, for the share of the lanes.
    taken: u64,
    /// A stopped account tries one mail.
    probes: bool,
    /// The server has throttled the account, and that is not written down yet.
    is_throttled: bool,
    /// When a run that is over has to begin again.
    next_due: NextDue,
}

/// Why an account could not be opened.
pub(super) struct FailedOpening {
    pub failed: Box<FailedHandover>,
    /// The version of the configuration that was tried: a newer one has not failed yet.
    pub version: Option<String>,
}

/// What is done with an account that was taken.
enum Start<'a> {
    Open(Box<Run<'a>>),
    /// It sends nothing.
    Closed(NextDue),
}

/// Sends until nothing is due, the account stops, or it belongs to another process; then gives it up.
pub(super) async fn run(shared: &Shared, account: DeliveryAccount, wake: &Notify) {
    let (tenant, fence) = (account.tenant.clone(), account.fence);
    let due = catch_panic(send_due(shared, account, wake)).await;
    let due = due.unwrap_or_else(|| NextDue::At(shared.delivery.clock.now().after(BUSY_PAUSE)));
    release(shared, &tenant, fence, due).await;
}

/// When the account is due again.
async fn send_due(shared: &Shared, account: DeliveryAccount, wake: &Notify) -> NextDue {
    match Run::begin(shared, account, wake).await {
        Ok(Start::Open(run)) => {
            let sessions = join_all((0..run.pace.connections).map(|index| run.send_all(index)));
            run.play_beside(sessions).await;
            run.due_again()
        }
        Ok(Start::Closed(due)) => due,
        Err(error) => {
            tracing::warn!(%error, "an account's queue cannot be read or written");
            NextDue::At(shared.delivery.clock.now().after(BUSY_PAUSE))
        }
    }
}

/// Gives the account up, and tries again until that is written: its lease is renewed with those of the other accounts, so
/// that no other process could take it.
async fn release(shared: &Shared, tenant: &TenantId, fence: i64, due: NextDue) {
    let mut stopping = shared.stopping.clone();
    loop {
        let release = Write::default().then_all(delivery_accounts::release(tenant, fence, due));
        let Err(error) = shared.delivery.db.write(release).await else { return };
        tracing::warn!(%error, "the lease of an account could not be released");
        tokio::select! {
            () = tokio::time::sleep(RELEASE_RETRY) => {}
            // Without renewal the lease ends.
            () = stopped(&mut stopping) => return,
        }
    }
}

impl<'a> Run<'a> {
    /// Decides what is done with the account now.
    async fn begin(
        shared: &'a Shared,
        account: DeliveryAccount,
        wake: &'a Notify,
    ) -> Result<Start<'a>, DbError> {
        let delivery = &shared.delivery;
        let config = email_configs::find(&delivery.db, &account.tenant).await?;
        let now = delivery.clock.now();
        let version = config.as_ref().map(|config| config.version.config.clone());
        let mut account = account;
        let (mut probes, mut is_closed) = (false, false);
        match &account.state {
            AccountState::Open => {}
            AccountState::Paused(_) => is_closed = true,
            AccountState::Stopped(_) if account.failed_version != version => {
                account.state = AccountState::Open;
                account.failures = 0;
                let open = Write::default().then_all(delivery_accounts::set_state(&account, now));
                let _ = delivery.db.write(open).await?;
            }
            AccountState::Stopped(stop) => {
                probes = stop.probe_at.is_some_and(|at| at <= now);
                is_closed = !probes;
            }
        }
        let by_graph = config.as_ref().is_some_and(|config| delivery.sends_by_graph(config));
        let mut pace = delivery.pace(config.as_ref(), &account.settings);
        if probes {
            pace.connections = 1;
        }
        let run = Self {
            shared,
            tenant: account.tenant.clone(),
            fence: account.fence,
            state: Mutex::new(RunState {
                account,
                window: VecDeque::new(),
                in_hand: HashSet::new(),
                skipped: HashSet::new(),
                taken: 0,
                probes,
                is_throttled: false,
                next_due: NextDue::WithNextEmail,
            }),
            pace,
            provider: config.as_ref().map_or("none", |config| config.settings.kind().as_str()),
            max_recipients: if by_graph { usize::MAX } else { MAX_RECIPIENTS },
            wake,
            is_over: AtomicBool::new(false),
            opening: tokio::sync::Mutex::new(()),
            avoids_chunking: AtomicBool::new(false),
        };
        run.expire_held().await?;
        if is_closed {
            run.hold_all().await?;
            run.play_due().await?;
            let probe_at = match run.account().state {
                AccountState::Stopped(stop) => stop.probe_at,
                _ => None,
            };
            return Ok(Start::Closed(NextDue::of_closed(probe_at)));
        }
        if probes {
            run.release_held(1).await?;
        } else {
            while !run.is_over() && run.release_held(WINDOW).await? {}
            while !run.is_over() && handover::key::explain_held(&run).await? {}
        }
        Ok(Start::Open(Box::new(run)))
    }

    pub(super) fn delivery(&self) -> &Delivery {
        &self.shared.delivery
    }

    fn state(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn may_begin(&self) -> bool {
        !self.is_over() && self.shared.may_begin()
    }

    /// Whether a stopped account tries one mail.
    pub(super) fn probes(&self) -> bool {
        self.state().probes
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// When this run, which is over, has to begin again.
    fn due_again(&self) -> NextDue {
        let soon = self.delivery().clock.now().after(SKIPPED_PAUSE);
        let state = self.state();
        let due = match state.next_due {
            NextDue::WithNextEmail if !state.skipped.is_empty() => NextDue::At(soon),
            due => due,
        };
        match state.account.state {
            // Another session may have opened the account again after one had stopped it, and mail is held.
            AccountState::Open => due.before(soon),
            _ => due,
        }
    }

    /// Ends this run after the mails in hand, and says when it begins again.
    pub(super) fn end(&self, due: NextDue) {
        self.is_over.store(true, Ordering::Release);
        self.state().next_due = due;
        self.wake.notify_waiters();
    }

    /// Sends mail after mail on one session, until nothing is due for a while.
    async fn send_all(&self, index: usize) {
        let mut session: Option<OpenAccount> = None;
        while self.may_begin() {
            if index > 0 && self.shared.slots.is_slow(&self.tenant) {
                break;
            }
            // Registered before the queue is read, so that no wake-up in between is lost.
            let woken = self.wake.notified();
            let id = match self.next().await {
                Ok(Some(id)) => id,
                Ok(None) if self.wait_for_mail(woken).await => continue,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "the queue of an account cannot be read");
                    self.end(NextDue::At(self.delivery().clock.now().after(BUSY_PAUSE)));
                    break;
                }
            };
            let may_go_on = self.send_one(id, &mut session).await;
            self.state().in_hand.remove(&id);
            if !may_go_on {
                break;
            }
        }
        if let Some(session) = session {
            session.close().await;
        }
    }

    /// False where this session cannot go on.
    async fn send_one(&self, id: Uuid, session: &mut Option<OpenAccount>) -> bool {
        if let Some(until) = self.day_is_over_at() {
            let due = handover::close_for_today(self, until).await;
            self.end(due);
            return false;
        }
        if !self.wait_for_pace().await {
            return false;
        }
        let slot = self.shared.slots.acquire(&self.tenant).await;
        let _in_hand = self.delivery().metrics().occupy_slot();
        if !self.may_begin() {
            return false;
        }
        if let Some(mut open) = session.take() {
            if self.may_go_on(&open) && !self.is_outdated(&mut open).await {
                *session = Some(open);
            } else {
                open.close().await;
            }
        }
        // On the heap: the future of a whole session is large.
        let handed = Box::pin(catch_panic(handover::hand_over(self, id, session, &slot))).await;
        let handed = if let Some(handed) = handed {
            handed
        } else {
            // The state of the session is unknown after a panic.
            drop(session.take());
            handover::abandon(self, id).await
        };
        let mut may_go_on = true;
        match handed {
            Handed::Done | Handed::Nothing => {}
            Handed::Skipped => {
                self.state().skipped.insert(id);
            }
            Handed::Busy => {
                may_go_on = false;
                // Another session of the account may go on; the last one leaves the account for a moment.
                if self.state().in_hand.len() <= 1 && !self.is_over() {
                    self.end(NextDue::At(self.delivery().clock.now().after(BUSY_PAUSE)));
                }
            }
            Handed::Lost => self.end(NextDue::WithNextEmail),
            Handed::Closed(due) => self.end(due),
        }
        if self.state().probes {
            // The probe is over: where it succeeded, the next run begins at once, and sends what was held.
            let state = self.state();
            let is_open = state.account.state == AccountState::Open;
            let due = state.next_due;
            drop(state);
            self.end(if is_open { NextDue::At(self.delivery().clock.now()) } else { due });
        }
        may_go_on
    }

    /// Whether a session may have another mail.
    fn may_go_on(&self, open: &OpenAccount) -> bool {
        open.is_usable() && !is_used_up(open.sent(), open.age(), &self.pace)
    }

    /// The account as this run knows it.
    pub(super) fn account(&self) -> DeliveryAccount {
        self.state().account.clone()
    }
}

/// Whether a session that has had so many mails is old enough to be replaced.
fn is_used_up(mails: u32, age: Duration, pace: &Pace) -> bool {
    mails >= pace.mails_per_session || age >= MAX_SESSION_AGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_hundred_mails_or_five_minutes() {
        let age = Duration::from_secs;
        for (mails, seconds, pace, expected) in [
            (99, 299, Pace::OTHER, false),
            (100, 0, Pace::OTHER, true),
            (0, 300, Pace::OTHER, true),
            (2, 0, Pace::MAILGUN, false),
            (3, 0, Pace::MAILGUN, true),
        ] {
            assert_eq!(is_used_up(mails, age(seconds), &pace), expected, "{mails} mails in {seconds} s");
        }
    }
}
