//! Signing in to the console with OpenID Connect, and the session that follows: a sealed cookie.
//!
//! The API takes the cookie in place of a token, for browsers: then whatever changes something needs the header
//! `qlik-csrf-token`, as the public API's browser clients send it.

mod cookies;
mod sealed;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::App;
use crate::auth::open_id_connect::{OpenIdConnect, Pending, Settings, SignInError};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::egress::http_client::HttpClient;
use crate::http::error::{Code, Error, ErrorBody};
use cookies::Cookies;
use sealed::Sealer;

pub use session::{CSRF_HEADER, Session};

/// Where a browser without a session is sent.
pub const SIGN_IN_PATH: &str = "/console/sign-in";

/// How long somebody may take to sign in at the provider.
const FLOW_TIME: Duration = Duration::from_mins(15);

/// Everything that signing in needs; there where the operator configured a provider.
pub struct SignIn {
    provider: OpenIdConnect,
    sealer: Sealer,
    cookies: Cookies,
    session_time: Duration,
    clock: Clock,
}

impl SignIn {
    /// `None` where no provider is configured.
    ///
    /// # Errors
    /// A text for the operator that names the setting.
    pub fn of(config: &Config, http: HttpClient, clock: Clock) -> anyhow::Result<Option<Self>> {
        let (Some(settings), Some(secret)) = (Settings::of(config)?, &config.console.session_secret) else {
            return Ok(None);
        };
        Ok(Some(Self {
            sealer: Sealer::new(secret),
            cookies: Cookies { secure: settings.public_url.starts_with("https://") },
            session_time: Duration::from_secs(u64::from(config.console.session_minutes) * 60),
            provider: OpenIdConnect::new(settings, http, clock.clone()),
            clock,
        }))
    }

    /// The session of a request, where its cookie is one of ours and not over.
    #[must_use]
    pub fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let cookie = self.cookies.read(headers, cookies::SESSION)?;
        let session: Session = self.sealer.open(cookies::SESSION, &cookie)?;
        (self.clock.now().0 < session.until).then_some(session)
    }

    /// Whether the request brings a session cookie at all, good or not.
    #[must_use]
    pub fn brings_session(&self, headers: &HeaderMap) -> bool {
        self.cookies.read(headers, cookies::SESSION).is_some()
    }

    fn after(&self, time: Duration) -> i64 {
        let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.clock.now().0.saturating_add(milliseconds)
    }
}

