//! The map: every route in one table, and the layers round it.

pub mod api;
pub mod auth;
pub mod console;
pub mod error;
pub mod extract;
mod health;
pub mod language;
pub mod observe;
pub mod openapi;
pub mod server;
pub mod sign_in;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, ETAG, HOST, IF_MATCH, IF_NONE_MATCH, LINK, RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use tower_http::cors::CorsLayer;

use crate::app::App;
use crate::auth::open_id_connect::CALLBACK_PATH;
use crate::http::error::{Code, Error};
use api::{audit, checks, email_config, mail_services, microsoft365_setup};

/// Where the API is served. The second is what the headings of the public reference say.
pub const PREFIXES: [&str; 2] = ["/api/v1/transports", "/v1/transports"];

/// Who may call an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Anybody,
    AnyUser,
    TenantAdmin,
}

/// One operation of the service. Paths of the API are below [`PREFIXES`], others are whole.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
}

type Handler = MethodRouter<Arc<App>>;

/// The operations of the API, below each of [`PREFIXES`]. Rate limits and rights stand in the handlers'
/// signatures; `tests/it` walks this table and holds them to it.
fn api() -> Vec<(Route, Handler)> {
    use Access::{AnyUser, TenantAdmin};
    const CONFIG: &str = "/email-config";
    const AUDIT: &str = "/email-config/audit";
    const SETUP: &str = "/email-config/microsoft365-setup";
    const SEND: &str = "/email-config/actions/send-test-email";
    const VALIDATE: &str = "/email-config/actions/validate";
    const VERIFY: &str = "/email-config/actions/verify-connection";
    let patching = patch(email_config::patch).layer(map_response(deprecated));
    vec![
        (Route { method: "GET", path: CONFIG, access: TenantAdmin }, get(email_config::get)),
        (Route { method: "PUT", path: CONFIG, access: TenantAdmin }, put(email_config::put)),
        (Route { method: "PATCH", path: CONFIG, access: TenantAdmin }, patching),
        (Route { method: "DELETE", path: CONFIG, access: TenantAdmin }, delete(email_config::delete)),
        (Route { method: "POST", path: SEND, access: TenantAdmin }, post(checks::send_test_email)),
        (Route { method: "POST", path: VALIDATE, access: AnyUser }, post(email_config::validate)),
        (Route { method: "POST", path: VERIFY, access: AnyUser }, post(checks::verify_connection)),
        (Route { method: "GET", path: AUDIT, access: TenantAdmin }, get(audit::get)),
        (Route { method: "GET", path: SETUP, access: TenantAdmin }, get(microsoft365_setup::get)),
        (Route { method: "GET", path: "/providers", access: AnyUser }, get(mail_services::list)),
    ]
}

/// What is served beside the API.
fn beside() -> Vec<(Route, Handler)> {
    use Access::Anybody;
    let route = |path| Route { method: "GET", path, access: Anybody };
    let sign_out = Route { method: "POST", path: "/console/sign-out", access: Anybody };
    vec![
        (route(sign_in::SIGN_IN_PATH), get(sign_in::begin)),
        (route(CALLBACK_PATH), get(sign_in::callback)),
        (sign_out, post(sign_in::end)),
        (route("/api/v1/csrf-token"), get(sign_in::csrf_token)),
        (route("/health/live"), get(health::live)),
        (route("/health/ready"), get(health::ready)),
        (route("/openapi.json"), get(openapi::document)),
    ]
}

/// Every route that the service answers, for tests and for the document.
#[must_use]
pub fn routes() -> Vec<(String, Route)> {
    let below = |prefix: &'static str| {
        api().into_iter().map(move |(route, _)| (format!("{prefix}{}", route.path), route))
    };
    let beside = beside().into_iter().map(|(route, _)| (route.path.to_owned(), route));
    PREFIXES.into_iter().flat_map(below).chain(beside).collect()
}

/// What `transports dev` adds to the service.
pub struct Dev {
    /// The inbox's pages, and a fake of Microsoft 365.
    pub pages: Router,
    /// The console's session, which signs in by itself.
    pub session: MethodRouter,
}

