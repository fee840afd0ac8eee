//! Builds the mail, through libraries, as the bytes that go on the wire; reads and completes one that arrives whole.

mod attachment;
mod body;
mod content;
mod encode;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod header;
mod id;
pub mod raw;
pub mod received;
#[cfg(test)]
mod tests;
mod text;

pub use attachment::{Attachment, AttachmentError, ContentId, ContentType, Filename};
pub use content::Content;
pub use header::{ALLOWED_NAMES, CustomHeader, HeaderError, HeaderName, HeaderValue};
pub use id::MessageId;
pub use text::{HeaderText, HeaderTextError};

use lettre::message::header::MIME_VERSION_1_0;
use memchr::memmem;

use crate::clock::Timestamp;
use crate::mail::mailbox::Mailbox;

/// What a mail says, before it is bytes. Hidden recipients are none of it.
pub struct Draft<'a> {
    pub message_id: &'a MessageId,
    /// `None` where the line is put in front later, see [`from_line`].
    pub from: Option<&'a Mailbox>,
    pub reply_to: &'a [Mailbox],
    pub to: &'a [Mailbox],
    pub cc: &'a [Mailbox],
    pub subject: &'a HeaderText,
    pub date: Timestamp,
    pub headers: &'a [CustomHeader],
    pub content: Content<'a>,
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

    /// Whether the server must offer SMTPUTF8 (RFC 6531): a header beyond ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !head(&self.bytes).is_ascii()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the mail could not be built: {0}")]
pub struct BuildError(pub String);

/// The same draft makes the same bytes.
///
/// # Errors
/// Where the library refuses; never for input that the types above let through.
pub fn build(draft: &Draft<'_>) -> Result<Message, BuildError> {
    let mut out = String::with_capacity(draft.content.size_hint());
    if let Some(from) = draft.from {
        out.push_str(&from_line(from));
    }
    for (name, mailboxes) in [("Reply-To", draft.reply_to), ("To", draft.to), ("Cc", draft.cc)] {
        if !mailboxes.is_empty() {
            encode::mailboxes(&mut out, name, mailboxes);
        }
    }
    encode::text(&mut out, "Subject", draft.subject.as_str());
    encode::date(&mut out, draft.date);
    encode::folded(&mut out, "Message-ID", draft.message_id.as_str());
    for header in draft.headers {
        let write = if header.is_text() { encode::text } else { encode::folded };
        write(&mut out, header.name(), header.value());
    }
    encode::typed(&mut out, MIME_VERSION_1_0);
    draft.content.write(&mut out, draft.message_id.as_str())?;
    Ok(Message { message_id: draft.message_id.to_string(), bytes: out.into_bytes() })
}

/// The line with the sender. It is the first of a built mail.
pub fn from_line(from: &Mailbox) -> String {
    let mut line = String::new();
    encode::mailboxes(&mut line, "From", [from]);
    line
}

/// The lines of one header with recipients, for a service that has no envelope; empty where there are none.
pub fn recipient_lines(name: &str, recipients: &[Mailbox]) -> String {
    let mut lines = String::new();
    if !recipients.is_empty() {
        encode::mailboxes(&mut lines, name, recipients);
    }
    lines
}

/// What stands before the empty line, with its last line end.
fn head(bytes: &[u8]) -> &[u8] {
    if bytes.starts_with(b"\r\n") {
        return &[];
    }
    memmem::find(bytes, b"\r\n\r\n").map_or(bytes, |end| &bytes[..end + 2])
}
