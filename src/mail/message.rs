//! Builds the mail, through the library, as the bytes that go on the wire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, SinglePart};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::{Reason, ValueError};
use crate::mail::address::EmailAddress;

#[cfg(test)]
mod tests;

/// Text that may stand in a header: no control characters, at most [`HeaderText::MAX_CHARACTERS`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderText(String);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderTextError {
    #[error("contains a line break or another control character")]
    ControlCharacter,
    #[error("is longer than {} characters", HeaderText::MAX_CHARACTERS)]
    TooLong,
}

impl ValueError for HeaderTextError {
    fn reason(&self) -> Reason {
        match self {
            Self::ControlCharacter => Reason::ControlCharacter,
            Self::TooLong => Reason::TooLong,
        }
    }
}

impl HeaderText {
    pub const MAX_CHARACTERS: usize = 255;

    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, HeaderTextError> {
        // The separators of lines and paragraphs break a line for those who read the decoded text.
        if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(HeaderTextError::ControlCharacter);
        }
        if text.chars().count() > Self::MAX_CHARACTERS {
            return Err(HeaderTextError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a mail says, before it is bytes.
pub struct Draft<'a> {
    pub from: &'a EmailAddress,
    pub sender_name: Option<&'a HeaderText>,
    pub to: &'a EmailAddress,
    pub subject: &'a HeaderText,
    pub body: &'a str,
    pub date: Timestamp,
}

/// A built mail: CRLF line ends, no bare CR or LF, no NUL, lines of at most 998 octets, pure ASCII
/// (quoted-printable or base64 where needed) unless an address needs SMTPUTF8.
#[derive(Debug)]
pub struct Message {
    pub message_id: String,
    pub bytes: Vec<u8>,
}

impl Message {
    /// Puts a header in front of the others. The value is printable ASCII and fits on a line.
    pub fn prepend(&mut self, name: &'static str, value: &str) {
        debug_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        self.bytes.splice(0..0, format!("{name}: {value}\r\n").into_bytes());
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the mail could not be built: {0}")]
pub struct BuildError(pub String);

/// # Errors
/// Where the library refuses; never for input that the types above let through.
pub fn build(draft: &Draft<'_>) -> Result<Message, BuildError> {
    let message_id = format!("<{}@{}>", Uuid::new_v4(), draft.from.domain());
    let name = draft.sender_name.map(HeaderText::as_str).map(str::trim).filter(|name| !name.is_empty());
    let message = lettre::Message::builder()
        .from(Mailbox::new(name.map(str::to_owned), address(draft.from)?))
        .to(Mailbox::new(None, address(draft.to)?))
        .raw_header(subject(draft.subject.as_str()))
        .date(moment(draft.date))
        .message_id(Some(message_id.clone()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body(draft.body)?))
        .map_err(|error| BuildError(error.to_string()))?;
    Ok(Message { message_id, bytes: message.formatted() })
}

fn address(address: &EmailAddress) -> Result<lettre::Address, BuildError> {
    lettre::Address::new(address.local_part(), address.domain())
        .map_err(|error| BuildError(error.to_string()))
}

/// The years that the library can write.
fn moment(date: Timestamp) -> SystemTime {
    const LAST_MOMENT_OF_9998: u64 = 253_370_764_799_000;
    let milliseconds = u64::try_from(date.0).unwrap_or_default().min(LAST_MOMENT_OF_9998);
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}

/// Plain where the text says what it is, otherwise encoded as a whole: the library would leave alone what
/// looks like an encoded word, and spaces at the edges get lost on the way.
fn subject(text: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Subject");
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && !text.contains("=?")
        && text.trim() == text;
    if is_plain {
        HeaderValue::new(name, text.to_owned())
    } else {
        HeaderValue::dangerous_new_pre_encoded(name, text.to_owned(), encoded_words(text))
    }
}

/// RFC 2047 section 2: a line with an encoded word has at most 76 characters, and a character stands in one
/// word. 39 bytes make 64 characters, which leaves room for the header's name.
fn encoded_words(text: &str) -> String {
    const MAX_BYTES: usize = 39;
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, behind) = rest.split_at(rest.floor_char_boundary(MAX_BYTES));
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = behind;
    }
    words.join("\r\n ")
}

/// The text in lines that end with CRLF, but for the last, which the library ends.
fn body(text: &str) -> Result<Body, BuildError> {
    let mut lines = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|c| *c != '\0').peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' | '\n' => {
                if c == '\r' {
                    characters.next_if_eq(&'\n');
                }
                lines.push_str("\r\n");
            }
            c => lines.push(c),
        }
    }
    if lines.ends_with("\r\n") {
        lines.truncate(lines.len() - 2);
    }
    let is_plain = |line: &str| {
        line.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
            && !line.ends_with([' ', '\t'])
            && !line.starts_with(MBOX_SEPARATOR)
    };
    let body = if lines.is_ascii() && !lines.split("\r\n").all(is_plain) {
        // The library would send control characters, and spaces that get lost at a line's end, as they are.
        Body::new_with_encoding(lines, ContentTransferEncoding::QuotedPrintable)
            .map_err(|_| BuildError("the body could not be encoded".to_owned()))?
    } else {
        Body::new(lines)
    };
    let encoding = body.encoding();
    if encoding != ContentTransferEncoding::QuotedPrintable {
        return Ok(body);
    }
    let encoded = String::from_utf8(body.into_vec()).map_err(|error| BuildError(error.to_string()))?;
    Ok(Body::dangerous_pre_encoded(without_separators(&encoded).into_bytes(), encoding))
}

/// What begins a mail in a mailbox file. Programs that store mail in one put `>` before a line that begins so, which
/// breaks a signature over the body.
const MBOX_SEPARATOR: &str = "From ";

/// The longest encoded line (RFC 2045 section 6.7).
const MAX_ENCODED_LINE: usize = 76;

/// Quoted-printable lines of which none begins with [`MBOX_SEPARATOR`] (RFC 2049 section 3).
fn without_separators(encoded: &str) -> String {
    const ESCAPED: &str = "=46rom ";
    let mut lines = Vec::new();
    for mut line in encoded.split("\r\n") {
        let mut escaped = String::new();
        while let Some(rest) = line.strip_prefix(MBOX_SEPARATOR) {
            escaped.push_str(ESCAPED);
            line = rest;
            if escaped.len() + line.len() <= MAX_ENCODED_LINE {
                break;
            }
            // A soft line break: what follows begins a line of its own.
            lines.push(format!("{escaped}="));
            escaped.clear();
        }
        lines.push(escaped + line);
    }
    lines.join("\r\n")
}
