//! The feed of events: what happened to emails and accounts, in the order in which it was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::emails::{EmailId, diagnosis_in, diagnosis_of_code, max_wait, may_read};
use crate::app::App;
use crate::clock::Timestamp;
use crate::delivery::EmailView;
use crate::error::{InputFault, Reason};
use crate::http::caller::{FeedReader, SendTier, Sender};
use crate::http::error::{Code, Error, ErrorBody};
use crate::language::Language;
use crate::outgoing::EventKind;
use crate::store::email_events::StoredEvent;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1_000;
const MAX_WAIT_SECONDS: u64 = 30;

/// A list of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<EventBody>,
    /// The cursor behind the last event: `after` of the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "42")]
    next: Option<String>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    /// The same where the same event is told again.
    #[schema(example = "evt_0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a")]
    id: String,
    /// Such as `email.sent` or `account.paused`.
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: String,
    #[serde(rename = "tenantId")]
    tenant_id: String,
    data: EventData,
}

/// What it is about. In an event of the account nothing of an email is set.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventData {
    email_id: Option<String>,
    message_id: Option<String>,
    created_at: Option<String>,
    from: Option<String>,
    /// The recipients that the event is about.
    to: Vec<String>,
    subject: Option<String>,
    tags: BTreeMap<String, String>,
    metadata: BTreeMap<String, String>,
    /// The state of these recipients; that of the account in its events: `open`, `paused` by a person, or `stopped` by a
    /// failure.
    state: String,
    /// How many hand-overs had begun.
    attempt: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    /// Of `email.bounced`: why, in Resend's members.
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce: Option<BounceBody>,
    /// Of `email.failed`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<FailedBody>,
    /// What went wrong, who can fix it and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    diagnosis: Option<Value>,
    /// Counts the changes of the email.
    version: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bounce)]
pub struct BounceBody {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "subType")]
    sub_type: &'static str,
    message: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failed)]
pub struct FailedBody {
    reason: String,
}

/// The query of the feed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct FeedParameters {
    /// `next` of the answer before; the first event where it is left out.
    after: Option<String>,
    /// How many events; 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Where there is none yet, wait so many seconds for the next one.
    #[param(minimum = 0, maximum = 30)]
    wait: Option<u64>,
}

/// Follows what happens to all emails and the account of the tenant.
///
/// For tenant administrators and roles that may send. The platform's token follows all tenants here. Events come in the order in which they were committed, at least once;
/// one that comes again has the same id.
#[utoipa::path(
    get, path = "/events", tag = "emails", operation_id = "listEvents",
    params(FeedParameters),
    responses(
        (status = 200, description = "The next events, the oldest first; none where nothing has happened.", body = EventList),
        (status = 422, description = "A parameter is wrong.", body = ErrorBody),
    )
)]
pub async fn list(
    reader: FeedReader<SendTier>,
    State(app): State<Arc<App>>,
    uri: Uri,
    language: Language,
) -> Result<Json<EventList>, Error> {
    let (after, limit, wait) = parse(&uri)?;
    let events = app.delivery.events_after(&reader.feed, after, limit, max_wait(&app, wait)).await?;
    let next = events.last().map_or(after, |event| event.seq).to_string();
    let views = app.delivery.emails_of_events(&events).await?;
    let body = |event: &StoredEvent| {
        let view = event.email.and_then(|id| views.get(&id));
        EventBody::new(event, view, language)
    };
    Ok(Json(EventList { object: "list", data: events.iter().map(body).collect(), next: Some(next) }))
}

/// Lists what happened to one email, the oldest first.
///
/// For tenant administrators and roles that may send. Recipients that changed together in one attempt share an event.
#[utoipa::path(
    get, path = "/emails/{id}/events", tag = "emails", operation_id = "listEmailEvents",
    params(("id" = String, Path, description = "The email's id.")),
    responses(
        (status = 200, description = "All of its events.", body = EventList),
        (status = 404, description = "No such email of this tenant.", body = ErrorBody),
    )
)]
pub async fn of_email(
    sender: Sender<SendTier>,
    State(app): State<Arc<App>>,
    EmailId(id): EmailId,
    language: Language,
) -> Result<Json<EventList>, Error> {
    let view = app.delivery.find_if_there(&sender.tenant, id).await?;
    if view.as_ref().is_some_and(|view| !may_read(sender.reads_mail_of(), view)) {
        return Err(Error::new(Code::EmailNotFound));
    }
    let events = app.delivery.events_of(&sender.tenant, id).await?;
    let data = events.iter().map(|event| EventBody::new(event, view.as_ref(), language)).collect();
    Ok(Json(EventList { object: "list", data, next: None }))
}

