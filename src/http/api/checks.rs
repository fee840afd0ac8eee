//! The two operations that use the account: verify-connection and send-test-email.

pub mod bodies;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::email_config::requests::TestMailBody;
use super::live::{Detail, Live, StageEvent, run_to_completion};
use crate::account::TestMail;
use crate::app::App;
use crate::email_config::fields::{self, MemberReader};
use crate::error::{InputFault, Reason};
use crate::http::caller::{Tenant, TenantAdmin, Tier2};
use crate::http::error::{Error, ErrorBody};
use crate::http::extract::JsonBody;
use crate::http::language::Localised;
use crate::language::{Language, texts};
use crate::mail::message::HeaderText;
use bodies::{SendTestBody, VerifyBody};

/// Connects to the mail server, signs in, and asks whether it takes the sender.
///
/// For any user of the tenant. No mail is sent. The outcome is stored as the configuration's health. Administrators read
/// the whole diagnosis; others read its code, a title without names, and who can act. After several refused sign-ins
/// the stored verdict is repeated, so that nobody locks the mailbox.
#[utoipa::path(
    post, path = "/email-config/actions/verify-connection", tag = "email-config",
    operation_id = "verifyConnection",
    params(("Accept-Language" = Option<String>, Header, description = "The language of `message` and `diagnosis`: `en` or `de`.")),
    responses(
        (status = 200, description = "The check was made; the body says how it ended. With `Accept: text/event-stream` \
            a `stage` event for each step as it starts and ends, then `result` with this body, or `error`.",
         content((VerifyBody = "application/json"), (StageEvent = "text/event-stream"))),
        (status = 404, description = "No email config for tenant.", body = ErrorBody),
        (status = 429, description = "Rate limit of tier 2 or a quota of the operator reached (the title says which), or the tenant's other checks are under way.", body = ErrorBody),
        (status = 503, description = "The database, the keys or a free connection are not available.", body = ErrorBody),
    )
)]
pub async fn verify_connection(
    user: Tenant<Tier2>,
    State(app): State<Arc<App>>,
    language: Language,
    live: Live,
) -> Result<Response, Error> {
    let check = app.accounts.prepare_check(&user).await?;
    let is_admin = user.is_admin;
    let work =
        move |progress| async move { Ok(VerifyBody::new(&check.run(progress).await?, is_admin, language)) };
    if live.is_requested() {
        let detail = if is_admin { Detail::Full } else { Detail::Stages };
        let events = live.stream(&app.checks, detail, move |progress| work(Some(progress)));
        return Ok(Localised(language, events).into_response());
    }
    let body = run_to_completion(&app.checks, work(None)).await?;
    Ok(Localised(language, Json(body)).into_response())
}

/// Sends one test mail through the tenant's account.
///
/// For tenant administrators. `subject` and `body` have defaults. 200 means that the sending was attempted: `success`
/// says whether the server took the mail, which is not yet a delivery. The outcome is stored as the configuration's
/// health. Quotas of the operator bound the mails of a tenant and to a recipient.
#[utoipa::path(
    post, path = "/email-config/actions/send-test-email", tag = "email-config",
    operation_id = "sendTestEmail",
    params(("Accept-Language" = Option<String>, Header, description = "The language of `message` and `diagnosis`, and of the mail's text by default: `en` or `de`.")),
    request_body = TestMailBody,
    responses(
        (status = 200, description = "The sending was attempted; the body says how it ended. With `Accept: text/event-stream` \
            a `stage` event for each step as it starts and ends, then `result` with this body, or `error`.",
         content((SendTestBody = "application/json"), (StageEvent = "text/event-stream"))),
        (status = 400, description = "The input is wrong.", body = ErrorBody),
        (status = 404, description = "No email config for tenant.", body = ErrorBody),
        (status = 429, description = "Rate limit of tier 2 or a quota of the operator reached (the title says which), or the tenant's share of connections is used.", body = ErrorBody),
        (status = 503, description = "The database, the keys or a free connection are not available.", body = ErrorBody),
    )
)]
pub async fn send_test_email(
    admin: TenantAdmin<Tier2>,
    State(app): State<Arc<App>>,
    language: Language,
    live: Live,
    JsonBody(document): JsonBody,
) -> Result<Response, Error> {
    let mail = parse_test_mail(document, language).map_err(Error::inputs)?;
    let sending = app.accounts.prepare_test_mail(&admin, mail).await?;
    let work = move |progress| async move {
        let (outcome, recipient) = sending.send(progress).await?;
        Ok(SendTestBody::new(&outcome, &recipient, language))
    };
    if live.is_requested() {
        let events = live.stream(&app.checks, Detail::Full, move |progress| work(Some(progress)));
        return Ok(Localised(language, events).into_response());
    }
    let body = run_to_completion(&app.checks, work(None)).await?;
    Ok(Localised(language, Json(body)).into_response())
}

texts! {
    DEFAULT_SUBJECT = "Test email";
    DEFAULT_BODY = "This is a test email. If you can read it, the mail account of your platform works.";
}

fn string<'a>(field: &str, value: &'a Value) -> Result<&'a str, InputFault> {
    value.as_str().ok_or_else(|| InputFault::new(field, Reason::NotAString, "is not a string"))
}

/// Reads a send-test-email body.
fn parse_test_mail(document: Value, language: Language) -> Result<TestMail, Vec<InputFault>> {
    let Value::Object(mut members) = document else {
        return Err(vec![InputFault::body(Reason::NotAnObject, "is not an object")]);
    };
    let mut reader = MemberReader::new(&mut members);
    let recipient = reader.required("recipient", |value| fields::mail_address("recipient", value));
    let subject = reader.optional("subject", |value| {
        HeaderText::parse(string("subject", value)?).map_err(|error| InputFault::value("subject", &error))
    });
    let body = reader.optional("body", |value| string("body", value).map(str::to_owned));
    let mut faults = reader.into_faults();
    faults.extend(members.keys().map(|name| InputFault::unknown_field("", name)));
    let subject = subject.map_or_else(|| HeaderText::parse(language.text(DEFAULT_SUBJECT)), Ok);
    match (recipient, subject) {
        (Some(recipient), Ok(subject)) if faults.is_empty() => {
            let body = body.unwrap_or_else(|| format!("{}\r\n", language.text(DEFAULT_BODY)));
            Ok(TestMail { recipient, subject, body })
        }
        _ => Err(faults),
    }
}

/// Every text of the checks.
#[cfg(test)]
pub(crate) fn texts() -> Vec<&'static str> {
    [TEXTS, bodies::TEXTS].concat()
}
