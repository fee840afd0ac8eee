//! Reads headers, parameters and small bodies of the send API.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

use super::refusal;
use crate::clock::Timestamp;
use crate::delivery::request::{IdempotencyKey, parse_scheduled_at};
use crate::email_config::fields;
use crate::error::{InputFault, Reason};
use crate::http::error::{Code, Error};
use crate::mail::address::EmailAddress;
use crate::outgoing::EmailStatus;
use crate::store::emails::{Filter, Page};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;
const MAX_BATCH: usize = 100;
const MAX_WAIT_SECONDS: u64 = 30;

const INVALID: &str = "validation_error";

fn invalid(fault: InputFault) -> Error {
    Error::send_inputs(vec![fault], INVALID)
}

fn invalid_parameter(fault: InputFault) -> Error {
    Error::send_inputs(vec![fault], "invalid_parameter")
}

/// The `{id}` of the path. What is no id names no email.
pub struct EmailId(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for EmailId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let not_found = || Error::new(Code::EmailNotFound);
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        let id = parameters.iter().find(|(name, _)| *name == "id").and_then(|(_, text)| text.parse().ok());
        id.map(Self).ok_or_else(not_found)
    }
}

/// `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = IdempotencyKey::parse(value.as_bytes()).map_err(|fault| refusal::faults(fault.into()))?;
    Ok(Some(key.as_str().to_owned()))
}

/// `wait=N` of `Prefer` (RFC 7240). Other preferences are not understood, which is no fault.
pub(super) fn wait(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| value.split(',')).filter_map(|one| one.trim().split_once('='));
    let mut waits = preferences.filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait"));
    let Some((_, seconds)) = waits.next() else { return Ok(None) };
    let seconds = seconds.trim().parse().ok().filter(|seconds| (1..=MAX_WAIT_SECONDS).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        let statement = format!("has a wait that is no whole number from 1 to {MAX_WAIT_SECONDS}");
        invalid(InputFault::header("Prefer", Reason::OutOfRange, statement))
    })?;
    Ok(Some(Duration::from_secs(seconds)))
}

/// `x-batch-validation`.
pub(super) fn is_permissive(headers: &HeaderMap) -> Result<bool, Error> {
    match headers.get("x-batch-validation").map(|value| value.to_str().unwrap_or_default()) {
        None | Some("strict") => Ok(false),
        Some("permissive") => Ok(true),
        Some(_) => {
            let statement = "is neither strict nor permissive";
            let mut fault = InputFault::header("x-batch-validation", Reason::NotOneOf, statement);
            fault.allowed = vec!["strict".to_owned(), "permissive".to_owned()];
            Err(invalid(fault))
        }
    }
}

/// The emails of a batch.
pub(super) fn batch(document: Value) -> Result<Vec<Value>, Error> {
    match document {
        Value::Array(emails) if (1..=MAX_BATCH).contains(&emails.len()) => Ok(emails),
        Value::Array(_) => {
            let statement = format!("does not hold 1 to {MAX_BATCH} emails");
            Err(invalid(InputFault::body(Reason::OutOfRange, statement)))
        }
        _ => Err(invalid(InputFault::body(Reason::NotAnArray, "is not an array"))),
    }
}

/// The query of the list of emails.
#[derive(Default, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// How many emails; 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Older than this email.
    after: Option<String>,
    /// Newer than this email.
    before: Option<String>,
    /// Of this status.
    status: Option<String>,
    /// With this recipient.
    recipient: Option<String>,
    /// With this tag: its name, a colon and its value.
    #[param(example = "kind:invoice")]
    tag: Option<String>,
    /// Sent with this API key.
    api_key_id: Option<String>,
}

