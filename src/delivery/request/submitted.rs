//! A request that came as a message by SMTP: its envelope, and the control lines in its head.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fault::Faults;
use super::{EmailRequest, Envelope, IdempotencyKey, Lane, Lifetime, RequestBody, Tag, labels, schedule};
use crate::clock::Timestamp;
use crate::error::InputFault;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::raw::{RawMessage, RawMessageError};
use crate::mail::message::received::Received;

const KEY: &str = "X-Transports-Idempotency-Key";
const TAG: &str = "X-Transports-Tag";
const LANE: &str = "X-Transports-Lane";
const EXPIRES: &str = "X-Transports-Expires";
const METADATA: &str = "X-Transports-Metadata";

/// The headers that say what becomes of a message, and leave it.
pub const CONTROL_LINES: [&str; 5] = [KEY, TAG, LANE, EXPIRES, METADATA];

/// What the control lines ask for.
#[derive(Default)]
struct Controls {
    idempotency_key: Option<IdempotencyKey>,
    tags: Vec<Tag>,
    lane: Lane,
    lifetime: Lifetime,
    metadata: BTreeMap<String, String>,
}

/// Why a message is not taken. Each text is a sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubmittedError {
    #[error("the message {0}")]
    Message(#[from] RawMessageError),
    #[error("{name}: {statement}")]
    Control { name: &'static str, statement: String },
}

impl SubmittedError {
    pub fn is_loop(&self) -> bool {
        matches!(self, Self::Message(RawMessageError::Loop))
    }
}

impl EmailRequest {
    /// Reads a message with the envelope that it came in.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn from_message(
        octets: Vec<u8>,
        envelope: Envelope,
        received: Received,
        now: Timestamp,
    ) -> Result<(Self, Option<IdempotencyKey>), SubmittedError> {
        let mut message = RawMessage::parse(octets)?;
        let controls = Controls::parse(message.take_headers(&CONTROL_LINES), now)?;
        let [to, cc, bcc] = by_header(&message, envelope.to);
        let request = Self {
            from: Some(message.from()?),
            to,
            cc,
            bcc,
            reply_to: Vec::new(),
            body: RequestBody::Raw(message),
            envelope: Envelope { from: envelope.from, to: Vec::new() },
            tags: controls.tags,
            metadata: controls.metadata,
            scheduled_at: None,
            lifetime: controls.lifetime,
            lane: controls.lane,
            on_unknown: None,
            received: Some(received),
        };
        Ok((request, controls.idempotency_key))
    }
}

/// The recipients of the envelope by the header that shows them; whom none shows is hidden.
fn by_header(message: &RawMessage, envelope: Vec<EmailAddress>) -> [Vec<Mailbox>; 3] {
    let [shown_to, shown_cc] = ["To", "Cc"].map(|name| message.mailboxes(name).unwrap_or_default());
    let mut lists = [const { Vec::new() }; 3];
    for address in envelope {
        let shown_in = |list: &[Mailbox]| {
            list.iter().find(|mailbox| mailbox.address().is_same_mailbox(&address)).cloned()
        };
        let (list, shown) = match (shown_in(&shown_to), shown_in(&shown_cc)) {
            (Some(shown), _) => (0, Some(shown)),
            (None, Some(shown)) => (1, Some(shown)),
            (None, None) => (2, None),
        };
        // With the header's name and the envelope's spelling.
        let same = shown.filter(|shown| *shown.address() == address);
        lists[list].push(same.unwrap_or_else(|| address.into()));
    }
    lists
}

impl Controls {
    fn parse(lines: Vec<(&'static str, String)>, now: Timestamp) -> Result<Self, SubmittedError> {
        let mut controls = Self::default();
        let mut tags = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in lines {
            if name != TAG && seen.contains(&name) {
                return Err(control(name, "stands more than once"));
            }
            seen.push(name);
            match name {
                KEY => controls.idempotency_key = Some(key(&value)?),
                TAG => tags.extend(value.split(',').map(tag)),
                LANE => {
                    let lane = Lane::parse(&value);
                    controls.lane = lane.ok_or_else(|| control(LANE, "is neither transactional nor bulk"))?;
                }
                EXPIRES => controls.lifetime = lifetime(&value, now)?,
                _ => {
                    let object: Value = crate::json::parse(value.as_bytes())
                        .map_err(|_| control(METADATA, "is not a JSON object of strings"))?;
                    controls.metadata = read(METADATA, |faults| labels::metadata(object, faults))?;
                }
            }
        }
        if !tags.is_empty() {
            controls.tags = read(TAG, |faults| labels::tags(Value::Array(tags), faults))?;
        }
        Ok(controls)
    }
}

fn key(value: &str) -> Result<IdempotencyKey, SubmittedError> {
    IdempotencyKey::parse(value.as_bytes()).map_err(|fault| control(KEY, &fault.input.to_string()))
}

/// `kind=invoice`, or a name alone.
fn tag(text: &str) -> Value {
    match text.split_once('=') {
        Some((name, value)) if !value.trim().is_empty() => {
            json!({"name": name.trim(), "value": value.trim()})
        }
        Some((name, _)) => json!({"name": name.trim()}),
        None => json!({"name": text.trim()}),
    }
}

/// A time, or a number of seconds from now on.
fn lifetime(value: &str, now: Timestamp) -> Result<Lifetime, SubmittedError> {
    let mut faults = Faults::default();
    let lifetime = match value.parse::<i64>() {
        Ok(seconds) => schedule::lifetime(None, Some(seconds.into()), now, &mut faults),
        Err(_) => schedule::lifetime(Some(value.into()), None, now, &mut faults),
    };
    match first(faults) {
        None => Ok(lifetime),
        // The line has no members, and so the names of the API's are left out.
        Some(fault) => Err(control(EXPIRES, fault.statement())),
    }
}

/// What was read, or the first fault.
fn read<T>(name: &'static str, read: impl FnOnce(&mut Faults) -> T) -> Result<T, SubmittedError> {
    let mut faults = Faults::default();
    let value = read(&mut faults);
    match first(faults) {
        None => Ok(value),
        Some(fault) => Err(control(name, &fault.to_string())),
    }
}

fn first(faults: Faults) -> Option<InputFault> {
    faults.into_result().err().and_then(|faults| faults.into_inputs().into_iter().next())
}

fn control(name: &'static str, statement: &str) -> SubmittedError {
    SubmittedError::Control { name, statement: statement.to_owned() }
}
