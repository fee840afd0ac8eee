//! When an email is to be sent, and until when.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::EmailRequest;
use super::fault::{ErrorName, Faults, RequestFault};
use super::members::Place;
use crate::clock::Timestamp;
use crate::error::{InputFault, Reason};

const SECOND: i64 = 1000;
const DAY: i64 = 24 * 60 * 60 * SECOND;
const MAX_AHEAD_DAYS: i64 = 30;
const MAX_LIFETIME_DAYS: i64 = 7;
const MAX_TTL_SECONDS: i64 = MAX_LIFETIME_DAYS * DAY / SECOND;

/// How long an email is tried, as the caller has said it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Lifetime {
    /// As the operator has configured.
    #[default]
    Default,
    Until(Timestamp),
    /// From the moment on at which it is due.
    Milliseconds(i64),
}

/// The moment of `scheduled_at`, also when an email is changed. One that is over means now.
///
/// # Errors
/// No time, or one that is too far ahead.
pub fn parse_scheduled_at(value: Value, now: Timestamp) -> Result<Timestamp, RequestFault> {
    let place = Place::new("scheduled_at");
    let parsed = timestamp(&place, value).and_then(|at| {
        if at.0 > now.0.saturating_add(MAX_AHEAD_DAYS * DAY) {
            let statement = format!("is more than {MAX_AHEAD_DAYS} days ahead");
            return Err(place.fault(Reason::OutOfRange, statement));
        }
        Ok(at)
    });
    parsed.map_err(|input| RequestFault { name: ErrorName::ValidationError, input })
}

pub(super) fn scheduled_at(value: Value, now: Timestamp, faults: &mut Faults) -> Option<Timestamp> {
    parse_scheduled_at(value, now).map_err(|fault| faults.add(fault.name, fault.input)).ok()
}

/// From `expires_at` or `ttl_seconds`, for an email that is due at `due`.
pub(super) fn lifetime(
    expires_at: Option<Value>,
    ttl_seconds: Option<Value>,
    due: Timestamp,
    faults: &mut Faults,
) -> Lifetime {
    let ttl_place = Place::new("ttl_seconds");
    if expires_at.is_some() && ttl_seconds.is_some() {
        faults.invalid(ttl_place.fault(Reason::Conflict, "cannot stand beside expires_at: set one of them"));
    }
    if let Some(value) = expires_at {
        let until = faults.keep(ErrorName::ValidationError, expiry(value, due));
        return until.map_or(Lifetime::Default, Lifetime::Until);
    }
    let Some(value) = ttl_seconds else { return Lifetime::Default };
    let Some(seconds) = value.as_i64().filter(|seconds| (1..=MAX_TTL_SECONDS).contains(seconds)) else {
        let statement = format!("is not a whole number from 1 to {MAX_TTL_SECONDS}");
        faults.invalid(ttl_place.fault(Reason::OutOfRange, statement));
        return Lifetime::Default;
    };
    Lifetime::Milliseconds(seconds * SECOND)
}

fn expiry(value: Value, due: Timestamp) -> Result<Timestamp, InputFault> {
    let place = Place::new("expires_at");
    let at = timestamp(&place, value)?;
    if at.0 > due.0.saturating_add(MAX_LIFETIME_DAYS * DAY) {
        let statement = format!("is more than {MAX_LIFETIME_DAYS} days after the email is due");
        return Err(place.fault(Reason::OutOfRange, statement));
    }
    Ok(at)
}

/// A time in the form of RFC 3339, of the member with this name.
///
/// # Errors
/// The fault, at its place.
pub fn parse_timestamp(field: &'static str, value: Value) -> Result<Timestamp, InputFault> {
    timestamp(&Place::new(field), value)
}

fn timestamp(place: &Place, value: Value) -> Result<Timestamp, InputFault> {
    let text = place.string(value)?;
    let moment = OffsetDateTime::parse(&text, &Rfc3339).ok();
    let milliseconds =
        moment.and_then(|moment| i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok());
    milliseconds.map(Timestamp).ok_or_else(|| {
        let statement =
            "is not a time such as 2026-12-01T08:00:00Z (RFC 3339); words such as `in 1 min` are not taken";
        place.fault(Reason::NotATimestamp, statement)
    })
}

/// Refuses a lifetime that ends before the email is due.
pub(super) fn check_end(lifetime: Lifetime, due: Timestamp) -> Result<(), RequestFault> {
    match lifetime {
        Lifetime::Until(at) if at <= due => Err(ends_before_due()),
        _ => Ok(()),
    }
}

impl EmailRequest {
    /// When it is to be sent.
    pub fn due_at(&self, now: Timestamp) -> Timestamp {
        self.scheduled_at.unwrap_or(now).max(now)
    }

    /// When it is given up, where the operator lets an email live for `default_milliseconds`.
    pub fn expires_at(&self, now: Timestamp, default_milliseconds: i64) -> Timestamp {
        let after = |milliseconds: i64| Timestamp(self.due_at(now).0.saturating_add(milliseconds));
        match self.lifetime {
            Lifetime::Default => after(default_milliseconds),
            Lifetime::Milliseconds(milliseconds) => after(milliseconds),
            Lifetime::Until(at) => at,
        }
    }

    /// Refuses a mail whose lifetime ends before it is due. To be asked only where no earlier request had the same
    /// idempotency key: a request that is repeated gets its first answer, also later.
    ///
    /// # Errors
    /// `expires_at` is not after `scheduled_at` and `now`.
    pub fn check_lifetime(&self, now: Timestamp) -> Result<(), RequestFault> {
        check_end(self.lifetime, self.due_at(now))
    }
}

/// The fault of an `expires_at` that is not after the time at which the email is due.
pub fn ends_before_due() -> RequestFault {
    let statement = "is not after the time at which the email is due";
    let input = Place::new("expires_at").fault(Reason::OutOfRange, statement);
    RequestFault { name: ErrorName::ValidationError, input }
}
