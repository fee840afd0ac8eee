//! The open database of either engine: reads, and atomic writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Instrument as _;

use super::postgres::{Empty, Postgres};
use super::sqlite::{SenderLock, Sqlite};
use super::{Row, Statement, Write, WriteOutcome, sql};
use crate::config::Database;
use crate::telemetry::spans;

statements! {
    /// Reaches the file or the server, and reads next to nothing.
    PING = "select count(*) from schema_migrations";
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached, is full, read-only or busy for too long: the caller answers 503.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A fault of ours: a wrong statement or an unexpected type.
    #[error("the database refused a statement: {0}")]
    Statement(String),
}

/// The open database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    /// Whether the last write failed since the database was in trouble.
    fails_to_write: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Db {
    /// Opens the database and brings its schema up to date. `tls` is for PostgreSQL over TCP.
    ///
    /// # Errors
    /// A text for the operator: the URL (without its password) and what is wrong with it.
    pub async fn open(settings: &Database, tls: &Arc<rustls::ClientConfig>) -> anyhow::Result<Self> {
        Self::open_where(settings, tls, Empty::IsFilled).await
    }

    /// The same for commands on a database that is served: tables that no service has made are not made in one of PostgreSQL.
    ///
    /// # Errors
    /// As [`Self::open`]; also where the database has no tables of the service.
    pub async fn open_served(settings: &Database, tls: &Arc<rustls::ClientConfig>) -> anyhow::Result<Self> {
        Self::open_where(settings, tls, Empty::IsRefused).await
    }

    async fn open_where(
        settings: &Database,
        tls: &Arc<rustls::ClientConfig>,
        empty: Empty,
    ) -> anyhow::Result<Self> {
        let connections = settings.connections;
        let engine = match settings.sqlite_path() {
            Some(path) => Engine::Sqlite(Arc::new(Sqlite::open(path, connections).await?)),
            None => Engine::Postgres(Arc::new(
                Postgres::open(settings.url.expose(), connections, tls, empty).await?,
            )),
        };
        Ok(Self { engine, fails_to_write: Arc::default() })
    }

    /// Opens a file of SQLite that is there for a look, and leaves its schema as it is. None where there is no such file.
    ///
    /// # Errors
    /// A text for the operator that names the file.
    pub async fn open_as_it_is(settings: &Database) -> anyhow::Result<Option<Self>> {
        let Some(path) = settings.sqlite_path().filter(|path| path.is_file()) else { return Ok(None) };
        let engine = Engine::Sqlite(Arc::new(Sqlite::open_as_it_is(path).await?));
        Ok(Some(Self { engine, fails_to_write: Arc::default() }))
    }

    /// Reads at most one row.
    pub async fn optional(&self, statement: Statement) -> Result<Option<Row>, DbError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// Reads all rows. SQLite is read here and now: that takes some microseconds.
    pub async fn all(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        tracing::trace!(statement = statement.text, "reading");
        let span = spans::database(self.system(), statement.text, 1);
        let rows = match &self.engine {
            Engine::Sqlite(sqlite) => span.in_scope(|| sqlite.read(&statement)),
            // On the heap: inside, it would make each future that reads four kilobytes larger on SQLite too.
            Engine::Postgres(postgres) => Box::pin(postgres.read(&statement)).instrument(span.clone()).await,
        };
        spans::end_database(&span, rows.is_ok());
        rows
    }

    /// Does one statement that counts, and gives the row that it returns. PostgreSQL alone: there it travels among the
    /// reads, in a transaction of its own. Where its connection breaks it may be done twice, so that a count may be
    /// too high, and is never too low.
    pub async fn count(&self, statement: Statement) -> Result<Row, DbError> {
        tracing::trace!(statement = statement.text, "counting");
        let rows = match &self.engine {
            Engine::Sqlite(_) => {
                return Err(DbError::Statement("counts are shared by way of PostgreSQL".to_owned()));
            }
            Engine::Postgres(postgres) => Box::pin(postgres.read(&statement)).await?,
        };
        let none = || DbError::Statement("a count returned no row".to_owned());
        rows.into_iter().next().ok_or_else(none)
    }

    /// Executes all statements in one transaction. It runs to completion even if the caller's future is dropped.
    ///
    /// # Errors
    /// See [`DbError`]; after an error the write may or may not have happened only where the
    /// connection broke during the commit.
    pub async fn write(&self, write: Write) -> Result<WriteOutcome, DbError> {
        let rows = self.write_returning(write).await?;
        Ok(if rows.is_some() { WriteOutcome::Committed } else { WriteOutcome::NoRowsAffected })
    }

    /// As [`Self::write`], with the rows of the statements that return rows, in their order; `None` where nothing was
    /// written because a statement that has to affect a row affected none.
    pub async fn write_returning(&self, write: Write) -> Result<Option<Vec<Row>>, DbError> {
        for statement in &write.statements {
            tracing::trace!(statement = statement.text, "writing");
        }
        let first = write.statements.first().map_or("", |statement| statement.text);
        let span = spans::database(self.system(), first, write.statements.len());
        let writing = async {
            match &self.engine {
                Engine::Sqlite(sqlite) => sqlite.write(write).await,
                Engine::Postgres(postgres) => Box::pin(postgres.write(write)).await,
            }
        };
        let outcome = writing.instrument(span.clone()).await;
        self.fails_to_write.store(matches!(outcome, Err(DbError::Unavailable(_))), Ordering::Relaxed);
        spans::end_database(&span, outcome.is_ok());
        outcome
    }

    /// The lock of a process that sends mail from this database; none on PostgreSQL, where leases alone decide.
    pub async fn lock_as_sender(&self) -> Result<Option<SenderLock>, DbError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.lock_as_sender().await.map(Some),
            Engine::Postgres(_) => Ok(None),
        }
    }

    /// Whether texts that only PostgreSQL understands may be asked.
    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Its name in a trace.
    fn system(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgresql",
        }
    }

    /// Connections by their state (`idle`, `in_use`), for the metrics: those that read on SQLite, those of the
    /// pool for writes on PostgreSQL.
    pub fn connections(&self) -> Vec<(&'static str, usize)> {
        let (all, in_use) = match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.connections(),
            Engine::Postgres(postgres) => postgres.connections(),
        };
        vec![("idle", all.saturating_sub(in_use)), ("in_use", in_use)]
    }

    /// Whether the last write failed since the database was in trouble, for the metrics: reads may go on meanwhile.
    pub fn fails_to_write(&self) -> bool {
        self.fails_to_write.load(Ordering::Relaxed)
    }

    /// Ends all connections; on SQLite after a checkpoint.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close(),
        }
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.optional(sql(PING)).await.map(|_| ())
    }
}

/// An error with everything that it says about its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}
