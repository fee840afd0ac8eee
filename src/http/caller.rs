//! The extractors that authenticate the caller of a request, and the only source of a tenant's id.
//!
//! A handler names its right and its rate limit in its signature, so neither can be forgotten.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::observe::RequestContext;
use super::routes::{Access, Guard, Requirements, TENANT_PARAMETER};
use super::sign_in;
use crate::account::Actor;
use crate::app::App;
use crate::auth::token::{self, Principal, TokenError};
use crate::http::error::{Code, Error};
use crate::id::{TenantId, UserId};
use crate::limits::Exceeded;
use crate::limits::rate::{Limit, Refused};
use crate::store::DbError;
use crate::store::email_events::Feed;

/// A rate limit as a type, for the signature of a handler.
pub trait Tier: Send {
    const LIMIT: Limit;
    /// Whether the operation asks the database. One that does not is answered also where requests cannot be counted
    /// there, and is then counted by this process alone.
    const NEEDS_DATABASE: bool = true;
}

/// 1,000 requests a minute by default.
pub struct Tier1;

/// 6,000 requests a minute for a tenant by default: the send API.
pub struct SendTier;

/// The same, for operations whose answer does not depend on the database.
pub struct StaticTier1;

/// 100 requests a minute by default.
pub struct Tier2;

impl Tier for SendTier {
    const LIMIT: Limit = Limit::Send;
}

impl Tier for Tier1 {
    const LIMIT: Limit = Limit::Tier1;
}

impl Tier for StaticTier1 {
    const LIMIT: Limit = Limit::Tier1;
    const NEEDS_DATABASE: bool = false;
}

impl Tier for Tier2 {
    const LIMIT: Limit = Limit::Tier2;
}

impl<T: Tier> Guard for Tenant<T> {
    const REQUIREMENTS: Requirements =
        Requirements { access: Access::AnyUser, limit: T::LIMIT, needs_database: T::NEEDS_DATABASE };
}

impl<T: Tier> Guard for Sender<T> {
    const REQUIREMENTS: Requirements = Requirements { access: Access::Sender, ..Tenant::<T>::REQUIREMENTS };
}

impl<T: Tier> Guard for FeedReader<T> {
    const REQUIREMENTS: Requirements = Sender::<T>::REQUIREMENTS;
}

impl<T: Tier> Guard for TenantAdmin<T> {
    const REQUIREMENTS: Requirements =
        Requirements { access: Access::TenantAdmin, ..Tenant::<T>::REQUIREMENTS };
}

/// Any user of a tenant.
pub struct Tenant<T: Tier> {
    actor: Actor,
    is_sender: bool,
    tier: PhantomData<T>,
}

/// An administrator of a tenant, a user with a role of `auth.sender_roles`, or the platform for the tenant that it names.
pub struct Sender<T: Tier>(Tenant<T>);

/// A sender who follows the events of the tenant, or the platform, which follows those of all tenants where it names none.
pub struct FeedReader<T: Tier> {
    pub feed: Feed,
    tier: PhantomData<T>,
}

/// An administrator of a tenant.
pub struct TenantAdmin<T: Tier>(Tenant<T>);

impl<T: Tier> Deref for Tenant<T> {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl<T: Tier> Deref for TenantAdmin<T> {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0.actor
    }
}

impl<T: Tier> Deref for Sender<T> {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0.actor
    }
}

/// Whom a request is made for.
enum Authority {
    Tenant {
        actor: Actor,
        is_sender: bool,
    },
    /// The platform, which has named no tenant.
    AllTenants,
}

/// Checks the credential, counts the request, and compares the credential with the tenant that the path names.
async fn authenticate<T: Tier>(parts: &mut Parts, app: &App) -> Result<Authority, Error> {
    let context = RequestContext::from_parts(parts);
    let (principal, is_protected) = match identify(parts, app).await {
        Ok(identified) => identified,
        Err(Unidentified::Database(error)) => return Err(error.into()),
        Err(Unidentified::Token(TokenError::NoKeys)) => return Err(Error::unavailable()),
        Err(Unidentified::Token(TokenError::Invalid(reason))) => {
            tracing::debug!(reason, "the token was refused");
            let counted = app.rate_limiter.count_unauthenticated(context.remote).await;
            counted.map_err(|exceeded| rate_limit_refusal(app, Limit::Unauthenticated, exceeded))?;
            return Err(Error::new(Code::Unauthorized));
        }
    };
    let in_path = TenantInPath::read(parts).await;
    let caller = match (principal, in_path) {
        (Principal::User(caller), in_path) => {
            context.set_tenant(&caller.tenant);
            count::<T>(app, &caller.tenant, &caller.user).await?;
            if in_path != TenantInPath::None {
                return Err(Error::new(Code::NotPlatform));
            }
            caller
        }
        (Principal::Platform(user), TenantInPath::Named(tenant)) => {
            context.set_tenant(&tenant);
            count::<T>(app, &tenant, &user).await?;
            token::Caller { tenant, user, is_admin: false, is_sender: true }
        }
        (Principal::Platform(user), in_path) => {
            let counted = app.rate_limiter.count_platform(T::LIMIT, &user).await;
            counted.map_err(|refused| refusal::<T>(app, refused))?;
            return match in_path {
                TenantInPath::None => Ok(Authority::AllTenants),
                _ => Err(Error::new(Code::NotFound)),
            };
        }
    };
    if !is_protected {
        return Err(Error::new(Code::CsrfToken));
    }
    let actor = Actor {
        tenant: caller.tenant,
        user: caller.user,
        is_admin: caller.is_admin,
        trace_id: context.trace_id,
        remote: context.remote,
    };
    Ok(Authority::Tenant { actor, is_sender: caller.is_sender })
}

