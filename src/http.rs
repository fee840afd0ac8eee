//! The HTTP service: the API, the console, health and metrics, put together from their routes and layers.

pub mod api;
pub mod caller;
pub mod console;
mod cors;
pub mod error;
pub mod extract;
mod health;
pub mod language;
mod layers;
pub mod observe;
pub mod openapi;
mod routes;
pub mod server;
pub mod sign_in;
mod wrong_path;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use crate::app::App;
use crate::http::error::{Code, Error};

pub use routes::{Access, PREFIXES, Route, routes};

/// What `transports dev` adds to the service.
pub struct Dev {
    /// The inbox's pages, and a fake of Microsoft 365.
    pub pages: Router,
    /// The console's session, which signs in by itself.
    pub session: MethodRouter,
    /// How a tenant gets a mail account here.
    pub account_hint: String,
}

/// The whole service.
pub fn service(app: &Arc<App>, dev: Option<Dev>) -> Router {
    let mut router = routes::router();
    // The metrics may have a listener of their own, away from the clients.
    if app.config.server.metrics_listen.is_none() {
        router = router.route("/metrics", get(health::prometheus));
    }
    let mut router =
        router.method_not_allowed_fallback(wrong_path::method_not_allowed).with_state(Arc::clone(app));
    let mut session = match &app.sign_in {
        Some(_) => get(sign_in::session).with_state(Arc::clone(app)),
        None => console::session_without_sign_in(),
    };
    let has_sign_in = app.sign_in.is_some() || dev.is_some();
    if let Some(dev) = dev {
        let hint: Arc<str> = dev.account_hint.into();
        router = router.merge(dev.pages).layer(map_response(move |response: Response| {
            let hint = Arc::clone(&hint);
            async move { explain_missing_account(response, &hint) }
        }));
        session = dev.session;
    }
    let router = router.fallback(wrong_path::not_found);
    let router = match cors::layer(app) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    // Outside the operator's CORS settings: any page may load its modules, and only its own page gets its session.
    router
        .merge(console::router(&app.config.console.title, session, has_sign_in))
        .layer(from_fn_with_state(Arc::clone(app), layers::request_layer))
}

/// Adds to a refusal for want of a mail account how to set one up.
fn explain_missing_account(mut response: Response, hint: &str) -> Response {
    const CODES: [Code; 3] = [Code::NotConfigured, Code::NothingToSendWith, Code::NothingToVerify];
    if let Some(error) = response.extensions_mut().get_mut::<Error>()
        && CODES.iter().any(|code| error.has(*code))
    {
        *error = error.clone().detail(hint);
    }
    response
}

/// What `server.metrics_listen` serves.
pub fn metrics_service(app: &Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(health::prometheus))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .with_state(Arc::clone(app))
        .fallback(|| async { Error::new(Code::NotFound) })
        .layer(from_fn_with_state(Arc::clone(app), layers::metrics_layer))
}
