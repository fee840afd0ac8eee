//! Leases: blocks of requests that the database has counted in advance, which this process accepts without a query.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::limits::bounded::BoundedTable;
use crate::limits::windows::Exceeded;
use crate::store::DbError;
use crate::store::rate_limits::Counted;

/// A lease has at most one of so many equal blocks of a limit.
const BLOCKS_PER_LIMIT: u32 = 20;

/// The outcome of a running query, for all requests that wait for it.
pub type PendingQuery = watch::Receiver<Option<Result<(), DbError>>>;

/// How many requests a lease is for: a twentieth of the limit, and at least one.
pub fn block_size(max: u32) -> u32 {
    (max / BLOCKS_PER_LIMIT).max(1)
}

/// Leases by key.
#[derive(Default)]
pub struct Leases {
    hasher: RandomState,
    table: Mutex<Table>,
}

#[derive(Default)]
pub struct Table {
    leases: BoundedTable<Lease>,
    pending_queries: HashMap<u64, PendingQuery>,
}

/// The lease of one key until its window ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// On the monotonic clock, in milliseconds; never later than the window ends in the database.
    pub end: u64,
    /// Requests that may pass without a query.
    pub left: u32,
    pub on_exhausted: OnExhausted,
}

/// What happens to a request when the lease is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnExhausted {
    /// The database is queried. It has not counted so many of the requests that passed.
    Query { unreported: u32 },
    /// The limit is reached until the window ends.
    Refuse,
}

/// Whether a request may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    Allowed,
    Exceeded(Exceeded),
    QueryNeeded { unreported: u32 },
}

impl Lease {
    /// The lease after the database has counted `requests` more, of which `unreported` have passed already. `sent` is
    /// when the query was sent, by the clock of this process: two wall clocks are never compared.
    pub fn from_count(max: u32, requests: u32, unreported: u32, counted: Counted, sent: u64) -> Self {
        let room = u64::from(max).saturating_sub(counted.before);
        let granted = requests.min(u32::try_from(room).unwrap_or(u32::MAX));
        let on_exhausted = if room > u64::from(requests) {
            OnExhausted::Query { unreported: 0 }
        } else {
            OnExhausted::Refuse
        };
        Self { end: sent + counted.left, left: granted.saturating_sub(unreported), on_exhausted }
    }
}

