//! Requests of the send API, for the OpenAPI document: `delivery::request` and `parameters` read them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::bodies::TagBody;

/// A request of an email, for the document: `delivery::request` reads it.
#[derive(Debug, ToSchema)]
#[schema(as = EmailRequest, example = json!({
    "to": "ada@example.com", "subject": "Invoice 8841", "text": "Thank you. The invoice is attached.",
}))]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct EmailRequestBody {
    /// `Name <address>` or an address: the account's address, or one of the `allowed_senders` of the account; the API key has to
    /// allow it, too. Without it, the account's address and sender name.
    from: Option<String>,
    /// One address or several. `to`, `cc` and `bcc` together are at most 100.
    to: Option<AddressesBody>,
    cc: Option<AddressesBody>,
    bcc: Option<AddressesBody>,
    reply_to: Option<AddressesBody>,
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
    /// Header fields: `In-Reply-To`, `References`, `List-*`, `Auto-Submitted`, `Precedence`, `Importance`, `X-*`,
    /// `Feedback-ID` and `Organization`.
    headers: Option<BTreeMap<String, String>>,
    attachments: Option<Vec<AttachmentBody>>,
    /// At most 10.
    tags: Option<Vec<TagBody>>,
    /// RFC 3339, at most 30 days ahead.
    scheduled_at: Option<String>,
    /// Until when it is tried, RFC 3339. Without it and `ttl_seconds`, 72 hours.
    expires_at: Option<String>,
    /// How long it is tried, in place of `expires_at`.
    ttl_seconds: Option<u64>,
    /// `transactional` (default) goes first; `bulk` waits for it.
    lane: Option<String>,
    /// What follows an unknown outcome: `retry_once` (at most two copies) or `hold` (a person decides).
    on_unknown: Option<String>,
    /// Texts by name, at most 2 KiB; they come back in answers and events.
    metadata: Option<BTreeMap<String, String>>,
    /// A whole message in base64, in place of subject, text, html, attachments and headers.
    raw: Option<String>,
    /// With `raw`: sender and recipients, where they are not those of the header.
    envelope: Option<EnvelopeBody>,
}

/// One address or several, each as `Name <address>` or an address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = EmailAddresses)]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub enum AddressesBody {
    One(String),
    Several(Vec<String>),
}

/// The sender and the recipients that the server is told.
#[derive(Debug, ToSchema)]
#[schema(as = EmailEnvelope)]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct EnvelopeBody {
    from: Option<String>,
    to: Option<Vec<String>>,
}

#[derive(Debug, ToSchema)]
#[schema(as = EmailAttachment)]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct AttachmentBody {
    filename: Option<String>,
    /// Base64.
    content: String,
    content_type: Option<String>,
    /// For an inline image: `cid:` and this in the HTML.
    content_id: Option<String>,
}

/// Times to change.
#[derive(Debug, ToSchema)]
#[schema(as = EmailUpdate, example = json!({"scheduled_at": "2026-12-01T08:00:00Z"}))]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct UpdateBody {
    /// When it is tried first, RFC 3339.
    scheduled_at: Option<String>,
    /// Until when it is tried, RFC 3339.
    expires_at: Option<String>,
}

/// Recipients of an email; all where none are named.
#[derive(Debug, ToSchema)]
#[schema(as = EmailRecipients, example = json!({"recipients": ["ada@example.com"]}))]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct RecipientsBody {
    recipients: Option<Vec<String>>,
}

/// Recipients whose mail has arrived; all of unknown outcome where none are named.
#[derive(Debug, ToSchema)]
#[schema(as = EmailSettlement, example = json!({"recipients": ["ada@example.com"], "outcome": "accepted"}))]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct SettlementBody {
    recipients: Option<Vec<String>>,
    /// `accepted`: the only one that a person can tell.
    outcome: Option<String>,
}
