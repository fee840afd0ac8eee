//! Values of JSON, read with the place at which they stand.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::error::{InputFault, Reason, ValueError};

/// What to write where the type of a member is often mistaken.
const EXAMPLES: [(&str, &str); 11] = [
    ("from", r#"an address such as "Acme <billing@acme.example>""#),
    ("to", ADDRESSES),
    ("cc", ADDRESSES),
    ("bcc", ADDRESSES),
    ("reply_to", ADDRESSES),
    ("headers", r#"names with their values, such as {"X-Entity-Ref-ID": "8841"}"#),
    ("attachments", r#"a list such as [{"filename": "8841.pdf", "content": "<Base64>"}]"#),
    ("tags", r#"a list such as [{"name": "kind", "value": "invoice"}]"#),
    ("metadata", r#"names with their values, such as {"invoice": "8841"}"#),
    ("scheduled_at", TIME),
    ("expires_at", TIME),
];

const ADDRESSES: &str = r#"an address such as "ada@example.com", or a list of addresses"#;
const TIME: &str = r#"a time such as "2026-12-01T08:00:00Z""#;

/// What is said of a value of another type than `wanted`.
pub(super) fn not_a(wanted: &str, value: &Value) -> String {
    let advice = match value {
        Value::Number(_) | Value::Bool(_) if wanted == "a string" => ": write it in quotes",
        _ => "",
    };
    format!("is not {wanted} but {}{advice}", kind(value))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What is said of a member that is not known, with the known one that it means in another spelling: `replyTo`.
pub(super) fn unknown_field(name: &str, known: &[&str]) -> InputFault {
    let fold = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
    let fault = InputFault::unknown_field("", name);
    match known.iter().find(|known| fold(known) == fold(name)) {
        Some(known) => fault.with_words(format_args!(": write {known}")),
        None => fault,
    }
}

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

    pub(super) fn unknown_field(&self, name: &str, known: &[&str]) -> InputFault {
        unknown_field(name, known).within(self.pointer.trim_start_matches('/'))
    }

    /// What is said of a value of another type than `wanted`, with what to write.
    fn wrong_type(&self, wanted: &str, value: &Value) -> String {
        match EXAMPLES.iter().find(|(name, _)| *name == self.subject) {
            Some((_, example)) => format!("is not {wanted} but {}: write {example}", kind(value)),
            None => not_a(wanted, value),
        }
    }

    pub(super) fn string(&self, value: Value) -> Result<String, InputFault> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(self.fault(Reason::NotAString, self.wrong_type("a string", &other))),
        }
    }

    pub(super) fn array(&self, value: Value) -> Result<Vec<Value>, InputFault> {
        match value {
            Value::Array(items) => Ok(items),
            other => Err(self.fault(Reason::NotAnArray, self.wrong_type("an array", &other))),
        }
    }

    /// Members that are null count as absent: clients write them for what is not set.
    pub(super) fn object(&self, value: Value) -> Result<Map<String, Value>, InputFault> {
        match value {
            Value::Object(members) => Ok(without_nulls(members)),
            other => Err(self.fault(Reason::NotAnObject, self.wrong_type("an object", &other))),
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
