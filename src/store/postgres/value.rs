//! Values to and from PostgreSQL's types, in its binary form.

use std::error::Error;

use tokio_postgres::Statement;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::store::{DbError, Row, Value};

type Parameter<'a> = &'a (dyn ToSql + Sync);

/// The values as the driver takes them, after a look at what the server expects.
pub(super) fn parameters<'a>(
    prepared: &Statement,
    values: &'a [Value],
) -> Result<Vec<Parameter<'a>>, DbError> {
    let expected = prepared.params();
    if expected.len() != values.len() {
        let text = format!("{} values are bound, {} are expected", values.len(), expected.len());
        return Err(DbError::Statement(text));
    }
    let mut parameters = Vec::with_capacity(values.len());
    for (index, (value, kind)) in values.iter().zip(expected).enumerate() {
        let parameter = parameter(value, kind);
        let misfit = || DbError::Statement(format!("value {} does not fit {kind}", index + 1));
        parameters.push(parameter.ok_or_else(misfit)?);
    }
    Ok(parameters)
}

fn parameter<'a>(value: &'a Value, kind: &Type) -> Option<Parameter<'a>> {
    match value {
        Value::Text(text) if <String as ToSql>::accepts(kind) => Some(text),
        Value::Integer(number) if *kind == Type::INT8 => Some(number),
        Value::Boolean(truth) if *kind == Type::BOOL => Some(truth),
        Value::Bytes(bytes) if *kind == Type::BYTEA => Some(bytes),
        Value::Null if *kind == Type::INT8 => Some(&None::<i64>),
        Value::Null if *kind == Type::BOOL => Some(&None::<bool>),
        Value::Null if *kind == Type::BYTEA => Some(&None::<&[u8]>),
        Value::Null if <String as ToSql>::accepts(kind) => Some(&None::<&str>),
        _ => None,
    }
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        if *kind == Type::INT8 {
            i64::from_sql(kind, raw).map(Self::Integer)
        } else if *kind == Type::BOOL {
            bool::from_sql(kind, raw).map(Self::Boolean)
        } else if *kind == Type::BYTEA {
            Vec::from_sql(kind, raw).map(Self::Bytes)
        } else {
            String::from_sql(kind, raw).map(Self::Text)
        }
    }

    fn from_sql_null(_kind: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::BOOL, Type::BYTEA].contains(kind) || <String as FromSql>::accepts(kind)
    }
}

/// A row as every engine gives it.
pub(super) fn row(found: &tokio_postgres::Row) -> Result<Row, DbError> {
    let value = |column| found.try_get::<_, Value>(column);
    let values: Result<_, _> = (0..found.len()).map(value).collect();
    values.map(Row).map_err(|error| DbError::Statement(error.to_string()))
}
