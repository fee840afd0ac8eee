//! A message that arrives whole: its octets are checked and stay as they are.
//!
//! What two servers could read differently is refused, not repaired (RFC 5321 section 2.3.8). Lines are added at the
//! top, and lines with hidden recipients are removed; no other octet changes.

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use super::{HeaderText, MessageId, head, received};
use crate::clock::Timestamp;
use crate::error::{Reason, ValueError};
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::{Mailbox, MailboxError};

/// A message that has passed the checks of [`RawMessage::parse`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawMessage {
    bytes: Vec<u8>,
}

/// Each text ends a sentence that begins with the field's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RawMessageError {
    #[error("is empty")]
    Empty,
    #[error("contains a CR without LF, or an LF without CR, in line {0}; each line must end with CRLF")]
    BareLineEnd(usize),
    #[error("contains a NUL in line {0}")]
    Nul(usize),
    #[error("has more than {max} octets in line {0}", max = RawMessage::MAX_LINE)]
    LongLine(usize),
    #[error("does not end with CRLF")]
    NoFinalLineEnd,
    #[error("has headers of more than {} octets", RawMessage::MAX_HEAD)]
    LongHead,
    #[error("has more than {} headers", RawMessage::MAX_HEADERS)]
    ManyHeaders,
    #[error("has no header in line {0}: a name and a colon are missing")]
    NotAHeader(usize),
    #[error("has headers that are neither ASCII nor UTF-8")]
    NotUtf8,
    #[error("has no From header")]
    NoFrom,
    #[error("has more than one From header")]
    SeveralFrom,
    #[error(
        "has been passed on more than {} times, or by this service {} times, which is a loop",
        RawMessage::MAX_RECEIVED,
        RawMessage::MAX_RECEIVED_HERE
    )]
    Loop,
    #[error("has a From header that {0}")]
    Sender(#[from] MailboxError),
}

impl ValueError for RawMessageError {
    fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::Empty,
            Self::LongLine(_) | Self::LongHead | Self::ManyHeaders => Reason::TooLong,
            Self::Sender(error) => error.reason(),
            _ => Reason::NotAMessage,
        }
    }
}

/// The text of an unstructured header: its encoded words decoded (RFC 2047).
fn decoded(value: &str) -> String {
    match MessageStream::new(format!("{value}\n").as_bytes()).parse_unstructured() {
        HeaderValue::Text(decoded) => decoded.into_owned(),
        _ => String::new(),
    }
}

/// As [`decoded`]; without encoded words each blank stays as it is.
fn control_value(field: &Field<'_>) -> String {
    let value = field.value();
    if value.contains("=?") { decoded(&value) } else { value }
}

/// One header: its name, and its lines with their line ends.
struct Field<'a> {
    name: &'a str,
    lines: &'a str,
}

impl RawMessage {
    pub const MAX_HEAD: usize = 64 * 1024;
    /// Of headers, however many lines each has.
    pub const MAX_HEADERS: usize = 200;
    /// RFC 5322 section 2.1.1, without CRLF.
    pub const MAX_LINE: usize = 998;
    pub const MAX_RECEIVED: usize = 30;
    /// A message that has this many lines of [`super::received`] goes round.
    pub const MAX_RECEIVED_HERE: usize = 3;

    /// # Errors
    /// Names the first thing that is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, RawMessageError> {
        if bytes.is_empty() {
            return Err(RawMessageError::Empty);
        }
        check_lines(&bytes)?;
        check_head(head(&bytes))?;
        let message = Self { bytes };
        message.from()?;
        Ok(message)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether its headers are beyond ASCII, which a server takes for certain only if it offers SMTPUTF8 (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !head(&self.bytes).is_ascii()
    }

