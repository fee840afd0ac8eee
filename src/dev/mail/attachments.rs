//! What a mail carries beside its bodies.

use mail_parser::{MessageParser, MessagePart, MimeHeaders as _};

/// One part that is no body. Its texts were written by a stranger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// As the sender calls it.
    pub name: Option<String>,
    /// `type/subtype` in small letters, as the sender says; anything else is `application/octet-stream`.
    pub content_type: String,
    /// Bytes, decoded.
    pub size: usize,
    /// Without its angle brackets; HTML names it by `cid:`.
    pub content_id: Option<String>,
}

impl Attachment {
    pub(super) fn of(part: &MessagePart<'_>) -> Self {
        Self {
            name: part.attachment_name().map(str::to_owned),
            content_type: content_type(part),
            size: part.contents().len(),
            content_id: part.content_id().map(|id| id.trim_matches(['<', '>']).to_owned()),
        }
    }
}

/// The attachment at this place of [`super::Content::attachments`], and its bytes, decoded.
#[must_use]
pub fn attachment(source: &[u8], place: usize) -> Option<(Attachment, Vec<u8>)> {
    let message = MessageParser::default().parse(source)?;
    let part = message.attachments().nth(place)?;
    Some((Attachment::of(part), part.contents().to_vec()))
}

fn content_type(part: &MessagePart<'_>) -> String {
    let told = part.content_type();
    let parts = told.and_then(|told| Some((told.ctype(), told.subtype()?)));
    // RFC 6838 section 4.2 allows no others in a registered name.
    let is_name = |text: &str| {
        !text.is_empty()
            && text.len() <= 127
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    match parts {
        Some((kind, subtype)) if is_name(kind) && is_name(subtype) => {
            format!("{kind}/{subtype}").to_ascii_lowercase()
        }
        _ => "application/octet-stream".to_owned(),
    }
}
