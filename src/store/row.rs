//! Rows that were read, and their columns as types that both engines have.

use super::{DbError, Value};

/// One row that was read; columns by position.
#[derive(Clone, PartialEq, Debug)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// Reads the columns from left to right.
    pub fn columns(self) -> Columns {
        Columns { values: self.0.into_iter(), position: 0 }
    }
}

/// The columns of a row that were not taken yet. Every method takes the next one.
///
/// An unexpected type is [`DbError::Statement`], and names the column by its position, counted from 1.
pub struct Columns {
    values: std::vec::IntoIter<Value>,
    position: usize,
}

impl Columns {
    pub fn text(&mut self) -> Result<String, DbError> {
        self.optional_text()?.ok_or_else(|| self.unexpected("text", "null"))
    }

    pub fn optional_text(&mut self) -> Result<Option<String>, DbError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(self.unexpected("text", kind(&other))),
        }
    }

    pub fn integer(&mut self) -> Result<i64, DbError> {
        self.optional_integer()?.ok_or_else(|| self.unexpected("an integer", "null"))
    }

    pub fn optional_integer(&mut self) -> Result<Option<i64>, DbError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(number)),
            other => Err(self.unexpected("an integer", kind(&other))),
        }
    }

    pub fn boolean(&mut self) -> Result<bool, DbError> {
        match self.next()? {
            Value::Boolean(truth) => Ok(truth),
            Value::Integer(number @ (0 | 1)) => Ok(number == 1),
            other => Err(self.unexpected("a boolean", kind(&other))),
        }
    }

    pub fn bytes(&mut self) -> Result<Vec<u8>, DbError> {
        self.optional_bytes()?.ok_or_else(|| self.unexpected("bytes", "null"))
    }

    pub fn optional_bytes(&mut self) -> Result<Option<Vec<u8>>, DbError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            other => Err(self.unexpected("bytes", kind(&other))),
        }
    }

    fn next(&mut self) -> Result<Value, DbError> {
        self.position += 1;
        let missing = || DbError::Statement(format!("there is no column {}", self.position));
        self.values.next().ok_or_else(missing)
    }

    fn unexpected(&self, wanted: &str, found: &str) -> DbError {
        DbError::Statement(format!("column {} holds {found} instead of {wanted}", self.position))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Text(_) => "text",
        Value::Integer(_) => "an integer",
        Value::Boolean(_) => "a boolean",
        Value::Bytes(_) => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_from_left_to_right_as_what_they_are() {
        let row = Row(vec![
            Value::from("a"),
            Value::Null,
            Value::from(7),
            Value::from(1),
            Value::from(&b"\x00\xff"[..]),
        ]);
        let mut columns = row.columns();
        assert_eq!(columns.text().unwrap(), "a");
        assert_eq!(columns.optional_text().unwrap(), None);
        assert_eq!(columns.integer().unwrap(), 7);
        assert!(columns.boolean().unwrap());
        assert_eq!(columns.bytes().unwrap(), [0, 255]);
        let beyond = columns.text().unwrap_err().to_string();
        assert!(beyond.ends_with("there is no column 6"), "{beyond}");
    }

    #[test]
    fn an_unexpected_type_is_told_by_its_position() {
        let error = Row(vec![Value::Null, Value::from(2)]).columns().text().unwrap_err();
        assert!(error.to_string().ends_with("column 1 holds null instead of text"), "{error}");
        let mut columns = Row(vec![Value::Null, Value::from(2)]).columns();
        columns.optional_bytes().unwrap();
        let error = columns.boolean().unwrap_err();
        assert!(error.to_string().ends_with("column 2 holds an integer instead of a boolean"), "{error}");
    }
}
