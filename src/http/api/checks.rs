//! The two operations that use the account: verify-connection and send-test-email.

use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::email_config::bodies::{DiagnosisBody, FAILS, ResultBody, SendTestBody, VerifyBody};
use super::email_config::requests::TestMailBody;
use crate::account::secrets;
use crate::app::App;
use crate::diagnosis;
use crate::email_config::{CheckOutcome, EmailConfig, HealthState, Settings, Version, fields};
use crate::http::api::live::{Detail, Live, StageEvent};
use crate::http::auth::{Caller, Tenant, TenantAdmin, Tier2};
use crate::http::error::{Code, Error, ErrorBody};
use crate::http::extract::JsonBody;
use crate::http::language::Localised;
use crate::language::{Language, texts};
use crate::limits::connections::{NoPlace, Place};
use crate::limits::quotas::Reached;
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::mail::transcript::Watcher;
use crate::providers::{self, Account, Depth, Mail, Outcome};
use crate::store::{Write, audit, email_configs};
use crate::telemetry::metrics::Operation;
use crate::telemetry::spans;
use crate::vault::VaultError;

/// Refused sign-ins after which a user who is no administrator gets the stored verdict: most servers lock a
/// mailbox after five to ten.
const REFUSALS_BEFORE_REPEATING: i64 = 3;

/// Connects to the mail server, signs in, and asks whether it takes the sender. Sends nothing.
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
    let Some(stored) = email_configs::find(&app.db, &user.tenant).await? else {
        return Err(Error::new(Code::NothingToVerify));
    };
    let repeated = stored_verdict(&user, &stored, language);
    let dials = repeated.is_none() && stored.missing().is_empty();
    let place = dials.then(|| place(app.places.for_check(&user.tenant))).transpose()?;
    if dials {
        count_destination(&app, &user, &stored.settings)?;
    }
    let (caller, service) = ((*user).clone(), Arc::clone(&app));
    let check = async move |watcher: Option<Watcher>| match repeated {
        Some(repeated) => Ok(repeated),
        None => verify(&service, &caller, language, &stored, place, watcher).await,
    };
    if live.asked() {
        let detail = if user.is_admin { Detail::Whole } else { Detail::Stages };
        let events = live.answer(&app.checks, detail, async move |watcher| {
            let body = check(Some(watcher)).await?;
            serde_json::to_value(body).map_err(|error| Error::internal(&error.into()))
        });
        return Ok(Localised(language, events).into_response());
    }
    let body = to_its_end(&app, async move { check(None).await }).await?;
    Ok(Localised(language, Json(body)).into_response())
}

/// Makes the check and records it. Without a place nothing is dialled: the configuration is not complete.
async fn verify(
    app: &App,
    caller: &Caller,
    language: Language,
    stored: &EmailConfig,
    place: Option<Place>,
    watcher: Option<Watcher>,
) -> Result<VerifyBody, Error> {
    let outcome = if place.is_some() {
        let deadline = app.check_deadline();
        match secrets::open(stored, &app.vault, &caller.tenant).await {
            Ok(secret) => {
                let account = Account::stored(&caller.tenant, stored, secret.as_ref());
                let account = Account { watcher: watcher.as_ref(), ..account };
                providers::verify(app, &account, Depth::Sender, deadline).await
            }
            Err(VaultError::Unreadable) => providers::unreadable(),
            Err(VaultError::Unavailable) => return Err(Error::unavailable()),
        }
    } else {
        providers::incomplete(stored.missing())
    };
    drop(place);
    record(app, caller, Operation::Verify, stored, &outcome).await?;
    Ok(if caller.is_admin {
        VerifyBody::whole(&outcome, language)
    } else {
        VerifyBody { result: ResultBody::short(&outcome, language), unproved: None }
    })
}

/// Nobody but an administrator can make the service knock again with a password that was refused.
fn stored_verdict(user: &Caller, stored: &EmailConfig, language: Language) -> Option<VerifyBody> {
    let health = &stored.health;
    let refused = health.state == HealthState::InvalidCredentials
        && health.auth_failures >= REFUSALS_BEFORE_REPEATING
        && stored.missing().is_empty();
    if user.is_admin || !refused {
        return None;
    }
    let rule = health.diagnosis_code.as_deref().and_then(diagnosis::rule_for);
    let diagnosis = rule.map(|rule| {
        let reason = health.reason_in(language).unwrap_or_else(|| rule.title_template.to_owned());
        DiagnosisBody::short(rule.code, reason.trim_end_matches('.').to_owned(), rule.owner)
    });
    let result = ResultBody {
        success: false,
        connection_failed: false,
        message: language.text(FAILS).to_owned(),
        smtp_response_code: None,
        enhanced_status_code: None,
        diagnosis,
    };
    Some(VerifyBody { result, unproved: None })
}

