//! Signs a client in by its API key.

use std::net::IpAddr;

use uuid::Uuid;

use super::door::Caller;
use super::{Gateway, refusal};
use crate::account::Actor;
use crate::auth::api_key::{self, PresentedKey};
use crate::delivery::{KeyError, KeyRefusal};
use crate::id::{TenantId, TraceId, UserId};
use crate::smtp::Reply;
use crate::smtp::server::SignIn;
use crate::store::api_keys::{ApiKey, KeyOwner};

/// Why a sign-in is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum SignInRefusal {
    /// The password is not a known key; what is wrong with its form.
    WrongKey(String),
    Revoked,
    Expired,
    /// A key of the platform without the name of a tenant.
    NoTenant,
    /// Too many refusals from this address.
    TooMany,
    Unavailable,
}

impl SignInRefusal {
    /// Its name in the metrics, the log and the audit.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::WrongKey(_) => "WRONG_KEY",
            Self::Revoked => "KEY_REVOKED",
            Self::Expired => "KEY_EXPIRED",
            Self::NoTenant => "NO_TENANT",
            Self::TooMany => "TOO_MANY",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

impl From<SignInRefusal> for Reply {
    fn from(refusal: SignInRefusal) -> Self {
        match refusal {
            SignInRefusal::WrongKey(fault) => refusal::sign_in(&fault),
            SignInRefusal::Revoked => refusal::sign_in("this API key was revoked"),
            SignInRefusal::Expired => refusal::sign_in("this API key has expired"),
            SignInRefusal::NoTenant => {
                refusal::sign_in("this is a key of the platform: give the id of the tenant as the user name")
            }
            SignInRefusal::TooMany => refusal::too_many_sign_ins(),
            SignInRefusal::Unavailable => refusal::sign_in_later(),
        }
    }
}

impl Gateway {
    /// Who presents these credentials. The password is all that counts, but for a key of the platform.
    pub(super) async fn identify(
        &self,
        remote: IpAddr,
        credentials: &SignIn,
    ) -> Result<Caller, SignInRefusal> {
        let password = credentials.password.expose();
        let presented = PresentedKey::parse(password).map(|key| key.id);
        if !self.sign_ins.may_try(remote, presented, password) {
            return Err(SignInRefusal::TooMany);
        }
        let key = match self.app.delivery.api_keys.authenticate(password).await {
            Ok(key) => key,
            Err(KeyError::Database(_)) => return Err(SignInRefusal::Unavailable),
            Err(KeyError::Refused(reason)) => return Err(self.refuse(remote, password, reason).await),
        };
        let tenant = match &key.owner {
            KeyOwner::Tenant(tenant) => tenant.clone(),
            KeyOwner::Platform => {
                let Some(tenant) = TenantId::from_platform(&credentials.username) else {
                    self.sign_ins.refused_key(remote, key.id);
                    log_refusal(remote, Some(key.id), &SignInRefusal::NoTenant, TraceId::random());
                    return Err(SignInRefusal::NoTenant);
                };
                tenant
            }
        };
        self.sign_ins.accepted(remote, password);
        Ok(Caller { tenant, key })
    }

    /// Counts a refusal, and leaves a row in the audit of the tenant whose key was named.
    async fn refuse(&self, remote: IpAddr, password: &str, reason: KeyRefusal) -> SignInRefusal {
        let refusal = match reason {
            KeyRefusal::Unknown => SignInRefusal::WrongKey(wrong_key(password)),
            KeyRefusal::Revoked => SignInRefusal::Revoked,
            KeyRefusal::Expired => SignInRefusal::Expired,
        };
        let named = self.app.delivery.api_keys.named_by(password).await.ok().flatten();
        match (&named, &refusal) {
            (Some(key), SignInRefusal::Revoked | SignInRefusal::Expired) => {
                self.sign_ins.refused_key(remote, key.id);
            }
            _ => self.sign_ins.refused(remote),
        }
        let trace_id = TraceId::random();
        if let Some(key) = &named {
            self.record_refusal(remote, key, &refusal, trace_id).await;
        }
        log_refusal(remote, named.map(|key| key.id), &refusal, trace_id);
        refusal
    }

    async fn record_refusal(&self, remote: IpAddr, key: &ApiKey, refusal: &SignInRefusal, trace_id: TraceId) {
        let KeyOwner::Tenant(tenant) = &key.owner else { return };
        let actor = Actor {
            tenant: tenant.clone(),
            user: UserId::of_api_key(key.id),
            user_name: None,
            is_admin: false,
            trace_id,
            remote,
        };
        if let Err(error) = self.app.accounts.record_refused_sign_in(&actor, refusal.as_str()).await {
            tracing::warn!(%error, "a refused sign-in could not be written to the audit");
        }
    }
}

/// What is wrong with a password that is no known key. Nothing of the database is in it.
fn wrong_key(password: &str) -> String {
    if api_key::is_api_key(password) {
        api_key::unknown_key(password)
    } else {
        "The password is no API key of this service, which begins with tsk_.".to_owned()
    }
}

fn log_refusal(remote: IpAddr, key: Option<Uuid>, refusal: &SignInRefusal, trace_id: TraceId) {
    let key = key.map(tracing::field::display);
    tracing::info!(%trace_id, %remote, key, reason = refusal.as_str(), "a sign-in at the SMTP gateway was refused");
}
