//! API keys: makes, lists, changes and revokes those of a tenant, in the shape of Resend's API.

mod bodies;
mod input;

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use uuid::Uuid;

use crate::app::App;
use crate::delivery::Error as DeliveryError;
use crate::delivery::api_keys::Author;
use crate::http::caller::{SendAdmin, SendTier};
use crate::http::error::{Code, Error, ErrorBody};
use crate::http::extract::JsonBody;
use crate::store::api_keys::{ApiKey, KeyOwner};
use bodies::{DeletedKeyBody, KeyBody, KeyList, NewKeyBody};
pub use bodies::{KeyChangeBody, KeyRequestBody};
use input::ListParameters;

/// The `{id}` of the path. What is no id names no key.
pub struct KeyId(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for KeyId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let not_found = || Error::new(Code::ApiKeyNotFound);
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        let id = parameters.iter().find(|(name, _)| *name == "id").and_then(|(_, text)| text.parse().ok());
        id.map(Self).ok_or_else(not_found)
    }
}

/// Makes an API key.
///
/// For tenant administrators, and API keys with full access and no limit of their own. `token` is the key itself: it is shown
/// now and never again. A program sends with it in place of a token, also as the password at the SMTP gateway.
#[utoipa::path(
    post, path = "/api-keys", tag = "api-keys", operation_id = "createApiKey",
    request_body = KeyRequestBody,
    responses(
        (status = 201, description = "The key, with its `token`.", body = NewKeyBody,
         links(
             ("change" = (operation_id = "updateApiKey", parameters(("path.id" = "$response.body#/id")))),
             ("revoke" = (operation_id = "revokeApiKey", parameters(("path.id" = "$response.body#/id")))),
         )),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 422, description = "The input is wrong, or there are as many keys as there may be.", body = ErrorBody),
    )
)]
pub async fn create(
    admin: SendAdmin<SendTier>,
    State(app): State<Arc<App>>,
    JsonBody(document): JsonBody,
) -> Result<(StatusCode, Json<NewKeyBody>), Error> {
    require_unlimited(&admin)?;
    let request = input::request(document, app.clock.now())?;
    let owner = KeyOwner::Tenant(admin.tenant.clone());
    let made = app.delivery.api_keys.create(&owner, &Author::from(&*admin), request).await;
    let (key, token) = made.map_err(refusal)?;
    Ok((StatusCode::CREATED, Json(NewKeyBody::new(&key, &token))))
}

/// Lists the API keys that are not revoked, the newest first.
///
/// For tenant administrators and API keys with full access. The `token` of a key is shown only when the key is made.
#[utoipa::path(
    get, path = "/api-keys", tag = "api-keys", operation_id = "listApiKeys",
    params(ListParameters),
    responses(
        (status = 200, description = "One page.", body = KeyList),
        (status = 422, description = "A parameter is wrong.", body = ErrorBody),
    )
)]
pub async fn list(
    admin: SendAdmin<SendTier>,
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Json<KeyList>, Error> {
    let (page, limit) = ListParameters::parse(&uri)?.into_parts();
    let owner = KeyOwner::Tenant(admin.tenant.clone());
    let (keys, has_more) = app.delivery.api_keys.list(&owner, page, false, limit).await.map_err(refusal)?;
    Ok(Json(KeyList::new(&keys, has_more)))
}

/// Changes the name, the permission, the senders or the end of an API key.
///
/// For tenant administrators, and API keys with full access and no limit of their own. What is left out stays; null removes a
/// limit. Held mail of a key that may be used again goes on.
#[utoipa::path(
    patch, path = "/api-keys/{id}", tag = "api-keys", operation_id = "updateApiKey",
    params(("id" = String, Path, description = "The key's id.")),
    request_body = KeyChangeBody,
    responses(
        (status = 200, description = "The key.", body = KeyBody),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 404, description = "No such key of this tenant, or it is revoked.", body = ErrorBody),
        (status = 422, description = "The input is wrong.", body = ErrorBody),
    )
)]
pub async fn update(
    admin: SendAdmin<SendTier>,
    State(app): State<Arc<App>>,
    KeyId(id): KeyId,
    JsonBody(document): JsonBody,
) -> Result<Json<KeyBody>, Error> {
    require_unlimited(&admin)?;
    let change = input::change(document, app.clock.now())?;
    let owner = KeyOwner::Tenant(admin.tenant.clone());
    let changed = app.delivery.api_keys.update(&owner, &Author::from(&*admin), id, &change).await;
    Ok(Json(KeyBody::new(&changed.map_err(refusal)?)))
}

/// Revokes an API key for good.
///
/// For tenant administrators, and API keys with full access and no limit of their own. The key is refused from the next
/// request on. Mail that it has brought and that waits is held: `retryEmail` sends it all the same, `cancelEmail` withdraws it.
#[utoipa::path(
    delete, path = "/api-keys/{id}", tag = "api-keys", operation_id = "revokeApiKey",
    params(("id" = String, Path, description = "The key's id.")),
    responses(
        (status = 200, description = "Revoked.", body = DeletedKeyBody),
        (status = 404, description = "No such key of this tenant, or it is revoked.", body = ErrorBody),
    )
)]
pub async fn revoke(
    admin: SendAdmin<SendTier>,
    State(app): State<Arc<App>>,
    KeyId(id): KeyId,
) -> Result<Json<DeletedKeyBody>, Error> {
    require_unlimited(&admin)?;
    let owner = KeyOwner::Tenant(admin.tenant.clone());
    let revoked = app.delivery.api_keys.revoke(&owner, &Author::from(&*admin), id).await;
    revoked.map_err(refusal)?;
    Ok(Json(DeletedKeyBody::new(id)))
}

/// A key with limits could lift them by a key that it makes.
fn require_unlimited(admin: &SendAdmin<SendTier>) -> Result<(), Error> {
    if admin.key().is_some_and(ApiKey::is_limited) {
        let detail = "An API key that has an end or senders of its own makes, changes and revokes no keys.";
        return Err(Error::new(Code::RestrictedApiKey).detail(detail));
    }
    Ok(())
}

fn refusal(error: DeliveryError) -> Error {
    match error {
        DeliveryError::NotFound => Error::new(Code::ApiKeyNotFound),
        other => other.into(),
    }
}