    /// The sender, as every reader reads it.
    ///
    /// # Errors
    /// Not exactly one mailbox, or one that could be read in two ways.
    pub fn from(&self) -> Result<Mailbox, RawMessageError> {
        let value = self.value("From").ok_or(RawMessageError::NoFrom)?;
        // `root@example.com (Cron Daemon)` is an old form of `Cron Daemon <root@example.com>`.
        let without_comment =
            value.strip_suffix(')').and_then(|rest| rest.split_once('(')).filter(|(address, comment)| {
                // In a comment that looks like an address, or hides one, another reader could see the sender.
                let is_plain = !comment.contains(['(', ')', '\\', '<', '>', '@', '"', ',']);
                !address.contains(['<', '"']) && is_plain && !comment.contains("=?")
            });
        Ok(match without_comment {
            Some((address, _)) => Mailbox::parse_header(address)?,
            None => Mailbox::parse_header(&value)?,
        })
    }

    /// The identifier that it brings, as it stands there.
    pub fn message_id(&self) -> Option<String> {
        self.value("Message-ID").filter(|id| !id.trim().is_empty())
    }

    /// The subject as people read it. An encoded word may hold control characters, which are shown as U+FFFD.
    pub fn subject(&self) -> String {
        decoded(&self.value("Subject").unwrap_or_default()).replace(char::is_control, "\u{fffd}")
    }

    /// Puts a date and an identifier at the top where it has none, or an empty one (RFC 6409 section 8).
    pub fn add_missing(&mut self, date: Timestamp, message_id: &MessageId) {
        let mut lines = String::new();
        let (has_message_id, has_date) = (self.message_id().is_some(), self.has("Date"));
        let missing = [("Message-ID", has_message_id), ("Date", has_date)];
        let missing: Vec<_> = missing.iter().filter(|(_, has)| !has).map(|(name, _)| *name).collect();
        remove_headers(&mut self.bytes, &missing);
        if !has_message_id {
            super::encode::folded(&mut lines, "Message-ID", message_id.as_str());
        }
        if !has_date {
            super::encode::date(&mut lines, date);
        }
        self.bytes.splice(0..0, lines.into_bytes());
    }

    /// Removes the headers with hidden recipients, so that nobody reads them.
    pub fn remove_bcc(&mut self) {
        remove_headers(&mut self.bytes, &["Bcc", "Resent-Bcc"]);
    }

    /// Removes the headers of these names, and returns the unfolded value of each under its name in `names`. A value with
    /// encoded words is decoded: many libraries write them where a line is long or has letters beyond ASCII.
    pub fn take_headers<'a>(&mut self, names: &[&'a str]) -> Vec<(&'a str, String)> {
        let name_of = |field: &Field<'_>| names.iter().find(|name| field.is(name)).copied();
        let taken =
            self.fields().filter_map(|field| Some((name_of(&field)?, control_value(&field)))).collect();
        remove_headers(&mut self.bytes, names);
        taken
    }

    /// Those whom the headers of this name show; none where they cannot be read with certainty.
    pub fn mailboxes(&self, name: &str) -> Option<Vec<Mailbox>> {
        mailboxes(&self.bytes, name)
    }

    fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !value.trim().is_empty())
    }

    /// The unfolded value of the first header of this name.
    fn value(&self, name: &str) -> Option<String> {
        self.fields().find(|field| field.is(name)).map(|field| field.value())
    }

    fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        fields(std::str::from_utf8(head(&self.bytes)).unwrap_or_default())
    }
}

impl Field<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value on one line.
    fn value(&self) -> String {
        let value = self.lines.get(self.name.len() + 1..).unwrap_or_default();
        value.replace("\r\n", "").replace('\t', " ").trim_matches(' ').to_owned()
    }
}

/// Those whom the headers of this name show in a message with a head of ASCII or UTF-8; none where they cannot be read with
/// certainty.
pub fn mailboxes(message: &[u8], name: &str) -> Option<Vec<Mailbox>> {
    let text = std::str::from_utf8(head(message)).ok()?;
    let mut found = Vec::new();
    for field in fields(text).filter(|field| field.is(name)) {
        let value = format!("{}\n", field.value());
        let addresses = match MessageStream::new(value.as_bytes()).parse_address() {
            HeaderValue::Address(addresses) => addresses.into_list(),
            HeaderValue::Empty => continue,
            _ => return None,
        };
        for address in addresses {
            let name = address.name.as_deref().and_then(|name| HeaderText::parse(name).ok());
            let address = EmailAddress::parse(address.address.as_deref()?).ok()?;
            found.push(Mailbox::new(name.as_ref(), address));
        }
    }
    Some(found)
}

