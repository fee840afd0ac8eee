//! Counts events by key in fixed windows, which begin with a key's first event. Bounded in memory.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bounded::BoundedTable;
use crate::clock::Timestamp;

/// Over the limit; the window ends in so many whole seconds (at least one).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded {
    pub retry_after_seconds: u64,
}

impl Exceeded {
    /// The window ends in so many milliseconds.
    pub fn for_milliseconds(left: u64) -> Self {
        Self { retry_after_seconds: left.max(1).div_ceil(1000) }
    }
}

/// Counts of events by key.
#[derive(Default)]
pub struct Windows {
    hasher: RandomState,
    table: Mutex<Table>,
}

#[derive(Default)]
pub struct Table {
    /// Beyond [`MAX_KEYS`](super::bounded::MAX_KEYS) new keys of a kind share one window, so that none is unlimited.
    windows: BoundedTable<Window>,
}

#[derive(Clone, Copy)]
struct Window {
    end: Timestamp,
    count: u32,
}

/// A limit: so many events in a window of this length. Each kind has keys of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowKind {
    /// Unique among the kinds that are counted in the same [`Windows`].
    pub number: u8,
    /// In milliseconds.
    pub length: i64,
    /// 0 means no limit.
    pub max: u32,
}

impl Windows {
    /// The table's key. Each process has its own hash seed, so that a client cannot make two keys collide.
    pub fn key(&self, kind: WindowKind, key: &impl Hash) -> u64 {
        self.hasher.hash_one((kind.number, key))
    }

    /// Counts one event and says whether it may happen.
    pub fn count(&self, kind: WindowKind, key: &impl Hash, now: Timestamp) -> Result<(), Exceeded> {
        if kind.max == 0 {
            return Ok(());
        }
        let key = self.key(kind, key);
        self.lock().count(kind, key, now).map(|_| ())
    }

    /// The same where the key has a window, or there is room for one.
    pub fn count_where_room(
        &self,
        kind: WindowKind,
        key: &impl Hash,
        now: Timestamp,
    ) -> Option<Result<(), Exceeded>> {
        if kind.max == 0 {
            return Some(Ok(()));
        }
        let key = self.key(kind, key);
        let mut table = self.lock();
        table.has_room_for(key, now).then(|| table.count(kind, key, now).map(|_| ()))
    }

    /// Several queries and counts in one critical section.
    pub fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Whether another event of this key would be over the limit now.
    pub fn check(&self, kind: WindowKind, key: u64, now: Timestamp) -> Result<(), Exceeded> {
        // Keys for which there was no room are counted by the window that they share.
        let shared = || self.windows.entries.get(&u64::from(kind.number));
        match self.windows.entries.get(&key).or_else(shared) {
            Some(window) if kind.max > 0 && window.is_open(kind, now) && window.count >= kind.max => {
                Err(window.exceeded(now))
            }
            _ => Ok(()),
        }
    }

    /// How many more events of this key are within the limit now.
    pub fn left(&self, kind: WindowKind, key: u64, now: Timestamp) -> Result<u32, Exceeded> {
        self.check(kind, key, now)?;
        let shared = || self.windows.entries.get(&u64::from(kind.number));
        let window =
            self.windows.entries.get(&key).or_else(shared).filter(|window| window.is_open(kind, now));
        Ok(kind.max - window.map_or(0, |window| window.count))
    }

    /// Counts one event and returns the end of its window.
    pub fn count(&mut self, kind: WindowKind, key: u64, now: Timestamp) -> Result<Timestamp, Exceeded> {
        let shared = u64::from(kind.number);
        let key = if self.has_room_for(key, now) { key } else { shared };
        let fresh = Window { end: Timestamp(now.0 + kind.length), count: 0 };
        let window = self.windows.entries.entry(key).or_insert(fresh);
        if !window.is_open(kind, now) {
            *window = fresh;
        }
        window.count = window.count.saturating_add(1);
        if window.count > kind.max { Err(window.exceeded(now)) } else { Ok(window.end) }
    }

    /// Remembers a key until `end`, where there is room.
    pub fn remember(&mut self, key: u64, end: Timestamp, now: Timestamp) {
        if self.has_room_for(key, now) {
            self.windows.entries.insert(key, Window { end, count: 1 });
        }
    }

    /// Whether a key of this kind is remembered.
    pub fn remembers(&self, kind: WindowKind, key: u64, now: Timestamp) -> bool {
        self.windows.entries.get(&key).is_some_and(|window| window.is_open(kind, now))
    }

    fn has_room_for(&mut self, key: u64, now: Timestamp) -> bool {
        self.windows.has_room_for(key, now.0, |window| window.end <= now)
    }
}

impl Window {
    /// Whether the window has not ended. A clock that was set back must not keep it open for longer than its length.
    fn is_open(self, kind: WindowKind, now: Timestamp) -> bool {
        now < self.end && self.end.0 <= now.0 + kind.length
    }

    fn exceeded(self, now: Timestamp) -> Exceeded {
        Exceeded::for_milliseconds(u64::try_from(self.end.0 - now.0).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::MAX_KEYS;
    use super::*;

    const KIND: WindowKind = WindowKind { number: 1, length: 60_000, max: 2 };

    fn full() -> Windows {
        let windows = Windows::default();
        let taken = (1_000..).take(MAX_KEYS).map(|key| (key, Window { end: Timestamp(60_000), count: 1 }));
        windows.lock().windows.entries = taken.collect();
        windows
    }

    /// Security case H2.
    #[test]
    fn beyond_the_largest_number_of_keys_new_ones_share_a_window() {
        let windows = full();
        let passed = (0..10).filter(|key| windows.count(KIND, key, Timestamp(0)).is_ok()).count();
        assert_eq!(passed, 2, "new keys together");
        assert_eq!(windows.lock().windows.entries.len(), MAX_KEYS + 1, "the shared window alone was added");
        let mut table = windows.lock();
        table.remember(7, Timestamp(60_000), Timestamp(0));
        assert!(!table.remembers(KIND, 7, Timestamp(0)), "there was no room");
    }

    #[test]
    fn the_table_grows_with_those_who_come_within_a_window_and_not_with_all_who_ever_came() {
        let windows = Windows::default();
        for minute in 0..50_i64 {
            for user in 0..1_000_i64 {
                let now = Timestamp(minute * KIND.length + user * 60);
                assert!(windows.count(KIND, &(minute, user), now).is_ok());
            }
        }
        let capacity = windows.lock().windows.entries.capacity();
        assert!((1_000..10_000).contains(&capacity), "{capacity} places for 1,000 users in a minute");
    }

    #[test]
    fn a_full_table_is_searched_now_and_then_and_not_for_each_event() {
        let windows = full();
        assert!(!windows.lock().has_room_for(7, Timestamp(59_500)), "all are in use");
        assert!(!windows.lock().has_room_for(7, Timestamp(60_000)), "it has just been searched");
        assert!(windows.lock().has_room_for(7, Timestamp(60_500)), "all have ended");
        assert!(windows.lock().windows.entries.is_empty());
    }
}