/// Sends one test mail through the tenant's account.
#[utoipa::path(
    post, path = "/email-config/actions/send-test-email", tag = "email-config",
    operation_id = "sendTestEmail",
    params(("Accept-Language" = Option<String>, Header, description = "The language of `message` and `diagnosis`, and of the mail's text by default: `en` or `de`.")),
    request_body = TestMailBody,
    responses(
        (status = 200, description = "The sending was attempted; the body says how it ended.", body = SendTestBody),
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
    JsonBody(document): JsonBody,
) -> Result<Localised<Json<SendTestBody>>, Error> {
    let request = TestMailRequest::parse(document, language).map_err(Error::inputs)?;
    let service = Arc::clone(&app);
    let body = to_its_end(&app, async move { send(&service, &admin, language, &request).await }).await?;
    Ok(Localised(language, Json(body)))
}

async fn send(
    app: &App,
    admin: &Caller,
    language: Language,
    request: &TestMailRequest,
) -> Result<SendTestBody, Error> {
    let Some(stored) = email_configs::find(&app.db, &admin.tenant).await? else {
        return Err(Error::new(Code::NothingToSendWith));
    };
    let outcome = if stored.missing().is_empty() {
        let _place = place(app.places.for_sending(&admin.tenant))?;
        count_destination(app, admin, &stored.settings)?;
        let counted = app.quotas.count_test_mail(&admin.tenant, &request.recipient);
        counted.map_err(|reached| quota_reached(app, reached))?;
        let deadline = app.check_deadline();
        match secrets::open(&stored, &app.vault, &admin.tenant).await {
            Ok(secret) => {
                let account = Account::stored(&admin.tenant, &stored, secret.as_ref());
                let TestMailRequest { recipient, subject, body } = request;
                let mail = Mail { recipient, subject, body };
                let sent = providers::send(app, &account, &mail, deadline).await;
                sent.map_err(|error| Error::internal(&error))?
            }
            Err(VaultError::Unreadable) => providers::unreadable(),
            Err(VaultError::Unavailable) => return Err(Error::unavailable()),
        }
    } else {
        providers::incomplete(stored.missing())
    };
    record(app, admin, Operation::SendTest, &stored, &outcome).await?;
    let recipient = vec![request.recipient.to_string()];
    let refused = outcome.refused_recipient();
    let result = ResultBody::whole(&outcome, language);
    let (accepted, rejected) = match outcome.result {
        Ok(_) => (recipient, Vec::new()),
        Err(_) if refused => (Vec::new(), recipient),
        Err(_) => (Vec::new(), Vec::new()),
    };
    Ok(SendTestBody { result, accepted, rejected })
}

/// A send-test-email body, read and checked.
struct TestMailRequest {
    recipient: EmailAddress,
    subject: HeaderText,
    body: String,
}

texts! {
    DEFAULT_SUBJECT = "Test mail";
    DEFAULT_BODY = "This is a test mail. If you can read it, the mail account of your platform works.";
}

impl TestMailRequest {
    fn parse(document: Value, language: Language) -> Result<Self, Vec<fields::Problem>> {
        let Value::Object(mut members) = document else {
            return Err(vec!["The body is not an object".to_owned()]);
        };
        let mut problems = Vec::new();
        let recipient = match members.remove("recipient") {
            Some(value) => fields::mail_address("recipient", &value),
            None => Err("recipient is required".to_owned()),
        };
        let recipient = recipient.map_err(|problem| problems.push(problem)).ok();
        let subject = text(&mut members, "subject", language.text(DEFAULT_SUBJECT), &mut problems);
        let subject =
            HeaderText::parse(&subject).map_err(|error| problems.push(format!("subject {error}"))).ok();
        let body = format!("{}\r\n", language.text(DEFAULT_BODY));
        let body = text(&mut members, "body", &body, &mut problems);
        problems.extend(members.keys().map(|name| fields::unknown(name)));
        match (recipient, subject) {
            (Some(recipient), Some(subject)) if problems.is_empty() => Ok(Self { recipient, subject, body }),
            _ => Err(problems),
        }
    }
}

