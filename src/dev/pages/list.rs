//! `/dev/inbox.json`: the caught mails as JSON.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::dev::mail;

/// The newest first.
#[derive(Serialize)]
pub(super) struct Mails {
    mails: Vec<Mail>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    id: String,
    /// When it was received; all times are ISO 8601.
    received_at: String,
    /// The From header, decoded.
    from: String,
    /// The To header, decoded.
    to: Vec<String>,
    /// The Cc header, decoded; left out where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cc: Vec<String>,
    subject: String,
    /// The Date header; left out where it is missing or wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// The text body, cut off after 64 KiB.
    text: String,
    envelope: Envelope,
    /// Size of the source in bytes.
    size: usize,
    /// Path of the source.
    source: String,
    /// Path of the HTML body with its inline images; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    /// Every part that is not a body.
    attachments: Vec<Attachment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    /// The sender's name for it; left out where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    content_type: String,
    /// Decoded size in bytes.
    size: usize,
    /// HTML refers to it by `cid:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<String>,
    /// Path of the attachment.
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    from: String,
    to: Vec<String>,
    encrypted: bool,
    signed_in: bool,
}

impl Mails {
    pub(super) fn new(mails: &[Arc<mail::Mail>]) -> Self {
        Self { mails: mails.iter().map(|mail| Mail::new(mail)).collect() }
    }
}

impl Mail {
    fn new(mail: &mail::Mail) -> Self {
        let (content, envelope) = (&mail.content, &mail.envelope);
        Self {
            id: mail.id.to_string(),
            received_at: mail.received.to_iso(),
            from: content.from.clone(),
            to: content.to.clone(),
            cc: content.cc.clone(),
            subject: content.subject.clone(),
            date: content.date.map(Timestamp::to_iso),
            text: content.text.clone(),
            envelope: Envelope {
                from: envelope.sender.clone(),
                to: envelope.recipients.clone(),
                encrypted: envelope.encrypted,
                signed_in: envelope.signed_in,
            },
            size: mail.source.len(),
            source: format!("/dev/inbox/{}.eml", mail.id),
            html: content.has_html.then(|| format!("/dev/inbox/{}/html", mail.id)),
            attachments: content
                .attachments
                .iter()
                .enumerate()
                .map(|(index, attachment)| Attachment {
                    name: attachment.name.clone(),
                    content_type: attachment.content_type.clone(),
                    size: attachment.size,
                    content_id: attachment.content_id.clone(),
                    url: format!("/dev/inbox/{}/attachments/{index}", mail.id),
                })
                .collect(),
        }
    }
}
