//! Keeps caught mails in memory, bounded in number and bytes; the oldest are dropped first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::mail::{Content, Envelope, Mail};
use crate::clock::Timestamp;

/// Bounds of an inbox.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub mails: usize,
    /// Size of all sources together. The newest mail is kept whatever its size.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { mails: 500, bytes: 256 * 1024 * 1024 }
    }
}

/// The caught mails. Cheap to clone; every clone shows the same mails.
#[derive(Clone, Default)]
pub struct Inbox {
    limits: Limits,
    stored: Arc<Mutex<Contents>>,
    changes: watch::Sender<Changes>,
}

/// What a watcher of the inbox receives.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Changes {
    /// Incremented by every change.
    pub count: u64,
    /// The process is stopping: no change will follow.
    pub closed: bool,
}

#[derive(Default)]
struct Contents {
    /// The oldest first.
    mails: VecDeque<Arc<Mail>>,
    bytes: usize,
    last_id: u64,
}

impl Inbox {
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Adds a mail and returns its id, which is unique while the process runs.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn add(&self, received: Timestamp, envelope: Envelope, source: Vec<u8>) -> u64 {
        // Parsing a large mail takes long: before the lock.
        let content = Content::parse(&source);
        let mut stored = self.lock();
        stored.last_id += 1;
        let id = stored.last_id;
        stored.bytes += source.len();
        stored.mails.push_back(Arc::new(Mail { id, received, envelope, content, source }));
        while stored.mails.len() > 1
            && (stored.mails.len() > self.limits.mails || stored.bytes > self.limits.bytes)
        {
            let freed = stored.mails.pop_front().map_or(0, |mail| mail.source.len());
            stored.bytes -= freed;
        }
        drop(stored);
        self.notify();
        id
    }

    pub fn newest_first(&self) -> Vec<Arc<Mail>> {
        self.lock().mails.iter().rev().cloned().collect()
    }

    pub fn find(&self, id: u64) -> Option<Arc<Mail>> {
        self.lock().mails.iter().find(|mail| mail.id == id).cloned()
    }

    /// Removes every mail; ids are not reused.
    pub fn clear(&self) {
        let mut stored = self.lock();
        stored.mails.clear();
        stored.bytes = 0;
        drop(stored);
        self.notify();
    }

    /// Removes one mail; false where it does not exist.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn remove(&self, id: u64) -> bool {
        let mut stored = self.lock();
        let Some(index) = stored.mails.iter().position(|mail| mail.id == id) else { return false };
        let freed = stored.mails.remove(index).map_or(0, |mail| mail.source.len());
        stored.bytes -= freed;
        drop(stored);
        self.notify();
        true
    }

    /// Receives each change from now on; several in a short time may arrive as one.
    pub fn subscribe(&self) -> watch::Receiver<Changes> {
        self.changes.subscribe()
    }

    /// Releases everyone who waits for a change.
    pub fn close(&self) {
        self.changes.send_modify(|changes| changes.closed = true);
    }

    fn notify(&self) {
        self.changes.send_modify(|changes| changes.count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(inbox: &Inbox) -> Vec<u64> {
        inbox.newest_first().iter().map(|mail| mail.id).collect()
    }

    fn inbox_after(limits: Limits, sizes: &[usize]) -> Inbox {
        let inbox = Inbox::new(limits);
        for size in sizes {
            inbox.add(Timestamp(0), Envelope::default(), vec![b'x'; *size]);
        }
        inbox
    }

    #[test]
    fn the_oldest_mails_are_dropped_beyond_the_bounds() {
        let limits = Limits { mails: 3, bytes: 100 };
        for (sizes, expected) in [
            (&[1, 1, 1][..], &[3, 2, 1][..]),
            (&[1, 1, 1, 1], &[4, 3, 2]),
            (&[60, 40], &[2, 1]),
            (&[60, 41], &[2]),
            (&[60, 30, 70], &[3, 2]),
            (&[1, 500], &[2]),
        ] {
            assert_eq!(ids(&inbox_after(limits, sizes)), expected, "{sizes:?}");
        }
    }

    #[test]
    fn removing_a_mail_frees_its_bytes() {
        let inbox = inbox_after(Limits { mails: 3, bytes: 100 }, &[60, 30]);
        assert!(inbox.remove(1));
        assert!(!inbox.remove(1));
        assert_eq!(inbox.add(Timestamp(0), Envelope::default(), vec![b'x'; 70]), 3);
        assert_eq!(ids(&inbox), [3, 2], "there is room for what was removed");
    }

    #[test]
    fn watchers_receive_every_change_and_nothing_else() {
        let inbox = Inbox::default();
        let mut changes = inbox.subscribe();
        let mut seen = |inbox: &Inbox, act: fn(&Inbox)| {
            act(inbox);
            let seen = changes.has_changed().unwrap();
            changes.borrow_and_update();
            seen
        };
        assert!(seen(&inbox, |inbox| _ = inbox.add(Timestamp(0), Envelope::default(), Vec::new())));
        assert!(!seen(&inbox, |inbox| drop(inbox.newest_first())));
        assert!(!seen(&inbox, |inbox| _ = inbox.remove(7)));
        assert!(seen(&inbox, |inbox| _ = inbox.remove(1)));
        assert!(seen(&inbox, Inbox::clear));
        assert!(seen(&inbox, Inbox::close));
    }

    #[test]
    fn clearing_removes_all_mails_and_reuses_no_id() {
        let inbox = inbox_after(Limits { mails: 3, bytes: 100 }, &[60, 30]);
        inbox.clear();
        assert!(ids(&inbox).is_empty());
        assert!(inbox.find(1).is_none());
        assert_eq!(inbox.add(Timestamp(0), Envelope::default(), vec![b'x'; 70]), 3);
        inbox.add(Timestamp(0), Envelope::default(), vec![b'x'; 30]);
        assert_eq!(ids(&inbox), [4, 3], "the bytes before are forgotten too");
    }
}
