//! A caught mail: its envelope, its source, and its decoded content.

mod attachments;
mod html;

use mail_parser::{Address, MessageParser};

use crate::clock::Timestamp;

pub use attachments::{Attachment, attachment};
pub use html::html;

/// Bytes of the decoded text that are kept. The source has all of it.
pub const MAX_TEXT: usize = 64 * 1024;

/// The envelope (RFC 5321 section 2.3.1), and how the mail was sent.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Empty for the null reverse-path of a notification.
    pub sender: String,
    pub recipients: Vec<String>,
    pub encrypted: bool,
    pub signed_in: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    pub id: u64,
    pub received: Timestamp,
    pub envelope: Envelope,
    pub content: Content,
    /// The bytes that were sent, dots unstuffed.
    pub source: Vec<u8>,
}

/// The decoded content of a mail. All of it is untrusted.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Content {
    /// `Name <address>`, several separated by commas; empty where the header is missing.
    pub from: String,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub subject: String,
    /// The Date header; none where it is missing or malformed.
    pub date: Option<Timestamp>,
    /// Names with unfolded, undecoded values, in the order of the source.
    pub headers: Vec<(String, String)>,
    /// The text body, or the text of the HTML body, up to [`MAX_TEXT`].
    pub text: String,
    /// Whether there is an HTML body; [`html()`] reads it.
    pub has_html: bool,
    /// Every part that is not a body; [`attachment()`] reads one.
    pub attachments: Vec<Attachment>,
}

impl Content {
    /// Accepts any bytes: a source that is not a mail has no headers.
    pub fn parse(source: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse(source) else { return Self::default() };
        let header = |(name, value): (&str, &str)| (name.to_owned(), unfold(value));
        Self {
            from: mailboxes(message.from()).join(", "),
            to: mailboxes(message.to()),
            cc: mailboxes(message.cc()),
            subject: message.subject().unwrap_or_default().to_owned(),
            date: message
                .date()
                .filter(|date| date.is_valid())
                .map(|date| Timestamp(date.to_timestamp().saturating_mul(1000))),
            headers: message.headers_raw().map(header).collect(),
            text: message.body_text(0).map(|text| truncate(&text, MAX_TEXT).to_owned()).unwrap_or_default(),
            has_html: html::has_html(&message),
            attachments: message.attachments().map(Attachment::new).collect(),
        }
    }

    /// Whether an address, the subject, the text or the name of an attachment contains `search`, in any case.
    pub fn matches(&self, search: &str) -> bool {
        let names = self.attachments.iter().filter_map(|attachment| attachment.name.as_ref());
        let people = self.to.iter().chain(&self.cc);
        let mut texts = [&self.from, &self.subject, &self.text].into_iter().chain(people).chain(names);
        let search = search.trim().to_lowercase();
        texts.any(|text| text.to_lowercase().contains(&search))
    }
}

fn mailboxes(addresses: Option<&Address<'_>>) -> Vec<String> {
    let format = |mailbox: &mail_parser::Addr<'_>| match (mailbox.name(), mailbox.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => address.or(name).unwrap_or_default().to_owned(),
    };
    addresses.map(|addresses| addresses.iter().map(format).collect()).unwrap_or_default()
}

/// A header's value on one line (RFC 5322 section 2.2.3).
fn unfold(value: &str) -> String {
    value.replace("\r\n", "").replace('\n', "").trim().to_owned()
}

/// The longest prefix of `text` that fits and ends at a character boundary.
fn truncate(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_headers_and_bodies_are_read() {
        let source = b"From: =?utf-8?q?Acme_=C3=9Cbung?= <platform@example.com>\r\n\
            To: you@example.com,\r\n =?utf-8?b?SsO8cmdlbg==?= <j@example.org>\r\n\
            Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
            Date: Thu, 1 Jan 2026 01:00:00 +0100\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6n=\r\n, da=C3=9F\r\n";
        let content = Content::parse(source);
        assert_eq!(content.from, "Acme Übung <platform@example.com>");
        assert_eq!(content.to, ["you@example.com", "Jürgen <j@example.org>"]);
        assert_eq!(content.subject, "Grüße");
        assert_eq!(content.date, Some(Timestamp(1_767_225_600_000)));
        assert_eq!(content.text, "Schön, daß\r\n");
        let to = ("To".to_owned(), "you@example.com, =?utf-8?b?SsO8cmdlbg==?= <j@example.org>".to_owned());
        assert_eq!(content.headers[1], to);
    }

    #[test]
    fn a_mail_of_html_alone_has_its_text() {
        let content = Content::parse(b"Content-Type: text/html\r\n\r\n<p>one</p><script>two()</script>");
        assert!(content.text.contains("one"), "{content:?}");
        assert!(!content.text.contains("two"), "{content:?}");
    }

    #[test]
    fn a_source_that_is_not_a_mail_is_kept() {
        for source in [&b""[..], b"\r\n", b"\0\xff\xfe", b"no header here", b"Date: yesterday\r\n\r\n"] {
            let content = Content::parse(source);
            assert_eq!((content.from.as_str(), content.to.len(), content.date), ("", 0, None), "{source:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        let mut source = b"Content-Type: text/plain; charset=utf-8\r\n\r\nx".to_vec();
        source.extend("ü".repeat(MAX_TEXT).bytes());
        let text = Content::parse(&source).text;
        assert_eq!(text.len(), MAX_TEXT - 1);
        assert!(text.ends_with('ü'));
    }
}
