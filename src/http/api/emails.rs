//! The send API: takes emails in the shape of Resend's API, and shows what became of each recipient.

mod bodies;
mod parameters;
mod refusal;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::delivery::request::RequestFaults;
use crate::delivery::{EmailView, Error as DeliveryError};
use crate::http::caller::{FullSender, SendTier, Sender};
use crate::http::error::{Code, Error, ErrorBody};
use crate::http::extract::{JsonBody, MessageBody, OptionalJsonBody};
use crate::language::Language;
use crate::mail::address::EmailAddress;
use bodies::{BatchBody, DeletedBody, EmailBody, EmailList, ReferenceBody};
use parameters::{ListParameters, idempotency_key, is_permissive, wait};

pub(super) use bodies::{diagnosis_in, diagnosis_of_code};
pub(super) use parameters::EmailId;
pub use requests::{EmailRequestBody, RecipientsBody, SettlementBody, UpdateBody};

/// Takes one email.
///
/// For tenant administrators and roles that may send. The email is on disk when the answer comes, and is handed over as
/// soon as the account may send. What became of each recipient is told by `getEmail` and by the events.
#[utoipa::path(
    post, path = "/emails", tag = "emails", operation_id = "sendEmail",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 visible ASCII characters. The same request with the same key is the same email: it gets the same id, and nothing is sent twice."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: answer when the outcome is known, at most after N seconds (1 to 30)."),
    ),
    request_body = EmailRequestBody,
    responses(
        (status = 200, description = "The outcome is known (`Prefer: wait`), or the same request had come before (`Idempotency-Replayed: true`).", body = EmailBody),
        (status = 202, description = "The email is stored and will be handed over.", body = EmailBody,
         headers(("Location" = String, description = "Where the email is shown.")),
         links(
             ("read" = (operation_id = "getEmail", parameters(("path.id" = "$response.body#/id")))),
             ("change" = (operation_id = "updateEmail", parameters(("path.id" = "$response.body#/id")))),
             ("cancel" = (operation_id = "cancelEmail", parameters(("path.id" = "$response.body#/id")))),
             ("retry" = (operation_id = "retryEmail", parameters(("path.id" = "$response.body#/id")))),
             ("settle" = (operation_id = "settleEmail", parameters(("path.id" = "$response.body#/id")))),
             ("events" = (operation_id = "listEmailEvents", parameters(("path.id" = "$response.body#/id")))),
             ("erase" = (operation_id = "deleteEmail", parameters(("path.id" = "$response.body#/id")))),
         )),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 409, description = "The tenant has no mail account (`not_configured`), or the key came with another request (`invalid_idempotent_request`).", body = ErrorBody),
        (status = 413, description = "The message is larger than the limit.", body = ErrorBody),
        (status = 422, description = "The input is wrong: every fault has its place and its reason.", body = ErrorBody),
        (status = 429, description = "Rate limit of the send API reached, or the tenant's queue is full (`queue_full`).", body = ErrorBody),
    )
)]
pub async fn send(
    sender: Sender<SendTier>,
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
    language: Language,
    MessageBody(document): MessageBody,
) -> Result<Response, Error> {
    let (key, wait) = (idempotency_key(&headers)?, wait(&headers)?);
    let request = app.delivery.parse(document).map_err(refusal::faults)?;
    let taken = app.delivery.enqueue(&sender.tenant, sender.key(), &[request], key.as_deref()).await;
    let taken = taken.map_err(DeliveryError::without_index)?;
    let Some(id) = taken.ids.first().copied() else {
        return Err(Error::internal(&anyhow::anyhow!("an email was stored without an id")));
    };
    let (view, is_settled) = match wait {
        Some(wait) => app.delivery.wait_until_settled(&sender.tenant, id, max_wait(&app, wait)).await?,
        None => (app.delivery.find_without_content(&sender.tenant, id).await?, false),
    };
    let status = if taken.is_replay || is_settled { StatusCode::OK } else { StatusCode::ACCEPTED };
    let body = EmailBody::new(&view, app.clock.now(), language);
    let mut response = (status, Json(body)).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("{}/{id}", uri.path().trim_end_matches('/'))) {
        response.headers_mut().insert(LOCATION, location);
    }
    mark_replay(&mut response, taken.is_replay);
    Ok(response)
}

