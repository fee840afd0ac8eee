//! What is remembered of keys until its time is over, in bounded memory.

use std::collections::HashMap;

/// The most keys that are remembered.
pub const MAX_KEYS: usize = 500_000;

/// How often a full table is searched for what has ended, in milliseconds: the search takes some milliseconds itself,
/// and whoever filled the table must not get one for each request.
const BETWEEN_SEARCHES: i64 = 1_000;

/// Entries by the hash of their key.
pub struct Bounded<V> {
    pub entries: HashMap<u64, V>,
    next_search: Option<i64>,
}

impl<V> Default for Bounded<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), next_search: None }
    }
}

impl<V> Bounded<V> {
    /// Whether there is an entry of this key, or room for one. `now` is in milliseconds, by the clock that decides
    /// what `has_ended`. Before the table grows it is searched for what has ended, so that its size follows from those
    /// who come within a window's length, and not from all who ever came.
    pub fn has_room_for(&mut self, key: u64, now: i64, has_ended: impl Fn(&V) -> bool) -> bool {
        self.entries.contains_key(&key) || self.has_room(now, has_ended)
    }

    fn has_room(&mut self, now: i64, has_ended: impl Fn(&V) -> bool) -> bool {
        let count = self.entries.len();
        if count < MAX_KEYS {
            if count == self.entries.capacity() {
                self.entries.retain(|_, entry| !has_ended(entry));
                let left = self.entries.len();
                // Where most are left, it grows, so that the next search is as many keys away.
                if left > count / 2 {
                    self.entries.reserve(left.max(1));
                }
            }
            return true;
        }
        // A clock that was set back puts no search off.
        let is_due = self.next_search.is_none_or(|next| next <= now || next > now + BETWEEN_SEARCHES);
        if is_due {
            self.entries.retain(|_, entry| !has_ended(entry));
            self.next_search = Some(now + BETWEEN_SEARCHES);
        }
        self.entries.len() < MAX_KEYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a place for an entry that ends at `end`, where there is one.
    fn add(table: &mut Bounded<i64>, key: u64, now: i64, end: i64) -> bool {
        let has_room = table.has_room_for(key, now, |end| *end <= now);
        if has_room {
            table.entries.insert(key, end);
        }
        has_room
    }

    /// Security case H2.
    #[test]
    fn a_clock_that_was_set_back_puts_no_search_off() {
        let mut table =
            Bounded { entries: (0..).map(|key| (key, 100)).take(MAX_KEYS).collect(), next_search: None };
        assert!(!add(&mut table, u64::MAX, 99, 200));
        table.next_search = Some(1_000_000);
        assert!(add(&mut table, u64::MAX, 100, 200));
    }
}
