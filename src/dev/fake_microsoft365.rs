//! A fake of Entra and Graph, as far as an app needs them to send mail: for `transports dev` without a Microsoft 365
//! account, and for the tests.
//!
//! Responses have the form of the public reference: errors of Entra with `error`, `error_codes`, `trace_id` and
//! `correlation_id`, errors of Graph with `error.code` and `innerError`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;

/// Graph refuses larger requests.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// Lifetime of a token in seconds; the value that Entra gives most apps.
const TOKEN_SECONDS: i64 = 3599;

/// An app registration: one app in one directory with one mailbox.
#[derive(Clone, Debug)]
pub struct Registration {
    pub directory_id: String,
    pub domain: String,
    pub client_id: String,
    pub client_secret: String,
    pub mailbox: String,
    /// The granted permissions, as named in the token.
    pub roles: Vec<String>,
}

impl Registration {
    /// A random registration with the permission to send.
    pub fn random() -> Self {
        Self {
            directory_id: Uuid::new_v4().to_string(),
            domain: "contoso.example".to_owned(),
            client_id: Uuid::new_v4().to_string(),
            client_secret: format!("dev~{}", Uuid::new_v4().simple()),
            mailbox: "platform@contoso.example".to_owned(),
            roles: vec!["Mail.Send".to_owned()],
        }
    }
}

/// A response in place of the usual one, for a test.
#[derive(Clone, Debug)]
pub enum ScriptedResponse {
    Respond {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Never responds.
    Hang,
}

/// The two services. Cheap to clone.
#[derive(Clone)]
pub struct FakeMicrosoft365 {
    state: Arc<Mutex<Inner>>,
    clock: Clock,
    on_mail: Arc<dyn Fn(Vec<u8>) + Send + Sync>,
}

struct Inner {
    registration: Registration,
    /// Issued tokens with their roles.
    tokens: HashMap<String, Vec<String>>,
    token_requests: Vec<String>,
    mail_requests: usize,
    next_token: VecDeque<ScriptedResponse>,
    next_mail: VecDeque<ScriptedResponse>,
}

impl FakeMicrosoft365 {
    /// `on_mail` receives each accepted mail in MIME.
    pub fn new(
        registration: Registration,
        clock: Clock,
        on_mail: impl Fn(Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner {
            registration,
            tokens: HashMap::new(),
            token_requests: Vec::new(),
            mail_requests: 0,
            next_token: VecDeque::new(),
            next_mail: VecDeque::new(),
        };
        Self { state: Arc::new(Mutex::new(inner)), clock, on_mail: Arc::new(on_mail) }
    }

    /// Both services on one address; their paths do not overlap.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/v1.0/users/{user}/sendMail", post(send_mail))
            .layer(DefaultBodyLimit::max(2 * MAX_REQUEST))
            .with_state(self.clone())
    }

    /// Changes the registration.
    pub fn update(&self, update: impl FnOnce(&mut Registration)) {
        update(&mut self.lock().registration);
    }

    /// The next token request gets this response.
    pub fn script_token(&self, response: ScriptedResponse) {
        self.lock().next_token.push_back(response);
    }

    /// The next mail gets this response.
    pub fn script_mail(&self, response: ScriptedResponse) {
        self.lock().next_mail.push_back(response);
    }

    /// Refuses the next token request with this error number of Entra.
    pub fn refuse_token(&self, number: u32, error: &str) {
        let (status, body) = entra_error(number, error, "Refused by the test.", &self.clock);
        self.script_token(ScriptedResponse::Respond { status: status.as_u16(), headers: Vec::new(), body });
    }

    /// Refuses the next mail with this error code of Graph.
    pub fn refuse_mail(&self, status: u16, code: &str, message: &str) {
        let body = graph_error(code, message, &self.clock);
        self.script_mail(ScriptedResponse::Respond { status, headers: Vec::new(), body });
    }

    /// Revokes every issued token.
    pub fn revoke_tokens(&self) {
        self.lock().tokens.clear();
    }

    /// The number of token requests so far.
    pub fn token_requests(&self) -> usize {
        self.lock().token_requests.len()
    }

