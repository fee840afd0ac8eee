//! Reads a request to send.

use serde_json::{Map, Value};

use super::fault::{ErrorName, Faults, RequestFault, RequestFaults};
use super::members::{Place, unknown_field, without_nulls};
use super::{
    EmailRequest, Envelope, Lane, MAX_RECIPIENTS, OnUnknown, RequestBody, address, attachment, headers,
    labels, raw, schedule,
};
use crate::clock::Timestamp;
use crate::error::{InputFault, Reason, ValueError as _};
use crate::json;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::HeaderText;

const MEMBERS: [&str; 19] = [
    "from",
    "to",
    "cc",
    "bcc",
    "reply_to",
    "subject",
    "text",
    "html",
    "headers",
    "attachments",
    "tags",
    "scheduled_at",
    "expires_at",
    "ttl_seconds",
    "lane",
    "on_unknown",
    "metadata",
    "raw",
    "envelope",
];

/// Members that Resend has and this service will not, and why.
const NOT_SUPPORTED: [(&str, &str); 3] = [
    ("template", "is not supported: no templates are kept here; render it, and send text or html"),
    (
        "topic_id",
        "is not supported: no topics are kept here; leave out the recipients who do not want the email",
    ),
    ("region", "is not supported: the email goes through the tenant's own mail account, wherever that is"),
];

impl EmailRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_bytes(body: &[u8], now: Timestamp) -> Result<Self, RequestFaults> {
        let value = json::parse(body).map_err(|error| RequestFault {
            name: ErrorName::ValidationError,
            input: InputFault::body(error.reason(), error),
        })?;
        Self::parse(value, now)
    }

    /// Reads the body of a request, or one email of a batch. Members that are null count as absent.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(value: Value, now: Timestamp) -> Result<Self, RequestFaults> {
        let Value::Object(members) = value else {
            let input = InputFault::body(Reason::NotAnObject, "is not an object");
            return Err(RequestFault { name: ErrorName::ValidationError, input }.into());
        };
        let mut faults = Faults::default();
        let request = read(without_nulls(members), now, &mut faults);
        faults.into_result()?;
        // Without a fault there is a request.
        request.ok_or_else(|| {
            let input = InputFault::body(Reason::NotAnObject, "is not an email");
            RequestFault { name: ErrorName::ValidationError, input }.into()
        })
    }
}

fn read(mut members: Map<String, Value>, now: Timestamp, faults: &mut Faults) -> Option<EmailRequest> {
    for (name, statement) in NOT_SUPPORTED {
        if members.remove(name).is_some() {
            faults.invalid(Place::new(name).fault(Reason::NotSupported, statement));
        }
    }
    let envelope = members.remove("envelope");
    let has_envelope = envelope.is_some();
    let envelope = envelope.map_or_else(Envelope::default, |value| raw::envelope(value, faults));
    let whole = members.remove("raw").map(|value| raw::raw(value, &mut members, faults));
    if has_envelope && whole.is_none() {
        faults.invalid(Place::new("envelope").fault(Reason::Conflict, "can only stand beside raw"));
    }

    let from = members.remove("from").and_then(|value| {
        faults.keep(ErrorName::InvalidFromAddress, address::mailbox(&Place::new("from"), value))
    });
    let [to, cc, bcc] = recipients(&mut members, !envelope.to.is_empty(), faults);
    let reply_to = mailboxes(&mut members, "reply_to", faults);
    let scheduled_at =
        members.remove("scheduled_at").and_then(|value| schedule::scheduled_at(value, now, faults));
    let due = scheduled_at.unwrap_or(now).max(now);
    let lifetime =
        schedule::lifetime(members.remove("expires_at"), members.remove("ttl_seconds"), due, faults);
    let tags = members.remove("tags").map(|value| labels::tags(value, faults));
    let metadata = members.remove("metadata").map(|value| labels::metadata(value, faults));
    let lane = word(&mut members, "lane", &Lane::ALL.map(Lane::as_str), Lane::parse, faults);
    let on_unknown =
        word(&mut members, "on_unknown", &OnUnknown::ALL.map(OnUnknown::as_str), OnUnknown::parse, faults);
    let body = match whole {
        Some(message) => message.map(RequestBody::Raw),
        None => parts(&mut members, faults),
    };
    for name in members.keys() {
        faults.invalid(unknown_field(name, &MEMBERS));
    }
    // A request without another fault may repeat an earlier one; of that, this is asked later.
    if !faults.is_empty()
        && let Err(fault) = schedule::check_end(lifetime, due)
    {
        faults.add(fault.name, fault.input);
    }
    let from = match &body {
        Some(RequestBody::Raw(message)) => message.from().ok(),
        _ => from,
    };
    Some(EmailRequest {
        from,
        to,
        cc,
        bcc,
        reply_to,
        body: body?,
        envelope,
        tags: tags.unwrap_or_default(),
        metadata: metadata.unwrap_or_default(),
        scheduled_at,
        lifetime,
        lane: lane.unwrap_or_default(),
        on_unknown,
        received: None,
    })
}

