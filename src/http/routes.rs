//! The one list of operations, from which come the router, the rights and the OpenAPI document.

use std::sync::Arc;

use axum::Router;
use axum::http::header::LINK;
use axum::http::{HeaderValue, Uri};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use utoipa_axum::routes;

use super::api::{
    audit, checks, email_config, emails, events, mail_services, microsoft365_setup, sending_account,
};
use super::error::Error;
use super::{health, openapi, sign_in};
use crate::app::App;
use crate::auth::open_id_connect::CALLBACK_PATH;

mod operation;
mod requirements;

pub(super) use operation::Operation;
pub(super) use requirements::{Guard, Requirements};

/// Where the API is served. The second is what the headings of the public reference say.
pub const PREFIXES: [&str; 2] = ["/api/v1/transports", "/v1/transports"];

/// Who may call an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Anybody,
    AnyUser,
    /// An administrator, or a user with a role of `auth.sender_roles`.
    Sender,
    TenantAdmin,
}

/// A path that is served, with its method and right.
#[derive(Clone, Debug)]
pub struct Route {
    pub method: &'static str,
    pub path: String,
    pub access: Access,
}

/// An operation of the API: method, path and answers are those of its `utoipa::path`, right and rate limit those of
/// the guard that its signature begins with. A handler without a guard does not compile here.
macro_rules! guarded {
    ($handler:path) => {
        Operation::documented(routes!($handler)).requires(Requirements::of_handler(&$handler))
    };
}

/// The operations of the API. Their paths are below each of [`PREFIXES`].
pub(super) fn api_routes() -> Vec<Operation> {
    vec![
        guarded!(email_config::get),
        guarded!(email_config::put),
        guarded!(email_config::patch).map_handler(|patch| patch.layer(map_response(deprecate))),
        guarded!(email_config::delete),
        guarded!(checks::send_test_email),
        guarded!(email_config::validate),
        guarded!(checks::verify_connection),
        guarded!(audit::get),
        guarded!(microsoft365_setup::get),
        guarded!(mail_services::list),
        guarded!(emails::send).map_handler(in_send_api),
        guarded!(emails::send_batch).map_handler(in_send_api),
        guarded!(emails::list).map_handler(in_send_api),
        guarded!(emails::get).map_handler(in_send_api),
        guarded!(emails::update).map_handler(in_send_api),
        guarded!(emails::cancel).map_handler(in_send_api),
        guarded!(emails::retry).map_handler(in_send_api),
        guarded!(emails::settle).map_handler(in_send_api),
        guarded!(emails::delete).map_handler(in_send_api),
        guarded!(events::of_email).map_handler(in_send_api),
        guarded!(events::list).map_handler(in_send_api),
        guarded!(sending_account::get).map_handler(in_send_api),
        guarded!(sending_account::pause).map_handler(in_send_api),
        guarded!(sending_account::resume).map_handler(in_send_api),
    ]
}

/// What is served beside the API, for anybody.
pub(super) fn service_routes() -> Vec<Operation> {
    vec![
        Operation::new("GET", sign_in::SIGN_IN_PATH, get(sign_in::begin)),
        Operation::new("GET", CALLBACK_PATH, get(sign_in::callback)),
        Operation::new("POST", "/console/sign-out", post(sign_in::end)),
        Operation::documented(routes!(sign_in::csrf_token)),
        Operation::new("GET", "/health/live", get(health::live)),
        Operation::new("GET", "/health/ready", get(health::ready)),
        Operation::new("GET", "/openapi.json", get(openapi::document)),
    ]
}

/// Every route that the service answers, for the tests that try each of them.
pub fn routes() -> Vec<Route> {
    let api = api_routes();
    let routes_under = |prefix: &'static str| api.iter().map(move |operation| operation.route(prefix));
    let mut routes: Vec<Route> = PREFIXES.into_iter().flat_map(routes_under).collect();
    routes.extend(service_routes().iter().map(|operation| operation.route("")));
    routes
}

/// Serves every operation.
pub(super) fn router() -> Router<Arc<App>> {
    let mut router = Router::new();
    let api = api_routes();
    for prefix in PREFIXES {
        for operation in &api {
            router = operation.serve(router, prefix);
        }
    }
    for operation in service_routes() {
        router = operation.serve(router, "");
    }
    router
}

/// Refusals of the send API have the members that clients of Resend's API read.
fn in_send_api(handler: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    handler.layer(map_response(async |mut response: Response| {
        if let Some(error) = response.extensions_mut().remove::<Error>() {
            response.extensions_mut().insert(error.in_send_api());
        }
        response
    }))
}

/// Every answer of PATCH says that the public API has deprecated it (RFC 9745), and where to look instead.
async fn deprecate(uri: Uri, mut response: Response) -> Response {
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
