//! A hash table with entries that expire, and a bounded size.

use std::collections::HashMap;

/// The most keys in a table.
pub const MAX_KEYS: usize = 500_000;

/// A full table is searched for expired entries at most this often, in milliseconds: the search takes some milliseconds,
/// and a client that filled the table must not cause one with each request.
const MIN_SEARCH_INTERVAL: i64 = 1_000;

/// Entries by the hash of their key.
pub struct BoundedTable<V> {
    pub entries: HashMap<u64, V>,
    next_search: Option<i64>,
}

impl<V> Default for BoundedTable<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), next_search: None }
    }
}

impl<V> BoundedTable<V> {
    /// Whether there is an entry with this key, or room for one. `now` is in milliseconds, by the clock that decides
    /// which entry `has_ended`. A table removes expired entries before it grows: its size follows from the keys of one
    /// window, not from all keys ever.
    pub fn has_room_for(&mut self, key: u64, now: i64, has_ended: impl Fn(&V) -> bool) -> bool {
        self.entries.contains_key(&key) || self.has_room(now, has_ended)
    }

    fn has_room(&mut self, now: i64, has_ended: impl Fn(&V) -> bool) -> bool {
        let count = self.entries.len();
        if count < MAX_KEYS {
            if count == self.entries.capacity() {
                self.entries.retain(|_, entry| !has_ended(entry));
                let left = self.entries.len();
                // Where most entries stay, the table grows, so that the next search is as many keys away.
                if left > count / 2 {
                    self.entries.reserve(left.max(1));
                }
            }
            return true;
        }
        // A clock that was set back delays no search.
        let is_due = self.next_search.is_none_or(|next| next <= now || next > now + MIN_SEARCH_INTERVAL);
        if is_due {
            self.entries.retain(|_, entry| !has_ended(entry));
            self.next_search = Some(now + MIN_SEARCH_INTERVAL);
        }
        self.entries.len() < MAX_KEYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inserts an entry that ends at `end`, where there is room.
    fn add(table: &mut BoundedTable<i64>, key: u64, now: i64, end: i64) -> bool {
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
            BoundedTable { entries: (0..).map(|key| (key, 100)).take(MAX_KEYS).collect(), next_search: None };
        assert!(!add(&mut table, u64::MAX, 99, 200));
        table.next_search = Some(1_000_000);
        assert!(add(&mut table, u64::MAX, 100, 200));
    }
}
