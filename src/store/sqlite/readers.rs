//! Connections for reading. A read takes microseconds, so it runs on the caller's thread.

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
}

/// Pages that all connections together keep in memory.
const CACHE_KIB: usize = 32 * 1024;

/// SQLite's default cache of a connection.
const MIN_CACHE_KIB: usize = 2 * 1024;

thread_local! {
    /// Where this thread's search for a free connection begins. Each begins at another one, and always at the same:
    /// it finds in its connection's cache what it has read before, and meets no other thread.
    static FIRST: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed)
    };
}

impl Readers {
    pub fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        let count = count.max(1);
        let cache_kib = (CACHE_KIB / count).max(MIN_CACHE_KIB);
        let open = |_| {
            let connection = open_reading(path)?;
            // A negative number is one of KiB.
            connection.pragma_update(None, "cache_size", format!("-{cache_kib}"))?;
            Ok::<_, rusqlite::Error>(Mutex::new(Some(connection)))
        };
        let connections = (0..count).map(open).collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), connections })
    }

    pub fn read(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        let connection = self.free();
        let Some(connection) = &*connection else {
            return Err(DbError::Unavailable(format!("{}: is closed", self.path.display())));
        };
        query(connection, statement).map_err(|error| classify(&self.path, &error))
    }

    /// This thread's connection; if that is in use, another one; if all are, waits for this thread's.
    fn free(&self) -> MutexGuard<'_, Option<Connection>> {
        let first = FIRST.with(|first| first % self.connections.len());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::connection::{create_file, open_first};

    #[test]
    fn all_connections_together_keep_so_much_in_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("transports.db");
        create_file(&path).expect("a file");
        open_first(&path).expect("a database");
        for (count, kib) in [(1, 32 * 1024), (4, 8 * 1024), (64, 2 * 1024)] {
            let readers = Readers::open(&path, count).expect("connections");
            for connection in &readers.connections {
                let connection = connection.lock().expect("nobody panicked");
                let connection = connection.as_ref().expect("it is open");
                let size = connection.pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0));
                assert_eq!(size, Ok(-kib), "{count} connections");
            }
        }
    }
}
