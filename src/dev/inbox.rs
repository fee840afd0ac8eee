//! Keeps the caught mails: in memory, bounded in number and bytes, the oldest going first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::mail::{Content, Envelope, Mail};
use crate::clock::Timestamp;

/// What an inbox holds at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub mails: usize,
    /// The sources of all mails together. The newest mail is kept whatever its size.
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
    kept: Arc<Mutex<Kept>>,
    changes: watch::Sender<Changes>,
}

/// What whoever looks at the inbox waits for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Changes {
    /// Grows with every change.
    pub count: u64,
    /// The program ends: nothing more will come.
    pub ended: bool,
}

#[derive(Default)]
struct Kept {
    /// The oldest first.
    mails: VecDeque<Arc<Mail>>,
    bytes: usize,
    last_id: u64,
}

impl Inbox {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes a mail and returns its id, which no other mail gets while the process runs.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn add(&self, received: Timestamp, envelope: Envelope, source: Vec<u8>) -> u64 {
        // Parsed before the lock is taken: it may take long with a large mail.
        let content = Content::read(&source);
        let mut kept = self.kept();
        kept.last_id += 1;
        let id = kept.last_id;
        kept.bytes += source.len();
        kept.mails.push_back(Arc::new(Mail { id, received, envelope, content, source }));
        while kept.mails.len() > 1 && (kept.mails.len() > self.limits.mails || kept.bytes > self.limits.bytes)
        {
            let oldest = kept.mails.pop_front().map_or(0, |mail| mail.source.len());
            kept.bytes -= oldest;
        }
        drop(kept);
        self.changed();
        id
    }

    #[must_use]
    pub fn newest_first(&self) -> Vec<Arc<Mail>> {
        self.kept().mails.iter().rev().cloned().collect()
    }

    #[must_use]
    pub fn find(&self, id: u64) -> Option<Arc<Mail>> {
        self.kept().mails.iter().find(|mail| mail.id == id).cloned()
    }

    /// Forgets every mail; ids go on.
    pub fn clear(&self) {
        let mut kept = self.kept();
        kept.mails.clear();
        kept.bytes = 0;
        drop(kept);
        self.changed();
    }

    /// Forgets one mail; false where there is no such mail.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn remove(&self, id: u64) -> bool {
        let mut kept = self.kept();
        let Some(place) = kept.mails.iter().position(|mail| mail.id == id) else { return false };
        let removed = kept.mails.remove(place).map_or(0, |mail| mail.source.len());
        kept.bytes -= removed;
        drop(kept);
        self.changed();
        true
    }

    /// Sees each change from now on; several in a short time may be seen as one.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Changes> {
        self.changes.subscribe()
    }

    /// Lets go everybody who waits for a change.
    pub fn end(&self) {
        self.changes.send_modify(|changes| changes.ended = true);
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| changes.count += 1);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn the_oldest_mails_go_where_the_number_or_the_bytes_are_too_many() {
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
    fn a_removed_mail_is_gone_with_its_bytes() {
        let inbox = inbox_after(Limits { mails: 3, bytes: 100 }, &[60, 30]);
        assert!(inbox.remove(1));
        assert!(!inbox.remove(1));
        assert_eq!(inbox.add(Timestamp(0), Envelope::default(), vec![b'x'; 70]), 3);
        assert_eq!(ids(&inbox), [3, 2], "there is room for what was removed");
    }

    #[test]
    fn every_change_is_seen_and_nothing_else() {
        let inbox = Inbox::default();
        let mut changes = inbox.watch();
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
        assert!(seen(&inbox, Inbox::end));
    }

    #[test]
    fn a_cleared_inbox_is_empty_and_gives_no_id_twice() {
        let inbox = inbox_after(Limits { mails: 3, bytes: 100 }, &[60, 30]);
        inbox.clear();
        assert!(ids(&inbox).is_empty());
        assert!(inbox.find(1).is_none());
        assert_eq!(inbox.add(Timestamp(0), Envelope::default(), vec![b'x'; 70]), 3);
        inbox.add(Timestamp(0), Envelope::default(), vec![b'x'; 30]);
        assert_eq!(ids(&inbox), [4, 3], "the bytes before are forgotten too");
    }
}
