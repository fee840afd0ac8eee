//! Reads a change of the account's settings as a sender.

use serde_json::Value;
use utoipa::ToSchema;

use crate::delivery::{ALLOWED_SENDERS, MAX_CONNECTIONS, MAX_PER_MINUTE};
use crate::error::{InputFault, Reason, ValueError as _};
use crate::outgoing::account_settings::AllowedSender;
use crate::store::delivery_accounts::SettingsChange;

const MAX_SENDERS: usize = 100;

/// Settings to change; what is left out stays.
#[derive(Debug, ToSchema)]
#[schema(as = SendingAccountUpdate, example = json!({
    "allowed_senders": ["billing@example.com", "*@mail.example.com"], "max_per_minute": 60, "max_connections": 1,
}))]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct SettingsBody {
    /// The senders besides the account's address: an address, or `*@domain` for every address of exactly this domain. At most
    /// 100. They replace those of before.
    #[schema(nullable = false)]
    allowed_senders: Option<Vec<String>>,
    /// At most so many mails per minute, spread evenly; not more than the installation allows for this account. Null: the
    /// installation's bound.
    #[schema(minimum = 1)]
    max_per_minute: Option<u32>,
    /// At most so many sessions at the same time; null as above.
    #[schema(minimum = 1)]
    max_connections: Option<u32>,
}

/// What was read, and all that is wrong with it.
pub(super) fn parse(document: Value) -> (SettingsChange, Vec<InputFault>) {
    let Value::Object(mut members) = document else {
        let fault = InputFault::body(Reason::NotAnObject, "is not an object");
        return (SettingsChange::default(), vec![fault]);
    };
    let mut faults = Vec::new();
    let allowed_senders = members.remove(ALLOWED_SENDERS).map(|value| senders(&value, &mut faults));
    let mut bound = |field| members.remove(field).map(|value| bound(field, &value, &mut faults));
    let (max_per_minute, max_connections) = (bound(MAX_PER_MINUTE), bound(MAX_CONNECTIONS));
    let change = SettingsChange { allowed_senders, max_per_minute, max_connections };
    faults.extend(members.keys().map(|name| InputFault::unknown_field("", name)));
    if change == SettingsChange::default() && faults.is_empty() {
        let statement = format!("names none of {ALLOWED_SENDERS}, {MAX_PER_MINUTE} and {MAX_CONNECTIONS}");
        faults.push(InputFault::body(Reason::Required, statement));
    }
    (change, faults)
}

/// The senders of an array.
pub(in crate::http::api) fn senders(value: &Value, faults: &mut Vec<InputFault>) -> Vec<AllowedSender> {
    let Value::Array(items) = value else {
        faults.push(InputFault::new(ALLOWED_SENDERS, Reason::NotAnArray, "is not an array"));
        return Vec::new();
    };
    if items.len() > MAX_SENDERS {
        let statement = format!("has more than {MAX_SENDERS} senders");
        faults.push(InputFault::new(ALLOWED_SENDERS, Reason::TooMany, statement));
        return Vec::new();
    }
    let mut senders: Vec<AllowedSender> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let fault = |reason, statement: &str| {
            let subject = format!("{ALLOWED_SENDERS}[{index}]");
            InputFault::new(&subject, reason, statement).at(format!("/{ALLOWED_SENDERS}/{index}"))
        };
        match item.as_str().map(|text| AllowedSender::parse(text.trim())) {
            Some(Ok(sender)) if senders.contains(&sender) => {}
            Some(Ok(sender)) => senders.push(sender),
            Some(Err(error)) => faults.push(fault(error.reason(), &error.to_string())),
            None => faults.push(fault(Reason::NotAString, "is not a string")),
        }
    }
    senders
}

/// A number from 1 on, or null for none.
fn bound(field: &str, value: &Value, faults: &mut Vec<InputFault>) -> Option<u32> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    if number.is_none() && !value.is_null() {
        faults.push(InputFault::new(
            field,
            Reason::OutOfRange,
            "is neither a whole number from 1 on nor null",
        ));
    }
    number
}
