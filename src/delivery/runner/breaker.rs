//! Opens the account, and counts what it shows about itself.

use super::{FailedOpening, Run};
use crate::account::{NotOpened, OpenAccount};
use crate::email_config::EmailConfig;
use crate::outgoing::breaker::{AccountState, FailureClass, Stop, class};
use crate::providers::delivery::FailedHandover;
use crate::store::email_configs;

impl Run<'_> {
    /// Opens the account.
    ///
    /// # Errors
    /// Why it cannot send now; the account is stopped already where it is its fault.
    pub(in crate::delivery) async fn open(&self) -> Result<OpenAccount, Option<FailedOpening>> {
        match self.delivery().accounts.open_for_delivery(&self.tenant).await {
            Ok(open) => Ok(open),
            Err(NotOpened::Busy) => Err(None),
            Err(NotOpened::NotConfigured(failed)) => Err(Some(FailedOpening { failed, version: None })),
            Err(NotOpened::Failed(config, failed)) => {
                self.record(&config, Err(&failed)).await;
                Err(Some(FailedOpening { failed, version: Some(config.version.config.clone()) }))
            }
        }
    }

    /// Whether the configuration has changed since the session was opened: no mail meets a new server with an old secret,
    /// or leaves in the name of an earlier account.
    pub(super) async fn is_outdated(&self, open: &OpenAccount) -> bool {
        let found = email_configs::find(&self.delivery().db, &self.tenant).await;
        let is_same = |config: EmailConfig| config.version.config == open.config.version.config;
        found.is_ok_and(|config| !config.is_some_and(is_same))
    }

    /// Writes what a hand-over showed about the account's configuration.
    pub(in crate::delivery) async fn record(
        &self,
        config: &EmailConfig,
        result: Result<Option<&crate::smtp::Reply>, &FailedHandover>,
    ) {
        let recorded = self.delivery().accounts.record_delivery(&self.tenant, config, result).await;
        if let Err(error) = recorded {
            tracing::warn!(?error, "what a hand-over showed about an account could not be stored");
        }
    }

    /// Counts a failure of the account. The stop, where the account stops.
    pub(in crate::delivery) fn count_failure(
        &self,
        failed: &FailedHandover,
        version: Option<&str>,
    ) -> Option<Stop> {
        let diagnosis = &failed.finding.diagnosis;
        let class = class(diagnosis.code, diagnosis.stage, failed.finding.effect);
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
        let account = &mut state.account;
        account.failures += 1;
        if class == FailureClass::Throttle {
            let pause = class.probe_after(account.failures, failed.retry_after).unwrap_or_default();
            account.pace_at = account.pace_at.max(now.after(pause));
            return None;
        }
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