    /// The number of mail requests so far, accepted or not.
    pub fn mail_requests(&self) -> usize {
        self.lock().mail_requests
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn respond(response: ScriptedResponse) -> Response {
    match response {
        ScriptedResponse::Hang => std::future::pending().await,
        ScriptedResponse::Respond { status, headers, body } => {
            let mut response = body.into_response();
            *response.status_mut() =
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            for (name, value) in headers {
                if let Ok(value) = value.parse() {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
    }
}

fn json_response(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// An error in the form of Entra, see
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn entra_error(number: u32, error: &str, text: &str, clock: &Clock) -> (StatusCode, String) {
    let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
    let timestamp = clock.now().to_iso();
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    let body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
        ),
        "error_codes": [number],
        "timestamp": timestamp,
        "trace_id": trace.to_string(),
        "correlation_id": correlation.to_string(),
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    (status, body.to_string())
}

/// An error in the form of Graph, see <https://learn.microsoft.com/graph/errors>.
fn graph_error(code: &str, message: &str, clock: &Clock) -> String {
    let id = Uuid::new_v4().to_string();
    let date = clock.now().to_iso();
    json!({"error": {"code": code, "message": message, "innerError": {
        "date": date, "request-id": id, "client-request-id": id
    }}})
    .to_string()
}

async fn token(State(fake): State<FakeMicrosoft365>, Path(tenant): Path<String>, body: Bytes) -> Response {
    let form = form(&body);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let next = {
        let mut inner = fake.lock();
        inner.token_requests.push(field("client_id").to_owned());
        inner.next_token.pop_front()
    };
    if let Some(response) = next {
        return respond(response).await;
    }
    let mut inner = fake.lock();
    let registered = inner.registration.clone();
    let refused = |number, error, text: String| {
        let (status, body) = entra_error(number, error, &text, &fake.clock);
        json_response(status, body)
    };
    if field("grant_type") != "client_credentials" {
        return refused(
            70_003,
            "unsupported_grant_type",
            "The app requested an unsupported grant type.".to_owned(),
        );
    }
    if !tenant.eq_ignore_ascii_case(&registered.directory_id)
        && !tenant.eq_ignore_ascii_case(&registered.domain)
    {
        return refused(90_002, "invalid_request", format!("Tenant '{tenant}' not found."));
    }
    if field("client_id") != registered.client_id {
        let text = format!(
            "Application with identifier '{}' was not found in the directory '{tenant}'.",
            field("client_id")
        );
        return refused(700_016, "unauthorized_client", text);
    }
    if field("client_secret") != registered.client_secret {
        let text = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                    value, not the client secret ID.";
        return refused(7_000_215, "invalid_client", text.to_owned());
    }
    let Some(resource) = field("scope").strip_suffix("/.default") else {
        let text = "The provided value for scope is not valid. Client credential flows must have a scope value with \
                    /.default suffixed to the resource identifier.";
        return refused(1_002_012, "invalid_scope", text.to_owned());
    };
    let now = fake.clock.now().seconds();
    let claims = json!({
        "aud": resource, "tid": registered.directory_id, "appid": registered.client_id,
        "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS, "roles": registered.roles, "jti": Uuid::new_v4().to_string(),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token =
        format!("{}.{}.bm8gc2lnbmF0dXJl", part(&json!({"typ": "JWT", "alg": "RS256"})), part(&claims));
    inner.tokens.insert(token.clone(), registered.roles);
    let answer = json!({
        "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS, "access_token": token,
    });
    json_response(StatusCode::OK, answer.to_string())
}

async fn send_mail(
    State(fake): State<FakeMicrosoft365>,
    Path(user): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let next = {
        let mut inner = fake.lock();
        inner.mail_requests += 1;
        inner.next_mail.pop_front()
    };
    if let Some(response) = next {
        return respond(response).await;
    }
    let refused =
        |status, code, message: &str| json_response(status, graph_error(code, message, &fake.clock));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = text(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    let (roles, mailbox) = {
        let inner = fake.lock();
        (inner.tokens.get(token).cloned(), inner.registration.mailbox.clone())
    };
    let Some(roles) = roles else {
        return refused(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            "Access token validation failure.",
        );
    };
    if !user.eq_ignore_ascii_case(&mailbox) {
        let message = format!("The requested user '{user}' is invalid.");
        return refused(StatusCode::NOT_FOUND, "ErrorInvalidUser", &message);
    }
    if !roles.iter().any(|role| role == "Mail.Send") {
        let message = "Access is denied. Check credentials and try again.";
        return refused(StatusCode::FORBIDDEN, "ErrorAccessDenied", message);
    }
    if body.len() > MAX_REQUEST {
        let message = "The request body is too large.";
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge", message);
    }
    if !text(header::CONTENT_TYPE).starts_with("text/plain") {
        let message = "The request is missing a MIME body.";
        return refused(StatusCode::BAD_REQUEST, "RequestBodyRead", message);
    }
    let Ok(mail) = STANDARD.decode(&body) else {
        let message = "Invalid base64 string for MIME content.";
        return refused(StatusCode::BAD_REQUEST, "ErrorMimeContentInvalidBase64String", message);
    };
    (fake.on_mail)(mail);
    StatusCode::ACCEPTED.into_response()
}

/// The fields of a form (`application/x-www-form-urlencoded`).
fn form(body: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}
