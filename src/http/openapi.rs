//! The OpenAPI 3.1 document, generated from the handlers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::email_config::{self, audit_trail, checks, microsoft365_setup};
use super::{providers, sign_in};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "transports",
        description = "Email transports of a multi-tenant platform: each tenant's own mail account, set, checked \
                       and tried. The tenant comes from the token.\n\nThe same operations are served under \
                       `/v1/transports`. `HEAD` is answered where `GET` is; `OPTIONS` tells the methods.\n\nWhat an \
                       administrator reads is in English or German, by `Accept-Language`; `Content-Language` tells \
                       which. Codes and the titles of refusals are the same in every language.",
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
        sign_in::csrf_token,
    ),
    tags(
        (name = "email-config", description = "The mail account of the token's tenant."),
        (name = "providers", description = "Known mail services."),
        (name = "session", description = "Browsers that signed in to the console send its cookie in place of a token."),
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

/// `GET /openapi.json`.
pub async fn document() -> Response {
    Json(Document::openapi()).into_response()
}
