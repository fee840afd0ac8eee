//! Writes header fields: encoded (RFC 2047, 2231) and folded (RFC 5322 section 2.2.3).

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email_encoding::headers::writer::EmailWriter;
use email_encoding::headers::{quoted_string, rfc2047, rfc2231};
use lettre::message::header::{Date, Header, Headers};

use super::attachment::Filename;
use crate::clock::Timestamp;
use crate::mail::mailbox::Mailbox;

/// RFC 2047 section 2, for a line with an encoded word. Others have room for two more.
const MAX_LINE: usize = 76;
/// The longest word that stays as it is: a line has at most 998 octets (RFC 5322 section 2.1.1).
const MAX_WORD: usize = 900;

/// A header of addresses, folded between them where one still fits on a line. The library alone would put a list of
/// addresses without names on one line, however long.
pub(super) fn mailboxes<'a>(out: &mut String, name: &str, mailboxes: impl IntoIterator<Item = &'a Mailbox>) {
    let mut mailboxes = mailboxes.into_iter();
    header(out, name, |writer| {
        if let Some(first) = mailboxes.next() {
            write_mailbox(writer, first)?;
        }
        for mailbox in mailboxes {
            writer.write_char(',')?;
            writer.space();
            let mut alone = String::new();
            write_mailbox(&mut EmailWriter::new(&mut alone, " ".len(), 0, false), mailbox)?;
            if alone.contains("\r\n") {
                write_mailbox(writer, mailbox)?;
            } else {
                if writer.projected_line_len() + alone.len() > MAX_LINE {
                    writer.new_line()?;
                }
                writer.write_str(&alone)?;
            }
        }
        Ok(())
    });
}

fn write_mailbox(writer: &mut EmailWriter<'_>, mailbox: &Mailbox) -> std::fmt::Result {
    let address = mailbox.address();
    let Some(name) = mailbox.name() else {
        return writer.folding().write_str(address.as_str());
    };
    // Some readers make one space of several at a fold.
    if name.contains("  ") {
        rfc2047::encode(name, writer)?;
    } else {
        quoted_string::encode(name, writer)?;
    }
    writer.space();
    writer.folding().write_str(&format!("<{address}>"))
}

/// A header of text for people: plain where the text says what it is, otherwise encoded as a whole. The library would
/// leave alone what looks like an encoded word, and spaces at the edges get lost on the way.
pub(super) fn text(out: &mut String, name: &str, value: &str) {
    let is_plain = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && !value.contains("=?")
        && !value.contains("  ")
        && value.trim() == value
        && value.split(' ').all(|word| word.len() <= MAX_WORD);
    if is_plain {
        folded(out, name, value);
    } else {
        encoded_words(out, name, value);
    }
}

/// A header whose value stays as it is, but for the places where a line may end.
pub(super) fn folded(out: &mut String, name: &str, value: &str) {
    header(out, name, |writer| writer.folding().write_str(value));
}

/// RFC 2047 section 2: a line with an encoded word has at most 76 characters, and a character stands in one
/// word. 39 bytes make 64 characters, which leaves room for most names.
fn encoded_words(out: &mut String, name: &str, value: &str) {
    const MAX_BYTES: usize = 39;
    out.push_str(name);
    out.push(':');
    let mut rest = value;
    while !rest.is_empty() {
        let (word, behind) = rest.split_at(rest.floor_char_boundary(MAX_BYTES));
        let word = format!(" =?utf-8?B?{}?=", STANDARD.encode(word));
        let is_first = rest.len() == value.len();
        if !is_first || name.len() + ":".len() + word.len() > MAX_LINE {
            out.push_str("\r\n");
        }
        out.push_str(&word);
        rest = behind;
    }
    out.push_str("\r\n");
}

/// How a file is to be shown (RFC 2183), and its name.
pub(super) fn content_disposition(out: &mut String, kind: &str, filename: Option<&Filename>) {
    header(out, "Content-Disposition", |writer| {
        writer.write_str(kind)?;
        let Some(filename) = filename else { return Ok(()) };
        writer.write_char(';')?;
        writer.space();
        rfc2231::encode("filename", filename.as_str(), writer)
    });
}

pub(super) fn date(out: &mut String, date: Timestamp) {
    typed(out, Date::new(moment(date)));
}

/// A date as it stands in a header.
pub(super) fn date_text(date: Timestamp) -> String {
    let mut line = String::new();
    self::date(&mut line, date);
    line.trim_start_matches("Date: ").trim_end().to_owned()
}

/// A header of the library.
pub(super) fn typed(out: &mut String, header: impl Header) {
    let mut headers = Headers::new();
    headers.set(header);
    // Writing to a String cannot fail.
    let _ = write!(out, "{headers}");
}

fn header(out: &mut String, name: &str, write_value: impl FnOnce(&mut EmailWriter<'_>) -> std::fmt::Result) {
    out.push_str(name);
    out.push_str(": ");
    // Writing to a String cannot fail.
    let _ = write_value(&mut EmailWriter::new(out, name.len() + ": ".len(), 0, false));
    out.push_str("\r\n");
}

/// The years that the library can write.
fn moment(date: Timestamp) -> SystemTime {
    const LAST_MOMENT_OF_9998: u64 = 253_370_764_799_000;
    let milliseconds = u64::try_from(date.0).unwrap_or_default().min(LAST_MOMENT_OF_9998);
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}