/// Takes up to 100 emails in one transaction.
///
/// For tenant administrators and roles that may send. All of them are taken or none; with `x-batch-validation: permissive`,
/// those whose input has no fault, and `errors` names the others.
#[utoipa::path(
    post, path = "/emails/batch", tag = "emails", operation_id = "sendEmails",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "One key for all of the batch."),
        ("x-batch-validation" = Option<String>, Header, description = "`strict` (default): one fault refuses all. `permissive`: the others are taken."),
    ),
    request_body(content = Vec<EmailRequestBody>, example = json!([
        {"to": "ada@example.com", "subject": "Invoice 8841", "text": "Thank you."},
        {"to": "bob@example.com", "subject": "Invoice 8842", "text": "Thank you."},
    ])),
    responses(
        (status = 200, description = "The same request had come before (`Idempotency-Replayed: true`).", body = BatchBody),
        (status = 202, description = "The emails are stored and will be handed over.", body = BatchBody),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 409, description = "The tenant has no mail account, or the key came with another request.", body = ErrorBody),
        (status = 413, description = "A message is larger than the limit.", body = ErrorBody),
        (status = 422, description = "The input is wrong: every fault has its place and its reason.", body = ErrorBody),
        (status = 429, description = "Rate limit of the send API reached, or the tenant's queue is full (`queue_full`).", body = ErrorBody),
    )
)]
pub async fn send_batch(
    sender: Sender<SendTier>,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    MessageBody(document): MessageBody,
) -> Result<Response, Error> {
    let (key, permissive) = (idempotency_key(&headers)?, is_permissive(&headers)?);
    let (mut requests, mut places) = (Vec::new(), Vec::new());
    let mut faults: Vec<(usize, RequestFaults)> = Vec::new();
    for (index, document) in parameters::batch(document)?.into_iter().enumerate() {
        match app.delivery.parse(document) {
            Ok(request) => {
                requests.push(request);
                places.push(index);
            }
            Err(fault) => faults.push((index, fault)),
        }
    }
    if !permissive && !faults.is_empty() {
        return Err(refusal::batch_faults(faults));
    }
    let (ids, is_replay) = if requests.is_empty() {
        (Vec::new(), false)
    } else {
        let taken = app.delivery.enqueue(&sender.tenant, sender.key(), &requests, key.as_deref()).await;
        let taken = taken.map_err(|error| refusal::of_batch(error, &places))?;
        (taken.ids, taken.is_replay)
    };
    let status = if is_replay { StatusCode::OK } else { StatusCode::ACCEPTED };
    let body = BatchBody::new(&ids, permissive.then_some(faults));
    let mut response = (status, Json(body)).into_response();
    mark_replay(&mut response, is_replay);
    Ok(response)
}

fn mark_replay(response: &mut Response, is_replay: bool) {
    if is_replay {
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
}

/// Lists the tenant's emails, the newest first.
///
/// For tenant administrators and roles that may send. Without content. The next page begins `after` the last email of this
/// one.
#[utoipa::path(
    get, path = "/emails", tag = "emails", operation_id = "listEmails",
    params(ListParameters),
    responses(
        (status = 200, description = "One page.", body = EmailList),
        (status = 422, description = "A parameter is wrong.", body = ErrorBody),
    )
)]
pub async fn list(
    sender: Sender<SendTier>,
    State(app): State<Arc<App>>,
    uri: Uri,
    language: Language,
) -> Result<Json<EmailList>, Error> {
    let parameters = ListParameters::parse(&uri)?;
    let (mut filter, page, limit) = parameters.into_parts();
    if let Some(own) = sender.reads_mail_of() {
        if filter.api_key_id.is_some_and(|wanted| wanted != own) {
            return Ok(Json(EmailList::new(&[], false, app.clock.now(), language)));
        }
        filter.api_key_id = Some(own);
    }
    let (views, has_more) = app.delivery.list(&sender.tenant, &filter, page, limit).await?;
    Ok(Json(EmailList::new(&views, has_more, app.clock.now(), language)))
}

