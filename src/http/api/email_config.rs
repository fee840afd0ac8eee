//! The operations on a tenant's configuration that read or change it. The two that use it are in
//! [`checks`](super::checks).

pub mod bodies;
pub mod requests;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::live::{Detail, Live, StageEvent, run_to_completion};
use super::refusal::refusal;
use crate::account::Precondition;
use crate::app::App;
use crate::email_config::Version;
use crate::email_config::patch::Patch;
use crate::email_config::put::Replacement;
use crate::http::caller::{Tenant, TenantAdmin, Tier1, Tier2};
use crate::http::error::{Error, ErrorBody};
use crate::http::extract::{JsonBody, JsonPatchBody};
use crate::http::language::Localised;
use crate::language::Language;

use bodies::{EmailConfigBody, PutResultBody, ValidateBody};
use requests::{PatchBody, PutBody};

/// Returns the email configuration of the token's tenant.
///
/// For tenant administrators. Secrets are never returned; `passwordExists` says whether one is stored. `status` and
/// `lastCheck` say how the last check or sending of these settings ended.
#[utoipa::path(
    get, path = "/email-config", tag = "email-config", operation_id = "getEmailConfig",
    params(("Accept-Language" = Option<String>, Header, description = "The language of `advice`, `status.statusReason` and `lastCheck.diagnosis`: `en` or `de`.")),
    responses(
        (status = 200, description = "The configuration. Without one exactly `isValid` and `passwordExists`, both false.",
         body = EmailConfigBody, headers(("ETag" = String, description = "The version, for `If-Match`; absent without a configuration.")),
         links(
             ("replace" = (operation_id = "putEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
             ("change" = (operation_id = "patchEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
             ("delete" = (operation_id = "deleteEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
         )),
        (status = 503, description = "The database or the keys are not available.", body = ErrorBody),
    )
)]
pub async fn get(
    admin: TenantAdmin<Tier1>,
    State(app): State<Arc<App>>,
    language: Language,
) -> Result<Response, Error> {
    let stored = app.accounts.find(&admin.tenant).await?;
    let body = Json(EmailConfigBody::new(&admin.tenant, stored.as_ref(), language));
    Ok(with_etag(Localised(language, body), stored.as_ref().map(|stored| &stored.version)))
}

/// Creates or replaces the whole configuration, after a check against the real server.
///
/// For tenant administrators. Settings that are left out are cleared. A secret that is left out is kept while it would go
/// to the same server, port and user name; otherwise it has to be entered again. Where the check fails, what was stored
/// stays.
#[utoipa::path(
    put, path = "/email-config", tag = "email-config", operation_id = "putEmailConfig",
    params(
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be replaced."),
        ("If-None-Match" = Option<String>, Header, description = "`*` creates only."),
        ("Accept-Language" = Option<String>, Header, description = "The language of what a failed check says: `en` or `de`."),
    ),
    request_body = PutBody,
    responses(
        (status = 200, description = "With `Accept: text/event-stream`: a `stage` event for each step of the check as it starts and ends, then `result` with `status` 204 and `etag`, or `error` with `status` and the body of the refusal.",
         body = StageEvent, content_type = "text/event-stream"),
        (status = 204, description = "Checked and stored.", headers(("ETag" = String, description = "The new version.")),
         links(
             ("read" = (operation_id = "getEmailConfig")),
             ("verify" = (operation_id = "verifyConnection")),
             ("send" = (operation_id = "sendTestEmail")),
             ("change" = (operation_id = "patchEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
             ("delete" = (operation_id = "deleteEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
         )),
        (status = 400, description = "The input is wrong (`INPUTCHECK-1`, an entry for each field), or the check failed (`CONNECTIONCHECK-1`, with `meta.diagnosis`); what was stored stays.", body = ErrorBody),
        (status = 429, description = "Rate limit of tier 2 or a quota of the operator reached (the title says which), or the tenant's other checks are under way.", body = ErrorBody),
        (status = 503, description = "The database, the keys or a free connection are not available.", body = ErrorBody),
    )
)]
pub async fn put(
    admin: TenantAdmin<Tier2>,
    State(app): State<Arc<App>>,
    language: Language,
    precondition: Precondition,
    live: Live,
    JsonBody(document): JsonBody,
) -> Result<Response, Error> {
    let replacement = Replacement::parse(document, app.egress_policy()).map_err(Error::inputs)?;
    let put = app.accounts.prepare_put(&admin, precondition, replacement).await?;
    let work = move |progress| async move {
        put.check_and_store(progress).await.map_err(|error| refusal(error, language))
    };
    if live.is_requested() {
        let work = move |progress| async move {
            work(Some(progress)).await.map(|version| PutResultBody::new(&version))
        };
        return Ok(live.stream(&app.checks, Detail::Full, work));
    }
    let version = run_to_completion(&app.checks, work(None)).await?;
    Ok(with_etag(StatusCode::NO_CONTENT, Some(&version)))
}

/// Changes single fields by JSON Patch.
///
/// For tenant administrators. Deprecated in the public API; kept here for good. All operations take effect or none. Nothing
/// is checked against a server. A change of server, port or user name, or a weaker protection, drops the stored password
/// unless the same request sets one.
#[utoipa::path(
    patch, path = "/email-config", tag = "email-config", operation_id = "patchEmailConfig",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed.")),
    request_body(content = PatchBody, description = "`application/json-patch+json` is accepted as well."),
    responses(
        (status = 204, description = "Stored, without a check.", headers(("ETag" = String, description = "The version now; absent where there is no configuration.")),
         links(
             ("read" = (operation_id = "getEmailConfig")),
             ("verify" = (operation_id = "verifyConnection")),
             ("change" = (operation_id = "patchEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
             ("delete" = (operation_id = "deleteEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
         )),
        (status = 400, description = "The first bad operation, by its index and field; nothing is changed.", body = ErrorBody),
        (status = 415, description = "The body is neither `application/json` nor `application/json-patch+json`.", body = ErrorBody),
        (status = 503, description = "The database or the keys are not available.", body = ErrorBody),
    )
)]
pub async fn patch(
    admin: TenantAdmin<Tier2>,
    State(app): State<Arc<App>>,
    precondition: Precondition,
    JsonPatchBody(document): JsonPatchBody,
) -> Result<Response, Error> {
    let patch = Patch::parse(document, app.egress_policy()).map_err(Error::input)?;
    let version = app.accounts.patch(&admin, &precondition, &patch).await?;
    Ok(with_etag(StatusCode::NO_CONTENT, version.as_ref()))
}

/// Deletes the configuration of the token's tenant, and its secret.
///
/// For tenant administrators. The audit is kept.
#[utoipa::path(
    delete, path = "/email-config", tag = "email-config", operation_id = "deleteEmailConfig",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be deleted.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 404, description = "No email config for tenant.", body = ErrorBody),
    )
)]
pub async fn delete(
    admin: TenantAdmin<Tier2>,
    State(app): State<Arc<App>>,
    precondition: Precondition,
) -> Result<StatusCode, Error> {
    app.accounts.delete(&admin, &precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says whether the configuration is complete and not known to fail.
///
/// For any user of the tenant. Nothing is connected to: the answer comes from the stored settings and the outcome of their
/// last check or sending.
#[utoipa::path(
    post, path = "/email-config/actions/validate", tag = "email-config",
    operation_id = "validateEmailConfig",
    responses(
        (status = 200, description = "Also where there is no configuration.", body = ValidateBody),
    )
)]
pub async fn validate(user: Tenant<Tier2>, State(app): State<Arc<App>>) -> Result<Json<ValidateBody>, Error> {
    Ok(Json(ValidateBody::new(app.accounts.validate(&user.tenant).await?)))
}

/// Strong, `"<config>.<health>"`.
pub(super) fn entity_tag(version: &Version) -> String {
    format!("\"{}.{}\"", version.config, version.health)
}

/// The answer with its `ETag`.
///
/// It is the same in every language. RFC 9110 section 8.8.3 would have a tag of its own for each of them, but
/// there is nothing that could be mistaken: the answers are not stored (`no-store`), none is a 304, and
/// `If-Match` compares the part of the configuration, which means the configuration and not the words about it.
/// A client that reads in one language and writes in another is right to succeed.
fn with_etag(answer: impl IntoResponse, version: Option<&Version>) -> Response {
    let mut response = answer.into_response();
    let tag = version.map(entity_tag);
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
