//! The addresses of a request: a string, or an array of strings.

use serde_json::Value;

use super::MAX_RECIPIENTS;
use super::fault::{ErrorName, Faults};
use super::members::Place;
use crate::error::InputFault;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;

pub(super) fn mailbox(place: &Place, value: Value) -> Result<Mailbox, InputFault> {
    Mailbox::parse(&place.string(value)?).map_err(|error| place.value_fault(&error))
}

pub(super) fn address(place: &Place, value: Value) -> Result<EmailAddress, InputFault> {
    EmailAddress::parse(&place.string(value)?).map_err(|error| place.value_fault(&error))
}

/// One or many.
pub(super) fn list<T>(
    place: &Place,
    value: Value,
    faults: &mut Faults,
    read: impl Fn(&Place, Value) -> Result<T, InputFault>,
) -> Vec<T> {
    let items = match value {
        Value::Array(items) => items,
        value => return faults.keep(ErrorName::ValidationError, read(place, value)).into_iter().collect(),
    };
    if items.len() > MAX_RECIPIENTS {
        faults.invalid(place.too_many(MAX_RECIPIENTS, "addresses"));
        return Vec::new();
    }
    items
        .into_iter()
        .enumerate()
        .filter_map(|(index, value)| {
            faults.keep(ErrorName::ValidationError, read(&place.index(index), value))
        })
        .collect()
}
