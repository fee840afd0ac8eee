//! A request with a whole message in place of its parts.

use serde_json::{Map, Value};

use super::attachment::base64;
use super::fault::{ErrorName, Faults};
use super::members::Place;
use super::{Envelope, address};
use crate::error::Reason;
use crate::mail::message::raw::RawMessage;

/// What a whole message has in itself.
const REPLACED: [&str; 7] = ["from", "reply_to", "subject", "text", "html", "headers", "attachments"];

/// Reads `raw`, and refuses the members that exclude it.
pub(super) fn raw(value: Value, others: &mut Map<String, Value>, faults: &mut Faults) -> Option<RawMessage> {
    for name in REPLACED {
        if others.remove(name).is_some() {
            let statement = "cannot stand beside raw, which is a whole message";
            faults.invalid(Place::new(name).fault(Reason::Conflict, statement));
        }
    }
    let place = Place::new("raw");
    let read = place.string(value).and_then(|text| base64(&place, text));
    let message =
        read.and_then(|octets| RawMessage::parse(octets).map_err(|error| place.value_fault(&error)));
    faults.keep(ErrorName::ValidationError, message)
}

pub(super) fn envelope(value: Value, faults: &mut Faults) -> Envelope {
    let place = Place::new("envelope");
    let Some(mut members) = faults.keep(ErrorName::ValidationError, place.object(value)) else {
        return Envelope::default();
    };
    let from = members.remove("from").and_then(|value| {
        faults.keep(ErrorName::InvalidFromAddress, address::address(&place.member("from"), value))
    });
    let to = members.remove("to");
    let to = to.map(|value| address::list(&place.member("to"), value, faults, address::address));
    for name in members.keys() {
        faults.invalid(place.unknown_field(name, &["from", "to"]));
    }
    Envelope { from, to: to.unwrap_or_default() }
}