fn parse(uri: &Uri) -> Result<(i64, i64, Duration), Error> {
    let fault = |fault| Error::send_inputs(vec![fault], "invalid_parameter");
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        let statement = "is not of the form name=value&name=value";
        return Err(fault(InputFault::request("The query", Reason::MalformedQuery, statement)));
    };
    let (mut after, mut limit, mut wait) = (0, DEFAULT_LIMIT, 0);
    for (name, value) in pairs {
        let refuse =
            |statement: String| Err(fault(InputFault::parameter(&name, Reason::OutOfRange, statement)));
        match name.as_str() {
            "after" => match value.parse() {
                Ok(cursor) if cursor >= 0 => after = cursor,
                _ => return refuse("is not a cursor of this feed: take `next` of an answer".to_owned()),
            },
            "limit" => match value.parse() {
                Ok(number) if (1..=MAX_LIMIT).contains(&number) => limit = number,
                _ => return refuse(format!("is no whole number from 1 to {MAX_LIMIT}")),
            },
            "wait" => match value.parse() {
                Ok(seconds) if seconds <= MAX_WAIT_SECONDS => wait = seconds,
                _ => return refuse(format!("is no whole number from 0 to {MAX_WAIT_SECONDS}")),
            },
            _ => {
                let statement = "is not a known parameter; after, limit and wait are";
                return Err(fault(InputFault::parameter(&name, Reason::UnknownParameter, statement)));
            }
        }
    }
    Ok((after, limit, Duration::from_secs(wait)))
}

impl EventBody {
    fn new(stored: &StoredEvent, view: Option<&EmailView>, language: Language) -> Self {
        let event = &stored.event;
        let details = view.and_then(|view| view.details.clone()).unwrap_or_default();
        let address = |position: &i64| {
            let recipients = &view?.email.recipients;
            let recipient = recipients.iter().find(|recipient| recipient.position == *position)?;
            recipient.address.as_ref().map(ToString::to_string)
        };
        let is_retried = match event.kind {
            EventKind::DeliveryDelayed => true,
            EventKind::Unknown => event.details.next_attempt_at.is_some(),
            _ => false,
        };
        let of_attempt =
            event.details.last.as_ref().and_then(|last| diagnosis_in(last, is_retried, language));
        let of_account = event.details.code.as_deref().and_then(|code| diagnosis_of_code(code, language));
        let diagnosis = of_attempt.or(of_account);
        let title =
            diagnosis.as_ref().and_then(|diagnosis| diagnosis.get("title")?.as_str().map(str::to_owned));
        let reply = event.details.last.as_ref().and_then(|last| last.reply.clone());
        let message = reply.or(title).unwrap_or_default();
        let kind = event.kind.as_str();
        let is = |wanted: &str| kind == wanted;
        Self {
            id: format!("evt_{}", event.id),
            kind,
            created_at: event.at.to_iso(),
            tenant_id: stored.tenant.as_str().to_owned(),
            data: EventData {
                email_id: stored.email.map(|id| id.to_string()),
                message_id: view.map(|view| view.email.message_id.clone()),
                created_at: view.map(|view| view.email.created_at.to_iso()),
                from: view.and_then(|view| view.details.as_ref()).map(|details| details.from.clone()),
                to: event.details.positions.iter().filter_map(address).collect(),
                subject: view.and_then(|view| view.details.as_ref()).map(|details| details.subject.clone()),
                tags: details.tags.into_iter().collect(),
                metadata: details.metadata,
                state: event.details.state.clone(),
                attempt: event.details.attempt,
                next_attempt_at: event.details.next_attempt_at.map(Timestamp::to_iso),
                bounce: is("email.bounced").then(|| BounceBody {
                    kind: "Permanent",
                    sub_type: "General",
                    message: message.clone(),
                }),
                failed: is("email.failed").then_some(FailedBody { reason: message }),
                diagnosis,
                version: event.details.version,
            },
        }
    }
}
