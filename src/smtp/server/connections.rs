//! Limits the clients' connections, and ends the longest idle one where more want in.
//!
//! A connection that stays silent costs its client nothing. Where every place is taken, the oldest that has not signed in
//! ends for a new one, then the one that has been idle longest. A client that sends a message is never cut off for
//! another.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::message::pieces;

const WARNING_INTERVAL: Duration = Duration::from_mins(1);

pub(super) struct Connections {
    max_total: usize,
    max_per_peer: usize,
    min_idle: Duration,
    held_octets_per_peer: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: usize,
    per_peer: HashMap<u128, Peer>,
    next_number: u64,
    /// Those that may end, in the order in which they do.
    idle: BTreeMap<IdleKey, IdleConnection>,
    warned: Option<Instant>,
}

/// What the connections of one peer group have in common.
struct Peer {
    connections: usize,
    memory: Arc<Semaphore>,
}

/// Who has signed in comes last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct IdleKey {
    has_signed_in: bool,
    number: u64,
}

struct IdleConnection {
    peer: Option<u128>,
    since: Instant,
    eviction: CancellationToken,
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            max_total: limits.max_connections,
            max_per_peer: limits.max_connections_per_peer,
            min_idle: limits.min_idle,
            held_octets_per_peer: limits.held_octets_per_peer(),
            state: Mutex::default(),
        })
    }

    /// A permit for a connection of this peer group. Where the group has its share, or all permits are in use, an idle
    /// connection ends for it; none where none is idle. For a moment there may be more connections than places: those that are about to end.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<u128>) -> Option<Place> {
        let mut state = self.lock();
        if let Some(peer) = peer
            && state.per_peer.get(&peer).is_some_and(|peer| peer.connections >= self.max_per_peer)
            && !state.evict_idle(self.min_idle, |idle| idle.peer == Some(peer))
        {
            return None;
        }
        if state.total >= self.max_total {
            state.warn();
            if !state.evict_idle(self.min_idle, |_| true) {
                return None;
            }
        }
        state.total += 1;
        let memory = peer.map(|peer| {
            let peer = state
                .per_peer
                .entry(peer)
                .or_insert_with(|| Peer { connections: 0, memory: pieces(self.held_octets_per_peer) });
            peer.connections += 1;
            Arc::clone(&peer.memory)
        });
        let number = state.take_number();
        drop(state);
        Some(Place {
            connections: Arc::clone(self),
            peer,
            memory,
            begun: (number, Instant::now()),
            idle: None,
            eviction: CancellationToken::new(),
        })
    }

    /// Ends one idle connection, where there is one: the process has no file left for a new one.
    pub(super) fn evict_idle(&self) {
        self.lock().evict_idle(self.min_idle, |_| true);
    }

    pub(super) fn open(&self) -> usize {
        self.lock().total
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

    /// Ends the first idle connection for which this is so.
    fn evict_idle(&mut self, min_idle: Duration, may_end: impl Fn(&IdleConnection) -> bool) -> bool {
        let due = self
            .idle
            .iter()
            .find(|(_, connection)| connection.since.elapsed() >= min_idle && may_end(connection));
        let Some(key) = due.map(|(key, _)| *key) else { return false };
        if let Some(connection) = self.idle.remove(&key) {
            connection.eviction.cancel();
        }
        true
    }

    fn warn(&mut self) {
        if self.warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            self.warned = Some(Instant::now());
            tracing::warn!(
                "the SMTP server has reached its limit of connections: idle ones are closed for new ones"
            );
        }
    }
}

/// A connection's place, given back when it is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    peer: Option<u128>,
    memory: Option<Arc<Semaphore>>,
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
        state.idle.insert(key, IdleConnection { peer: self.peer, since, eviction: self.eviction.clone() });
        drop(state);
        self.idle = Some(key);
    }

    /// It has work to do.
    pub(super) fn set_busy(&mut self) {
        if let Some(key) = self.idle.take() {
            self.connections.lock().idle.remove(&key);
        }
    }

    /// What messages of the peer may be held in.
    pub(super) fn memory(&self) -> Option<Arc<Semaphore>> {
        self.memory.clone()
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
        if let Some(of_peer) = state.per_peer.get_mut(&peer) {
            of_peer.connections -= 1;
            if of_peer.connections == 0 {
                state.per_peer.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(max_connections: usize, max_connections_per_peer: usize) -> Arc<Connections> {
        Connections::new(&Limits { max_connections, max_connections_per_peer, ..Limits::default() })
    }

    /// Makes idle connections as old as they have to be.
    fn age(connections: &Connections) {
        for connection in connections.lock().idle.values_mut() {
            connection.since =
                connection.since.checked_sub(connections.min_idle).expect("the machine runs for longer");
        }
    }

    fn is_evicted(place: &Place) -> bool {
        place.eviction.is_cancelled()
    }

    /// Security case N13.
    #[test]
    fn a_peer_has_its_share_and_no_more() {
        let connections = connections(10, 2);
        let places = [connections.admit(Some(1)), connections.admit(Some(1))];
        assert!(connections.admit(Some(1)).is_none());
        assert!(connections.admit(Some(2)).is_some() && connections.admit(None).is_some());
        drop(places);
        assert!(connections.admit(Some(1)).is_some());
        assert!(connections.lock().per_peer.is_empty() && connections.lock().total == 0, "nothing is kept");
    }

    /// Security case N13.
    #[test]
    fn the_oldest_without_a_sign_in_ends_first_then_the_longest_idle() {
        let connections = connections(5, 10);
        let mut places: Vec<_> = (0..4).filter_map(|_| connections.admit(None)).collect();
        for (index, has_signed_in) in [(3, true), (2, false), (0, true), (1, false)] {
            places[index].set_idle(has_signed_in);
        }
        // It comes when others are idle already.
        places.extend(connections.admit(None));
        assert!(connections.admit(None).is_none(), "one is busy");
        places[4].set_idle(false);
        assert!(connections.admit(None).is_none(), "all have only just become idle");
        age(&connections);
        let mut order = Vec::new();
        let mut newcomers = Vec::new();
        for _ in 0..5 {
            newcomers.push(connections.admit(None).expect("an idle one ends"));
            let evicted = (0..5).filter(|index| is_evicted(&places[*index]) && !order.contains(index));
            order.extend(evicted.collect::<Vec<_>>());
        }
        assert_eq!(order, [1, 2, 4, 3, 0]);
        assert!(connections.admit(None).is_none(), "the newcomers are busy");
    }

    /// Security case N13.
    #[test]
    fn a_peer_at_its_share_ends_an_idle_connection_of_its_own() {
        let connections = connections(10, 1);
        let (mut other, mut own) =
            (connections.admit(Some(2)).expect("a place"), connections.admit(Some(1)).expect("a place"));
        other.set_idle(false);
        own.set_idle(false);
        age(&connections);
        assert!(connections.admit(Some(1)).is_some() && is_evicted(&own) && !is_evicted(&other));
    }

    #[test]
    fn who_has_work_to_do_is_not_ended() {
        let connections = connections(1, 10);
        let mut place = connections.admit(None).expect("a place");
        place.set_idle(false);
        place.set_busy();
        age(&connections);
        assert!(connections.admit(None).is_none() && !is_evicted(&place));
        place.set_idle(false);
        age(&connections);
        assert!(connections.admit(None).is_some() && is_evicted(&place));
    }
}
