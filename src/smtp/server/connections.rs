//! Limits the clients' connections, and ends the longest idle one where more want in.
//!
//! A connection that stays silent costs its client nothing. Where every place is taken, the oldest that has not signed in
//! ends for a new one, then the one that has been idle longest. A client that sends a message is never cut off for
//! another.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;

/// A connection is not ended before it has been idle for so long: a new client is about to say something.
const MIN_IDLE: Duration = Duration::from_secs(2);

const WARNING_INTERVAL: Duration = Duration::from_mins(1);

pub(super) struct Connections {
    max_total: usize,
    max_per_peer: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: usize,
    per_peer: HashMap<u128, usize>,
    next_number: u64,
    /// Those that may end, in the order in which they do.
    idle: BTreeMap<IdleKey, IdleConnection>,
    warned: Option<Instant>,
}

/// Who has signed in comes last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct IdleKey {
    has_signed_in: bool,
    number: u64,
}

struct IdleConnection {
    since: Instant,
    eviction: CancellationToken,
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            max_total: limits.max_connections,
            max_per_peer: limits.max_connections_per_peer,
            state: Mutex::default(),
        })
    }

    /// A place for a connection of this peer group; none where the group has its share, or where all places are taken and
    /// no connection is idle. For a moment there may be more connections than places: those that are about to end.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<u128>) -> Option<Place> {
        let mut state = self.lock();
        if let Some(peer) = peer
            && state.per_peer.get(&peer).is_some_and(|count| *count >= self.max_per_peer)
        {
            return None;
        }
        if state.total >= self.max_total {
            state.warn();
            if !state.evict_idle() {
                return None;
            }
        }
        state.total += 1;
        if let Some(peer) = peer {
            *state.per_peer.entry(peer).or_default() += 1;
        }
        let number = state.take_number();
        drop(state);
        Some(Place {
            connections: Arc::clone(self),
            peer,
            begun: (number, Instant::now()),
            idle: None,
            eviction: CancellationToken::new(),
        })
    }

    /// Ends one idle connection, where there is one: the process has no file left for a new one.
    pub(super) fn evict_idle(&self) {
        self.lock().evict_idle();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn evict_idle(&mut self) -> bool {
        let due = self.idle.iter().find(|(_, connection)| connection.since.elapsed() >= MIN_IDLE);
        let Some(key) = due.map(|(key, _)| *key) else { return false };
        if let Some(connection) = self.idle.remove(&key) {
            connection.eviction.cancel();
        }
        true
    }

    fn warn(&mut self) {
        if self.warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            self.warned = Some(Instant::now());
            tracing::warn!("the SMTP server has as many connections as it may: idle ones end for new ones");
        }
    }
}

/// A connection's place, given back when it is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    peer: Option<u128>,
    /// Number and time of its start.
    begun: (u64, Instant),
    idle: Option<IdleKey>,
    eviction: CancellationToken,
}

impl Place {
    /// The connection waits for its client. Until it has signed in, it counts as idle since its start, whatever it says.
    pub(super) fn set_idle(&mut self, has_signed_in: bool) {
        let mut state = self.connections.lock();
        let (number, since) = if has_signed_in { (state.take_number(), Instant::now()) } else { self.begun };
        let key = IdleKey { has_signed_in, number };
        state.idle.insert(key, IdleConnection { since, eviction: self.eviction.clone() });
        drop(state);
        self.idle = Some(key);
    }

    /// It has work to do.
    pub(super) fn set_busy(&mut self) {
        if let Some(key) = self.idle.take() {
            self.connections.lock().idle.remove(&key);
        }
    }

    /// Ends where this connection has to end for another.
    pub(super) async fn evicted(&self) {
        self.eviction.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.set_busy();
        let mut state = self.connections.lock();
        state.total -= 1;
        let Some(peer) = self.peer else { return };
        if let Some(count) = state.per_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                state.per_peer.remove(&peer);
            }
        }
    }
}