impl Leases {
    /// The table's key. Each process has its own hash seed, so that a client cannot make two keys collide.
    pub fn key(&self, key: &impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    pub fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Takes one request out of the key's lease.
    pub fn take(&mut self, key: u64, now: u64) -> Admission {
        match self.leases.entries.get_mut(&key).filter(|lease| now < lease.end) {
            Some(lease) if lease.left > 0 => {
                lease.left -= 1;
                Admission::Allowed
            }
            Some(Lease { on_exhausted: OnExhausted::Query { unreported }, .. }) => {
                Admission::QueryNeeded { unreported: *unreported }
            }
            Some(lease) => Admission::Exceeded(Exceeded::for_milliseconds(lease.end - now)),
            None => Admission::QueryNeeded { unreported: 0 },
        }
    }

    /// Whether the key has a lease, used up or not.
    pub fn contains(&self, key: u64, now: u64) -> bool {
        self.leases.entries.get(&key).is_some_and(|lease| now < lease.end)
    }

    pub fn insert(&mut self, key: u64, lease: Lease) {
        self.leases.entries.insert(key, lease);
    }

    /// Refuses the key until `end`, or longer where that is known already.
    pub fn refuse_until(&mut self, key: u64, end: u64) {
        let lease = self.leases.entries.entry(key).or_insert(Lease {
            end,
            left: 0,
            on_exhausted: OnExhausted::Refuse,
        });
        *lease = Lease { end: lease.end.max(end), left: 0, on_exhausted: OnExhausted::Refuse };
    }

    /// The key's running query; `None` where its task ended without an outcome.
    pub fn pending_query(&self, key: u64) -> Option<PendingQuery> {
        self.pending_queries.get(&key).filter(|query| query.has_changed().is_ok()).cloned()
    }

    pub fn begin_query(&mut self, key: u64, query: PendingQuery) {
        self.pending_queries.insert(key, query);
    }

    pub fn end_query(&mut self, key: u64) {
        self.pending_queries.remove(&key);
    }

    /// Whether the key is in the table, or there is room for it.
    pub fn has_room_for(&mut self, key: u64, now: u64) -> bool {
        self.leases.has_room_for(key, now.cast_signed(), |lease| lease.end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::bounded::MAX_KEYS;

    const QUERY: OnExhausted = OnExhausted::Query { unreported: 0 };

    #[test]
    fn a_lease_is_a_twentieth_of_the_limit_and_at_least_one() {
        let cases = [(1, 1), (19, 1), (20, 1), (39, 1), (40, 2), (600, 30), (1000, 50), (1_000_000, 50_000)];
        for (max, expected) in cases {
            assert_eq!(block_size(max), expected, "{max}");
            assert!(max < 20 || block_size(max) * 20 <= max, "{max}");
        }
    }

    /// Security case H1.
    #[test]
    fn what_is_granted_is_never_beyond_the_limit() {
        // Limit, requests, of them unreported, counted before; what is left, and what follows.
        let cases = [
            (1000, 50, 0, 0, 50, QUERY),
            (1000, 50, 0, 949, 50, QUERY),
            (1000, 50, 0, 950, 50, OnExhausted::Refuse),
            (1000, 50, 0, 951, 49, OnExhausted::Refuse),
            (1000, 50, 0, 999, 1, OnExhausted::Refuse),
            (1000, 50, 0, 1000, 0, OnExhausted::Refuse),
            (1000, 50, 0, 5_000_000_000, 0, OnExhausted::Refuse),
            (1, 1, 0, 0, 1, OnExhausted::Refuse),
            (1, 1, 0, 1, 0, OnExhausted::Refuse),
            (600, 60, 30, 0, 30, QUERY),
            (600, 60, 30, 560, 10, OnExhausted::Refuse),
            (600, 60, 30, 580, 0, OnExhausted::Refuse),
        ];
        for (max, requests, unreported, before, left, on_exhausted) in cases {
            let counted = Counted { before, left: 40_000 };
            let lease = Lease::from_count(max, requests, unreported, counted, 500);
            assert_eq!(
                lease,
                Lease { end: 40_500, left, on_exhausted },
                "{max} {requests} {unreported} {before}"
            );
        }
    }

    /// Security case H1.
    #[test]
    fn a_lease_is_used_up_or_ends_and_is_not_added_to() {
        let leases = Leases::default();
        let mut table = leases.lock();
        assert_eq!(table.take(7, 0), Admission::QueryNeeded { unreported: 0 });
        table.insert(7, Lease { end: 1_000, left: 2, on_exhausted: QUERY });
        assert_eq!(table.take(8, 0), Admission::QueryNeeded { unreported: 0 }, "another key");
        assert_eq!([table.take(7, 0), table.take(7, 999)], [Admission::Allowed; 2]);
        assert_eq!(table.take(7, 999), Admission::QueryNeeded { unreported: 0 });
        table.insert(7, Lease { end: 1_000, left: 2, on_exhausted: QUERY });
        assert_eq!(table.take(7, 1_000), Admission::QueryNeeded { unreported: 0 }, "the window has ended");
        table.insert(7, Lease { end: 61_000, left: 1, on_exhausted: OnExhausted::Refuse });
        assert_eq!(table.take(7, 1_000), Admission::Allowed);
        let refused = Admission::Exceeded(Exceeded { retry_after_seconds: 60 });
        assert_eq!(table.take(7, 1_001), refused);
        table.refuse_until(7, 40_000);
        assert_eq!(table.take(7, 60_999), Admission::Exceeded(Exceeded { retry_after_seconds: 1 }));
        assert_eq!(table.take(7, 61_000), Admission::QueryNeeded { unreported: 0 });
    }

    #[test]
    fn a_full_table_takes_no_new_key_until_some_have_ended() {
        let leases = Leases::default();
        let mut table = leases.lock();
        for key in 0..MAX_KEYS as u64 {
            table.insert(key, Lease { end: 60_000, left: 1, on_exhausted: QUERY });
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
            table.insert(key, Lease { end: now + 60_000, left: 1, on_exhausted: QUERY });
        }
        let capacity = table.leases.entries.capacity();
        assert!((1_000..10_000).contains(&capacity), "{capacity} places for 1,000 users in a minute");
    }
}
