//! The attachments of a request.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::fault::{ErrorName, Faults};
use super::members::Place;
use crate::error::{InputFault, Reason};
use crate::mail::message::{Attachment, ContentId, ContentType, Filename};

const MEMBERS: [&str; 4] = ["filename", "content", "content_type", "content_id"];
const MAX_ATTACHMENTS: usize = 50;

/// With or without padding: both are seen.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn attachments(value: Value, faults: &mut Faults) -> Vec<Attachment> {
    let place = Place::new("attachments");
    let Some(items) = faults.keep(ErrorName::InvalidAttachment, place.array(value)) else {
        return Vec::new();
    };
    if items.len() > MAX_ATTACHMENTS {
        faults.add(ErrorName::InvalidAttachment, place.too_many(MAX_ATTACHMENTS, "attachments"));
        return Vec::new();
    }
    let items = items.into_iter().enumerate();
    items.filter_map(|(index, value)| attachment(&place.index(index), value, faults)).collect()
}

fn attachment(place: &Place, value: Value, faults: &mut Faults) -> Option<Attachment> {
    const NAME: ErrorName = ErrorName::InvalidAttachment;
    let mut members = faults.keep(NAME, place.object(value))?;
    let mut optional = |name: &str| members.remove(name).map(|value| (place.member(name), value));

    // The npm client lets `false` stand for no name.
    let filename = optional("filename").filter(|(_, value)| *value != Value::Bool(false));
    let filename = filename.map(|(place, value)| faults.keep(NAME, parsed(&place, value, Filename::parse)));
    let content_type = optional("content_type");
    let content_type =
        content_type.map(|(place, value)| faults.keep(NAME, parsed(&place, value, ContentType::parse)));
    // The Python client knows both.
    let content_id = optional("content_id").or_else(|| optional("inline_content_id"));
    let content_id =
        content_id.map(|(place, value)| faults.keep(NAME, parsed(&place, value, ContentId::parse)));
    let content = optional("content").map(|(place, value)| faults.keep(NAME, octets(&place, value)));
    if let Some((place, _)) = optional("path") {
        let statement = "is not supported: no file is fetched from elsewhere; put it into content";
        faults.add(NAME, place.fault(Reason::NotSupported, statement));
    } else if content.is_none() {
        faults.add(NAME, place.member("content").fault(Reason::Required, "is required"));
    }
    for name in members.keys() {
        faults.add(NAME, place.unknown_field(name, &MEMBERS));
    }

    let filename = transpose(filename)?;
    let content_type = transpose(content_type)?.unwrap_or_else(|| ContentType::guess(filename.as_ref()));
    Some(Attachment { filename, content_type, content_id: transpose(content_id)?, content: content?? })
}

/// `None` for what was given and refused.
#[expect(clippy::option_option, reason = "absent, refused and good are three things")]
fn transpose<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(value) => Some(value),
        None => Some(None),
    }
}

fn parsed<T, E: crate::error::ValueError>(
    place: &Place,
    value: Value,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, InputFault> {
    parse(&place.string(value)?).map_err(|error| place.value_fault(&error))
}

/// Base64; or an array of numbers, as the Python client and older npm clients write bytes.
fn octets(place: &Place, value: Value) -> Result<Vec<u8>, InputFault> {
    let numbers = match value {
        Value::String(text) => return base64(place, text),
        Value::Array(numbers) => Some(numbers),
        Value::Object(mut buffer) if buffer.get("type").and_then(Value::as_str) == Some("Buffer") => {
            buffer.remove("data").and_then(|data| place.array(data).ok())
        }
        _ => None,
    };
    let octet = |number: &Value| number.as_u64().and_then(|number| u8::try_from(number).ok());
    numbers
        .and_then(|numbers| numbers.iter().map(octet).collect())
        .ok_or_else(|| place.fault(Reason::NotBase64, "is neither Base64 nor an array of bytes"))
}

/// Lines of Base64, as of a mail, are taken too.
pub(super) fn base64(place: &Place, mut text: String) -> Result<Vec<u8>, InputFault> {
    text.retain(|c| !c.is_ascii_whitespace());
    BASE64.decode(text).map_err(|_| place.fault(Reason::NotBase64, "is not Base64"))
}
