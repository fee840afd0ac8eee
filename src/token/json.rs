//! A JSON object in which every name stands once.
//!
//! RFC 7519 section 4 lets a parser keep the last of two equal names. Two readers of one token that choose
//! differently see two tenants, so a repeated name is an error here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The members of an object. Objects inside it are not looked at: no claim that counts is inside one.
pub(super) struct Object(pub(super) Map<String, Value>);

impl Object {
    /// `None` for anything but one object with distinct names.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object whose names are distinct")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.insert(name, access.next_value()?).is_some() {
                return Err(A::Error::custom("a repeated name"));
            }
        }
        Ok(Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn a_repeated_name_is_refused_also_when_written_differently() {
        for (text, good) in [
            (r"{}", true),
            (r#"{"a":1,"b":{"a":1}}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"a":1}{}"#, false),
            (r#"[["a",1]]"#, false),
            (r#""a""#, false),
            ("null", false),
            ("", false),
            (r#"{"a":1,}"#, false),
        ] {
            assert_eq!(Object::parse(text.as_bytes()).is_some(), good, "{text}");
        }
    }
}
