//! The operations on a tenant's configuration that read or change it. The two that use it are in
//! [`checks`].

pub mod bodies;
pub mod requests;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::checks;
use super::live::{Detail, Live, StageEvent};
use crate::account::secrets;
use crate::app::App;
use crate::email_config::patch::Patch;
use crate::email_config::put::Replacement;
use crate::email_config::{Change, EmailConfig, SecretChange, Version};
use crate::http::auth::{Caller, Tenant, TenantAdmin, Tier1, Tier2};
use crate::http::error::{Code, Error, ErrorBody};
use crate::http::extract::{JsonBody, JsonPatchBody, Preconditions};
use crate::http::language::Localised;
use crate::language::Language;
use crate::mail::transcript::Watcher;
use crate::providers::{self, Account, Depth};
use crate::store::{DbError, Statement, Write, WriteOutcome, audit, email_configs};
use crate::telemetry::metrics::Operation;
use crate::vault::VaultError;

use bodies::{EmailConfigBody, ValidateBody};
use requests::{PatchBody, PutBody};

/// How often a write is tried again because another one came first. Each loss means that somebody else's
/// write succeeded.
const ATTEMPTS: usize = 200;

/// Returns the email configuration of the token's tenant.
#[utoipa::path(
    get, path = "/email-config", tag = "email-config", operation_id = "getEmailConfig",
    params(("Accept-Language" = Option<String>, Header, description = "The language of `advice` and `status.statusReason`: `en` or `de`.")),
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
    let stored = email_configs::find(&app.db, &admin.tenant).await?;
    let body = Json(EmailConfigBody::of(&admin.tenant, stored.as_ref(), language));
    Ok(tagged(Localised(language, body), stored.as_ref().map(|stored| &stored.version)))
}

/// Creates or replaces the whole configuration, after a check against the real server.
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
    preconditions: Preconditions,
    live: Live,
    JsonBody(document): JsonBody,
) -> Result<Response, Error> {
    let replacement = Replacement::parse(document, &app.dialer.policy).map_err(Error::inputs)?;
    let stored = email_configs::find(&app.db, &admin.tenant).await?;
    preconditions.check(stored.as_ref())?;
    replacement.apply(stored.as_ref()).map_err(Error::input)?;
    let (caller, service) = ((*admin).clone(), Arc::clone(&app));
    let replace = async move |watcher: Option<Watcher>| {
        let watcher = watcher.as_ref();
        check_and_replace(&service, &caller, language, &preconditions, &replacement, stored, watcher).await
    };
    if live.asked() {
        return Ok(live.answer(&app.checks, Detail::Whole, async move |watcher| {
            let version = replace(Some(watcher)).await?;
            Ok(serde_json::json!({ "status": StatusCode::NO_CONTENT.as_u16(), "etag": entity_tag(&version) }))
        }));
    }
    let version = checks::to_its_end(&app, async move { replace(None).await }).await?;
    Ok(tagged(StatusCode::NO_CONTENT, Some(&version)))
}

/// Checks what is to be stored, and stores it.
async fn check_and_replace(
    app: &App,
    admin: &Caller,
    language: Language,
    preconditions: &Preconditions,
    replacement: &Replacement,
    stored: Option<EmailConfig>,
    watcher: Option<&Watcher>,
) -> Result<Version, Error> {
    let change = replacement.apply(stored.as_ref()).map_err(Error::input)?;
    let reuses_secret = matches!(change.secret, SecretChange::Keep);
    check_before_storing(app, admin, language, stored.as_ref(), &change, watcher).await?;
    let replaced = replace(app, admin, preconditions, replacement, stored, reuses_secret).await;
    if replaced.is_err() {
        // The secret was used, whatever became of the change.
        let entry = checks::audit_entry(app, admin, "put", "NOT_STORED", &[]);
        let _ = app.db.write(Write::default().then(audit::insert(&admin.tenant, &entry))).await?;
    }
    replaced
}