/// To, cc and bcc; or none of them where the envelope has the recipients.
fn recipients(
    members: &mut Map<String, Value>,
    is_in_envelope: bool,
    faults: &mut Faults,
) -> [Vec<Mailbox>; 3] {
    const NAMES: [&str; 3] = ["to", "cc", "bcc"];
    if is_in_envelope {
        for name in NAMES {
            if members.remove(name).is_some() {
                let statement = "cannot stand beside envelope.to, which names all recipients";
                faults.invalid(Place::new(name).fault(Reason::Conflict, statement));
            }
        }
        return [const { Vec::new() }; 3];
    }
    match members.get("to") {
        None => faults.missing("to"),
        Some(Value::Array(items)) if items.is_empty() => {
            faults.add(ErrorName::MissingRequiredField, Place::new("to").fault(Reason::Empty, "is empty"));
        }
        Some(_) => {}
    }
    let lists = NAMES.map(|name| mailboxes(members, name, faults));
    if lists.iter().map(Vec::len).sum::<usize>() > MAX_RECIPIENTS {
        let statement = format!("has more than {MAX_RECIPIENTS} addresses, together with cc and bcc");
        faults.invalid(Place::new("to").fault(Reason::TooMany, statement));
    }
    lists
}

fn mailboxes(members: &mut Map<String, Value>, name: &str, faults: &mut Faults) -> Vec<Mailbox> {
    let value = members.remove(name);
    value.map(|value| address::list(&Place::new(name), value, faults, address::mailbox)).unwrap_or_default()
}

fn word<T>(
    members: &mut Map<String, Value>,
    name: &str,
    words: &[&str],
    parse: impl Fn(&str) -> Option<T>,
    faults: &mut Faults,
) -> Option<T> {
    let value = members.remove(name)?;
    faults.keep(ErrorName::ValidationError, Place::new(name).one_of(value, words, parse))
}

fn parts(members: &mut Map<String, Value>, faults: &mut Faults) -> Option<RequestBody> {
    let subject = members.remove("subject");
    if subject.is_none() {
        faults.missing("subject");
    }
    let subject = subject.and_then(|value| faults.keep(ErrorName::ValidationError, self::subject(value)));
    if !members.contains_key("text") && !members.contains_key("html") {
        let statement = "is required, or html, or both";
        faults.add(ErrorName::MissingRequiredField, Place::new("text").fault(Reason::Required, statement));
    }
    let mut text = text(members, "text", faults);
    let html = self::text(members, "html", faults);
    // Resend's clients let an empty text stand for no text beside HTML.
    if html.is_some() {
        text = text.filter(|text| !text.is_empty());
    }
    let headers = members.remove("headers").map(|value| headers::headers(value, faults));
    let attachments = members.remove("attachments").map(|value| attachment::attachments(value, faults));
    Some(RequestBody::Parts {
        subject: subject?,
        text,
        html,
        headers: headers.unwrap_or_default(),
        attachments: attachments.unwrap_or_default(),
    })
}

fn subject(value: Value) -> Result<HeaderText, InputFault> {
    let place = Place::new("subject");
    HeaderText::parse_subject(&place.string(value)?).map_err(|error| place.value_fault(&error))
}

fn text(members: &mut Map<String, Value>, name: &str, faults: &mut Faults) -> Option<String> {
    let place = Place::new(name);
    let read = place.string(members.remove(name)?).and_then(|text| {
        if text.contains('\0') {
            return Err(place.fault(Reason::ControlCharacter, "contains a NUL, which no mail can carry"));
        }
        Ok(text)
    });
    faults.keep(ErrorName::ValidationError, read)
}
