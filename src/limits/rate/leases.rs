//! What this process may let through by itself: requests that the database has counted already.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::limits::bounded::Bounded;
use crate::limits::windows::Exceeded;
use crate::store::DbError;
use crate::store::rate_limits::Counted;

/// The part of a limit that a lease has at most.
const LEASES_IN_A_LIMIT: u32 = 20;

/// How a question to the database ended, for all who wait for it.
pub type Asked = watch::Receiver<Option<Result<(), DbError>>>;

/// So many requests of one user are asked for at once: a twentieth of the limit, and at least one.
pub fn block(most: u32) -> u32 {
    (most / LEASES_IN_A_LIMIT).max(1)
}

/// Leases by key.
#[derive(Default)]
pub struct Leases {
    hasher: RandomState,
    table: Mutex<Table>,
}

#[derive(Default)]
pub struct Table {
    leases: Bounded<Lease>,
    /// Questions that are under way.
    asked: HashMap<u64, Asked>,
}

/// What is known of one key until its window ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// On the clock that only runs on, in milliseconds; never later than the window ends in the database.
    pub end: u64,
    /// Requests that may pass without asking.
    pub left: u32,
    pub then: Then,
}

/// What becomes of a request where nothing is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// The database is asked. So many requests have passed that it does not know of.
    Ask { unreported: u32 },
    /// The limit is reached until the window ends.
    Refuse,
}

/// The answer to one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    Passed,
    Exceeded(Exceeded),
    Ask { unreported: u32 },
}

impl Lease {
    /// What follows from the database's answer to a question for `asked` requests, of which `unreported` have
    /// passed already. `sent` is when it was asked: a clock of this process, so that no two wall clocks are compared.
    pub fn granted(most: u32, asked: u32, unreported: u32, counted: Counted, sent: u64) -> Self {
        let room = u64::from(most).saturating_sub(counted.before);
        let granted = asked.min(u32::try_from(room).unwrap_or(u32::MAX));
        let then = if room > u64::from(asked) { Then::Ask { unreported: 0 } } else { Then::Refuse };
        Self { end: sent + counted.left, left: granted.saturating_sub(unreported), then }
    }
}