/// Stores what has been checked against the server.
async fn replace(
    app: &App,
    admin: &Caller,
    preconditions: &Preconditions,
    replacement: &Replacement,
    mut stored: Option<EmailConfig>,
    reuses_secret: bool,
) -> Result<Version, Error> {
    for _ in 0..ATTEMPTS {
        let change = replacement.apply(stored.as_ref()).map_err(Error::input)?;
        if let (Some(stored), true) = (&stored, change.fields.is_empty()) {
            return checks::record_success(app, admin, "put", stored).await;
        }
        if let Some(version) = store(app, admin, "put", stored.as_ref(), change).await? {
            return Ok(version);
        }
        let version = stored.map(|stored| stored.version.config);
        stored = email_configs::find(&app.db, &admin.tenant).await?;
        preconditions.check(stored.as_ref())?;
        if reuses_secret && version.as_ref() != stored.as_ref().map(|stored| &stored.version.config) {
            // The secret that was checked may not be the one that is stored now.
            return Err(Error::new(Code::PreconditionFailed));
        }
    }
    Err(Error::unavailable())
}

/// PUT's live check of what is to be stored.
async fn check_before_storing(
    app: &App,
    caller: &Caller,
    language: Language,
    stored: Option<&EmailConfig>,
    change: &Change,
    watcher: Option<&Watcher>,
) -> Result<(), Error> {
    let deadline = app.check_deadline();
    let kept = match (&change.secret, stored) {
        (SecretChange::Keep, Some(stored)) => secrets::open(stored, &app.vault, &caller.tenant).await,
        _ => Ok(None),
    };
    let outcome = match &kept {
        Err(VaultError::Unavailable) => return Err(Error::unavailable()),
        Err(VaultError::Unreadable) => providers::unreadable(),
        Ok(kept) => {
            let secret =
                if let SecretChange::Set(secret) = &change.secret { Some(&**secret) } else { kept.as_ref() };
            let _place = checks::place(app.places.for_check(&caller.tenant))?;
            checks::count_destination(app, caller, &change.settings)?;
            providers::verify(
                app,
                &Account {
                    tenant: &caller.tenant,
                    version: None,
                    settings: &change.settings,
                    secret,
                    watcher,
                },
                Depth::SignIn,
                deadline,
            )
            .await
        }
    };
    app.metrics.record_check(Operation::Put, outcome.code());
    let Err(finding) = &outcome.result else { return Ok(()) };
    let entry = checks::audit_entry(app, caller, "put", outcome.code(), &change.fields);
    let _ = app.db.write(Write::default().then(audit::insert(&caller.tenant, &entry))).await?;
    let finding = finding.in_language(language);
    Err(Error::new(Code::ConnectionCheck)
        .detail(finding.message)
        .meta(serde_json::json!({ "diagnosis": finding.diagnosis }))
        .in_language(language))
}

/// Changes single fields by JSON Patch. Deprecated in the public API; kept here for good.
#[utoipa::path(
    patch, path = "/email-config", tag = "email-config", operation_id = "patchEmailConfig",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed.")),
    request_body(content(
        (PatchBody = "application/json"),
        (PatchBody = "application/json-patch+json"),
    )),
    responses(
        (status = 204, description = "Stored, without a check.", headers(("ETag" = String, description = "The version now; absent where there is no configuration.")),
         links(
             ("read" = (operation_id = "getEmailConfig")),
             ("verify" = (operation_id = "verifyConnection")),
             ("change" = (operation_id = "patchEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
             ("delete" = (operation_id = "deleteEmailConfig", parameters(("header.If-Match" = "$response.header.ETag")))),
         )),
        (status = 400, description = "The first bad operation, by its index and field; nothing is changed.", body = ErrorBody),
        (status = 503, description = "The database or the keys are not available.", body = ErrorBody),
    )
)]
pub async fn patch(
    admin: TenantAdmin<Tier2>,
    State(app): State<Arc<App>>,
    preconditions: Preconditions,
    JsonPatchBody(document): JsonPatchBody,
) -> Result<Response, Error> {
    let patch = Patch::parse(document, &app.dialer.policy).map_err(Error::input)?;
    for _ in 0..ATTEMPTS {
        let stored = email_configs::find(&app.db, &admin.tenant).await?;
        preconditions.check(stored.as_ref())?;
        let Some(change) = patch.apply(stored.as_ref()).map_err(Error::input)? else {
            return Ok(tagged(StatusCode::NO_CONTENT, stored.as_ref().map(|stored| &stored.version)));
        };
        if let Some(version) = store(&app, &admin, "patch", stored.as_ref(), change).await? {
            return Ok(tagged(StatusCode::NO_CONTENT, Some(&version)));
        }
    }
    Err(Error::unavailable())
}