/// Removes every header of these names from a message with a head of ASCII or UTF-8.
pub fn remove_headers(message: &mut Vec<u8>, names: &[&str]) {
    let end = head(message).len();
    let text = std::str::from_utf8(&message[..end]).unwrap_or_default();
    let is_named = |field: &Field<'_>| names.iter().any(|name| field.is(name));
    if !fields(text).any(|field| is_named(&field)) {
        return;
    }
    let kept: Vec<u8> =
        fields(text).filter(|field| !is_named(field)).flat_map(|field| field.lines.bytes()).collect();
    message.splice(..end, kept);
}

/// The headers of a head that has been checked.
fn fields(head: &str) -> impl Iterator<Item = Field<'_>> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let mut end = 0;
        for line in rest.split_inclusive("\r\n") {
            if end > 0 && !line.starts_with([' ', '\t']) {
                break;
            }
            end += line.len();
        }
        let (lines, behind) = rest.split_at(end);
        rest = behind;
        let (name, _) = lines.split_once(':')?;
        Some(Field { name, lines })
    })
}

/// CRLF ends each line and stands nowhere else, no NUL, no line too long.
fn check_lines(bytes: &[u8]) -> Result<(), RawMessageError> {
    let mut start = 0;
    let mut number = 1;
    for found in memchr::memchr3_iter(b'\r', b'\n', 0, bytes) {
        if found < start {
            // The LF of the line end before.
            continue;
        }
        match bytes[found] {
            0 => return Err(RawMessageError::Nul(number)),
            b'\r' if bytes.get(found + 1) == Some(&b'\n') => {}
            _ => return Err(RawMessageError::BareLineEnd(number)),
        }
        if found - start > RawMessage::MAX_LINE {
            return Err(RawMessageError::LongLine(number));
        }
        start = found + 2;
        number += 1;
    }
    match bytes.len() - start.min(bytes.len()) {
        0 => Ok(()),
        rest if rest > RawMessage::MAX_LINE => Err(RawMessageError::LongLine(number)),
        _ => Err(RawMessageError::NoFinalLineEnd),
    }
}

fn check_head(head: &[u8]) -> Result<(), RawMessageError> {
    if head.len() > RawMessage::MAX_HEAD {
        return Err(RawMessageError::LongHead);
    }
    let head = std::str::from_utf8(head).map_err(|_| RawMessageError::NotUtf8)?;
    for (index, line) in head.split_terminator("\r\n").enumerate() {
        let number = index + 1;
        let is_continued = line.starts_with([' ', '\t']);
        // A line of spaces alone is the end of the headers to some readers, and part of them to others.
        let is_good = if is_continued {
            number > 1 && !line.trim_matches([' ', '\t']).is_empty()
        } else {
            line.split_once(':').is_some_and(|(name, _)| is_field_name(name))
        };
        if !is_good {
            return Err(RawMessageError::NotAHeader(number));
        }
    }
    let count = |name: &str| fields(head).filter(|field| field.is(name)).count();
    if fields(head).count() > RawMessage::MAX_HEADERS {
        return Err(RawMessageError::ManyHeaders);
    }
    match count("From") {
        0 => return Err(RawMessageError::NoFrom),
        1 => {}
        // Readers differ in which of them they show.
        _ => return Err(RawMessageError::SeveralFrom),
    }
    let ours = fields(head).filter(|field| field.is("Received") && received::is_ours(&field.value())).count();
    let is_loop = count("Received") > RawMessage::MAX_RECEIVED || ours >= RawMessage::MAX_RECEIVED_HERE;
    if is_loop { Err(RawMessageError::Loop) } else { Ok(()) }
}

/// RFC 5322 section 2.2: printable ASCII but for the colon.
fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}
