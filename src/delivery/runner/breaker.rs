//! Opens the account, and counts what it shows about itself.

use std::sync::atomic::Ordering;

use super::{FailedOpening, Run};
use crate::account::{NotOpened, OpenAccount};
use crate::clock::Timestamp;
use crate::email_config::EmailConfig;
use crate::outgoing::breaker::{AccountState, FailureClass, Stop, class};
use crate::providers::delivery::FailedHandover;
use crate::store::email_configs;

/// The diagnosis of an account that has had as many recipients as its provider allows in a day.
const DAY_IS_FULL: &str = "QUOTA_DAILY";

impl Run<'_> {
    /// Opens the account.
    ///
    /// # Errors
    /// Why it cannot send now; the account is stopped already where it is its fault.
    pub(in crate::delivery) async fn open(&self) -> Result<OpenAccount, Option<FailedOpening>> {
        // One after the other: where the first sign-in is refused, no other one follows.
        let _turn = self.opening.lock().await;
        if self.has_stopped() {
            return Err(None);
        }
        match self.delivery().accounts.open_for_delivery(&self.tenant).await {
            Ok(mut open) => {
                if self.avoids_chunking.load(Ordering::Acquire) {
                    open.avoid_chunking();
                }
                Ok(open)
            }
            Err(NotOpened::Busy) => Err(None),
            Err(NotOpened::NotConfigured(failed)) => Err(Some(FailedOpening { failed, version: None })),
            Err(NotOpened::Failed(config, failed)) => {
                self.record(&config, Err(&failed)).await;
                Err(Some(FailedOpening { failed, version: Some(config.version.config.clone()) }))
            }
        }
    }

    /// Whether another session has met what stops the account.
    fn has_stopped(&self) -> bool {
        let state = self.state();
        !state.probes && matches!(state.account.state, AccountState::Stopped(_))
    }

    /// Sends no message by BDAT in the sessions that are opened from now on.
    pub(in crate::delivery) fn avoid_chunking(&self) {
        self.avoids_chunking.store(true, Ordering::Release);
    }

    /// Whether the configuration has changed since the session was opened: no mail meets a new server with an old secret,
    /// or leaves in the name of an earlier account.
    pub(super) async fn is_outdated(&self, open: &mut OpenAccount) -> bool {
        match email_configs::find(&self.delivery().db, &self.tenant).await {
            Ok(Some(config)) => !open.refresh(config),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Writes what a hand-over showed about the account's configuration.
    pub(in crate::delivery) async fn record(
        &self,
        config: &EmailConfig,
        result: Result<Option<&crate::smtp::Reply>, &FailedHandover>,
    ) {
        let concerns_account = result.err().is_none_or(|failed| class_of(failed) != FailureClass::Message);
        let accounts = &self.delivery().accounts;
        let recorded = accounts.record_delivery(&self.tenant, config, result, concerns_account).await;
        if let Err(error) = recorded {
            tracing::warn!(?error, "the outcome of a delivery attempt could not be recorded for its account");
        }
    }

    /// Counts a failure of the account. The stop, where the account stops.
    pub(in crate::delivery) fn count_failure(
        &self,
        failed: &FailedHandover,
        version: Option<&str>,
    ) -> Option<Stop> {
        let diagnosis = &failed.finding.diagnosis;
        let class = class_of(failed);
        if class == FailureClass::Message {
            return None;
        }
        let now = self.delivery().clock.now();
        let mut state = self.state();
        if !state.probes
            && let AccountState::Stopped(stop) = &state.account.state
        {
            // Another session has met the same: together they are one failure.
            return Some(stop.clone());
        }
        if class == FailureClass::Throttle {
            state.account.pace = self.pace.throttle(&state.account.pace, failed.retry_after, now);
            state.is_throttled = true;
            return None;
        }
        let account = &mut state.account;
        account.failures += 1;
        if !class.stops(account.failures) {
            return None;
        }
        let since = match &account.state {
            AccountState::Stopped(stop) => stop.since,
            _ => now,
        };
        let probe_at = class.probe_after(account.failures, failed.retry_after).map(|after| now.after(after));
        let stop = Stop { code: diagnosis.code.to_owned(), since, probe_at, failures: account.failures };
        account.state = AccountState::Stopped(stop.clone());
        account.failed_version = version.map(str::to_owned);
        Some(stop)
    }

    /// Stops the account until its daily limit allows another recipient.
    pub(in crate::delivery) fn stop_for_today(&self, version: Option<String>, until: Timestamp) -> Stop {
        let now = self.delivery().clock.now();
        let account = &mut self.state().account;
        let stop = Stop {
            code: DAY_IS_FULL.to_owned(),
            since: now,
            probe_at: Some(until),
            failures: account.failures,
        };
        account.state = AccountState::Stopped(stop.clone());
        account.failed_version = version;
        stop
    }

    /// Counts a success: an account that was stopped is open again. True where its state has changed.
    pub(in crate::delivery) fn count_success(&self) -> bool {
        let mut state = self.state();
        let account = &mut state.account;
        let changes = account.state != AccountState::Open || account.failures > 0;
        account.state = AccountState::Open;
        account.failures = 0;
        account.failed_version = None;
        changes
    }
}

fn class_of(failed: &FailedHandover) -> FailureClass {
    let diagnosis = &failed.finding.diagnosis;
    class(diagnosis.code, diagnosis.stage, failed.finding.effect)
}
