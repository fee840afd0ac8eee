//! The headers of a request that the caller sets by themselves.

use std::collections::HashSet;

use serde_json::Value;

use super::fault::{ErrorName, Faults};
use super::members::{Place, not_a};
use crate::error::{InputFault, Reason, ValueError as _};
use crate::mail::message::{ALLOWED_NAMES, CustomHeader, HeaderError};

const HEADERS: &str = "headers";
const MAX_HEADERS: usize = 100;

const LIST_UNSUBSCRIBE: &str = "List-Unsubscribe";
const LIST_UNSUBSCRIBE_POST: &str = "List-Unsubscribe-Post";
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

pub(super) fn headers(value: Value, faults: &mut Faults) -> Vec<CustomHeader> {
    let place = Place::new(HEADERS);
    let Some(members) = faults.keep(ErrorName::ValidationError, place.object(value)) else {
        return Vec::new();
    };
    if members.len() > MAX_HEADERS {
        faults.invalid(place.too_many(MAX_HEADERS, HEADERS));
        return Vec::new();
    }
    let mut names = HashSet::new();
    let mut headers = Vec::new();
    for (name, value) in members {
        match header(&name, value) {
            Ok(_) if !names.insert(name.to_ascii_lowercase()) => {
                let statement = "stands twice: the case of its letters makes no difference";
                faults.invalid(InputFault::member(HEADERS, &name, Reason::Duplicate, statement));
            }
            Ok(header) => headers.push(header),
            Err(fault) => faults.invalid(fault),
        }
    }
    check_one_click(&headers, faults);
    headers
}

fn header(name: &str, value: Value) -> Result<CustomHeader, InputFault> {
    let Value::String(text) = value else {
        return Err(InputFault::member(HEADERS, name, Reason::NotAString, not_a("a string", &value)));
    };
    CustomHeader::parse(name, &text).map_err(|error| {
        let fault = InputFault::member(HEADERS, name, error.reason(), &error);
        if error == HeaderError::NameNotAllowed { fault.with_allowed(ALLOWED_NAMES) } else { fault }
    })
}

/// RFC 8058: mail services post to the address, so it has to be one of https, and the value is fixed.
fn check_one_click(headers: &[CustomHeader], faults: &mut Faults) {
    let find = |name: &str| headers.iter().find(|header| header.is(name));
    let Some(post) = find(LIST_UNSUBSCRIBE_POST) else { return };
    let fault = |reason, statement: &str| InputFault::member(HEADERS, post.name(), reason, statement);
    if post.value() != ONE_CLICK {
        let statement = format!("is not {ONE_CLICK}");
        faults.invalid(fault(Reason::NotOneOf, &statement).with_allowed([ONE_CLICK]));
    }
    let is_https = |header: &CustomHeader| header.value().to_ascii_lowercase().contains("<https://");
    if !find(LIST_UNSUBSCRIBE).is_some_and(is_https) {
        let statement =
            format!("needs a {LIST_UNSUBSCRIBE} with an address such as <https://example.com/unsubscribe>");
        faults.invalid(fault(Reason::Conflict, &statement));
    }
}

/// A program made the mail, and no other program is to answer it (RFC 3834), unless the caller says otherwise.
pub(super) fn with_auto_submitted(headers: &[CustomHeader]) -> Vec<CustomHeader> {
    const NAME: &str = "Auto-Submitted";
    let mut headers = headers.to_vec();
    if !headers.iter().any(|header| header.is(NAME)) {
        headers.extend(CustomHeader::parse(NAME, "auto-generated"));
    }
    headers
}
