//! Reads the input of the operations on API keys.

use axum::extract::Query;
use axum::http::Uri;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::auth::api_key::Permission;
use crate::clock::Timestamp;
use crate::delivery::ALLOWED_SENDERS;
use crate::delivery::api_keys::{KeyRequest, expiry_fault, name_fault};
use crate::delivery::request::parse_timestamp;
use crate::error::{InputFault, Reason};
use crate::http::api::sending_account::senders;
use crate::http::error::Error;
use crate::store::api_keys::{KeyChange, Page};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

const NAME: &str = "name";
const PERMISSION: &str = "permission";
const EXPIRES_AT: &str = "expires_at";
const TEST: &str = "test";

/// A member of Resend's for which this service has `allowed_senders`.
const DOMAIN_ID: &str = "domain_id";

/// # Errors
/// All faults at once.
pub(super) fn request(document: Value, now: Timestamp) -> Result<KeyRequest, Error> {
    let mut members = object(document)?;
    let mut faults = Vec::new();
    let KeyChange { name, permission, allowed_senders, expires_at } =
        take_members(&mut members, now, &mut faults);
    let is_test = match members.remove(TEST) {
        None => false,
        Some(Value::Bool(is_test)) => is_test,
        Some(_) => {
            let mut fault = InputFault::new(TEST, Reason::NotOneOf, "is neither true nor false");
            fault.allowed = vec!["true".to_owned(), "false".to_owned()];
            faults.push(fault);
            false
        }
    };
    if name.is_none() && !faults.iter().any(|fault| fault.to_string().starts_with(NAME)) {
        faults.push(InputFault::required(NAME));
    }
    finish(&members, faults)?;
    Ok(KeyRequest {
        name: name.unwrap_or_default(),
        permission: permission.unwrap_or(Permission::FullAccess),
        allowed_senders: allowed_senders.flatten(),
        is_test,
        expires_at: expires_at.flatten(),
    })
}

/// # Errors
/// All faults at once.
pub(super) fn change(document: Value, now: Timestamp) -> Result<KeyChange, Error> {
    let mut members = object(document)?;
    let mut faults = Vec::new();
    let change = take_members(&mut members, now, &mut faults);
    if change == KeyChange::default() && members.is_empty() && faults.is_empty() {
        let statement = format!("names none of {NAME}, {PERMISSION}, {ALLOWED_SENDERS} and {EXPIRES_AT}");
        faults.push(InputFault::body(Reason::Required, statement));
    }
    finish(&members, faults)?;
    Ok(change)
}

/// What a new key and a change have in common.
fn take_members(members: &mut Map<String, Value>, now: Timestamp, faults: &mut Vec<InputFault>) -> KeyChange {
    let name = members.remove(NAME).and_then(|value| {
        if let Value::String(name) = value {
            let name = name.trim().to_owned();
            faults.extend(name_fault(&name));
            return Some(name);
        }
        faults.push(InputFault::new(NAME, Reason::NotAString, "is not a string"));
        None
    });
    let permission = members.remove(PERMISSION).and_then(|value| {
        let permission = value.as_str().and_then(Permission::parse);
        if permission.is_none() {
            let mut fault =
                InputFault::new(PERMISSION, Reason::NotOneOf, "is neither full_access nor sending_access");
            fault.allowed = Permission::ALL.map(|permission| permission.as_str().to_owned()).to_vec();
            faults.push(fault);
        }
        permission
    });
    let allowed_senders = members.remove(ALLOWED_SENDERS).map(|value| {
        if value.is_null() {
            return None;
        }
        let before = faults.len();
        let senders = senders(&value, faults);
        if senders.is_empty() && faults.len() == before {
            let statement = "is empty: name a sender, or write null for every sender of the account";
            faults.push(InputFault::new(ALLOWED_SENDERS, Reason::Empty, statement));
        }
        Some(senders)
    });
    let expires_at = members.remove(EXPIRES_AT).map(|value| {
        if value.is_null() {
            return None;
        }
        let at = parse_timestamp(EXPIRES_AT, value).map_err(|fault| faults.push(fault)).ok();
        faults.extend(expiry_fault(at, now));
        at
    });
    KeyChange { name, permission, allowed_senders, expires_at }
}

fn object(document: Value) -> Result<Map<String, Value>, Error> {
    match document {
        Value::Object(members) => Ok(members),
        _ => Err(refuse(vec![InputFault::body(Reason::NotAnObject, "is not an object")])),
    }
}

/// Refuses what is left over, with the other faults.
fn finish(members: &Map<String, Value>, mut faults: Vec<InputFault>) -> Result<(), Error> {
    faults.extend(members.keys().map(|name| match name.as_str() {
        DOMAIN_ID => {
            let statement = "is not supported: limit the key by allowed_senders";
            InputFault::new(DOMAIN_ID, Reason::NotSupported, statement)
        }
        name => InputFault::unknown_field("", name),
    }));
    if faults.is_empty() { Ok(()) } else { Err(refuse(faults)) }
}

fn refuse(faults: Vec<InputFault>) -> Error {
    Error::send_inputs(faults, "validation_error")
}

/// The query of the list of API keys.
#[derive(Default, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// How many keys; 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Older than this key.
    #[param(value_type = Option<String>)]
    after: Option<Uuid>,
    /// Newer than this key.
    #[param(value_type = Option<String>)]
    before: Option<Uuid>,
}

impl ListParameters {
    pub(super) fn parse(uri: &Uri) -> Result<Self, Error> {
        let refuse = |fault| Error::send_inputs(vec![fault], "invalid_parameter");
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            let statement = "is not of the form name=value&name=value";
            return Err(refuse(InputFault::request("The query", Reason::MalformedQuery, statement)));
        };
        let mut parameters = Self::default();
        for (name, value) in pairs {
            let id = || {
                let fault =
                    InputFault::parameter(&name, Reason::InvalidCursor, "is not the id of an API key");
                value.parse::<Uuid>().map_err(|_| refuse(fault))
            };
            match name.as_str() {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    parameters.limit = Some(limit.ok_or_else(|| {
                        let statement = format!("is no whole number from 1 to {MAX_LIMIT}");
                        refuse(InputFault::parameter("limit", Reason::OutOfRange, statement))
                    })?);
                }
                "after" => parameters.after = Some(id()?),
                "before" => parameters.before = Some(id()?),
                _ => {
                    let statement = "is not a known parameter; limit, after and before are";
                    return Err(refuse(InputFault::parameter(&name, Reason::UnknownParameter, statement)));
                }
            }
        }
        if parameters.after.is_some() && parameters.before.is_some() {
            let statement = "cannot stand beside after: set one of them";
            return Err(refuse(InputFault::parameter("before", Reason::Conflict, statement)));
        }
        Ok(parameters)
    }

    pub(super) fn into_parts(self) -> (Page, usize) {
        let page = match (self.after, self.before) {
            (Some(id), _) => Page::After(id),
            (_, Some(id)) => Page::Before(id),
            (None, None) => Page::First,
        };
        (page, self.limit.unwrap_or(DEFAULT_LIMIT))
    }
}
