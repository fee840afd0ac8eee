//! The extractors that authenticate the caller of a request, and the only source of a tenant's id.
//!
//! A handler names its right and its rate limit in its signature, so neither can be forgotten.

mod bearer;
mod credential;

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use uuid::Uuid;

use super::observe::RequestContext;
use super::routes::{Access, Guard, Requirements, TENANT_PARAMETER};
use crate::account::Actor;
use crate::app::App;
use crate::auth::api_key::Permission;
use crate::auth::token::{self, Principal, UnusableClaim};
use crate::http::error::{Code, Error};
use crate::id::{TenantId, UserId};
use crate::limits::Exceeded;
use crate::limits::rate::{Limit, Refused};
use crate::store::api_keys::ApiKey;
use crate::store::email_events::Feed;
use credential::{Credential, identify};

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

impl<T: Tier> Guard for FullSender<T> {
    const REQUIREMENTS: Requirements =
        Requirements { access: Access::FullSender, ..Tenant::<T>::REQUIREMENTS };
}

impl<T: Tier> Guard for FeedReader<T> {
    const REQUIREMENTS: Requirements = FullSender::<T>::REQUIREMENTS;
}

impl<T: Tier> Guard for SendAdmin<T> {
    const REQUIREMENTS: Requirements =
        Requirements { access: Access::SendAdmin, ..Tenant::<T>::REQUIREMENTS };
}

impl<T: Tier> Guard for TenantAdmin<T> {
    const REQUIREMENTS: Requirements =
        Requirements { access: Access::TenantAdmin, ..Tenant::<T>::REQUIREMENTS };
}

/// Any user of a tenant; no API key.
pub struct Tenant<T: Tier> {
    actor: Actor,
    is_sender: bool,
    missing_roles: Option<Arc<UnusableClaim>>,
    key: Option<ApiKey>,
    tier: PhantomData<T>,
}

impl<T: Tier> Tenant<T> {
    /// The refusal of who lacks a right. The log says where roles were looked for in a token that has none.
    fn refusal(&self, code: Code) -> Error {
        if let Some(missing) = &self.missing_roles {
            tracing::info!(reason = %missing, "the token gives no right to this");
        }
        Error::new(code)
    }
}

/// An administrator of a tenant, a user with a role of `auth.sender_roles`, an API key, or the platform for the tenant that it
/// names.
pub struct Sender<T: Tier>(Tenant<T>);

/// The same, without an API key that may only send.
pub struct FullSender<T: Tier>(Tenant<T>);

/// An administrator of a tenant, or an API key with full access, in the send API.
pub struct SendAdmin<T: Tier>(Tenant<T>);

/// A full sender who follows the events of the tenant, or the platform, which follows those of all tenants where it names none.
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

impl<T: Tier> Deref for FullSender<T> {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0.actor
    }
}

impl<T: Tier> Deref for SendAdmin<T> {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0.actor
    }
}

impl<T: Tier> Sender<T> {
    /// The API key of the request.
    pub fn key(&self) -> Option<&ApiKey> {
        self.0.key.as_ref()
    }

    /// The API key whose mail alone may be read.
    pub fn reads_mail_of(&self) -> Option<Uuid> {
        self.key().filter(|key| key.permission == Permission::SendingAccess).map(|key| key.id)
    }
}

impl<T: Tier> FullSender<T> {
    pub fn key(&self) -> Option<&ApiKey> {
        self.0.key.as_ref()
    }
}

impl<T: Tier> SendAdmin<T> {
    pub fn key(&self) -> Option<&ApiKey> {
        self.0.key.as_ref()
    }
}

impl<T: Tier> Deref for Sender<T> {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0.actor
    }
}

/// Whom a request is made for.
enum Authority<T: Tier> {
    Tenant(Tenant<T>),
    /// The platform, which has named no tenant; with its API key, where it has brought one.
    AllTenants(Option<ApiKey>),
}

