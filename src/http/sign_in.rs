//! Signing in to the console with OpenID Connect, and the session that follows: a sealed cookie.
//!
//! The API accepts the cookie in place of a token, for browsers: a request that changes something then needs the header
//! `qlik-csrf-token`, as the public API's browser clients send it.

mod cookies;

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::auth::console_sign_in::{ConsoleSignIn, PENDING_COOKIE, SESSION_COOKIE, SIGN_IN_TIME, Session};
use crate::auth::open_id_connect::{CALLBACK_PATH, SignInError};
use crate::clock::Timestamp;
use crate::http::error::{Code, Error, ErrorBody};
use crate::http::observe::RequestContext;
use crate::limits::rate::Limit;
use crate::store::{DbError, ended_sessions};
use cookies::Cookies;

/// Where a browser without a session is sent.
pub const SIGN_IN_PATH: &str = "/console/sign-in";

/// The header in which a browser proves that one of our own pages asks.
const CSRF_HEADER: &str = "qlik-csrf-token";

/// Whether the request proves that it comes from a page of ours: exactly one header with the session's token.
pub fn proves_origin(session: &Session, headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(CSRF_HEADER).iter();
    match (sent.next().and_then(|value| value.to_str().ok()), sent.next()) {
        (Some(token), None) => session.has_csrf_token(token),
        _ => false,
    }
}

/// The session of a request; none where it has expired or was ended, on whichever replica.
async fn session_in(
    app: &App,
    sign_in: &ConsoleSignIn,
    headers: &HeaderMap,
) -> Result<Option<Session>, DbError> {
    let cookie = cookies(sign_in).read(headers, SESSION_COOKIE);
    match cookie.and_then(|cookie| sign_in.open_session(&cookie)) {
        Some(session) => {
            let is_ended = ended_sessions::is_ended(&app.db, &session.id_hash()).await?;
            Ok((!is_ended).then_some(session))
        }
        None => Ok(None),
    }
}

/// Counts a request that makes the service ask the provider. Anybody can make one.
fn count(app: &App, context: &RequestContext) -> Result<(), Error> {
    app.rate_limiter.count_sign_in(context.remote).map_err(|exceeded| {
        app.metrics.record_rate_limit_refusal(Limit::SignIn.as_str());
        Error::rate_limited(exceeded.retry_after_seconds)
    })
}

fn cookies(sign_in: &ConsoleSignIn) -> Cookies {
    Cookies { secure: sign_in.is_https }
}

#[derive(Deserialize)]
pub struct SignInQuery {
    /// Where to go afterwards, below `/console/`.
    #[serde(rename = "return")]
    return_to: Option<String>,
}

/// Sends the browser to the provider.
pub async fn begin(
    State(app): State<Arc<App>>,
    Extension(context): Extension<RequestContext>,
    query: Result<Query<SignInQuery>, QueryRejection>,
) -> Result<Response, Error> {
    let sign_in = require_sign_in(&app)?;
    count(&app, &context)?;
    let return_to = query.ok().and_then(|Query(query)| query.return_to);
    let return_to = return_to.filter(|path| is_console_path(path)).unwrap_or_else(|| CONSOLE.to_owned());
    let begun = match sign_in.provider.begin().await {
        Ok(begun) => begun,
        Err(error) => return Ok(redirect_with_failure(&error, sign_in)),
    };
    let cookie = sign_in.seal_pending(begun.pending, return_to).map_err(|error| Error::internal(&error))?;
    Ok(redirect(&begun.url, &[cookies(sign_in).set(PENDING_COOKIE, &cookie, SIGN_IN_TIME)]))
}

/// What the provider's redirect carries (RFC 6749 section 4.1.2).
#[derive(Deserialize)]
pub struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Where the provider sends the browser back to.
pub async fn callback(
    State(app): State<Arc<App>>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Result<Response, Error> {
    let sign_in = require_sign_in(&app)?;
    count(&app, &context)?;
    let cookie = cookies(sign_in).read(&headers, PENDING_COOKIE);
    let pending = cookie.and_then(|cookie| sign_in.open_pending(&cookie));
    let Ok(Query(query)) = query else { return Ok(ended("expired", sign_in)) };
    // Without the cookie, or with another state, this sign-in began in another browser.
    let Some(pending) =
        pending.filter(|pending| query.state.as_deref().is_some_and(|state| pending.has_state(state)))
    else {
        return Ok(ended("expired", sign_in));
    };
    // A second callback would take the provider one more invented code, with this service's own credentials.
    if !sign_in.end_pending(&pending) {
        return Ok(ended("expired", sign_in));
    }
    let code = match (query.code, query.error) {
        (Some(code), None) => code,
        (_, error) => {
            tracing::info!(error, "the OpenID Connect provider refused the sign-in");
            return Ok(ended("denied", sign_in));
        }
    };
    let token = match sign_in.provider.finish(pending.authorization, code).await {
        Ok(token) => token,
        Err(error) => return Ok(redirect_with_failure(&error, sign_in)),
    };
    if let Some(missing) = &token.caller.missing_roles {
        tracing::warn!(reason = %missing, "the ID token makes no administrator");
    }
    let (session, cookie) = sign_in.begin_session(token).map_err(|error| Error::internal(&error))?;
    tracing::info!(tenant = session.tenant, admin = session.is_admin, "signed in to the console");
    let set = [
        cookies(sign_in).set(SESSION_COOKIE, &cookie, sign_in.session_time),
        cookies(sign_in).clear(PENDING_COOKIE),
    ];
    Ok(redirect(&pending.return_to, &set))
}

/// Ends the session here, and names where to end it at the provider.
pub async fn end(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let sign_in = require_sign_in(&app)?;
    let session = session_in(&app, sign_in, &headers).await?.ok_or_else(|| Error::new(Code::Unauthorized))?;
    if !proves_origin(&session, &headers) {
        return Err(Error::new(Code::CsrfToken));
    }
    let _ = app.db.write(ended_sessions::insert(&session.id_hash(), Timestamp(session.until))).await?;
    let next = sign_in.provider.end_session_url().await;
    let body = Json(json!({ "next": next.as_deref().unwrap_or(CONSOLE) }));
    Ok(([(SET_COOKIE, cookies(sign_in).clear(SESSION_COOKIE))], body).into_response())
}

/// Returns the session's CSRF token.
///
/// A browser with a session of the console sends it back, in the same header, with whatever changes something.
#[utoipa::path(
    get, path = "/api/v1/csrf-token", tag = "session", operation_id = "getCsrfToken",
    security(("session" = [])),
    responses(
        (status = 204, description = "The token is in the header.", headers(("qlik-csrf-token" = String, description = "To be sent back."))),
        (status = 401, description = "No session of the console.", body = ErrorBody),
    )
)]
pub async fn csrf_token(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let session = match &app.sign_in {
        Some(sign_in) => session_in(&app, sign_in, &headers).await?,
        None => None,
    };
    let session = session.ok_or_else(|| Error::new(Code::Unauthorized))?;
    let token = HeaderValue::try_from(&session.csrf).map_err(|error| Error::internal(&error.into()))?;
    Ok((StatusCode::NO_CONTENT, [(HeaderName::from_static(CSRF_HEADER), token)]).into_response())
}

