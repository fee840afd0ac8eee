//! The thread that writes: it executes writes in order, and commits those that are queued together with one sync.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connection::{checkpoint, execute, open_writing, query};
use super::error::{classify, is_foreign_key};
use crate::store::statement::WrittenRows;
use crate::store::{DbError, Write};

/// Writes committed with one sync, at most: beyond this the sync is no longer what costs.
const MAX_BATCH: usize = 64;

/// After so long without a write the write-ahead log is emptied, so that it stays short, and holds no old
/// secret for long.
const IDLE: Duration = Duration::from_secs(1);

type Answer = oneshot::Sender<Result<WrittenRows, DbError>>;

enum Job {
    Write(Write, Answer),
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    path: PathBuf,
    jobs: Sender<Job>,
}

impl Writer {
    pub fn start(path: PathBuf, connection: Connection) -> anyhow::Result<Self> {
        keep_savepoints_in_memory(&connection)?;
        let (jobs, received) = mpsc::channel();
        let mut thread =
            Thread { path: path.clone(), jobs: received, connection: Some(connection), log_is_empty: false };
        thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || thread.run())?;
        Ok(Self { path, jobs })
    }

    /// The write is in the thread's queue before the first await, so it runs even if the caller's future is dropped.
    pub async fn write(&self, write: Write) -> Result<WrittenRows, DbError> {
        let closed = || DbError::Unavailable(format!("{}: is closed", self.path.display()));
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Write(write, answer)).map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Ends when everything queued before is done.
    pub async fn close(&self) {
        let (done, is_done) = oneshot::channel();
        if self.jobs.send(Job::Close(done)).is_ok() {
            let _ = is_done.await;
        }
    }
}

struct Thread {
    path: PathBuf,
    jobs: Receiver<Job>,
    /// None after an error that leaves it open what the connection still knows: then a new one is opened.
    connection: Option<Connection>,
    log_is_empty: bool,
}

impl Thread {
    fn run(&mut self) {
        let mut closing = None;
        while closing.is_none() {
            let Some(job) = self.next() else { break };
            let mut batch = Vec::new();
            let mut waiting = Some(job);
            while let Some(job) = waiting.take() {
                match job {
                    Job::Write(write, answer) => batch.push((write, answer)),
                    Job::Close(done) => closing = Some(done),
                }
                if batch.len() < MAX_BATCH && closing.is_none() {
                    waiting = self.jobs.try_recv().ok();
                }
            }
            self.write(batch);
        }
        self.empty_log();
        self.connection = None;
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    /// The next job; none when all senders are gone.
    fn next(&mut self) -> Option<Job> {
        while !self.log_is_empty {
            match self.jobs.recv_timeout(IDLE) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => self.empty_log(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        self.jobs.recv().ok()
    }

    fn empty_log(&mut self) {
        match self.connected().and_then(|connection| checkpoint(connection)) {
            Ok(is_empty) => self.log_is_empty = is_empty,
            Err(error) => {
                let error = classify(&self.path, &error);
                tracing::warn!(%error, "the write-ahead log could not be emptied");
                self.connection = None;
            }
        }
    }

    fn connected(&mut self) -> rusqlite::Result<&mut Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            closed @ None => {
                let connection = open_writing(&self.path)?;
                keep_savepoints_in_memory(&connection)?;
                Ok(closed.insert(connection))
            }
        }
    }

    /// Answers every write, after the commit.
    fn write(&mut self, batch: Vec<(Write, Answer)>) {
        if batch.is_empty() {
            return;
        }
        self.log_is_empty = false;
        let (writes, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let outcomes = self.commit(&writes).map_err(|error| {
            self.connection = None;
            classify(&self.path, &error)
        });
        match outcomes {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // The caller may have gone.
                    let _ = answer.send(outcome.map_err(|error| classify(&self.path, &error)));
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction with all writes, each of which may fail alone.
    ///
    /// An error is of the transaction as a whole: nothing of it is to be relied on, nor the connection. After a sync
    /// that failed, SQLite has left the commit out of the log's index, and writes the next one over its pages: so
    /// nothing rests on what the disk may not have taken.
    fn commit(&mut self, writes: &[Write]) -> rusqlite::Result<Vec<rusqlite::Result<WrittenRows>>> {
        let connection = self.connected()?;
        run(connection, "begin immediate")?;
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            outcomes.push(execute_in_savepoint(connection, write)?);
        }
        run(connection, "commit")?;
        Ok(outcomes)
    }
}

/// Has what a savepoint can undo kept in memory: of the pages that the writes of one batch change. SQLite would write each of
/// them to a file in `/var/tmp`, twice as many octets as the commits themselves.
fn keep_savepoints_in_memory(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "memory")
}

/// Runs one write of a transaction, and undoes it alone where it touched nothing or failed.
///
/// The outer error is of the transaction: the file is in trouble, or SQLite has rolled all of it back.
fn execute_in_savepoint(
    connection: &Connection,
    write: &Write,
) -> rusqlite::Result<rusqlite::Result<WrittenRows>> {
    run(connection, "savepoint one_write")?;
    let outcome = statements(connection, write);
    if let Err(error) = &outcome
        && (connection.is_autocommit() || is_trouble(error))
    {
        return outcome.map(Ok);
    }
    if !matches!(outcome, Ok(Some(_))) {
        run(connection, "rollback to one_write")?;
    }
    run(connection, "release one_write")?;
    Ok(outcome)
}

fn statements(connection: &Connection, write: &Write) -> rusqlite::Result<WrittenRows> {
    let mut returned = Vec::new();
    for statement in &write.statements {
        let executed = if statement.returns_rows {
            query(connection, statement).map(|rows| {
                let count = rows.len() as u64;
                returned.extend(rows);
                count
            })
        } else {
            execute(connection, statement)
        };
        match executed {
            Ok(affected) if statement.is_unmet(affected) => return Ok(None),
            Err(error) if is_foreign_key(&error) => return Ok(None),
            executed => executed?,
        };
    }
    Ok(Some(returned))
}

/// Whether an error is more than a refused statement.
fn is_trouble(error: &rusqlite::Error) -> bool {
    matches!(classify(std::path::Path::new(""), error), DbError::Unavailable(_))
}

fn run(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::connection::{create_file, open_first};
    use crate::store::{Row, Value, sql};

    #[tokio::test]
    async fn savepoints_are_kept_in_memory() {
        const ASK: &str = "pragma temp_store";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("transports.db");
        create_file(&path).expect("a file");
        let connection = open_first(&path).expect("a database");
        let writer = Writer::start(path, connection).expect("a thread");
        let answer = writer.write(Write::default().then(sql(ASK).returning_rows())).await;
        let in_memory = Ok(Some(vec![Row(vec![Value::Integer(2)])]));
        assert_eq!(answer.map_err(|error| error.to_string()), in_memory);
        writer.close().await;
    }
}
