//! The clients' connections: so many at a time, and who gives way where more want in.
//!
//! A connection that waits for a request, or for the rest of a request's head, has cost its client nothing. Where
//! all places are taken, the one that has waited longest gives way to a new one; otherwise whoever opens enough
//! connections and says nothing would keep everybody out. A request that is under way is never given up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection is not told to give way before it has waited for so long: whoever has just come is about to ask.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often it is logged that connections are closed to make room.
const BETWEEN_WARNINGS: Duration = Duration::from_mins(1);

pub struct Connections {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    /// A connection has begun to wait, or one that was told to give way could not at once.
    changed: Notify,
    /// Ends every connection.
    pub end: CancellationToken,
}

#[derive(Default)]
struct Waiting {
    next_turn: u64,
    /// By the turn in which they began to wait.
    connections: BTreeMap<u64, (Instant, CancellationToken)>,
    warned: Option<Instant>,
}

impl Connections {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(most)),
            waiting: Mutex::default(),
            changed: Notify::new(),
            end: CancellationToken::new(),
        })
    }

    /// A place for one connection. Where none is free, the connection that has waited longest gives way; where none
    /// waits, this one waits for the first that does.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Some(place);
            }
            let next = self.make_room();
            tokio::select! {
                place = Arc::clone(&self.places).acquire_owned() => return place.ok(),
                () = self.changed.notified() => {}
                () = until(next) => {}
            }
        }
    }

    /// Tells the connection that has waited longest to give way. Where it has not waited for long, gives the time
    /// from which it may be told to.
    pub fn make_room(&self) -> Option<Instant> {
        let mut waiting = self.lock();
        let longest = waiting.connections.first_entry()?;
        let end_of_patience = longest.get().0 + PATIENCE;
        if end_of_patience > Instant::now() {
            return Some(end_of_patience);
        }
        longest.remove().1.cancel();
        if waiting.warned.is_none_or(|warned| warned.elapsed() >= BETWEEN_WARNINGS) {
            waiting.warned = Some(Instant::now());
            tracing::warn!(
                "server.max_connections is reached: connections that wait for a request are closed to make room"
            );
        }
        None
    }

    /// A new connection, which waits for its first request.
    pub fn open(self: &Arc<Self>) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            connections: Arc::clone(self),
            state: AtomicU8::new(WAITING),
            turn: AtomicU64::new(0),
            gives_way: self.end.child_token(),
        });
        connection.wait();
        connection
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends at this time, or never.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Nothing of a request has been seen, or a part of its head.
const WAITING: u8 = 0;
/// A request is under way.
const UNDER_WAY: u8 = 1;
/// The answer is whole, and may not have gone out to its end.
const ANSWERED: u8 = 2;

/// Where one connection stands. All of it happens on the connection's own task.
pub struct Connection {
    connections: Arc<Connections>,
    state: AtomicU8,
    turn: AtomicU64,
    /// Cancelled where this connection is to end.
    pub gives_way: CancellationToken,
}

impl Connection {
    /// The head of a request has been read.
    pub fn request_begins(self: &Arc<Self>) -> Answering {
        if self.state.swap(UNDER_WAY, Ordering::Relaxed) == WAITING {
            self.stop_waiting();
        }
        Answering(Arc::clone(self))
    }

    /// Everything that was written has gone out.
    pub fn flushed(&self) {
        if self.state.compare_exchange(ANSWERED, WAITING, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.wait();
        }
    }

    pub fn is_waiting(&self) -> bool {
        self.state.load(Ordering::Relaxed) == WAITING
    }

    /// It was told to give way while a request is under way, so another one may.
    pub fn gives_way_later(&self) {
        self.connections.changed.notify_one();
    }

    fn wait(&self) {
        let mut waiting = self.connections.lock();
        let turn = waiting.next_turn;
        waiting.next_turn += 1;
        waiting.connections.insert(turn, (Instant::now(), self.gives_way.clone()));
        self.turn.store(turn, Ordering::Relaxed);
        drop(waiting);
        self.connections.changed.notify_one();
    }

    fn stop_waiting(&self) {
        self.connections.lock().connections.remove(&self.turn.load(Ordering::Relaxed));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}

/// Stands in the body of the answer, which is dropped when the last of it was taken.
pub struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.state.store(ANSWERED, Ordering::Relaxed);
    }
}