/// The whole service.
pub fn service(app: &Arc<App>, dev: Option<Dev>) -> Router {
    let mut router = Router::new();
    for prefix in PREFIXES {
        for (route, handler) in api() {
            router = router.route(&format!("{prefix}{}", route.path), handler);
        }
    }
    for (route, handler) in beside() {
        router = router.route(route.path, handler);
    }
    // The metrics may have a listener of their own, away from the clients.
    if app.config.server.metrics_listen.is_none() {
        router = router.route("/metrics", get(health::prometheus));
    }
    let mut router = router.method_not_allowed_fallback(method_not_allowed).with_state(Arc::clone(app));
    let mut session = match &app.sign_in {
        Some(_) => get(sign_in::session).with_state(Arc::clone(app)),
        None => console::nobody(),
    };
    if let Some(dev) = dev {
        router = router.merge(dev.pages);
        session = dev.session;
    }
    let router = router.fallback(|| async { Error::new(Code::NotFound) });
    let router = match cors(app) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    // Outside of what the operator allows other origins: its modules are for everybody, its session for nobody else.
    router.merge(console::router(session)).layer(from_fn_with_state(Arc::clone(app), around))
}

/// What `server.metrics_listen` serves.
pub fn metrics_service(app: &Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(health::prometheus))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .with_state(Arc::clone(app))
        .fallback(|| async { Error::new(Code::NotFound) })
        .layer(from_fn_with_state(Arc::clone(app), observed))
}

async fn observed(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    observe::observe(&app, request, |request| unharmed(next.run(request))).await
}

/// What stands round every request. One layer, since each copies everything within it for each request.
async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(app.config.server.request_timeout_seconds);
    let handle = async move |request: Request| match ambiguity(&request) {
        Some(problem) => {
            Error::input(problem).header(CONNECTION, HeaderValue::from_static("close")).into_response()
        }
        None => within(limit, unharmed(next.run(request))).await,
    };
    observe::observe(&app, request, handle).await
}

/// The last resort: every operation has a shorter limit of its own.
async fn within(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        tracing::error!("a request took longer than server.request_timeout_seconds");
        Error::unavailable().into_response()
    })
}

/// A panic ends its request alone. The panic hook has logged where it was.
async fn unharmed(answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    poll_fn(|context| {
        // Nothing of the request is used again.
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Error::new(Code::Internal).into_response()))
    })
    .await
}

/// A request of HTTP/1.1 names its host exactly once (RFC 9112 section 3.2), and what it asks for is on this host:
/// this is no proxy. A proxy in front that reads such a request in another way than we do would not know whom it
/// lets in, so nothing that follows on the connection is trusted either.
fn ambiguity(request: &Request) -> Option<String> {
    let hosts = request.headers().get_all(HOST).iter().count();
    if request.method() == Method::CONNECT || request.uri().path().is_empty() {
        return Some("The target is not a path on this server".to_owned());
    }
    (request.version() == Version::HTTP_11 && hosts != 1)
        .then(|| format!("Host stands {hosts} times in the request; it has to stand once"))
}

/// OPTIONS tells the methods in `Allow`, which the router adds; any other method is refused.
async fn method_not_allowed(request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Error::new(Code::MethodNotAllowed).into_response()
    }
}

/// Every answer of PATCH says that the public API has deprecated it (RFC 9745), and where to look instead.
async fn deprecated(uri: Uri, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("deprecation", HeaderValue::from_static("@1765843200"));
    let prefix = if uri.path().starts_with(PREFIXES[0]) { PREFIXES[0] } else { PREFIXES[1] };
    let link =
        format!("<{prefix}/email-config>; rel=\"successor-version\", </openapi.json>; rel=\"deprecation\"");
    if let Ok(link) = HeaderValue::try_from(link) {
        headers.insert(LINK, link);
    }
    response
}

/// For browsers of other origins, where the operator names some.
fn cors(app: &App) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        app.config.server.cors_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let asked = ["qlik-api-version", "qlik-csrf-token", "qlik-web-integration-id", "traceparent"];
    let told = ["deprecation", "qlik-csrf-token"];
    let named = |names: &[&'static str]| -> Vec<HeaderName> {
        names.iter().copied().map(HeaderName::from_static).collect()
    };
    let mut allow = vec![AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH];
    allow.extend(named(&asked));
    let mut expose = vec![ETAG, RETRY_AFTER, LINK];
    expose.extend(named(&told));
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::POST];
    Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(methods)
            .allow_headers(allow)
            .expose_headers(expose)
            .allow_credentials(true)
            .max_age(Duration::from_mins(10)),
    )
}
