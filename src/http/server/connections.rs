//! Limits the clients' connections, and closes the longest idle one where more want in.
//!
//! A connection that waits for a request, for the rest of a request's head, or for its client to read a response costs
//! its client nothing. Where every permit is taken, the one that has waited longest is closed for a new one; otherwise a
//! client that opens enough connections and stays silent would lock out all others. A request whose client reads the
//! response is never cut off.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::limits::network_of;

/// A connection is not closed before it has been idle for so long: a new client is about to send its request.
const MIN_IDLE: Duration = Duration::from_millis(500);

/// How often each of the two warnings is logged.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

pub struct Connections {
    permits: Arc<Semaphore>,
    idle: Mutex<IdleQueue>,
    peers: Mutex<Peers>,
    max_per_peer: usize,
    trusted_proxies: Vec<IpNet>,
    /// A connection has become idle, or one that was asked to end continues for its running request.
    changed: Notify,
    /// Ends every connection.
    pub end: CancellationToken,
}

/// The idle connections, in the order in which they became idle.
#[derive(Default)]
struct IdleQueue {
    next_number: u64,
    connections: BTreeMap<u64, IdleConnection>,
    warned: Option<Instant>,
}

struct IdleConnection {
    since: Instant,
    peer: Option<Peer>,
    eviction: CancellationToken,
}

/// A peer address as it is counted.
type Peer = u128;

/// How many connections each counted peer has.
#[derive(Default)]
struct Peers {
    counts: HashMap<Peer, usize>,
    warned: Option<Instant>,
}

/// A connection's share of its peer's bound, given back when dropped.
pub struct PeerPermit {
    connections: Arc<Connections>,
    /// None where this peer has no bound.
    peer: Option<Peer>,
}

impl Connections {
    pub fn new(settings: &config::Server) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(settings.max_connections)),
            idle: Mutex::default(),
            peers: Mutex::default(),
            max_per_peer: settings.max_connections_per_peer,
            trusted_proxies: settings.trusted_proxies.clone(),
            changed: Notify::new(),
            end: CancellationToken::new(),
        })
    }

    /// Counts a connection of this peer; none where the peer is at its bound and has no idle connection to close.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<PeerPermit> {
        let peer = self.counted_peer(address);
        if let Some(peer) = peer {
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let count = peers.counts.entry(peer).or_default();
            if *count >= self.max_per_peer {
                let is_due = peers.warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL);
                if is_due {
                    peers.warned = Some(Instant::now());
                    tracing::warn!(
                        %address,
                        "a peer has reached server.max_connections_per_peer: a proxy belongs into \
                         server.trusted_proxies"
                    );
                }
                if !self.evict_idle_of(peer) {
                    return None;
                }
            }
            *peers.counts.entry(peer).or_default() += 1;
        }
        Some(PeerPermit { connections: Arc::clone(self), peer })
    }

    fn counted_peer(&self, address: IpAddr) -> Option<Peer> {
        let address = address.to_canonical();
        let carries_others =
            address.is_loopback() || self.trusted_proxies.iter().any(|network| network.contains(&address));
        (self.max_per_peer > 0 && !carries_others).then(|| network_of(address))
    }

    /// A permit for one connection. Where none is free, the connection that has been idle longest is closed; where none
    /// is idle, waits for the first that is.
    pub async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return Some(permit);
            }
            let next = self.evict_idle();
            tokio::select! {
                permit = Arc::clone(&self.permits).acquire_owned() => return permit.ok(),
                () = self.changed.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Closes the connection that has been idle longest. Where it has not been idle for long, gives the time from which
    /// it may be closed.
    pub fn evict_idle(&self) -> Option<Instant> {
        let mut idle = self.lock();
        let longest = idle.connections.first_entry()?;
        let earliest = longest.get().since + MIN_IDLE;
        if earliest > Instant::now() {
            return Some(earliest);
        }
        longest.remove().eviction.cancel();
        if idle.warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            idle.warned = Some(Instant::now());
            tracing::warn!("server.max_connections is reached: idle connections are closed to make room");
        }
        None
    }

    /// Closes the connection of this peer that has been idle longest, if it has been for long enough.
    fn evict_idle_of(&self, peer: Peer) -> bool {
        let mut idle = self.lock();
        let longest = idle.connections.iter().find(|(_, connection)| connection.peer == Some(peer));
        let Some((&number, connection)) = longest else { return false };
        if connection.since + MIN_IDLE > Instant::now() {
            return false;
        }
        if let Some(connection) = idle.connections.remove(&number) {
            connection.eviction.cancel();
        }
        true
    }

    /// A new connection, which waits for its first request.
    pub fn open(self: &Arc<Self>, permit: PeerPermit) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            connections: Arc::clone(self),
            permit,
            state: AtomicU8::new(AWAITING_REQUEST),
            is_blocked: AtomicBool::new(false),
            number: AtomicU64::new(0),
            eviction: self.end.child_token(),
        });
        connection.enter_queue();
        connection
    }

    fn lock(&self) -> MutexGuard<'_, IdleQueue> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PeerPermit {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut peers = self.connections.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = peers.counts.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                peers.counts.remove(&peer);
            }
        }
    }
}

/// Ends at this time, or never.
async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Nothing of a request has been seen, or a part of its head.
const AWAITING_REQUEST: u8 = 0;
/// A request is under way.
const IN_REQUEST: u8 = 1;
/// The answer is whole, and may not have gone out to its end.
const SENDING_ANSWER: u8 = 2;

