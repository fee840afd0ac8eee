//! Statements as values: an SQL text with what is bound to it, and writes made of them.

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

    /// Whether the write has to be undone, since this statement touched so many rows.
    pub(super) fn misses(&self, touched: u64) -> bool {
        self.must_touch_a_row && touched == 0
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
    /// A statement that must touch a row touched none, or a row that it refers to (a foreign key) is not there;
    /// nothing happened.
    NothingTouched,
}