/// Deletes the configuration of the token's tenant, and its secret.
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
    preconditions: Preconditions,
) -> Result<StatusCode, Error> {
    for _ in 0..ATTEMPTS {
        let Some(stored) = email_configs::find(&app.db, &admin.tenant).await? else {
            return Err(Error::new(Code::NothingToDelete));
        };
        preconditions.check(Some(&stored))?;
        let entry = checks::audit_entry(&app, &admin, "delete", "OK", &[]);
        let write = Write::default()
            .then(email_configs::delete(&admin.tenant, &stored.version.config))
            .then(audit::insert(&admin.tenant, &entry));
        if app.db.write(write).await? == WriteOutcome::Committed {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(Error::unavailable())
}

/// Whether the configuration is complete and not known to fail. Never connects.
#[utoipa::path(
    post, path = "/email-config/actions/validate", tag = "email-config",
    operation_id = "validateEmailConfig",
    responses(
        (status = 200, description = "Also where there is no configuration.", body = ValidateBody),
    )
)]
pub async fn validate(user: Tenant<Tier2>, State(app): State<Arc<App>>) -> Result<Json<ValidateBody>, Error> {
    let stored = email_configs::find(&app.db, &user.tenant).await?;
    Ok(Json(ValidateBody::of(stored.as_ref())))
}

/// Seals and writes a change with its audit row; `None` where another write came first.
async fn store(
    app: &App,
    caller: &Caller,
    action: &'static str,
    stored: Option<&EmailConfig>,
    change: Change,
) -> Result<Option<Version>, Error> {
    let entry = checks::audit_entry(app, caller, action, "OK", &change.fields);
    let version = Uuid::now_v7().simple().to_string();
    let sealing = secrets::seal(change, stored, &app.vault, &caller.tenant, version, app.clock.now());
    let next = sealing.await.map_err(|error| match error {
        VaultError::Unavailable => Error::unavailable(),
        VaultError::Unreadable => Error::unavailable()
            .detail("The stored password cannot be read; send emailPassword with the change."),
    })?;
    let write =
        Write::default().then(replacing(caller, stored, &next)).then(audit::insert(&caller.tenant, &entry));
    let outcome: Result<WriteOutcome, DbError> = app.db.write(write).await;
    if outcome? == WriteOutcome::Committed {
        return Ok(Some(next.version));
    }
    if let Some(sealed) = &next.secret {
        app.vault.check_not_removed(sealed).await.map_err(|_| Error::unavailable())?;
    }
    Ok(None)
}

fn replacing(caller: &Caller, stored: Option<&EmailConfig>, next: &EmailConfig) -> Statement {
    match stored {
        Some(stored) => email_configs::update(&caller.tenant, &stored.version.config, next),
        None => email_configs::insert(&caller.tenant, next),
    }
}

/// Strong, `"<config>.<health>"`.
fn entity_tag(version: &Version) -> String {
    format!("\"{}.{}\"", version.config, version.health)
}

/// The answer with its `ETag`.
///
/// It is the same in every language. RFC 9110 section 8.8.3 would have a tag of its own for each of them, but
/// there is nothing that could be mistaken: the answers are not stored (`no-store`), none is a 304, and
/// `If-Match` compares the part of the configuration, which means the configuration and not the words about it.
/// A client that reads in one language and writes in another is right to succeed.
fn tagged(answer: impl IntoResponse, version: Option<&Version>) -> Response {
    let mut response = answer.into_response();
    let tag = version.map(entity_tag);
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