impl Leases {
    /// A key as it stands in the table. The hash is seeded anew in each process, so that nobody can make two keys
    /// fall together on purpose.
    pub fn key(&self, key: &impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    pub fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Takes one request out of a lease, where there is one.
    pub fn take(&mut self, key: u64, now: u64) -> Taken {
        match self.leases.entries.get_mut(&key).filter(|lease| now < lease.end) {
            Some(lease) if lease.left > 0 => {
                lease.left -= 1;
                Taken::Passed
            }
            Some(Lease { then: Then::Ask { unreported }, .. }) => Taken::Ask { unreported: *unreported },
            Some(lease) => Taken::Exceeded(Exceeded::until(lease.end - now)),
            None => Taken::Ask { unreported: 0 },
        }
    }

    /// Whether the key is known at this moment.
    pub fn holds(&self, key: u64, now: u64) -> bool {
        self.leases.entries.get(&key).is_some_and(|lease| now < lease.end)
    }

    pub fn put(&mut self, key: u64, lease: Lease) {
        self.leases.entries.insert(key, lease);
    }

    /// Remembers that a limit is reached. A later end that is known already stays.
    pub fn refuse_until(&mut self, key: u64, end: u64) {
        let lease = self.leases.entries.entry(key).or_insert(Lease { end, left: 0, then: Then::Refuse });
        *lease = Lease { end: lease.end.max(end), left: 0, then: Then::Refuse };
    }

    /// The question for this key that is under way. One whose asker is gone without an answer is none.
    pub fn asked(&self, key: u64) -> Option<Asked> {
        self.asked.get(&key).filter(|asked| asked.has_changed().is_ok()).cloned()
    }

    pub fn begin_asking(&mut self, key: u64, asked: Asked) {
        self.asked.insert(key, asked);
    }

    pub fn end_asking(&mut self, key: u64) {
        self.asked.remove(&key);
    }

    /// Whether another key may be remembered.
    pub fn has_room_for(&mut self, key: u64, now: u64) -> bool {
        self.leases.has_room_for(key, now.cast_signed(), |lease| lease.end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::bounded::MAX_KEYS;

    const ASK: Then = Then::Ask { unreported: 0 };

    #[test]
    fn a_lease_is_a_twentieth_of_the_limit_and_at_least_one() {
        let cases = [(1, 1), (19, 1), (20, 1), (39, 1), (40, 2), (600, 30), (1000, 50), (1_000_000, 50_000)];
        for (most, expected) in cases {
            assert_eq!(block(most), expected, "{most}");
            assert!(most < 20 || block(most) * 20 <= most, "{most}");
        }
    }

    /// Security case H1.
    #[test]
    fn what_is_granted_is_never_beyond_the_limit() {
        // Limit, asked for, passed before the question, counted before it; what is left, and then.
        let cases = [
            (1000, 50, 0, 0, 50, ASK),
            (1000, 50, 0, 949, 50, ASK),
            (1000, 50, 0, 950, 50, Then::Refuse),
            (1000, 50, 0, 951, 49, Then::Refuse),
            (1000, 50, 0, 999, 1, Then::Refuse),
            (1000, 50, 0, 1000, 0, Then::Refuse),
            (1000, 50, 0, 5_000_000_000, 0, Then::Refuse),
            (1, 1, 0, 0, 1, Then::Refuse),
            (1, 1, 0, 1, 0, Then::Refuse),
            (600, 60, 30, 0, 30, ASK),
            (600, 60, 30, 560, 10, Then::Refuse),
            (600, 60, 30, 580, 0, Then::Refuse),
        ];
        for (most, asked, unreported, before, left, then) in cases {
            let counted = Counted { before, left: 40_000 };
            let lease = Lease::granted(most, asked, unreported, counted, 500);
            assert_eq!(lease, Lease { end: 40_500, left, then }, "{most} {asked} {unreported} {before}");
        }
    }

    /// Security case H1.
    #[test]
    fn a_lease_is_used_up_or_ends_and_is_not_added_to() {
        let leases = Leases::default();
        let mut table = leases.lock();
        assert_eq!(table.take(7, 0), Taken::Ask { unreported: 0 });
        table.put(7, Lease { end: 1_000, left: 2, then: ASK });
        assert_eq!(table.take(8, 0), Taken::Ask { unreported: 0 }, "another key");
        assert_eq!([table.take(7, 0), table.take(7, 999)], [Taken::Passed; 2]);
        assert_eq!(table.take(7, 999), Taken::Ask { unreported: 0 });
        table.put(7, Lease { end: 1_000, left: 2, then: ASK });
        assert_eq!(table.take(7, 1_000), Taken::Ask { unreported: 0 }, "the window has ended");
        table.put(7, Lease { end: 61_000, left: 1, then: Then::Refuse });
        assert_eq!(table.take(7, 1_000), Taken::Passed);
        let refused = Taken::Exceeded(Exceeded { retry_after_seconds: 60 });
        assert_eq!(table.take(7, 1_001), refused);
        table.refuse_until(7, 40_000);
        assert_eq!(table.take(7, 60_999), Taken::Exceeded(Exceeded { retry_after_seconds: 1 }));
        assert_eq!(table.take(7, 61_000), Taken::Ask { unreported: 0 });
    }

    #[test]
    fn a_full_table_takes_no_new_key_until_some_have_ended() {
        let leases = Leases::default();
        let mut table = leases.lock();
        for key in 0..MAX_KEYS as u64 {
            table.put(key, Lease { end: 60_000, left: 1, then: ASK });
        }
        assert!(!table.has_room_for(u64::MAX, 59_500));
        assert!(table.has_room_for(3, 59_500), "it is in the table");
        assert!(!table.has_room_for(u64::MAX, 60_400), "it has just been searched");
        assert!(table.has_room_for(u64::MAX, 60_500));
        assert!(table.leases.entries.is_empty());
    }

    #[test]
    fn the_table_grows_with_those_who_come_within_a_window_and_not_with_all_who_ever_came() {
        let leases = Leases::default();
        let mut table = leases.lock();
        for key in 0..50_000 {
            let now = key * 60;
            assert!(table.has_room_for(key, now));
            table.put(key, Lease { end: now + 60_000, left: 1, then: ASK });
        }
        let capacity = table.leases.entries.capacity();
        assert!((1_000..10_000).contains(&capacity), "{capacity} places for 1,000 users in a minute");
    }
}
