//! The mail of an account that is due: its window, the wait for more, and the pace.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::futures::Notified;
use uuid::Uuid;

use super::{IDLE, POLL, Run, WINDOW, WINDOW_LENGTH, stopped};
use crate::clock::Timestamp;
use crate::delivery::Delivery;
use crate::delivery::handover::{KeyVerdict, hold_for_key, judge_key};
use crate::egress::{Host, Lookup};
use crate::email_config::{EmailConfig, Settings};
use crate::mail::address::EmailAddress;
use crate::mail_services;
use crate::outgoing::order::Due;
use crate::outgoing::pace::Pace;
use crate::store::emails::DueEmail;
use crate::store::{DbError, Statement, Write, delivery_accounts, emails};

/// The host of `delivery.pace` that stands for accounts of the provider Microsoft 365.
const MICROSOFT365: &str = "microsoft365";

/// How long the pace is waited for before it is looked at again: the clock may have been set.
const MAX_SLEEP: Duration = Duration::from_mins(1);

impl Run<'_> {
    /// The next mail that is due and not in hand; none where nothing is due.
    pub(super) async fn next(&self) -> Result<Option<Uuid>, DbError> {
        if let Some(id) = self.take_from_window() {
            return Ok(Some(id));
        }
        self.fill_window().await?;
        Ok(self.take_from_window())
    }

    fn take_from_window(&self) -> Option<Uuid> {
        let mut state = self.state();
        let id = state.window.pop_front()?;
        state.in_hand.insert(id);
        state.taken += 1;
        Some(id)
    }

    /// Reads what is due, and puts it in the order in which it goes out.
    async fn fill_window(&self) -> Result<(), DbError> {
        let delivery = self.delivery();
        let now = delivery.clock.now();
        let found = emails::due(&delivery.db, &self.tenant, now, WINDOW).await?;
        let found = if self.probes() { found } else { self.hold_refused(found, now).await? };
        let mut state = self.state();
        let mut due = Due::default();
        for mail in found {
            let is_known = state.in_hand.contains(&mail.id)
                || state.skipped.contains(&mail.id)
                || state.window.contains(&mail.id);
            if !is_known {
                due.push(mail.lane, mail.is_retry, mail.id);
            }
        }
        let room = if state.probes { 1 } else { WINDOW_LENGTH };
        let mut position = state.taken;
        while state.window.len() < room {
            let Some(id) = due.next(position) else { break };
            state.window.push_back(id);
            position += 1;
        }
        Ok(())
    }

    /// Holds at once what came with an API key that may not be used, so that it takes nothing of the account's pace. The
    /// others.
    async fn hold_refused(&self, found: Vec<DueEmail>, now: Timestamp) -> Result<Vec<DueEmail>, DbError> {
        let keys: HashSet<Uuid> = found.iter().filter_map(|mail| mail.required_key_id).collect();
        let mut refused = HashSet::new();
        for key in keys {
            if matches!(judge_key(self.delivery(), Some(key), now).await?, KeyVerdict::Refused) {
                refused.insert(key);
            }
        }
        let (held, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|mail| mail.required_key_id.is_some_and(|key| refused.contains(&key)));
        for mail in held {
            // Other sessions read the queue as well.
            if self.state().in_hand.insert(mail.id) {
                let held = hold_for_key(self, mail.id).await;
                self.state().in_hand.remove(&mail.id);
                held?;
            }
        }
        Ok(others)
    }

    /// Waits with an open session for another mail. False where the session may be closed.
    pub(super) async fn wait_for_mail(&self, woken: Notified<'_>) -> bool {
        let may_wait = {
            let state = self.state();
            !state.probes && state.skipped.is_empty()
        };
        if !may_wait {
            return false;
        }
        let delivery = self.delivery();
        let mut stopping = self.shared.stopping.clone();
        let end = delivery.clock.elapsed() + IDLE;
        let mut woken = pin!(woken);
        while self.may_begin() && delivery.clock.elapsed() < end {
            tokio::select! {
                () = &mut woken => return self.may_begin(),
                () = tokio::time::sleep(POLL) => {}
                () = stopped(&mut stopping) => return false,
            }
            // Other processes take mail for this account as well, and cannot wake this one.
            let next_due = emails::next_due_to_send(&delivery.db, &self.tenant).await.ok().flatten();
            if next_due.is_some_and(|at| at <= delivery.clock.now()) {
                return true;
            }
        }
        false
    }

    /// Waits until the account may send again. False where the run has ended.
    pub(super) async fn wait_for_pace(&self) -> bool {
        loop {
            let now = self.delivery().clock.now();
            let wait = {
                let account = &mut self.state().account;
                match self.pace.admit(&account.pace, now) {
                    Ok(pace) => {
                        account.pace = pace;
                        return true;
                    }
                    Err(wait) => wait,
                }
            };
            let mut stopping = self.shared.stopping.clone();
            tokio::select! {
                () = tokio::time::sleep(wait.min(MAX_SLEEP)) => {}
                () = stopped(&mut stopping) => return false,
            }
            if !self.may_begin() {
                return false;
            }
        }
    }

    /// When the daily limit allows another recipient; none while it is not reached.
    pub(super) fn day_is_over_at(&self) -> Option<Timestamp> {
        self.pace.day_is_over_at(&self.state().account.pace, self.delivery().clock.now())
    }

    /// Counts the recipients of a mail whose start is written with this statement.
    pub(in crate::delivery) fn count_recipients(&self, recipients: usize, now: Timestamp) -> Statement {
        let account = &mut self.state().account;
        account.pace.count(recipients, now);
        delivery_accounts::set_pace(&self.tenant, self.fence, &account.pace)
    }

    /// Writes the pace down where the server has throttled the account.
    pub(in crate::delivery) async fn write_throttling(&self) {
        if !std::mem::take(&mut self.state().is_throttled) {
            return;
        }
        let pace = delivery_accounts::set_pace(&self.tenant, self.fence, &self.account().pace);
        if let Err(error) = self.delivery().db.write(Write::default().then(pace)).await {
            tracing::warn!(%error, "the pace of an account could not be written");
        }
    }
}

/// What the account's provider allows, and what the operator says of its host.
pub(in crate::delivery) fn pace(delivery: &Delivery, config: &EmailConfig) -> Pace {
    let policy = &delivery.accounts.outbound.dialer.policy;
    let (host, preset) = match &config.settings {
        Settings::Microsoft365(_) => (MICROSOFT365.to_owned(), Pace::MICROSOFT365),
        Settings::BasicAuth(basic) => {
            let Some(host) = &basic.server_address else { return Pace::OTHER };
            let is_own = match host {
                Host::Address(address) => policy.is_opened_by_operator(*address),
                Host::Name(_) => policy.lookup_of(host) == Lookup::SearchList,
            };
            let host = host.to_string();
            let domain =
                config.settings.email_address().map_or("", EmailAddress::domain).to_ascii_lowercase();
            let service = Pace::of_service(mail_services::of_host(&host), &domain);
            (host, if is_own { Pace::OWN_RELAY } else { service })
        }
    };
    let given = delivery.settings.pace.iter().find(|given| mail_services::matches(&given.host, &host));
    given.map_or(preset, |given| preset.with(given.connections, given.per_minute, given.burst, given.per_day))
}