/// Where one connection stands. All of it happens on the connection's own task.
pub struct Connection {
    connections: Arc<Connections>,
    permit: PeerPermit,
    state: AtomicU8,
    /// The client does not take what is written.
    is_blocked: AtomicBool,
    number: AtomicU64,
    /// Cancelled where this connection is to end.
    pub eviction: CancellationToken,
}

impl Connection {
    /// The head of a request has been read.
    pub fn begin_request(self: &Arc<Self>) -> InFlight {
        let was = self.state.swap(IN_REQUEST, Ordering::Relaxed);
        if was == AWAITING_REQUEST && !self.is_blocked.load(Ordering::Relaxed) {
            self.leave_queue();
        }
        InFlight(Arc::clone(self))
    }

    /// Something that was written does not fit into the network's buffers.
    pub fn write_blocked(&self) {
        if !self.is_blocked.swap(true, Ordering::Relaxed)
            && self.state.load(Ordering::Relaxed) != AWAITING_REQUEST
        {
            self.enter_queue();
        }
    }

    /// All that there was to write has been taken.
    pub fn write_unblocked(&self) {
        if self.is_blocked.swap(false, Ordering::Relaxed)
            && self.state.load(Ordering::Relaxed) != AWAITING_REQUEST
        {
            self.leave_queue();
        }
    }

    /// Everything that was written has gone out.
    pub fn flushed(&self) {
        if self
            .state
            .compare_exchange(SENDING_ANSWER, AWAITING_REQUEST, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            self.enter_queue();
        }
    }

    /// Whether it may be closed at once: no request is under way, or its client does not take the answer. At the end of
    /// the service a slow client may still take what it has been told.
    pub fn may_close(&self) -> bool {
        let is_waiting = self.state.load(Ordering::Relaxed) == AWAITING_REQUEST;
        is_waiting || (self.is_blocked.load(Ordering::Relaxed) && !self.connections.end.is_cancelled())
    }

    /// It was told to end while a request is under way, so another one may.
    pub fn defer_eviction(&self) {
        self.connections.changed.notify_one();
    }

    fn enter_queue(&self) {
        let mut idle = self.connections.lock();
        let number = idle.next_number;
        idle.next_number += 1;
        let connection =
            IdleConnection { since: Instant::now(), peer: self.permit.peer, eviction: self.eviction.clone() };
        idle.connections.insert(number, connection);
        self.number.store(number, Ordering::Relaxed);
        drop(idle);
        self.connections.changed.notify_one();
    }

    fn leave_queue(&self) {
        self.connections.lock().connections.remove(&self.number.load(Ordering::Relaxed));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.leave_queue();
    }
}

/// Stands in the body of the answer, which is dropped when the last of it was taken.
pub struct InFlight(Arc<Connection>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state.store(SENDING_ANSWER, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(max_per_peer: usize) -> Arc<Connections> {
        let mut settings = config::Config::default().server;
        settings.max_connections_per_peer = max_per_peer;
        settings.trusted_proxies = vec!["192.0.2.0/24".parse().expect("a network")];
        Connections::new(&settings)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Lets all that are idle have been so for long enough.
    fn age(connections: &Connections) {
        for connection in connections.lock().connections.values_mut() {
            connection.since -= MIN_IDLE;
        }
    }

    /// Security case M2.
    #[tokio::test]
    async fn a_peer_has_its_bound_and_closes_its_own_idle_connection_for_a_new_one() {
        let connections = connections(2);
        let admit = |text: &str| connections.admit(address(text));
        let first = connections.open(admit("2001:db8::1").expect("a first"));
        let second = connections.open(admit("2001:db8::2").expect("a second"));
        assert!(admit("2001:db8::3").is_none(), "both have just come");
        assert!(admit("2001:db8:0:1::3").is_some(), "another network");
        let busy = first.begin_request();
        age(&connections);
        assert!(admit("2001:db8::3").is_some(), "for the idle one");
        assert!(second.eviction.is_cancelled() && !first.eviction.is_cancelled());
        drop((busy, first, second));
        assert!(connections.peers.lock().expect("not poisoned").counts.is_empty(), "nothing is kept");
    }

    /// Security case M2.
    #[tokio::test]
    async fn peers_that_carry_many_clients_have_no_bound_of_their_own() {
        let bounded = connections(1);
        for carrier in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.7"] {
            let kept: Vec<_> = (0..5).map(|_| bounded.admit(address(carrier))).collect();
            assert!(kept.iter().all(Option::is_some), "{carrier}");
        }
        let unbounded = connections(0);
        let kept: Vec<_> = (0..5).map(|_| unbounded.admit(address("198.51.100.1"))).collect();
        assert!(kept.iter().all(Option::is_some), "switched off");
    }

    /// Security case M2.
    #[tokio::test]
    async fn a_connection_whose_client_takes_nothing_is_closed_for_a_new_one() {
        let connections = connections(0);
        let permit = connections.admit(address("198.51.100.1")).expect("no bound");
        let connection = connections.open(permit);
        let in_flight = connection.begin_request();
        assert!(connections.evict_idle().is_none() && !connection.eviction.is_cancelled(), "it is at work");
        connection.write_blocked();
        age(&connections);
        connections.evict_idle();
        assert!(connection.eviction.is_cancelled() && connection.may_close());
        connection.write_unblocked();
        assert!(!connection.may_close(), "its client takes the answer after all");
        drop(in_flight);
        connection.flushed();
        assert!(connection.may_close(), "and then it waits");
    }
}