/// Shows one email, and what became of each recipient.
///
/// For tenant administrators and roles that may send. `html` and `text` are null once the content is erased, which it is
/// when the last recipient has been accepted; others than administrators never see them.
#[utoipa::path(
    get, path = "/emails/{id}", tag = "emails", operation_id = "getEmail",
    params(("id" = String, Path, description = "The email's id.")),
    responses(
        (status = 200, description = "The email.", body = EmailBody),
        (status = 404, description = "No such email of this tenant.", body = ErrorBody),
    )
)]
pub async fn get(
    sender: Sender<SendTier>,
    State(app): State<Arc<App>>,
    EmailId(id): EmailId,
    language: Language,
) -> Result<Json<EmailBody>, Error> {
    // What the mail says is for administrators.
    let view = if sender.is_admin {
        app.delivery.find(&sender.tenant, id).await?
    } else {
        app.delivery.find_without_content(&sender.tenant, id).await?
    };
    if !may_read(sender.reads_mail_of(), &view) {
        return Err(Error::new(Code::EmailNotFound));
    }
    Ok(Json(EmailBody::new(&view, app.clock.now(), language)))
}

/// Moves the first attempt or the end of the lifetime of an email that waits.
///
/// For tenant administrators and roles that may send. The next attempt of deferred recipients moves, too. An email that is moved
/// to later alone expires as much later.
#[utoipa::path(
    patch, path = "/emails/{id}", tag = "emails", operation_id = "updateEmail",
    params(("id" = String, Path, description = "The email's id.")),
    request_body = UpdateBody,
    responses(
        (status = 200, description = "Changed.", body = ReferenceBody),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 404, description = "No such email of this tenant.", body = ErrorBody),
        (status = 409, description = "Nothing of the email waits any more.", body = ErrorBody),
        (status = 422, description = "The input is wrong.", body = ErrorBody),
    )
)]
pub async fn update(
    sender: FullSender<SendTier>,
    State(app): State<Arc<App>>,
    EmailId(id): EmailId,
    JsonBody(document): JsonBody,
) -> Result<Json<ReferenceBody>, Error> {
    let (scheduled_at, expires_at) = parameters::update(document, id, app.clock.now())?;
    require_changeable(&app, &sender, id).await?;
    app.delivery.reschedule(&sender.tenant, id, scheduled_at, expires_at).await?;
    Ok(Json(ReferenceBody::new(id)))
}

/// Withdraws what was not handed over yet.
///
/// For tenant administrators and roles that may send. Recipients whose hand-over has begun are left alone.
#[utoipa::path(
    post, path = "/emails/{id}/cancel", tag = "emails", operation_id = "cancelEmail",
    params(("id" = String, Path, description = "The email's id.")),
    responses(
        (status = 200, description = "What still waited is canceled.", body = ReferenceBody),
        (status = 404, description = "No such email of this tenant.", body = ErrorBody),
        (status = 409, description = "Nothing was left to cancel.", body = ErrorBody),
    )
)]
pub async fn cancel(
    sender: FullSender<SendTier>,
    State(app): State<Arc<App>>,
    EmailId(id): EmailId,
) -> Result<Json<ReferenceBody>, Error> {
    require_changeable(&app, &sender, id).await?;
    app.delivery.cancel(&sender.tenant, id).await?;
    Ok(Json(ReferenceBody::new(id)))
}

