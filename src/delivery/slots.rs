//! The slots of this process: so many mails are in hand at once, shared fairly among the accounts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::id::TenantId;
use crate::outgoing::schedule::{Schedule, Ticket};

pub(super) struct Slots {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    schedule: Schedule<TenantId>,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

/// A slot, or the place in the queue for one. Given back when dropped.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    ticket: Ticket,
    account: TenantId,
}

impl Slots {
    pub fn new(slots: usize, clock: Clock) -> Self {
        Self { clock, state: Mutex::new(State { schedule: Schedule::new(slots), waiting: HashMap::new() }) }
    }

    /// Waits for a slot.
    pub async fn acquire(&self, account: &TenantId) -> Slot<'_> {
        let (granted, is_granted) = oneshot::channel();
        let slot = {
            let mut state = self.state();
            let ticket = state.schedule.request(account);
            state.waiting.insert(ticket, granted);
            Slot { slots: self, ticket, account: account.clone() }
        };
        self.grant();
        // The sender is dropped only when the slot is.
        let _ = is_granted.await;
        slot
    }

    /// Whether the account has one connection and a slot of those that slow accounts share.
    pub fn is_slow(&self, account: &TenantId) -> bool {
        self.state().schedule.is_slow(account)
    }

    /// Looks for attempts that have become slow, so that they do not keep the others waiting.
    pub fn mark_slow(&self) {
        self.state().schedule.mark_slow(self.clock.elapsed());
        self.grant();
    }

    /// Hands out what is free.
    fn grant(&self) {
        let mut state = self.state();
        while let Some(ticket) = state.schedule.grant(self.clock.elapsed()) {
            if let Some(granted) = state.waiting.remove(&ticket) {
                // If the waiting task was cancelled, dropping its `Slot` releases the slot.
                let _ = granted.send(());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Lets the account pay for what its mail costs besides.
    pub fn charge(&self, cost: u64) {
        self.slots.state().schedule.charge(&self.account, cost);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        {
            let mut state = self.slots.state();
            state.waiting.remove(&self.ticket);
            state.schedule.release(self.ticket, self.slots.clock.elapsed());
        }
        self.slots.grant();
    }
}