fn text(members: &mut Map<String, Value>, field: &str, default: &str, problems: &mut Vec<String>) -> String {
    match members.remove(field) {
        None => default.to_owned(),
        Some(Value::String(text)) => text,
        Some(_) => {
            problems.push(format!("{field} is not a string"));
            default.to_owned()
        }
    }
}

/// A place for an outgoing connection, or the answer that there is none.
pub(super) fn place(taken: Result<Place, NoPlace>) -> Result<Place, Error> {
    taken.map_err(|none| match none {
        NoPlace::Tenant => Error::rate_limited(1)
            .detail("Another check or sending of this tenant is under way. Try again in 1 second."),
        NoPlace::All => Error::unavailable()
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
            .detail("Every outgoing connection is in use."),
    })
}

/// Counts the mail server that is to be connected to. The hosts of Microsoft 365 are the operator's.
pub(super) fn count_destination(app: &App, caller: &Caller, settings: &Settings) -> Result<(), Error> {
    let Settings::BasicAuth(basic) = settings else { return Ok(()) };
    let (Some(host), Some(port)) = (&basic.server_address, basic.server_port) else { return Ok(()) };
    let counted = app.quotas.count_destination(&caller.tenant, host, port);
    counted.map_err(|reached| quota_reached(app, reached))
}

fn quota_reached(app: &App, reached: Reached) -> Error {
    app.metrics.record_rate_limit_refusal(reached.quota.as_str());
    Error::quota_reached(reached.quota.title(), reached.retry_after_seconds)
}

/// Writes what a check showed about the configuration that it used, and its audit row. Where the configuration
/// has changed meanwhile, only the audit row is written.
async fn record(
    app: &App,
    caller: &Caller,
    operation: Operation,
    used: &EmailConfig,
    outcome: &Outcome,
) -> Result<(), Error> {
    app.metrics.record_check(operation, outcome.code());
    let action = match operation {
        Operation::Verify => "verify-connection",
        Operation::SendTest => "send-test-email",
        Operation::Put => "put",
    };
    write_outcome(app, caller, action, outcome.code(), used, &outcome.for_health()).await
}

/// PUT of what is stored already: its check succeeded, so nothing is known against it any more.
pub(super) async fn record_success(
    app: &App,
    caller: &Caller,
    action: &'static str,
    used: &EmailConfig,
) -> Result<Version, Error> {
    write_outcome(app, caller, action, "OK", used, &CheckOutcome::Success).await?;
    let changed = used.health.after_check(&CheckOutcome::Success).is_some();
    Ok(Version { health: used.version.health + i64::from(changed), ..used.version.clone() })
}

async fn write_outcome(
    app: &App,
    caller: &Caller,
    action: &'static str,
    code: &'static str,
    used: &EmailConfig,
    outcome: &CheckOutcome,
) -> Result<(), Error> {
    let tenant = &caller.tenant;
    let health = email_configs::record_check(tenant, used, outcome, app.clock.now());
    let row = audit::insert(tenant, &audit_entry(app, caller, action, code, &[]));
    let write = health.into_iter().fold(Write::default(), Write::then).then(row);
    let _ = app.db.write(write).await?;
    Ok(())
}

/// Who did what, for the audit.
pub(super) fn audit_entry(
    app: &App,
    caller: &Caller,
    action: &'static str,
    outcome: &'static str,
    changed: &[&'static str],
) -> audit::Entry {
    audit::Entry {
        at: app.clock.now(),
        user: caller.user.clone(),
        action,
        outcome,
        changed: changed.to_vec(),
        trace_id: caller.trace_id,
        remote: caller.remote,
    }
}

/// Carries out what uses a secret on a task of its own, so that it comes to its end, and leaves its row in the
/// audit, also where the client has gone or the request has taken too long.
pub(super) async fn to_its_end<T: Send + 'static>(
    app: &App,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let done = app.checks.spawn(spans::in_current_trace(work)).await;
    done.unwrap_or_else(|error| Err(Error::internal(&error.into())))
}

/// Every text of the checks.
#[cfg(test)]
pub(crate) fn texts() -> Vec<&'static str> {
    [TEXTS, super::email_config::bodies::TEXTS].concat()
}