/// Checks the credential, counts the request, and compares the credential with the tenant that the path names.
async fn authenticate<T: Tier>(parts: &mut Parts, app: &App) -> Result<Authority<T>, Error> {
    let context = RequestContext::from_parts(parts);
    let Credential { principal, key, is_protected } = match identify(parts, app).await {
        Ok(credential) => credential,
        Err(unidentified) => return Err(credential::refuse(app, &context, unidentified).await),
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
            let (name, missing_roles) = (None, None);
            token::Caller { tenant, user, name, is_admin: false, is_sender: true, missing_roles }
        }
        (Principal::Platform(user), in_path) => {
            let counted = app.rate_limiter.count_platform(T::LIMIT, &user).await;
            counted.map_err(|refused| refusal::<T>(app, refused))?;
            return match in_path {
                TenantInPath::None => Ok(Authority::AllTenants(key)),
                _ => Err(Error::new(Code::NotFound)),
            };
        }
    };
    if !is_protected {
        return Err(Error::new(Code::CsrfToken));
    }
    let token::Caller { tenant, user, name: user_name, is_admin, is_sender, missing_roles } = caller;
    let actor =
        Actor { tenant, user, user_name, is_admin, trace_id: context.trace_id, remote: context.remote };
    Ok(Authority::Tenant(Tenant { actor, is_sender, missing_roles, key, tier: PhantomData }))
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
        let tenant = of_tenant::<T>(parts, app).await?;
        if tenant.key.is_some() { Err(Error::new(Code::NotForApiKeys)) } else { Ok(tenant) }
    }
}

/// The caller for one tenant, also with an API key.
async fn of_tenant<T: Tier>(parts: &mut Parts, app: &App) -> Result<Tenant<T>, Error> {
    match authenticate::<T>(parts, app).await? {
        Authority::Tenant(tenant) => Ok(tenant),
        Authority::AllTenants(_) => Err(Error::new(Code::TenantNotNamed)),
    }
}

/// Refuses a key that may only send.
fn require_full_access(key: Option<&ApiKey>) -> Result<(), Error> {
    if key.is_some_and(|key| key.permission == Permission::SendingAccess) {
        let detail = "This API key may send, and read what it has sent. Use one with full_access.";
        return Err(Error::new(Code::RestrictedApiKey).detail(detail));
    }
    Ok(())
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

impl<T: Tier> FromRequestParts<Arc<App>> for TenantAdmin<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let tenant = Tenant::from_request_parts(parts, app).await?;
        if tenant.is_admin { Ok(Self(tenant)) } else { Err(tenant.refusal(Code::NotAdmin)) }
    }
}

impl<T: Tier> FromRequestParts<Arc<App>> for Sender<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let tenant = of_tenant(parts, app).await?;
        if tenant.is_sender { Ok(Self(tenant)) } else { Err(tenant.refusal(Code::NotSender)) }
    }
}

impl<T: Tier> FromRequestParts<Arc<App>> for FullSender<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let Sender(tenant) = Sender::from_request_parts(parts, app).await?;
        require_full_access(tenant.key.as_ref())?;
        Ok(Self(tenant))
    }
}

impl<T: Tier> FromRequestParts<Arc<App>> for SendAdmin<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let tenant = of_tenant(parts, app).await?;
        require_full_access(tenant.key.as_ref())?;
        if tenant.key.as_ref().is_some_and(|key| key.is_test) {
            let detail = "This is a test key: it changes nothing that real mail depends on.";
            return Err(Error::new(Code::RestrictedApiKey).detail(detail));
        }
        if tenant.is_admin { Ok(Self(tenant)) } else { Err(tenant.refusal(Code::NotAdmin)) }
    }
}

impl<T: Tier> FromRequestParts<Arc<App>> for FeedReader<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let feed = match authenticate::<T>(parts, app).await? {
            Authority::AllTenants(key) => {
                require_full_access(key.as_ref())?;
                Feed::OfAllTenants
            }
            Authority::Tenant(tenant) => {
                require_full_access(tenant.key.as_ref())?;
                if !tenant.is_sender {
                    return Err(tenant.refusal(Code::NotSender));
                }
                Feed::OfTenant(tenant.actor.tenant)
            }
        };
        Ok(Self { feed, tier: PhantomData })
    }
}

fn rate_limit_refusal(app: &App, limit: Limit, exceeded: Exceeded) -> Error {
    app.metrics.record_rate_limit_refusal(limit.as_str());
    Error::rate_limited(exceeded.retry_after_seconds)
}
