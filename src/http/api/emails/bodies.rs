//! Answers of the send API, in the shape of Resend's with members of ours.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::delivery::EmailView;
use crate::delivery::request::RequestFaults;
use crate::diagnosis::{self, while_it_is_retried};
use crate::language::Language;
use crate::outgoing::breaker::Stop;
use crate::outgoing::{LastAttempt, Recipient, RecipientState};

/// A label.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailTag)]
pub struct TagBody {
    pub name: String,
    /// Empty where the request has none.
    #[schema(required = false)]
    pub value: String,
}

/// The id of an email.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailReference)]
pub struct ReferenceBody {
    #[schema(example = "email")]
    object: &'static str,
    #[schema(example = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a")]
    id: String,
}

impl ReferenceBody {
    pub(super) fn new(id: Uuid) -> Self {
        Self { object: "email", id: id.to_string() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeletedEmail)]
pub struct DeletedBody {
    #[serde(flatten)]
    email: ReferenceBody,
    deleted: bool,
}

impl DeletedBody {
    pub(super) fn new(id: Uuid) -> Self {
        Self { email: ReferenceBody::new(id), deleted: true }
    }
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailBatch)]
pub struct BatchBody {
    data: Vec<IdBody>,
    /// In permissive mode: the emails that were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<BatchErrorBody>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailId)]
pub struct IdBody {
    #[schema(example = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a")]
    id: String,
}

/// An email of a batch that was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailBatchError)]
pub struct BatchErrorBody {
    /// Its place in the batch, from 0 on.
    index: usize,
    message: String,
    name: &'static str,
}

impl BatchBody {
    pub(super) fn new(ids: &[Uuid], faults: Option<Vec<(usize, RequestFaults)>>) -> Self {
        let error = |(index, faults): (usize, RequestFaults)| {
            let name = faults.name().as_str();
            let messages: Vec<_> = faults.into_inputs().iter().map(ToString::to_string).collect();
            BatchErrorBody { index, message: messages.join("; "), name }
        };
        Self {
            data: ids.iter().map(|id| IdBody { id: id.to_string() }).collect(),
            errors: faults.map(|faults| faults.into_iter().map(error).collect()),
        }
    }
}

/// One page of emails.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmailList {
    #[schema(example = "list")]
    object: &'static str,
    has_more: bool,
    data: Vec<EmailBody>,
}

impl EmailList {
    pub(super) fn new(views: &[EmailView], has_more: bool, now: Timestamp, language: Language) -> Self {
        let data = views.iter().map(|view| EmailBody::new(view, now, language)).collect();
        Self { object: "list", has_more, data }
    }
}

/// An email, and what became of each recipient.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Email)]
pub struct EmailBody {
    #[schema(example = "email")]
    object: &'static str,
    #[schema(example = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a")]
    id: String,
    message_id: String,
    from: Option<String>,
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    reply_to: Vec<String>,
    subject: Option<String>,
    html: Option<String>,
    text: Option<String>,
    tags: Vec<TagBody>,
    created_at: String,
    scheduled_at: Option<String>,
    /// The last thing that happened to the recipient for whom it is worst, in Resend's words.
    last_event: &'static str,
    /// `scheduled`, `queued`, `sending`, `held`, `unknown`, `accepted`, `partially_accepted`, `canceled`, `expired` or
    /// `failed`. Accepted means: the account's server took it.
    status: &'static str,
    lane: &'static str,
    expires_at: String,
    on_unknown: &'static str,
    metadata: BTreeMap<String, String>,
    /// The API key that it was sent with; null for another credential.
    #[schema(example = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a")]
    api_key_id: Option<String>,
    /// It came with a test key: its outcome is played, and nothing is sent.
    test: bool,
    /// `available` or `erased`.
    content: &'static str,
    recipients: Vec<RecipientBody>,
}

/// What became of one recipient.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailRecipient)]
pub struct RecipientBody {
    /// Null once erased.
    address: Option<String>,
    /// `to`, `cc` or `bcc`.
    kind: &'static str,
    /// `queued`, `held`, `deferred`, `sending`, `unknown`, `accepted`, `expired`, `canceled`, `failed`, `refused`,
    /// `suppressed`, `bounced` or `complained`.
    state: &'static str,
    /// Hand-overs that have begun.
    attempts: i64,
    /// Attempts after an unknown outcome: that is the number of copies that may have arrived besides the first.
    copies: i64,
    next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<AttemptBody>,
}

/// The last attempt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptBody {
    at: String,
    /// The stage of the session that decided.
    #[schema(example = "rcpt_to")]
    stage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enhanced_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    /// What went wrong, who can fix it and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    diagnosis: Option<Value>,
}

