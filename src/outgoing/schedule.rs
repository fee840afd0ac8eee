//! Which account's mail gets the next free slot: start-time fair queueing, with a lane for slow accounts. Pure.
//!
//! Each account pays for its mails in virtual time. The account that has paid least is served next, so that a share depends
//! on what mails cost, and not on how many wait. An account that did nothing for a while has earned nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

/// An attempt that takes longer makes its account slow, until one takes less.
const SLOW: Duration = Duration::from_secs(10);

/// Accounts whose share may be remembered before those that are of no use any more are dropped.
const MIN_REMEMBERED: usize = 1_024;

/// What each mail costs, in thousandths.
pub const MAIL_COST: u64 = 1_000;

/// What a mail costs besides [`MAIL_COST`]: a tenth for each recipient, and one for each 100 kB.
pub fn content_cost(recipients: usize, octets: i64) -> u64 {
    let recipients = u64::try_from(recipients).unwrap_or(u64::MAX).saturating_mul(100);
    recipients.saturating_add(octets.unsigned_abs() / 100)
}

/// A request for a slot, and then the slot.
pub type Ticket = u64;

pub struct Schedule<K> {
    slots: usize,
    /// The virtual time: the start of the mail that was served last.
    now: u64,
    /// What each account has paid for, in virtual time.
    paid_until: HashMap<K, u64>,
    /// How many accounts are remembered before the useless ones are dropped.
    max_remembered: usize,
    /// In the order in which they are served: of fast accounts and of slow ones.
    waiting: [BTreeMap<(u64, Ticket), K>; 2],
    in_hand: HashMap<Ticket, InHand<K>>,
    slow_in_hand: usize,
    slow: HashSet<K>,
    next: Ticket,
}

struct InHand<K> {
    account: K,
    began: Duration,
    is_slow: bool,
}

impl<K: Clone + Eq + Hash> Schedule<K> {
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            now: 0,
            paid_until: HashMap::new(),
            max_remembered: MIN_REMEMBERED,
            waiting: [BTreeMap::new(), BTreeMap::new()],
            in_hand: HashMap::new(),
            slow_in_hand: 0,
            slow: HashSet::new(),
            next: 0,
        }
    }

    /// Slots that slow accounts may have together.
    fn slow_slots(&self) -> usize {
        (self.slots / 4).max(1)
    }

    /// Whether the last attempt of the account took too long, or the present one does.
    pub fn is_slow(&self, account: &K) -> bool {
        self.slow.contains(account)
    }

    /// Asks for a slot.
    pub fn request(&mut self, account: &K) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        let start = self.pay(account, MAIL_COST);
        let lane = usize::from(self.is_slow(account));
        self.waiting[lane].insert((start, ticket), account.clone());
        ticket
    }

    /// Lets the account pay for what its mail costs besides, when that is known.
    pub fn charge(&mut self, account: &K, cost: u64) {
        self.pay(account, cost);
    }

    /// When in virtual time the account is served that pays so much now.
    fn pay(&mut self, account: &K, cost: u64) -> u64 {
        if self.paid_until.len() >= self.max_remembered {
            let now = self.now;
            self.paid_until.retain(|_, until| *until > now);
            self.max_remembered = (2 * self.paid_until.len()).max(MIN_REMEMBERED);
        }
        let until = self.paid_until.entry(account.clone()).or_insert(self.now);
        let start = (*until).max(self.now);
        *until = start.saturating_add(cost);
        start
    }

    /// Hands out the next slot, where one is free: its ticket.
    pub fn grant(&mut self, clock: Duration) -> Option<Ticket> {
        let fast = self.in_hand.len() - self.slow_in_hand;
        let slow_share = self.slow_slots();
        // Attempts that turn out to be slow do not keep the others waiting, and are bounded as well.
        let has_room =
            fast + self.slow_in_hand.min(slow_share) < self.slots && self.in_hand.len() < 2 * self.slots;
        let has_slow_room = self.slow_in_hand < slow_share && self.in_hand.len() < self.slots;
        let first = |lane: usize, has_room: bool| {
            let first = self.waiting[lane].keys().next().filter(|_| has_room)?;
            Some((*first, lane))
        };
        let (key, lane) = [first(0, has_room), first(1, has_slow_room)].into_iter().flatten().min()?;
        let account = self.waiting[lane].remove(&key)?;
        self.now = self.now.max(key.0);
        let is_slow = lane == 1;
        self.slow_in_hand += usize::from(is_slow);
        self.in_hand.insert(key.1, InHand { account, began: clock, is_slow });
        Some(key.1)
    }

    /// Gives a slot back, or withdraws a request.
    pub fn release(&mut self, ticket: Ticket, clock: Duration) {
        let Some(in_hand) = self.in_hand.remove(&ticket) else {
            for lane in &mut self.waiting {
                lane.retain(|(_, waiting), _| *waiting != ticket);
            }
            return;
        };
        self.slow_in_hand -= usize::from(in_hand.is_slow);
        if clock.saturating_sub(in_hand.began) > SLOW {
            self.slow.insert(in_hand.account);
        } else {
            self.slow.remove(&in_hand.account);
        }
    }

    /// Counts those as slow whose attempt has taken too long already.
    pub fn mark_slow(&mut self, clock: Duration) {
        for in_hand in self.in_hand.values_mut() {
            if !in_hand.is_slow && clock.saturating_sub(in_hand.began) > SLOW {
                in_hand.is_slow = true;
                self.slow_in_hand += 1;
                self.slow.insert(in_hand.account.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
