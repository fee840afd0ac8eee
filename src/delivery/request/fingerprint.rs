//! Tells whether two requests ask for the same: by what was read, so that spaces and the order of members do not count.

use aws_lc_rs::digest::{Context, SHA256};

use super::{EmailRequest, Lifetime, RequestBody};
use crate::mail::mailbox::Mailbox;

/// A SHA-256 of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(pub [u8; Fingerprint::OCTETS]);

impl Fingerprint {
    pub const OCTETS: usize = 32;

    /// That of a batch, which has one key for all its emails.
    pub fn of_batch<'a>(requests: impl IntoIterator<Item = &'a EmailRequest>) -> Self {
        let mut hasher = Hasher::new("batch");
        for request in requests {
            hasher.octets(&request.fingerprint().0);
        }
        hasher.finish()
    }
}

impl EmailRequest {
    /// Times count as they were written: a lifetime in seconds is the same whenever it is asked for.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = Hasher::new("email");
        hasher.mailboxes(self.from.as_slice());
        for list in [&self.to, &self.cc, &self.bcc, &self.reply_to] {
            hasher.mailboxes(list);
        }
        self.hash_body(&mut hasher);
        hasher.list(self.envelope.from.iter().chain(&self.envelope.to), |hasher, address| {
            hasher.text(address.as_str());
        });
        hasher.flag(self.envelope.from.is_some());
        hasher.list(&self.tags, |hasher, tag| {
            hasher.text(&tag.name);
            hasher.text(&tag.value);
        });
        hasher.list(&self.metadata, |hasher, (name, value)| {
            hasher.text(name);
            hasher.text(value);
        });
        hasher.number(self.scheduled_at.map_or(i64::MIN, |at| at.0));
        let (kind, number) = match self.lifetime {
            Lifetime::Default => ("default", 0),
            Lifetime::Until(at) => ("until", at.0),
            Lifetime::Milliseconds(milliseconds) => ("milliseconds", milliseconds),
        };
        hasher.text(kind);
        hasher.number(number);
        hasher.text(self.lane.as_str());
        hasher.optional(self.on_unknown.map(super::OnUnknown::as_str));
        hasher.finish()
    }

    fn hash_body(&self, hasher: &mut Hasher) {
        match &self.body {
            RequestBody::Parts { subject, text, html, headers, attachments } => {
                hasher.text("parts");
                hasher.text(subject.as_str());
                hasher.optional(text.as_deref());
                hasher.optional(html.as_deref());
                let mut headers: Vec<_> = headers
                    .iter()
                    .map(|header| (header.name().to_ascii_lowercase(), header.value()))
                    .collect();
                headers.sort_unstable();
                hasher.list(headers, |hasher, (name, value)| {
                    hasher.text(&name);
                    hasher.text(value);
                });
                hasher.list(attachments, |hasher, attachment| {
                    hasher.optional(attachment.filename.as_ref().map(crate::mail::message::Filename::as_str));
                    hasher.text(attachment.content_type.as_str());
                    hasher.optional(
                        attachment.content_id.as_ref().map(crate::mail::message::ContentId::as_str),
                    );
                    hasher.octets(&attachment.content);
                });
            }
            RequestBody::Raw(message) => {
                hasher.text("raw");
                hasher.octets(message.as_bytes());
            }
        }
    }
}

/// Hashes values with their lengths, so that no two lists of values look the same.
struct Hasher(Context);

impl Hasher {
    fn new(kind: &str) -> Self {
        let mut hasher = Self(Context::new(&SHA256));
        hasher.text(kind);
        hasher
    }

    fn octets(&mut self, octets: &[u8]) {
        self.0.update(&(octets.len() as u64).to_be_bytes());
        self.0.update(octets);
    }

    fn text(&mut self, text: &str) {
        self.octets(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.octets(&number.to_be_bytes());
    }

    fn flag(&mut self, is_set: bool) {
        self.octets(&[u8::from(is_set)]);
    }

    fn optional(&mut self, text: Option<&str>) {
        self.list(text, Self::text);
    }

    fn mailboxes(&mut self, mailboxes: &[Mailbox]) {
        self.list(mailboxes, |hasher, mailbox| {
            hasher.optional(mailbox.name());
            hasher.text(mailbox.address().as_str());
        });
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut hash: impl FnMut(&mut Self, T)) {
        for item in items {
            self.flag(true);
            hash(self, item);
        }
        self.flag(false);
    }

    fn finish(self) -> Fingerprint {
        let mut octets = [0; Fingerprint::OCTETS];
        octets.copy_from_slice(self.0.finish().as_ref());
        Fingerprint(octets)
    }
}