/// A flow under way, in its cookie.
#[derive(Serialize, Deserialize)]
struct Departure {
    pending: Pending,
    return_to: String,
    until: i64,
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
    query: Result<Query<SignInQuery>, QueryRejection>,
) -> Result<Response, Error> {
    let sign_in = configured(&app)?;
    let return_to = query.ok().and_then(|Query(query)| query.return_to);
    let return_to = return_to.filter(|path| is_console_path(path)).unwrap_or_else(|| CONSOLE.to_owned());
    let flow = match sign_in.provider.begin().await {
        Ok(flow) => flow,
        Err(error) => return Ok(failed(&error)),
    };
    let departure = Departure { pending: flow.pending, return_to, until: sign_in.after(FLOW_TIME) };
    let sealed = sign_in.sealer.seal(cookies::FLOW, &departure).map_err(|error| Error::internal(&error))?;
    Ok(redirect(&flow.url, &[sign_in.cookies.set(cookies::FLOW, &sealed, FLOW_TIME)]))
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
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Result<Response, Error> {
    let sign_in = configured(&app)?;
    let departure = sign_in
        .cookies
        .read(&headers, cookies::FLOW)
        .and_then(|cookie| sign_in.sealer.open::<Departure>(cookies::FLOW, &cookie))
        .filter(|departure| sign_in.clock.now().0 < departure.until);
    let Ok(Query(query)) = query else { return Ok(told("expired", sign_in)) };
    // Without the cookie, or with another state, this browser did not set out: somebody else's flow.
    let Some(departure) = departure.filter(|departure| {
        query.state.as_deref().is_some_and(|state| sealed::same(state, &departure.pending.state))
    }) else {
        return Ok(told("expired", sign_in));
    };
    let code = match (query.code, query.error) {
        (Some(code), None) => code,
        (_, error) => {
            tracing::info!(error, "the provider signed nobody in");
            return Ok(told("denied", sign_in));
        }
    };
    let token = match sign_in.provider.finish(departure.pending, code).await {
        Ok(token) => token,
        Err(error) => return Ok(failed(&error)),
    };
    let until = Timestamp(sign_in.after(sign_in.session_time));
    let session = Session::new(token, until).map_err(|error| Error::internal(&error))?;
    let sealed = sign_in.sealer.seal(cookies::SESSION, &session).map_err(|error| Error::internal(&error))?;
    tracing::info!(tenant = session.tenant, admin = session.is_admin, "signed in to the console");
    let set = [
        sign_in.cookies.set(cookies::SESSION, &sealed, sign_in.session_time),
        sign_in.cookies.clear(cookies::FLOW),
    ];
    Ok(redirect(&departure.return_to, &set))
}

/// Ends the session here, and tells where to end it at the provider.
pub async fn end(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let sign_in = configured(&app)?;
    let session = sign_in.session(&headers).ok_or_else(|| Error::new(Code::Unauthorized))?;
    if !session.allows(&headers) {
        return Err(Error::new(Code::CsrfToken));
    }
    let next = sign_in.provider.end_session_url().await;
    let body = Json(json!({ "next": next.as_deref().unwrap_or(CONSOLE) }));
    Ok(([(SET_COOKIE, sign_in.cookies.clear(cookies::SESSION))], body).into_response())
}

/// The token that a browser with a session has to send back, in the same header, with whatever changes
/// something.
#[utoipa::path(
    get, path = "/api/v1/csrf-token", tag = "session", operation_id = "getCsrfToken",
    security(()),
    responses(
        (status = 204, description = "The token is in the header.", headers(("qlik-csrf-token" = String, description = "To be sent back."))),
        (status = 401, description = "No session of the console.", body = ErrorBody),
    )
)]
pub async fn csrf_token(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    let session = app.sign_in.as_ref().and_then(|sign_in| sign_in.session(&headers));
    let session = session.ok_or_else(|| Error::new(Code::Unauthorized))?;
    let token = HeaderValue::try_from(&session.csrf).map_err(|error| Error::internal(&error.into()))?;
    Ok((StatusCode::NO_CONTENT, [(HeaderName::from_static(CSRF_HEADER), token)]).into_response())
}

/// What the console learns about itself: `GET /console/session` where a provider is configured.
pub async fn session(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    Ok(describe(configured(&app)?, &headers))
}

fn describe(sign_in: &SignIn, headers: &HeaderMap) -> Response {
    let Some(session) = sign_in.session(headers) else {
        let body = Json(json!({ "mode": "oidc", "signIn": SIGN_IN_PATH }));
        return (StatusCode::UNAUTHORIZED, body).into_response();
    };
    Json(json!({
        "mode": "oidc",
        "user": session.user,
        "tenant": session.tenant,
        "admin": session.is_admin,
        "email": session.email,
        "csrfToken": session.csrf,
    }))
    .into_response()
}

/// The session that a request of the API comes with: only where it brings no token of its own.
#[must_use]
pub fn session_of(parts: &Parts, app: &App) -> Option<Option<Session>> {
    let sign_in = app.sign_in.as_ref()?;
    sign_in.brings_session(&parts.headers).then(|| sign_in.session(&parts.headers))
}

const CONSOLE: &str = "/console/";

fn configured(app: &App) -> Result<&SignIn, Error> {
    app.sign_in.as_ref().ok_or_else(|| {
        Error::new(Code::NotFound)
            .detail("Signing in is not configured here; the settings begin with console.")
    })
}

/// Only this service's own pages: a redirect to anywhere would serve whoever sends the link.
fn is_console_path(path: &str) -> bool {
    path.starts_with(CONSOLE) && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// Back to the console, with one word of a closed set: `denied`, `expired`, `not_known` or `provider`.
fn failed(error: &SignInError) -> Response {
    tracing::warn!(%error, "nobody was signed in to the console");
    let word = match error {
        SignInError::Provider(_) => "provider",
        SignInError::Code(_) => "expired",
        SignInError::Token(_) => "not_known",
    };
    redirect(&format!("{CONSOLE}?sign-in={word}"), &[])
}

fn told(word: &str, sign_in: &SignIn) -> Response {
    redirect(&format!("{CONSOLE}?sign-in={word}"), &[sign_in.cookies.clear(cookies::FLOW)])
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
            ("/console/\r\nSet-Cookie: a=b", false),
            ("/api/v1/transports/email-config", false),
            ("", false),
        ] {
            assert_eq!(is_console_path(path), good, "{path:?}");
        }
    }
}
