//! The OpenAPI 3.1 document, made from the list of operations.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{Modify, OpenApi as _};

use super::error::ErrorBody;
use super::routes::{self, PREFIXES};
use crate::auth::console_sign_in::SESSION_COOKIE;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "transports",
        description = "Email transports of a multi-tenant platform: each tenant's own mail account, set, checked \
                       and tried, and the platform's mail through it. The tenant comes from the token; that of the platform names it in the path.\n\nThe same operations are served under \
                       `/v1/transports`. `HEAD` is answered where `GET` is; `OPTIONS` tells the methods.\n\nWhat an \
                       administrator reads is in English or German, by `Accept-Language`; `Content-Language` tells \
                       which. Codes and the titles of refusals are the same in every language.",
        contact(name = "The operator of this installation"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "The installation that serves this document.")),
    components(schemas(ErrorBody)),
    tags(
        (name = "api-keys", description = "The keys that programs send with, in the shape of Resend's API."),
        (name = "email-config", description = "The mail account of the token's tenant."),
        (name = "emails", description = "The platform's mail through that account, in the shape of Resend's API."),
        (name = "providers", description = "Known mail services."),
        (name = "session", description = "Browsers that signed in to the console send its cookie in place of a token."),
    ),
    security(("bearer" = [])),
    modifiers(&Credentials),
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JSON Web Token whose claims name the tenant, the user and the roles; in the send API also an API key (`tsk_…`)."))
            .build();
        let cookie = "The session of a browser that signed in to the console; without the prefix where it is reached \
                      over plain HTTP.";
        let session = ApiKeyValue::with_description(format!("__Host-{SESSION_COOKIE}"), cookie.to_owned());
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// The whole document: what [`Document`] says of the API, and each operation.
fn assemble() -> OpenApi {
    let mut document = Document::openapi();
    for operation in routes::api_routes() {
        operation.describe(&mut document, PREFIXES[0]);
    }
    for operation in routes::service_routes() {
        operation.describe(&mut document, "");
    }
    remove_null(&mut document);
    document
}

/// Bodies in which what is unset is null, as clients of Resend's API expect.
const WITH_NULLS: [&str; 7] = [
    "ApiKey",
    "ApiKeyRequest",
    "ApiKeyUpdate",
    "Email",
    "EmailRecipient",
    "EventData",
    "SendingAccountUpdate",
];

/// Elsewhere what is unset is absent, in requests and in answers. The library declares every `Option` as nullable.
fn remove_null(document: &mut OpenApi) {
    let schemas = document.components.iter_mut().flat_map(|components| components.schemas.iter_mut());
    let without = schemas.filter(|(name, _)| !WITH_NULLS.contains(&name.as_str()));
    without.for_each(|(_, schema)| without_null(schema));
    for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
        let parameters = operation.parameters.iter_mut().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => parameter.schema.as_mut(),
            RefOr::Ref(_) => None,
        });
        parameters.for_each(without_null);
    }
}

/// The operations of a path, each with its method.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let operations = [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete), ("PATCH", patch)];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn without_null(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    let members: Vec<&mut RefOr<Schema>> = match schema {
        Schema::Object(object) => {
            type_without_null(&mut object.schema_type);
            object.properties.values_mut().collect()
        }
        Schema::Array(array) => {
            type_without_null(&mut array.schema_type);
            match &mut array.items {
                ArrayItems::RefOrSchema(items) => vec![&mut **items],
                ArrayItems::False => Vec::new(),
            }
        }
        Schema::OneOf(one_of) => {
            one_of.items.retain(|item| !is_null(item));
            one_of.items.iter_mut().collect()
        }
        Schema::AllOf(all_of) => all_of.items.iter_mut().collect(),
        Schema::AnyOf(any_of) => any_of.items.iter_mut().collect(),
        _ => Vec::new(),
    };
    members.into_iter().for_each(without_null);
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn type_without_null(schema_type: &mut SchemaType) {
    let SchemaType::Array(types) = schema_type else { return };
    types.retain(|known| *known != Type::Null);
    if let [known] = &types[..] {
        *schema_type = SchemaType::Type(known.clone());
    }
}

/// The document as pretty JSON, with a line end.
pub fn document_json() -> String {
    // Serialising a tree of strings to memory cannot fail; an empty document would fail the drift test.
    let mut text = assemble().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// `GET /openapi.json`. Made once: it takes long, and anybody may ask.
pub async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| assemble().to_json().unwrap_or_default().into());
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}
