//! The OpenAPI 3.1 document, generated from the handlers.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::email_config::{self, audit_trail, checks, microsoft365_setup};
use super::providers;
use crate::http::PREFIXES;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "transports",
        description = "Email transports of a multi-tenant platform: each tenant's own mail account, set, checked \
                       and tried. The tenant comes from the token.\n\nThe same operations are served under \
                       `/v1/transports`. `HEAD` is answered where `GET` is; `OPTIONS` tells the methods.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        email_config::get,
        email_config::put,
        email_config::patch,
        email_config::delete,
        checks::send_test_email,
        email_config::validate,
        checks::verify_connection,
        audit_trail::get,
        microsoft365_setup::get,
        providers::list,
    ),
    tags(
        (name = "email-config", description = "The mail account of the token's tenant."),
        (name = "providers", description = "Known mail services."),
    ),
    security(("bearer" = [])),
    modifiers(&BearerToken),
)]
struct Document;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JSON Web Token whose claims name the tenant, the user and the roles."))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document as pretty JSON, with a line end.
#[must_use]
pub fn document_json() -> String {
    // Serialising a tree of strings to memory cannot fail; an empty document would fail the drift test.
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// `GET /openapi.json`. Made once: it takes long, and anybody may ask.
pub async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        let document = Document::openapi();
        debug_assert!(document.paths.paths.keys().all(|path| path.starts_with(PREFIXES[0])));
        document.to_json().unwrap_or_default().into()
    });
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}
