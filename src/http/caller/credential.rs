//! Finds out who calls: by a token, an API key, or the console's session.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::bearer::{self, Bearer, HeaderFault};
use super::rate_limit_refusal;
use crate::app::App;
use crate::auth::api_key::{Permission, unknown_key};
use crate::auth::token::{self, Principal, TokenError};
use crate::delivery::api_keys::{KeyError, KeyRefusal};
use crate::http::error::{Code, Error};
use crate::http::observe::RequestContext;
use crate::http::sign_in;
use crate::id::UserId;
use crate::limits::rate::Limit;
use crate::store::DbError;
use crate::store::api_keys::{ApiKey, KeyOwner};

/// Why it is not known who calls.
pub(super) enum Unidentified {
    Header(HeaderFault),
    Token(TokenError),
    /// What is said of the key depends on its form too.
    Key(KeyRefusal, String),
    /// Whether the session was ended, or the key revoked, cannot be told.
    Database(DbError),
}

impl From<TokenError> for Unidentified {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl Unidentified {
    fn by_key(error: KeyError, key: &str) -> Self {
        match error {
            KeyError::Refused(refusal) => Self::Key(refusal, key_detail(refusal, key)),
            KeyError::Database(error) => Self::Database(error),
        }
    }
}

/// Who calls.
pub(super) struct Credential {
    pub principal: Principal,
    /// The API key that says so.
    pub key: Option<ApiKey>,
    /// Whether the request is protected against forgery by other sites. A token or a key always is; a session is by its
    /// CSRF token.
    pub is_protected: bool,
}

impl From<ApiKey> for Credential {
    fn from(key: ApiKey) -> Self {
        let user = UserId::of_api_key(key.id);
        let principal = match &key.owner {
            KeyOwner::Platform => Principal::Platform(user),
            KeyOwner::Tenant(tenant) => Principal::User(token::Caller {
                tenant: tenant.clone(),
                user,
                name: None,
                is_admin: key.permission == Permission::FullAccess,
                is_sender: true,
                missing_roles: None,
            }),
        };
        Self { principal, key: Some(key), is_protected: true }
    }
}

/// The caller, by the token or the API key, or else by the console's session.
pub(super) async fn identify(parts: &Parts, app: &App) -> Result<Credential, Unidentified> {
    if !parts.headers.contains_key(AUTHORIZATION) && sign_in::brings_session(&parts.headers, app) {
        let session = sign_in::session_of(&parts.headers, app).await.map_err(Unidentified::Database)?;
        let session = session.ok_or(TokenError::Invalid("the session is over or not one of ours"))?;
        let caller = session.caller().ok_or(TokenError::Invalid("the session names nobody"))?;
        let is_protected = parts.method.is_safe() || sign_in::proves_origin(&session, &parts.headers);
        return Ok(Credential { principal: Principal::User(caller), key: None, is_protected });
    }
    match bearer::read(&parts.headers).map_err(Unidentified::Header)? {
        Bearer::Key(key) => match app.delivery.api_keys.authenticate(key).await {
            Ok(known) => Ok(known.into()),
            Err(error) => Err(Unidentified::by_key(error, key)),
        },
        Bearer::Token(token) => {
            Ok(Credential { principal: app.tokens.verify(token).await?, key: None, is_protected: true })
        }
    }
}

/// The reason for the client. What the database knows of a key is for those alone who present the whole key.
fn key_detail(refusal: KeyRefusal, key: &str) -> String {
    match refusal {
        KeyRefusal::Unknown => unknown_key(key),
        KeyRefusal::Revoked => "This API key was revoked.".to_owned(),
        KeyRefusal::Expired => "This API key has expired.".to_owned(),
    }
}

/// Says in the log what is wrong with a credential, and counts the request.
pub(super) async fn refuse(app: &App, context: &RequestContext, unidentified: Unidentified) -> Error {
    let refusal = match unidentified {
        Unidentified::Database(error) => return error.into(),
        Unidentified::Token(TokenError::NoKeys) => return Error::unavailable(),
        Unidentified::Header(fault) => {
            tracing::debug!(?fault, "the Authorization header was refused");
            let refusal = Error::new(Code::Unauthorized).detail(fault.detail());
            if fault.is_empty() { refusal.without_credential() } else { refusal }
        }
        Unidentified::Token(TokenError::Invalid(reason)) => {
            tracing::debug!(reason, "the token was refused");
            Error::new(Code::Unauthorized)
        }
        // The token is authentic, so it is the settings or the issuer that have to change.
        Unidentified::Token(TokenError::Unusable(claim)) => {
            tracing::warn!(reason = %claim, "the token was refused");
            Error::new(Code::Unauthorized)
        }
        Unidentified::Key(refusal, detail) => {
            tracing::debug!(?refusal, "the API key was refused");
            Error::new(Code::InvalidApiKey).detail(detail)
        }
    };
    count_unidentified(app, context).await.err().unwrap_or(refusal)
}

/// Counts a request without a valid credential.
async fn count_unidentified(app: &App, context: &RequestContext) -> Result<(), Error> {
    let counted = app.rate_limiter.count_unauthenticated(context.remote).await;
    counted.map_err(|exceeded| rate_limit_refusal(app, Limit::Unauthenticated, exceeded))
}
