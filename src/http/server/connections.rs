//! Limits the clients' connections, and evicts an idle one where a new client wants in.
//!
//! A connection that waits for a request, or for the rest of a request's head, costs its client nothing: whoever opened
//! enough of them would keep everybody out. So the connection that has been idle for longest is closed where the limit
//! is reached. A request that is in flight is always answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection is not evicted before it has been idle for so long: a client that has just connected is about to ask.
const MIN_IDLE: Duration = Duration::from_millis(500);

/// How often it is logged at most that connections are evicted.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

pub struct Connections {
    permits: Arc<Semaphore>,
    idle: Mutex<IdleConnections>,
    /// A connection has become idle, or one that was evicted has to answer a request first.
    changed: Notify,
    /// Ends every connection.
    pub end: CancellationToken,
}

#[derive(Default)]
struct IdleConnections {
    next_sequence: u64,
    /// By the order in which they became idle.
    connections: BTreeMap<u64, (Instant, CancellationToken)>,
    last_warning: Option<Instant>,
}

impl Connections {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(max)),
            idle: Mutex::default(),
            changed: Notify::new(),
            end: CancellationToken::new(),
        })
    }

    /// Waits for a permit for one connection. Where none is free, evicts the connection that has been idle for longest,
    /// or the first that becomes idle.
    pub async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return Some(permit);
            }
            let next_eviction = self.evict_idle();
            tokio::select! {
                permit = Arc::clone(&self.permits).acquire_owned() => return permit.ok(),
                () = self.changed.notified() => {}
                () = sleep_until(next_eviction) => {}
            }
        }
    }

    /// Evicts the connection that has been idle for longest. Where it has not been idle for long enough, returns the
    /// time from which it may be evicted.
    pub fn evict_idle(&self) -> Option<Instant> {
        let mut idle = self.lock();
        let longest = idle.connections.first_entry()?;
        let evictable_at = longest.get().0 + MIN_IDLE;
        if evictable_at > Instant::now() {
            return Some(evictable_at);
        }
        longest.remove().1.cancel();
        if idle.last_warning.is_none_or(|warning| warning.elapsed() >= WARNING_INTERVAL) {
            idle.last_warning = Some(Instant::now());
            tracing::warn!(
                "server.max_connections is reached: connections that wait for a request are closed to make room"
            );
        }
        None
    }

    /// Registers a new connection, which is idle until its first request.
    pub fn open(self: &Arc<Self>) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            connections: Arc::clone(self),
            state: AtomicU8::new(IDLE),
            sequence: AtomicU64::new(0),
            eviction: self.end.child_token(),
        });
        connection.mark_idle();
        connection
    }

    fn lock(&self) -> MutexGuard<'_, IdleConnections> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleeps for ever where there is no time.
async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Nothing of a request has been seen, or a part of its head.
const IDLE: u8 = 0;
/// A request is in flight.
const IN_FLIGHT: u8 = 1;
/// The answer is complete, and may not have been sent completely.
const ANSWERED: u8 = 2;

/// The state of one connection. All of it changes on the connection's own task.
pub struct Connection {
    connections: Arc<Connections>,
    state: AtomicU8,
    sequence: AtomicU64,
    /// Cancelled where this connection is to end.
    pub eviction: CancellationToken,
}

impl Connection {
    /// The head of a request has been read.
    pub fn begin_request(self: &Arc<Self>) -> InFlight {
        if self.state.swap(IN_FLIGHT, Ordering::Relaxed) == IDLE {
            self.remove_from_idle();
        }
        InFlight(Arc::clone(self))
    }

    /// Everything that was written has been sent.
    pub fn flushed(&self) {
        if self.state.compare_exchange(ANSWERED, IDLE, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.mark_idle();
        }
    }

    pub fn is_idle(&self) -> bool {
        self.state.load(Ordering::Relaxed) == IDLE
    }

    /// This connection was evicted while a request is in flight, so another one may be evicted in its place.
    pub fn defer_eviction(&self) {
        self.connections.changed.notify_one();
    }

    fn mark_idle(&self) {
        let mut idle = self.connections.lock();
        let sequence = idle.next_sequence;
        idle.next_sequence += 1;
        idle.connections.insert(sequence, (Instant::now(), self.eviction.clone()));
        self.sequence.store(sequence, Ordering::Relaxed);
        drop(idle);
        self.connections.changed.notify_one();
    }

    fn remove_from_idle(&self) {
        self.connections.lock().connections.remove(&self.sequence.load(Ordering::Relaxed));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.remove_from_idle();
    }
}

/// A request in flight. It is part of the answer's body, which is dropped once the last of it was taken.
pub struct InFlight(Arc<Connection>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state.store(ANSWERED, Ordering::Relaxed);
    }
}
