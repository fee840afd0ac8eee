//! What a caller attaches to an email for themselves: tags and metadata.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fault::{ErrorName, Faults};
use super::members::{Place, not_a};
use crate::error::{InputFault, Reason};

const MAX_TAGS: usize = 10;
const MAX_TAG_CHARACTERS: usize = 256;
/// Of names and values together.
const MAX_METADATA_BYTES: usize = 2048;

/// A name and a value of ASCII letters, digits, underscores and hyphens. The value may be empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    pub name: String,
    pub value: String,
}

pub(super) fn tags(value: Value, faults: &mut Faults) -> Vec<Tag> {
    let place = Place::new("tags");
    let Some(items) = faults.keep(ErrorName::ValidationError, place.array(value)) else { return Vec::new() };
    if items.len() > MAX_TAGS {
        faults.invalid(place.too_many(MAX_TAGS, "tags"));
        return Vec::new();
    }
    let mut tags: Vec<Tag> = Vec::new();
    for (index, value) in items.into_iter().enumerate() {
        let place = place.index(index);
        let Some(tag) = tag(&place, value, faults) else { continue };
        if tags.iter().any(|other| other.name == tag.name) {
            faults.invalid(place.member("name").fault(Reason::Duplicate, "is the name of another tag, too"));
        } else {
            tags.push(tag);
        }
    }
    tags
}

fn tag(place: &Place, value: Value, faults: &mut Faults) -> Option<Tag> {
    let mut members = faults.keep(ErrorName::ValidationError, place.object(value))?;
    let name_place = place.member("name");
    let name = members.remove("name");
    if name.is_none() {
        faults.add(ErrorName::MissingRequiredField, name_place.fault(Reason::Required, "is required"));
    }
    let name = name.and_then(|value| faults.keep(ErrorName::ValidationError, word(&name_place, value)));
    // Resend's clients may leave out the value.
    let value = members.remove("value").map_or(Some(String::new()), |value| {
        faults.keep(ErrorName::ValidationError, word(&place.member("value"), value))
    });
    for name in members.keys() {
        faults.invalid(place.unknown_field(name, &["name", "value"]));
    }
    Some(Tag { name: name?, value: value? })
}

fn word(place: &Place, value: Value) -> Result<String, InputFault> {
    let text = place.string(value)?;
    if text.is_empty() {
        return Err(place.fault(Reason::Empty, "is empty"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        let statement = "contains a character other than ASCII letters, digits, underscores and hyphens";
        return Err(place.fault(Reason::InvalidCharacter, statement));
    }
    if text.len() > MAX_TAG_CHARACTERS {
        return Err(place.fault(Reason::TooLong, format!("is longer than {MAX_TAG_CHARACTERS} characters")));
    }
    Ok(text)
}

pub(super) fn metadata(value: Value, faults: &mut Faults) -> BTreeMap<String, String> {
    const METADATA: &str = "metadata";
    let place = Place::new(METADATA);
    let Some(members) = faults.keep(ErrorName::ValidationError, place.object(value)) else {
        return BTreeMap::new();
    };
    let mut metadata = BTreeMap::new();
    for (name, value) in members {
        let fault = |reason, statement: &str| InputFault::member(METADATA, &name, reason, statement);
        match value {
            Value::String(text) if !text.contains('\0') && !name.contains('\0') => {
                metadata.insert(name, text);
            }
            Value::String(_) => faults.invalid(fault(Reason::ControlCharacter, "contains a NUL")),
            other => faults.invalid(fault(Reason::NotAString, &not_a("a string", &other))),
        }
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MAX_METADATA_BYTES {
        let statement = format!("has names and values of more than {MAX_METADATA_BYTES} bytes together");
        faults.invalid(place.fault(Reason::TooLong, statement));
    }
    metadata
}
