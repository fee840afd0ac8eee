//! SQLite: a few connections that read, and one thread that writes.

mod backup;
mod connection;
mod error;
mod log;
mod readers;
mod senders;
mod writer;

use std::path::{Path, PathBuf};

use tokio::task;

pub use backup::{Progress, backup};
pub use senders::SenderLock;

use super::statement::WrittenRows;
use super::{DbError, Row, Statement, Write, migrations};
use readers::Readers;
use writer::Writer;

/// Whether this process can write the file, and what SQLite keeps beside it. Creates nothing.
///
/// # Errors
/// A text for the operator that names the file.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    connection::check_writable(path)
        .map_err(|error| error.context(format!("database.url: {}", path.display())))
}

pub(super) struct Sqlite {
    path: PathBuf,
    readers: Readers,
    writer: Writer,
}

impl Sqlite {
    /// Opens the file with `connections` for reading, and brings its schema up to date.
    ///
    /// # Errors
    /// A text for the operator that names the file.
    pub async fn open(path: &Path, connections: usize) -> anyhow::Result<Self> {
        let path = path.to_owned();
        task::spawn_blocking(move || Self::open_blocking(path, connections)).await?
    }

    fn open_blocking(path: PathBuf, connections: usize) -> anyhow::Result<Self> {
        let refused = |error: anyhow::Error| error.context(format!("database.url: {}", path.display()));
        connection::create_file(&path).map_err(refused)?;
        connection::check_access(&path).map_err(refused)?;
        let mut connection = connection::open_first(&path).map_err(refused)?;
        migrations::on_sqlite(&mut connection, migrations::MIGRATIONS)
            .map_err(|error| refused(error::explain_busy(error)))?;
        let readers = Readers::open(&path, connections).map_err(|error| refused(error.into()))?;
        Ok(Self { writer: Writer::start(path.clone(), connection)?, readers, path })
    }

    /// Opens a file that is there, and leaves its schema as it is.
    ///
    /// # Errors
    /// A text for the operator that names the file.
    pub async fn open_as_it_is(path: &Path) -> anyhow::Result<Self> {
        let path = path.to_owned();
        task::spawn_blocking(move || {
            let refused = |error| error::explain(error).context(format!("database.url: {}", path.display()));
            let readers = Readers::open(&path, 1).map_err(refused)?;
            let connection = connection::open_reading(&path).map_err(refused)?;
            Ok(Self { writer: Writer::start(path.clone(), connection)?, readers, path })
        })
        .await?
    }

    pub fn read(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        self.readers.read(statement)
    }

    pub async fn write(&self, write: Write) -> Result<WrittenRows, DbError> {
        self.writer.write(write).await
    }

    /// The lock of a process that sends mail from this file. Waits for another one that is starting.
    ///
    /// # Errors
    /// The file beside the database cannot be opened or locked.
    pub async fn lock_as_sender(&self) -> Result<SenderLock, DbError> {
        let path = self.path.clone();
        let lock = task::spawn_blocking(move || SenderLock::acquire(&path)).await;
        let unavailable = |error: &dyn std::fmt::Display| {
            DbError::Unavailable(format!("{}: the lock of its senders: {error}", self.path.display()))
        };
        lock.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))
    }

    /// All reading connections, and those in use.
    pub fn connections(&self) -> (usize, usize) {
        self.readers.counts()
    }

    /// The writer goes last: closing the last connection empties the write-ahead log and removes it.
    pub async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}
