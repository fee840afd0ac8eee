//! The attachments of a mail.

use mail_parser::{MessageParser, MessagePart, MimeHeaders as _};

/// One part that is not a body. Its texts are untrusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// The file name that the sender gave.
    pub name: Option<String>,
    /// The declared `type/subtype` in lower case; `application/octet-stream` where it is malformed.
    pub content_type: String,
    /// Decoded size in bytes.
    pub size: usize,
    /// Without its angle brackets; HTML refers to it by `cid:`.
    pub content_id: Option<String>,
}

impl Attachment {
    pub(super) fn new(part: &MessagePart<'_>) -> Self {
        Self {
            name: part.attachment_name().map(str::to_owned),
            content_type: content_type(part),
            size: part.contents().len(),
            content_id: part.content_id().map(|id| id.trim_matches(['<', '>']).to_owned()),
        }
    }
}

/// The attachment at this index of [`super::Content::attachments`], with its decoded bytes.
pub fn attachment(source: &[u8], index: usize) -> Option<(Attachment, Vec<u8>)> {
    let message = MessageParser::default().parse(source)?;
    let part = message.attachments().nth(index)?;
    Some((Attachment::new(part), part.contents().to_vec()))
}

fn content_type(part: &MessagePart<'_>) -> String {
    let declared = part.content_type();
    let parts = declared.and_then(|declared| Some((declared.ctype(), declared.subtype()?)));
    // The characters of a registered name (RFC 6838 section 4.2).
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
