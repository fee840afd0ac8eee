//! SQL statements with their bound values, and writes that consist of them.

use super::Row;

/// A value to bind, or one that was read. Portable types only.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Text(String),
    Integer(i64),
    /// SQLite has none: there it is written, and read again, as 0 or 1.
    Boolean(bool),
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One SQL text with its values, for both engines: `$1` is the first value that is bound.
#[must_use]
#[derive(Clone, Debug)]
pub struct Statement {
    pub text: &'static str,
    pub values: Vec<Value>,
    /// Where this statement affects no row, the whole write is rolled back.
    pub requires_affected: bool,
    /// In a [`Write`]: the rows of its `returning` clause are part of the outcome.
    pub returns_rows: bool,
}

/// Starts a statement.
pub fn sql(text: &'static str) -> Statement {
    Statement { text, values: Vec::new(), requires_affected: false, returns_rows: false }
}

impl Statement {
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// In a [`Write`]: where this statement affects no row, the whole write is rolled back.
    pub fn require_affected(mut self) -> Self {
        self.requires_affected = true;
        self
    }

    /// In a [`Write`]: the rows of its `returning` clause are part of the outcome. See [`super::Db::write_returning`].
    pub fn returning_rows(mut self) -> Self {
        self.returns_rows = true;
        self
    }

    /// Whether the statement had to affect a row and affected none.
    pub(super) fn is_unmet(&self, affected: u64) -> bool {
        self.requires_affected && affected == 0
    }
}

/// Statements that are executed in one transaction.
#[must_use]
#[derive(Clone, Default, Debug)]
pub struct Write {
    pub statements: Vec<Statement>,
}

impl Write {
    pub fn then(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    pub fn then_all(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }
}

/// The rows that a committed [`Write`] returned, of all its statements in their order; none where it was rolled back
/// because a statement that has to affect a row affected none.
pub(super) type WrittenRows = Option<Vec<Row>>;

/// How a [`Write`] ended; either way the database has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum WriteOutcome {
    /// On disk: the commit has returned.
    Committed,
    /// Rolled back: a statement that has to affect a row affected none, or a row that it refers to (a foreign key) does
    /// not exist.
    NoRowsAffected,
}
