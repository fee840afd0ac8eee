//! Values of JSON, read with the place at which they stand.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::error::{InputFault, Reason, ValueError};

/// Where a value stands in the request.
#[derive(Clone)]
pub(super) struct Place {
    /// A JSON Pointer.
    pointer: String,
    /// As a sentence names it: `attachments[0].content`.
    subject: String,
}

impl Place {
    pub(super) fn new(field: &str) -> Self {
        Self { pointer: format!("/{field}"), subject: field.to_owned() }
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self { pointer: format!("{}/{index}", self.pointer), subject: format!("{}[{index}]", self.subject) }
    }

    /// A member whose name is known here.
    pub(super) fn member(&self, name: &str) -> Self {
        Self { pointer: format!("{}/{name}", self.pointer), subject: format!("{}.{name}", self.subject) }
    }

    pub(super) fn fault(&self, reason: Reason, statement: impl Display) -> InputFault {
        InputFault::new(&self.subject, reason, statement).at(self.pointer.clone())
    }

    pub(super) fn value_fault(&self, error: &impl ValueError) -> InputFault {
        self.fault(error.reason(), error)
    }

    pub(super) fn unknown_field(&self, name: &str) -> InputFault {
        InputFault::unknown_field("", name).within(self.pointer.trim_start_matches('/'))
    }

    pub(super) fn string(&self, value: Value) -> Result<String, InputFault> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(self.fault(Reason::NotAString, "is not a string")),
        }
    }

    pub(super) fn array(&self, value: Value) -> Result<Vec<Value>, InputFault> {
        match value {
            Value::Array(items) => Ok(items),
            _ => Err(self.fault(Reason::NotAnArray, "is not an array")),
        }
    }

    /// Members that are null count as absent: clients write them for what is not set.
    pub(super) fn object(&self, value: Value) -> Result<Map<String, Value>, InputFault> {
        match value {
            Value::Object(members) => Ok(without_nulls(members)),
            _ => Err(self.fault(Reason::NotAnObject, "is not an object")),
        }
    }

    pub(super) fn one_of<T>(
        &self,
        value: Value,
        words: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, InputFault> {
        parse(&self.string(value)?).ok_or_else(|| {
            let statement = format!("is not one of {}", words.join(", "));
            self.fault(Reason::NotOneOf, statement).with_allowed(words)
        })
    }

    pub(super) fn too_many(&self, max: usize, what: &str) -> InputFault {
        self.fault(Reason::TooMany, format!("has more than {max} {what}"))
    }
}

pub(super) fn without_nulls(mut members: Map<String, Value>) -> Map<String, Value> {
    members.retain(|_, value| !value.is_null());
    members
}
