//! The thin layer over the two native drivers: statements as values, reads, and atomic writes.

use std::sync::Arc;

use crate::config::Database;

/// A value to bind, or one that was read. Portable types only.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Text(String),
    Integer(i64),
    Boolean(bool),
    Bytes(Vec<u8>),
}

/// One SQL text with its values. `$1` everywhere; rewritten to `?1` for SQLite.
#[derive(Clone, Debug)]
pub struct Statement {
    pub text: &'static str,
    pub values: Vec<Value>,
    /// A write whose statement touches no row is rolled back as a whole.
    pub must_touch_a_row: bool,
}

/// Starts a statement.
#[must_use]
pub fn sql(text: &'static str) -> Statement {
    Statement { text, values: Vec::new(), must_touch_a_row: false }
}

impl Statement {
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// In a [`Write`]: where this statement touches no row, nothing of the write happens.
    #[must_use]
    pub fn must_touch_a_row(mut self) -> Self {
        self.must_touch_a_row = true;
        self
    }
}

/// Statements that happen together or not at all.
#[derive(Clone, Default, Debug)]
pub struct Write {
    pub statements: Vec<Statement>,
}

impl Write {
    #[must_use]
    pub fn then(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }
}

/// What became of a [`Write`]; either way the database has answered for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum WriteOutcome {
    /// On disk: the commit has returned.
    Committed,
    /// A statement that must touch a row touched none; nothing happened.
    NothingTouched,
}

/// One row that was read; columns by position.
pub struct Row(pub Vec<Value>);

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
    _engine: Arc<()>,
}

impl Db {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// A text for the operator: the URL (without its password) and what is wrong with it.
    pub async fn open(_settings: &Database) -> anyhow::Result<Self> {
        todo!()
    }

    /// Reads at most one row.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn optional(&self, _statement: Statement) -> Result<Option<Row>, DbError> {
        todo!()
    }

    /// Reads all rows.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn all(&self, _statement: Statement) -> Result<Vec<Row>, DbError> {
        todo!()
    }

    /// Does all statements in one transaction. Goes on to its end even where the caller's future is dropped.
    ///
    /// # Errors
    /// See [`DbError`]; after an error the write may or may not have happened only where the
    /// connection broke during the commit.
    pub async fn write(&self, _write: Write) -> Result<WriteOutcome, DbError> {
        todo!()
    }

    /// Connections by their state (`idle`, `in_use`), for the metrics.
    #[must_use]
    pub fn connections(&self) -> Vec<(&'static str, usize)> {
        todo!()
    }

    /// Ends all connections; on SQLite after a checkpoint.
    pub async fn close(&self) {
        todo!()
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn ping(&self) -> Result<(), DbError> {
        todo!()
    }
}