/// `GET /console/session` where a provider is configured: who is signed in.
pub async fn session(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let session = session_in(&app, require_sign_in(&app)?, &headers).await?;
    Ok(session_body(session))
}

fn session_body(session: Option<Session>) -> Response {
    let Some(session) = session else {
        let body = Json(json!({ "mode": "oidc", "signIn": SIGN_IN_PATH }));
        return (StatusCode::UNAUTHORIZED, body).into_response();
    };
    Json(json!({
        "mode": "oidc",
        "user": session.user,
        "tenant": session.tenant,
        "admin": session.is_admin,
        "email": session.email,
        "userName": session.user_name,
        "tenantName": session.tenant_name,
        "csrfToken": session.csrf,
    }))
    .into_response()
}

/// Whether a request brings the cookie of a session, good or not.
pub fn brings_session(headers: &HeaderMap, app: &App) -> bool {
    app.sign_in.as_ref().is_some_and(|sign_in| cookies(sign_in).read(headers, SESSION_COOKIE).is_some())
}

/// The session that a request of the API comes with.
///
/// # Errors
/// See [`DbError`]: whether the session was ended cannot be told.
pub async fn session_of(headers: &HeaderMap, app: &App) -> Result<Option<Session>, DbError> {
    match &app.sign_in {
        Some(sign_in) => session_in(app, sign_in, headers).await,
        None => Ok(None),
    }
}

const CONSOLE: &str = "/console/";

fn require_sign_in(app: &App) -> Result<&ConsoleSignIn, Error> {
    app.sign_in.as_ref().ok_or_else(|| {
        Error::new(Code::NotFound)
            .detail("Signing in is not configured here; the settings begin with console.")
    })
}

/// Only this service's own pages: an open redirect would lend its name to any link.
fn is_console_path(path: &str) -> bool {
    let is_text = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let only_path = path.split(['?', '#']).next().unwrap_or_default();
    // A browser also reads `%2e` as a point in a path.
    let leaves = only_path
        .split('/')
        .any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."));
    // Not back to the sign-in itself: a provider that signs in without asking would loop for ever.
    let goes_round = [SIGN_IN_PATH, CALLBACK_PATH].contains(&only_path);
    only_path.starts_with(CONSOLE) && is_text && !leaves && !goes_round
}

/// Back to the console, with one word of a closed set: `denied`, `expired`, `not_known` or `provider`.
fn redirect_with_failure(error: &SignInError, sign_in: &ConsoleSignIn) -> Response {
    tracing::warn!(%error, "console sign-in failed");
    let word = match error {
        SignInError::Provider(_) => "provider",
        SignInError::Code(_) => "expired",
        SignInError::Token(_) => "not_known",
    };
    ended(word, sign_in)
}

fn ended(word: &str, sign_in: &ConsoleSignIn) -> Response {
    redirect(&format!("{CONSOLE}?sign-in={word}"), &[cookies(sign_in).clear(PENDING_COOKIE)])
}

fn redirect(to: &str, set: &[HeaderValue]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(to) {
        headers.insert(LOCATION, location);
    }
    for cookie in set {
        headers.append(SET_COOKIE, cookie.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::is_console_path;

    #[test]
    fn the_way_back_stays_in_the_console() {
        for (path, good) in [
            ("/console/", true),
            ("/console/?a=b", true),
            ("/console/x#y", true),
            ("/console", false),
            ("//evil.example/console/", false),
            ("https://evil.example/console/", false),
            ("/console/\\evil", false),
            ("/console/../other", false),
            ("/console/x/%2E%2e/../other", false),
            ("/console/.%2e/other", false),
            ("/console/?a=../b", true),
            ("/console/sign-in", false),
            ("/console/sign-in?return=/console/", false),
            ("/console/callback#x", false),
            ("/console/\r\nSet-Cookie: a=b", false),
            ("/api/v1/transports/email-config", false),
            ("", false),
        ] {
            assert_eq!(is_console_path(path), good, "{path:?}");
        }
    }
}