impl EmailBody {
    pub(super) fn new(view: &EmailView, now: Timestamp, language: Language) -> Self {
        let EmailView { email, details, content, stop } = view;
        let details = details.clone().unwrap_or_default();
        let worst = email.recipients.iter().max_by_key(|recipient| recipient.state);
        let last_event = worst.map_or("queued", |recipient| {
            let is_recipients_fault = recipient.last.as_ref().is_some_and(|last| last.is_recipients_fault);
            recipient.state.last_event(is_recipients_fault)
        });
        let is_scheduled = email.status(now) == crate::outgoing::EmailStatus::Scheduled;
        Self {
            object: "email",
            id: email.id.to_string(),
            message_id: email.message_id.clone(),
            from: view.details.as_ref().map(|details| details.from.clone()),
            to: details.to,
            cc: details.cc,
            bcc: details.bcc,
            reply_to: details.reply_to,
            subject: view.details.as_ref().map(|details| details.subject.clone()),
            html: content.as_ref().and_then(|content| content.html.clone()),
            text: content.as_ref().and_then(|content| content.text.clone()),
            tags: details.tags.into_iter().map(|(name, value)| TagBody { name, value }).collect(),
            created_at: email.created_at.to_iso(),
            scheduled_at: email.scheduled_at.map(Timestamp::to_iso),
            last_event: if is_scheduled { "scheduled" } else { last_event },
            status: email.status(now).as_str(),
            lane: email.lane.as_str(),
            expires_at: email.expires_at.to_iso(),
            on_unknown: email.on_unknown.as_str(),
            metadata: details.metadata,
            api_key_id: view.email.api_key_id.map(|id| id.to_string()),
            test: view.email.is_test,
            content: if email.has_content { "available" } else { "erased" },
            recipients: email
                .recipients
                .iter()
                .map(|recipient| RecipientBody::new(recipient, stop.as_ref(), language))
                .collect(),
        }
    }
}

impl RecipientBody {
    /// `stop` is why the account does not send, where a failure has stopped it.
    fn new(recipient: &Recipient, stop: Option<&Stop>, language: Language) -> Self {
        let stop = stop.filter(|_| recipient.is_held_for_account() && !recipient.waits_for_its_key());
        // For a hand-over in progress the stored time is when it counts as interrupted, and is not shown.
        let waits = recipient.state.is_waiting() || recipient.state == RecipientState::Unknown;
        let next = recipient.next_attempt_at.filter(|_| waits).or(stop.and_then(|stop| stop.probe_at));
        Self {
            address: recipient.address.as_ref().map(ToString::to_string),
            kind: recipient.kind.as_str(),
            state: recipient.state.as_str(),
            attempts: recipient.attempts,
            copies: recipient.copies,
            next_attempt_at: next.map(Timestamp::to_iso),
            last: recipient.last.as_ref().map(|last| AttemptBody::new(last, recipient, stop, language)),
        }
    }
}

impl AttemptBody {
    fn new(last: &LastAttempt, recipient: &Recipient, stop: Option<&Stop>, language: Language) -> Self {
        let is_retried = match recipient.state {
            RecipientState::Queued | RecipientState::Deferred => true,
            RecipientState::Unknown => recipient.next_attempt_at.is_some(),
            _ => false,
        };
        // A person may have said so of an outcome that was unknown.
        let is_accepted = recipient.state == RecipientState::Accepted;
        // Where the last attempt met something else, the account's diagnosis is why it waits now.
        let other = stop.filter(|stop| last.code() != Some(&stop.code));
        let of_account = other.and_then(|stop| diagnosis_of_code(&stop.code, language));
        let of_attempt = || diagnosis_in(last, is_retried, language).filter(|_| !is_accepted);
        let diagnosis = of_account.or_else(of_attempt);
        Self {
            at: last.at.to_iso(),
            stage: last.stage.clone(),
            smtp_code: last.smtp_code,
            enhanced_code: last.enhanced_code.clone(),
            reply: last.reply.clone(),
            diagnosis,
        }
    }
}

/// What is said about an account without naming its server: an event outlives the configuration.
pub(in crate::http::api) fn diagnosis_of_code(code: &str, language: Language) -> Option<Value> {
    let rule = diagnosis::rule_for(code)?;
    let title = rule.title_without_names(language, "");
    Some(json!({"code": rule.code, "title": title, "owner": rule.owner}))
}

/// The diagnosis of an attempt in a language. `is_retried`: the service makes another one.
pub(in crate::http::api) fn diagnosis_in(
    last: &LastAttempt,
    is_retried: bool,
    language: Language,
) -> Option<Value> {
    let english = last.diagnosis.get(Language::English.tag());
    let mut diagnosis = last.diagnosis.get(language.tag()).or(english)?.clone();
    if let Some(english) = english.filter(|_| is_retried) {
        while_it_is_retried(&mut diagnosis, english, language);
    }
    Some(diagnosis)
}
