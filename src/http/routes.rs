//! The one list of operations, from which come the router, the rights and the OpenAPI document.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::http::header::LINK;
use axum::http::{HeaderValue, Uri};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use utoipa_axum::routes;

use super::api::{
    api_keys, audit, checks, email_config, emails, events, mail_services, microsoft365_setup, sending_account,
};
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
    /// An administrator, a user with a role of `auth.sender_roles`, or an API key.
    Sender,
    /// The same without an API key that may only send.
    FullSender,
    /// An administrator, or an API key with full access, in the send API.
    SendAdmin,
    TenantAdmin,
    /// The platform, for the tenant that the path names.
    Platform,
}

/// Below each of [`PREFIXES`], where the platform's credential calls the send API for a tenant.
const TENANT_PREFIX: &str = "/tenants/{tenantId}";
pub(super) const TENANT_PARAMETER: &str = "tenantId";

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
        guarded!(emails::send).in_send_api(),
        guarded!(emails::send_batch).in_send_api(),
        guarded!(emails::list).in_send_api(),
        guarded!(emails::get).in_send_api(),
        guarded!(emails::update).in_send_api(),
        guarded!(emails::cancel).in_send_api(),
        guarded!(emails::retry).in_send_api(),
        guarded!(emails::settle).in_send_api(),
        guarded!(emails::delete).in_send_api(),
        guarded!(events::of_email).in_send_api(),
        guarded!(events::list).in_send_api(),
        guarded!(sending_account::get).in_send_api(),
        guarded!(sending_account::change).in_send_api(),
        guarded!(sending_account::pause).in_send_api(),
        guarded!(sending_account::resume).in_send_api(),
        guarded!(api_keys::create).in_send_api(),
        guarded!(api_keys::list).in_send_api(),
        guarded!(api_keys::update).in_send_api(),
        guarded!(api_keys::revoke).in_send_api(),
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
    let routes_under = |prefix: &'static str| api.iter().flat_map(move |operation| operation.routes(prefix));
    let mut routes: Vec<Route> = PREFIXES.into_iter().flat_map(routes_under).collect();
    routes.extend(service_routes().iter().flat_map(|operation| operation.routes("")));
    routes
}

/// The first words of the paths of the send API.
pub(super) fn send_resources() -> BTreeSet<String> {
    api_routes().iter().filter_map(Operation::send_resource).map(str::to_owned).collect()
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
