//! Makes what is stored out of a request.

use std::time::Duration;

use uuid::Uuid;

use super::given_text::GivenText;
use super::request::{EmailRequest, RequestBody};
use super::{Details, Error};
use crate::clock::Timestamp;
use crate::email_config::EmailConfig;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::MessageId;
use crate::outgoing::{Lane, OnUnknown, RecipientKind};

/// A mail that can be stored.
#[derive(Clone, Debug)]
pub(super) struct Submission {
    pub id: Uuid,
    pub message_id: String,
    /// Of the sender as it was given; none is the account's address.
    pub sender: Option<EmailAddress>,
    pub recipients: Vec<(RecipientKind, EmailAddress)>,
    pub details: Details,
    /// The octets; without its From line, which is written when the mail is handed over, unless the message came whole.
    pub message: Vec<u8>,
    pub lane: Lane,
    pub scheduled_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    /// None is what fits the account.
    pub on_unknown: Option<OnUnknown>,
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
}

impl Submission {
    /// Builds the message.
    pub fn new(
        request: &EmailRequest,
        account: &EmailConfig,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let from = request.from.as_ref();
        let own = account.settings.email_address().ok_or(Error::NotConfigured)?;
        let own = Mailbox::new(account.settings.sender_name(), own.clone());
        let domain = from.unwrap_or(&own).address().domain();
        let message_id = MessageId::parse(&format!("<{}@{domain}>", Uuid::new_v4()))
            .ok_or_else(|| Error::Internal(anyhow::anyhow!("a Message-ID cannot be made for a domain")))?;
        let due = request.due_at(now);
        let mut built =
            request.build(&message_id, None, due).map_err(|error| Error::Internal(error.into()))?;
        let id = Uuid::now_v7();
        if let Some(received) = &request.received {
            built.bytes.splice(0..0, received.line(id, now).into_bytes());
        }
        let shown = |list: &[Mailbox]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let recipients = request.recipients();
        let (text, html) = match &request.body {
            RequestBody::Parts { text, html, .. } => (text.as_deref(), html.as_deref()),
            RequestBody::Raw(_) => (None, None),
        };
        Ok(Self {
            id,
            message_id: built.message_id,
            sender: from.map(|from| from.address().clone()),
            recipients: recipients
                .iter()
                .map(|recipient| (recipient.kind, recipient.address.clone()))
                .collect(),
            details: Details {
                from: from.unwrap_or(&own).to_string(),
                is_from_account: from.is_none(),
                envelope_from: request.envelope.from.as_ref().map(ToString::to_string),
                to: shown(&request.to),
                cc: shown(&request.cc),
                bcc: shown(&request.bcc),
                reply_to: shown(&request.reply_to),
                subject: request.subject(),
                tags: request.tags.iter().map(|tag| (tag.name.clone(), tag.value.clone())).collect(),
                metadata: request.metadata.clone(),
                is_raw: matches!(request.body, RequestBody::Raw(_)),
                text: text.map(GivenText::new),
                html: html.map(GivenText::new),
            },
            message: built.bytes,
            lane: request.lane,
            scheduled_at: request.scheduled_at,
            expires_at: request.expires_at(now, milliseconds(lifetime)),
            on_unknown: request.on_unknown,
            fingerprint: request.fingerprint().0.to_vec(),
        })
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