/// The tenant that the path names.
#[derive(PartialEq, Eq)]
enum TenantInPath {
    None,
    Named(TenantId),
    /// What no tenant is called.
    Invalid,
}

impl TenantInPath {
    async fn read(parts: &mut Parts) -> Self {
        let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
            return Self::Invalid;
        };
        match parameters.iter().find(|(name, _)| *name == TENANT_PARAMETER) {
            None => Self::None,
            Some((_, text)) => TenantId::from_platform(text).map_or(Self::Invalid, Self::Named),
        }
    }
}

impl<T: Tier> FromRequestParts<Arc<App>> for Tenant<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        match authenticate::<T>(parts, app).await? {
            Authority::Tenant { actor, is_sender } => Ok(Self { actor, is_sender, tier: PhantomData }),
            Authority::AllTenants => Err(Error::new(Code::TenantNotNamed)),
        }
    }
}

/// Counts the request against the limit of its user.
async fn count<T: Tier>(app: &App, tenant: &TenantId, user: &UserId) -> Result<(), Error> {
    let mut counted = app.rate_limiter.count_user(T::LIMIT, tenant, user).await;
    if matches!(counted, Err(Refused::Database(_))) && !T::NEEDS_DATABASE {
        counted = app.rate_limiter.count_user_locally(T::LIMIT, tenant, user).map_err(Refused::from);
    }
    counted.map_err(|refused| refusal::<T>(app, refused))
}

fn refusal<T: Tier>(app: &App, refused: Refused) -> Error {
    match refused {
        Refused::Exceeded(exceeded) => rate_limit_refusal(app, T::LIMIT, exceeded),
        Refused::Database(error) => error.into(),
    }
}

/// Why it is not known who calls.
enum Unidentified {
    Token(TokenError),
    /// Whether the session was ended cannot be told.
    Database(DbError),
}

impl From<TokenError> for Unidentified {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// The caller, by the token or else by the console's session; and whether the request is protected against forgery by
/// other sites. A token always is; a session is by its CSRF token.
async fn identify(parts: &Parts, app: &App) -> Result<(Principal, bool), Unidentified> {
    if !parts.headers.contains_key(AUTHORIZATION) && sign_in::brings_session(&parts.headers, app) {
        let session = sign_in::session_of(&parts.headers, app).await.map_err(Unidentified::Database)?;
        let session = session.ok_or(TokenError::Invalid("the session is over or not one of ours"))?;
        let caller = session.caller().ok_or(TokenError::Invalid("the session names nobody"))?;
        let is_protected = parts.method.is_safe() || sign_in::proves_origin(&session, &parts.headers);
        return Ok((Principal::User(caller), is_protected));
    }
    let token = bearer_token(parts).map_err(TokenError::Invalid)?;
    Ok((app.tokens.verify(token).await?, true))
}

impl<T: Tier> FromRequestParts<Arc<App>> for TenantAdmin<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let tenant = Tenant::from_request_parts(parts, app).await?;
        if tenant.is_admin { Ok(Self(tenant)) } else { Err(Error::new(Code::NotAdmin)) }
    }
}

impl<T: Tier> FromRequestParts<Arc<App>> for Sender<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let tenant = Tenant::from_request_parts(parts, app).await?;
        if tenant.is_sender { Ok(Self(tenant)) } else { Err(Error::new(Code::NotSender)) }
    }
}

impl<T: Tier> FromRequestParts<Arc<App>> for FeedReader<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let feed = match authenticate::<T>(parts, app).await? {
            Authority::AllTenants => Feed::OfAllTenants,
            Authority::Tenant { actor, is_sender: true } => Feed::OfTenant(actor.tenant),
            Authority::Tenant { .. } => return Err(Error::new(Code::NotSender)),
        };
        Ok(Self { feed, tier: PhantomData })
    }
}

fn rate_limit_refusal(app: &App, limit: Limit, exceeded: Exceeded) -> Error {
    app.metrics.record_rate_limit_refusal(limit.as_str());
    Error::rate_limited(exceeded.retry_after_seconds)
}

/// The token of exactly one `Authorization: Bearer …` header (RFC 6750 section 2.1; the scheme's case is free).
fn bearer_token(parts: &Parts) -> Result<&str, &'static str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().ok_or("no Authorization header")?;
    if headers.next().is_some() {
        return Err("more than one Authorization header");
    }
    let text = header.to_str().map_err(|_| "the Authorization header is not ASCII")?;
    let (scheme, token) = text.split_once(' ').ok_or("no scheme in the Authorization header")?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err("the scheme is not Bearer");
    }
    Ok(token.trim())
}