impl ListParameters {
    pub(super) fn parse(uri: &Uri) -> Result<Self, Error> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            let statement = "is not of the form name=value&name=value";
            return Err(invalid_parameter(InputFault::request(
                "The query",
                Reason::MalformedQuery,
                statement,
            )));
        };
        let mut parameters = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    parameters.limit = Some(limit.ok_or_else(|| {
                        let statement = format!("is no whole number from 1 to {MAX_LIMIT}");
                        invalid_parameter(InputFault::parameter("limit", Reason::OutOfRange, statement))
                    })?);
                }
                "after" => parameters.after = Some(value),
                "before" => parameters.before = Some(value),
                "status" => parameters.status = Some(value),
                "recipient" => parameters.recipient = Some(value),
                "tag" => parameters.tag = Some(value),
                "api_key_id" => parameters.api_key_id = Some(value),
                _ => {
                    let statement = "is not a known parameter; limit, after, before, status, recipient, tag and api_key_id are";
                    return Err(invalid_parameter(InputFault::parameter(
                        &name,
                        Reason::UnknownParameter,
                        statement,
                    )));
                }
            }
        }
        parameters.check()
    }

    fn check(self) -> Result<Self, Error> {
        for (name, id) in [("after", &self.after), ("before", &self.before)] {
            if id.as_deref().is_some_and(|id| id.parse::<Uuid>().is_err()) {
                let statement = "is not the id of an email";
                return Err(invalid_parameter(InputFault::parameter(name, Reason::InvalidCursor, statement)));
            }
        }
        if self.after.is_some() && self.before.is_some() {
            let statement = "cannot stand beside after: set one of them";
            return Err(invalid_parameter(InputFault::parameter("before", Reason::Conflict, statement)));
        }
        if self.status.as_deref().is_some_and(|status| EmailStatus::parse(status).is_none()) {
            let mut fault = InputFault::parameter("status", Reason::NotOneOf, "is not a status of an email");
            fault.allowed = EmailStatus::ALL.map(|status| status.as_str().to_owned()).to_vec();
            return Err(invalid_parameter(fault));
        }
        if self.tag.as_deref().is_some_and(|tag| !tag.contains(':')) {
            let statement = "has no colon between the name and the value of the tag";
            return Err(invalid_parameter(InputFault::parameter("tag", Reason::InvalidCharacter, statement)));
        }
        if self.api_key_id.as_deref().is_some_and(|id| id.parse::<Uuid>().is_err()) {
            let statement = "is not the id of an API key";
            let fault = InputFault::parameter("api_key_id", Reason::InvalidCharacter, statement);
            return Err(invalid_parameter(fault));
        }
        Ok(self)
    }

    pub(super) fn into_parts(self) -> (Filter, Page, usize) {
        let id = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let page = match (id(self.after), id(self.before)) {
            (Some(id), _) => Page::After(id),
            (_, Some(id)) => Page::Before(id),
            (None, None) => Page::First,
        };
        let status = self.status.as_deref().and_then(EmailStatus::parse);
        let tag = self.tag.as_deref().and_then(|tag| tag.split_once(':'));
        let tag = tag.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let filter = Filter { status, recipient: self.recipient, tag, api_key_id: id(self.api_key_id) };
        (filter, page, self.limit.unwrap_or(DEFAULT_LIMIT))
    }
}

/// The recipients that a person names; none are all.
pub(super) fn recipients(document: Value, has_outcome: bool) -> Result<Option<Vec<EmailAddress>>, Error> {
    let Value::Object(mut members) = document else {
        return Err(invalid(InputFault::body(Reason::NotAnObject, "is not an object")));
    };
    let mut faults = Vec::new();
    let outcome = if has_outcome { members.remove("outcome") } else { None };
    if outcome.is_some_and(|outcome| outcome != "accepted") {
        let mut fault = InputFault::new("outcome", Reason::NotOneOf, "must be \"accepted\"");
        fault.allowed = vec!["accepted".to_owned()];
        faults.push(fault);
    }
    let recipients = match members.remove("recipients") {
        None => None,
        Some(Value::Array(addresses)) => {
            let mut parsed = Vec::new();
            for (index, address) in addresses.iter().enumerate() {
                match fields::mail_address(&format!("recipients/{index}"), address) {
                    Ok(address) => parsed.push(address),
                    Err(fault) => faults.push(fault),
                }
            }
            Some(parsed)
        }
        Some(_) => {
            faults.push(InputFault::new("recipients", Reason::NotAnArray, "is not an array"));
            None
        }
    };
    faults.extend(members.keys().map(|name| InputFault::unknown_field("", name)));
    if faults.is_empty() { Ok(recipients) } else { Err(Error::send_inputs(faults, INVALID)) }
}

/// The times of a PATCH. The id may be repeated in the body, as Resend's client for Python has it.
pub(super) fn update(
    document: Value,
    id: Uuid,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Error> {
    let Value::Object(mut members) = document else {
        return Err(invalid(InputFault::body(Reason::NotAnObject, "is not an object")));
    };
    let (scheduled_at, expires_at) = (members.remove("scheduled_at"), members.remove("expires_at"));
    members.retain(|name, value| name != "id" || *value != id.to_string());
    let mut faults: Vec<InputFault> =
        members.keys().map(|name| InputFault::unknown_field("", name)).collect();
    if scheduled_at.is_none() && expires_at.is_none() && faults.is_empty() {
        faults.push(InputFault::body(Reason::Required, "names neither scheduled_at nor expires_at"));
    }
    let mut time = |field: &str, value: Option<Value>| {
        let parsed = parse_scheduled_at(value?, now);
        // Both are times of the near future; the fault names its own member.
        parsed.map_err(|fault| faults.push(fault.input.at(format!("/{field}")))).ok()
    };
    let times = (time("scheduled_at", scheduled_at), time("expires_at", expires_at));
    if faults.is_empty() { Ok(times) } else { Err(Error::send_inputs(faults, INVALID)) }
}
