//! A request to send an email: from JSON to values that can be built and queued. All its faults are told at once.

mod address;
mod attachment;
mod fault;
mod fingerprint;
mod headers;
mod idempotency;
mod labels;
mod members;
mod parse;
mod raw;
mod schedule;
mod submitted;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use crate::clock::Timestamp;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::raw::RawMessage;
use crate::mail::message::received::Received;
use crate::mail::message::{
    Attachment, BuildError, Content, CustomHeader, Draft, HeaderText, Message, MessageId, build,
};

pub use fault::{ErrorName, RequestFault, RequestFaults};
pub use fingerprint::Fingerprint;
pub use idempotency::IdempotencyKey;
pub use labels::Tag;
pub use schedule::{Lifetime, ends_before_due, parse_scheduled_at, parse_timestamp};
pub use submitted::{CONTROL_LINES, SubmittedError};

pub use crate::outgoing::{Lane, OnUnknown, RecipientKind};

/// To, cc and bcc together, and the recipients of an envelope.
pub const MAX_RECIPIENTS: usize = 100;

/// An email that is to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmailRequest {
    /// `None` is the account's own address and name. That of a raw message is in its From header.
    pub from: Option<Mailbox>,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub bcc: Vec<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    pub body: RequestBody,
    /// Only with a raw message: its sender and recipients on the wire, where they are not those of its headers.
    pub envelope: Envelope,
    pub tags: Vec<Tag>,
    pub metadata: BTreeMap<String, String>,
    pub scheduled_at: Option<Timestamp>,
    pub lifetime: Lifetime,
    pub lane: Lane,
    /// `None` is the policy of the account's provider.
    pub on_unknown: Option<OnUnknown>,
    /// How a message came that was handed in by SMTP. It is no part of what is asked for.
    pub received: Option<Received>,
}

/// What the email says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestBody {
    Parts {
        subject: HeaderText,
        text: Option<String>,
        html: Option<String>,
        headers: Vec<CustomHeader>,
        attachments: Vec<Attachment>,
    },
    Raw(RawMessage),
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Envelope {
    pub from: Option<EmailAddress>,
    pub to: Vec<EmailAddress>,
}

/// One who is to get the email.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient<'a> {
    /// Among the recipients of the email, from 0 on.
    pub position: usize,
    pub kind: RecipientKind,
    pub address: &'a EmailAddress,
}

impl EmailRequest {
    /// Who is to get the email, each address once: under the first of to, cc and bcc that names it.
    pub fn recipients(&self) -> Vec<Recipient<'_>> {
        let lists =
            [(RecipientKind::To, &self.to), (RecipientKind::Cc, &self.cc), (RecipientKind::Bcc, &self.bcc)];
        let named = lists
            .into_iter()
            .flat_map(|(kind, list)| list.iter().map(move |mailbox| (kind, mailbox.address())));
        let envelope = self.envelope.to.iter().map(|address| (RecipientKind::To, address));
        let mut seen = HashSet::new();
        named
            .chain(envelope)
            .filter(|(_, address)| seen.insert(*address))
            .enumerate()
            .map(|(position, (kind, address))| Recipient { position, kind, address })
            .collect()
    }

    /// The subject as people read it.
    pub fn subject(&self) -> String {
        match &self.body {
            RequestBody::Parts { subject, .. } => subject.as_str().to_owned(),
            RequestBody::Raw(message) => message.subject(),
        }
    }

    /// The identifier that a raw message brings, as it stands there.
    pub fn own_message_id(&self) -> Option<String> {
        match &self.body {
            RequestBody::Parts { .. } => None,
            RequestBody::Raw(message) => message.message_id(),
        }
    }

    /// The octets that are sent. The same arguments make the same octets. A raw message keeps its own From, date and
    /// identifier; any other has no From line where `from` is `None` (`mail::message::from_line` makes it).
    ///
    /// # Errors
    /// Where the library refuses; never for a request that was parsed.
    pub fn build(
        &self,
        message_id: &MessageId,
        from: Option<&Mailbox>,
        date: Timestamp,
    ) -> Result<Message, BuildError> {
        let (subject, text, html, headers, attachments) = match &self.body {
            RequestBody::Parts { subject, text, html, headers, attachments } => {
                (subject, text, html, headers, attachments)
            }
            RequestBody::Raw(message) => {
                let mut message = message.clone();
                message.remove_bcc();
                message.add_missing(date, message_id);
                let message_id = message.message_id().unwrap_or_default();
                return Ok(Message { message_id, bytes: message.into_bytes() });
            }
        };
        let headers = headers::with_auto_submitted(headers);
        build(&Draft {
            message_id,
            from,
            reply_to: &self.reply_to,
            to: &self.to,
            cc: &self.cc,
            subject,
            date,
            headers: &headers,
            content: Content { text: text.as_deref(), html: html.as_deref(), attachments },
        })
    }
}
