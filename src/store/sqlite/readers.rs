//! The connections that read. A read takes some microseconds, so it is done where it is asked for.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use super::connection::{open_reading, query};
use super::error::classify;
use crate::store::{DbError, Row, Statement};

pub(super) struct Readers {
    path: PathBuf,
    /// Empty once closed.
    connections: Vec<Mutex<Option<Connection>>>,
    /// Where the next search for a free connection begins.
    next: AtomicUsize,
}

impl Readers {
    pub fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        let open = |_| open_reading(path).map(|connection| Mutex::new(Some(connection)));
        let connections = (0..count.max(1)).map(open).collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), connections, next: AtomicUsize::new(0) })
    }

    pub fn read(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        let connection = self.free();
        let Some(connection) = &*connection else {
            return Err(DbError::Unavailable(format!("{}: is closed", self.path.display())));
        };
        query(connection, statement).map_err(|error| classify(&self.path, &error))
    }

    /// A connection that nobody reads from; where all are taken, the first to be let go of.
    fn free(&self) -> MutexGuard<'_, Option<Connection>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let (before, after) = self.connections.split_at(first);
        for connection in after.iter().chain(before) {
            match connection.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.connections[first].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All connections, and those in use.
    pub fn counts(&self) -> (usize, usize) {
        let taken = |connection: &&Mutex<_>| matches!(connection.try_lock(), Err(TryLockError::WouldBlock));
        (self.connections.len(), self.connections.iter().filter(taken).count())
    }

    pub fn close(&self) {
        for connection in &self.connections {
            drop(connection.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
