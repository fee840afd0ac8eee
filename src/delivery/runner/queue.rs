//! The mail of an account that is due: its window, the wait for more, and the pace.

use std::collections::VecDeque;
use std::pin::pin;

use tokio::sync::futures::Notified;
use uuid::Uuid;

use super::{BULK_SHARE, IDLE, POLL, Run, RunState, WINDOW, WINDOW_LENGTH, stopped};
use crate::clock::Timestamp;
use crate::delivery::Delivery;
use crate::egress::{Host, Lookup};
use crate::email_config::{EmailConfig, Settings};
use crate::mail_services;
use crate::outgoing::Lane;
use crate::outgoing::pace::Pace;
use crate::store::{DbError, emails};

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

    /// Reads what is due: transactional mail first, and one bulk mail in eight.
    async fn fill_window(&self) -> Result<(), DbError> {
        let delivery = self.delivery();
        let now = delivery.clock.now();
        let read = async |lane| emails::window(&delivery.db, &self.tenant, lane, now, WINDOW).await;
        let (first, bulk) = (read(Lane::Transactional).await?, read(Lane::Bulk).await?);
        let mut state = self.state();
        let fresh = |state: &RunState, id: &Uuid| {
            ![&state.in_hand, &state.skipped].iter().any(|ids| ids.contains(id)) && !state.window.contains(id)
        };
        let [mut first, mut bulk] = [first, bulk].map(|due| {
            due.into_iter().map(|(_, id)| id).filter(|id| fresh(&state, id)).collect::<VecDeque<_>>()
        });
        let room = if state.probes { 1 } else { WINDOW_LENGTH };
        let mut position = state.taken;
        while state.window.len() < room {
            let is_bulks_turn = position % BULK_SHARE == BULK_SHARE - 1;
            let next = if is_bulks_turn {
                bulk.pop_front().or_else(|| first.pop_front())
            } else {
                first.pop_front().or_else(|| bulk.pop_front())
            };
            let Some(id) = next else { break };
            state.window.push_back(id);
            position += 1;
        }
        Ok(())
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
        let end = tokio::time::Instant::now() + IDLE;
        let mut woken = pin!(woken);
        while self.may_begin() && tokio::time::Instant::now() < end {
            tokio::select! {
                () = &mut woken => return self.may_begin(),
                () = tokio::time::sleep(POLL) => {}
                () = stopped(&mut stopping) => return false,
            }
            // Other processes take mail for this account as well, and cannot wake this one.
            let next_due = emails::next_due(&delivery.db, &self.tenant).await.ok().flatten();
            if next_due.is_some_and(|at| at <= delivery.clock.now()) {
                return true;
            }
        }
        false
    }

    /// Waits until the account may send again; the state of its pace after this mail. None where the run has ended.
    pub(super) async fn wait_for_pace(&self) -> Option<Timestamp> {
        loop {
            let now = self.delivery().clock.now();
            let wait = {
                let mut state = self.state();
                match self.pace.admit(state.account.pace_at, now) {
                    Ok(pace_at) => {
                        state.account.pace_at = pace_at;
                        return Some(pace_at);
                    }
                    Err(wait) => wait,
                }
            };
            let mut stopping = self.shared.stopping.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopped(&mut stopping) => return None,
            }
            if !self.may_begin() {
                return None;
            }
        }
    }
}

/// What the account's provider allows.
pub(in crate::delivery) fn pace(delivery: &Delivery, config: &EmailConfig) -> Pace {
    let Settings::BasicAuth(basic) = &config.settings else { return Pace::MICROSOFT365 };
    let policy = &delivery.accounts.outbound.dialer.policy;
    match &basic.server_address {
        Some(Host::Address(address)) if policy.is_opened_by_operator(*address) => Pace::OWN_RELAY,
        Some(host) if policy.lookup_of(host) == Lookup::SearchList => Pace::OWN_RELAY,
        Some(host) => Pace::of_service(mail_services::of_host(&host.to_string())),
        None => Pace::OTHER,
    }
}