/// Tries recipients once more, with the same Message-ID.
///
/// For tenant administrators and roles that may send. Recipients can be tried again that were refused, expired, failed, are
/// held, or have an unknown outcome; all such where none are named.
#[utoipa::path(
    post, path = "/emails/{id}/retry", tag = "emails", operation_id = "retryEmail",
    params(("id" = String, Path, description = "The email's id.")),
    request_body(content = Option<RecipientsBody>, description = "The recipients; all that can be tried where there is no body."),
    responses(
        (status = 200, description = "They wait again.", body = ReferenceBody),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 404, description = "No such email of this tenant.", body = ErrorBody),
        (status = 409, description = "No recipient can be tried again.", body = ErrorBody),
        (status = 410, description = "The content was removed.", body = ErrorBody),
        (status = 422, description = "The input is wrong.", body = ErrorBody),
    )
)]
pub async fn retry(
    sender: FullSender<SendTier>,
    State(app): State<Arc<App>>,
    EmailId(id): EmailId,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<ReferenceBody>, Error> {
    let recipients = recipients(body, false)?;
    require_changeable(&app, &sender, id).await?;
    app.delivery.retry(&sender.tenant, id, recipients.as_deref(), sender.key()).await?;
    Ok(Json(ReferenceBody::new(id)))
}

/// Says of unknown outcomes that the mail has arrived.
///
/// For tenant administrators and roles that may send. A person has looked, and the recipients count as accepted; all of
/// unknown outcome where none are named.
#[utoipa::path(
    post, path = "/emails/{id}/settle", tag = "emails", operation_id = "settleEmail",
    params(("id" = String, Path, description = "The email's id.")),
    request_body(content = Option<SettlementBody>, description = "The recipients; all of unknown outcome where there is no body."),
    responses(
        (status = 200, description = "They count as accepted.", body = ReferenceBody),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 404, description = "No such email of this tenant.", body = ErrorBody),
        (status = 409, description = "No outcome is unknown.", body = ErrorBody),
        (status = 422, description = "The input is wrong.", body = ErrorBody),
    )
)]
pub async fn settle(
    sender: FullSender<SendTier>,
    State(app): State<Arc<App>>,
    EmailId(id): EmailId,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<ReferenceBody>, Error> {
    let recipients = recipients(body, true)?;
    require_changeable(&app, &sender, id).await?;
    app.delivery.settle(&sender.tenant, id, recipients.as_deref()).await?;
    Ok(Json(ReferenceBody::new(id)))
}

/// Erases what an email says and to whom.
///
/// For tenant administrators and roles that may send. Content, subject, metadata and addresses go now, and what waits is
/// canceled. The states stay.
#[utoipa::path(
    delete, path = "/emails/{id}", tag = "emails", operation_id = "deleteEmail",
    params(("id" = String, Path, description = "The email's id.")),
    responses(
        (status = 200, description = "Erased.", body = DeletedBody),
        (status = 404, description = "No such email of this tenant.", body = ErrorBody),
    )
)]
pub async fn delete(
    sender: FullSender<SendTier>,
    State(app): State<Arc<App>>,
    EmailId(id): EmailId,
) -> Result<Json<DeletedBody>, Error> {
    require_changeable(&app, &sender, id).await?;
    app.delivery.erase(&sender.tenant, id).await?;
    Ok(Json(DeletedBody::new(id)))
}

/// A key that may only send reads what it has sent.
pub(super) fn may_read(own: Option<Uuid>, view: &EmailView) -> bool {
    own.is_none_or(|own| view.email.api_key_id == Some(own))
}

/// A test key changes test mail alone: another one would really be sent.
async fn require_changeable(app: &App, sender: &FullSender<SendTier>, id: Uuid) -> Result<(), Error> {
    if sender.key().is_some_and(|key| key.is_test) {
        let view = app.delivery.find_without_content(&sender.tenant, id).await?;
        if !view.email.is_test {
            return Err(
                Error::new(Code::RestrictedApiKey).detail("This is a test key: it changes test mail alone.")
            );
        }
    }
    Ok(())
}

/// The time that is left to wait before the request itself would take too long.
pub(super) fn max_wait(app: &App, wait: Duration) -> Duration {
    wait.min(Duration::from_secs(app.config.server.request_timeout_seconds.saturating_sub(1)))
}

fn recipients(body: Option<Value>, has_outcome: bool) -> Result<Option<Vec<EmailAddress>>, Error> {
    body.map_or(Ok(None), |document| parameters::recipients(document, has_outcome))
}
