//! JSON as this service takes it, in bodies and in tokens: one document, no member twice, nothing after it.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Reason, ValueError};

/// Parses `bytes`, refusing a member that stands twice in an object (RFC 8259 leaves its meaning open, and
/// two readers that choose differently can be played against each other).
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader).map_err(|error| describe(&error))?;
    reader.end().map_err(|error| describe(&error))?;
    Ok(value)
}

/// Parses an object; `None` for anything else.
pub fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match parse(bytes) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// Whether a character is not seen as what it is: controls, separators of lines and paragraphs, and what turns the
/// direction of reading. Such text could steer a terminal, or make a line of a log look like two.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is wrong and where, without quoting the input: it may hold a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonError {
    #[error("{DUPLICATE} at line {line}, column {column}")]
    DuplicateMember { line: usize, column: usize },
    #[error("is not valid JSON at line {line}, column {column}")]
    Malformed { line: usize, column: usize },
}

impl ValueError for JsonError {
    fn reason(&self) -> Reason {
        match self {
            Self::DuplicateMember { .. } => Reason::Duplicate,
            Self::Malformed { .. } => Reason::NotJson,
        }
    }
}

fn describe(error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    if error.to_string().starts_with(DUPLICATE) {
        JsonError::DuplicateMember { line, column }
    } else {
        JsonError::Malformed { line, column }
    }
}

const DUPLICATE: &str = "contains a duplicate key";

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::{object, parse};

    /// Security case G5.
    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"op":"x","op":"y"}]"#, r#"{"a":{"b":[{"c":1,"c":2}]}}"#] {
            let error = parse(text.as_bytes()).expect_err(text).to_string();
            assert!(error.starts_with("contains a duplicate key at line 1"), "{error}");
        }
    }

    /// Security case G6.
    #[test]
    fn broken_documents_are_refused_without_quoting_them() {
        let deep = "[".repeat(100_000);
        let cases: [&[u8]; 8] = [
            b"",
            b"{\"password\":\"hunter2\"",
            b"[1e999]",
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"\"\\ud800\"",
            b"\xff\xfe{\0}\0",
            deep.as_bytes(),
        ];
        for bytes in cases {
            let error = parse(bytes).expect_err("is broken").to_string();
            assert!(error.starts_with("is not valid JSON at line"), "{error}");
            assert!(!error.contains("hunter2"));
        }
    }

    #[test]
    fn a_repeated_name_is_refused_also_when_written_differently() {
        for (text, good) in [
            (r"{}", true),
            (r#"{"a":1,"b":{"a":1}}"#, true),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"[["a",1]]"#, false),
            (r#"{"a":1,}"#, false),
            ("null", false),
        ] {
            assert_eq!(object(text.as_bytes()).is_some(), good, "{text}");
        }
    }

    #[test]
    fn a_good_document_reads_as_written() {
        let text = r#"{"a":[1,-2,2.5,true,null,"x"]}"#;
        assert_eq!(parse(text.as_bytes()).expect("is good").to_string(), text);
    }
}
