//! Checks the claims of a token whose signature is valid: times, issuer, audience, and who is calling.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::claim::{self, UnusableClaim, string_array};
use super::{Caller, IdToken, Principal, TokenError};
use crate::clock::Timestamp;
use crate::config::Auth;
use crate::id::{TenantId, UserId};

/// How far the issuer's clock may be off, in seconds (RFC 7519 section 4.1.4: "no more than a few minutes").
pub const LEEWAY_SECONDS: i64 = 30;
/// The end of the year 9999, in seconds since 1970. No honest date lies beyond.
const MAX_SECONDS: f64 = 253_402_300_799.0;

/// What the claims must say, from the settings.
pub(super) struct ExpectedClaims {
    issuer: Option<String>,
    audience: Option<String>,
    tenant_claim: String,
    user_claim: String,
    roles_claim: String,
    name_claims: Vec<String>,
    tenant_name_claims: Vec<String>,
    admin_roles: Vec<String>,
    admin_scopes: Vec<String>,
    sender_roles: Vec<String>,
    platform_scope: String,
}

impl ExpectedClaims {
    /// # Errors
    /// A text that names the setting.
    pub(super) fn new(settings: &Auth) -> anyhow::Result<Self> {
        let claims = [
            ("auth.tenant_claim", &settings.tenant_claim),
            ("auth.user_claim", &settings.user_claim),
            ("auth.roles_claim", &settings.roles_claim),
        ];
        if let Some((name, _)) = claims.iter().find(|(_, claim)| claim.is_empty()) {
            anyhow::bail!("{name} is empty");
        }
        Ok(Self {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            tenant_claim: settings.tenant_claim.clone(),
            user_claim: settings.user_claim.clone(),
            roles_claim: settings.roles_claim.clone(),
            name_claims: settings.name_claims.clone(),
            tenant_name_claims: settings.tenant_name_claims.clone(),
            admin_roles: settings.admin_roles.clone(),
            admin_scopes: settings.admin_scopes.clone(),
            sender_roles: settings.sender_roles.clone(),
            platform_scope: settings.platform_scope.clone(),
        })
    }

    /// Who calls, and for how long the token may be used.
    pub(super) fn principal(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(Principal, Validity), TokenError> {
        require_access_token(claims)?;
        self.check_common(claims, now)
    }

    /// Checks an ID token, which has rules beyond those of every token.
    pub(super) fn id_token(
        &self,
        claims: &Map<String, Value>,
        nonce: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<IdToken, TokenError> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if is_kind(claims, &["refresh", "offline", "logout", "bearer"]) {
            return Err(TokenError::Invalid("not an ID token"));
        }
        if text("nonce") != Some(nonce) {
            return Err(TokenError::Invalid("another nonce"));
        }
        // Section 3.1.3.7, 4 and 5: with several audiences, `azp` names the client that the token was issued to.
        let has_several = claims.get("aud").and_then(Value::as_array).is_some_and(|aud| aud.len() > 1);
        if text("azp").map_or(has_several, |party| party != client_id) {
            return Err(TokenError::Invalid("issued to another client"));
        }
        date(claims, "iat")?.ok_or(TokenError::Invalid("no iat"))?;
        let is_verified = claims.get("email_verified").is_none_or(|verified| *verified == Value::Bool(true));
        let (Principal::User(caller), _) = self.check_common(claims, now)? else {
            return Err(unusable("auth.tenant_claim", &self.tenant_claim, claims));
        };
        Ok(IdToken {
            caller,
            email: text("email").filter(|_| is_verified).map(str::to_owned),
            tenant_name: claim::display_name(claims, &self.tenant_name_claims),
        })
    }

    fn check_common(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(Principal, Validity), TokenError> {
        let validity = Validity::new(claims)?;
        validity.check(now)?;
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(TokenError::Invalid("another issuer"));
        }
        if let Some(audience) = &self.audience {
            require_audience(claims.get("aud"), audience)?;
        }
        let user = claim::find(claims, &self.user_claim).and_then(Value::as_str);
        let user = user.and_then(UserId::from_verified_claim);
        let user = user.ok_or_else(|| unusable("auth.user_claim", &self.user_claim, claims))?;
        let rights = self.rights(claims)?;
        // A token with a tenant is that tenant's, whatever its scopes.
        let principal = match claim::find(claims, &self.tenant_claim) {
            None if rights.is_platform => Principal::Platform(user),
            tenant => {
                let tenant = tenant.and_then(Value::as_str).and_then(TenantId::from_verified_claim);
                let tenant =
                    tenant.ok_or_else(|| unusable("auth.tenant_claim", &self.tenant_claim, claims))?;
                Principal::User(self.caller(tenant, user, rights, claims))
            }
        };
        Ok((principal, validity))
    }

    fn caller(&self, tenant: TenantId, user: UserId, rights: Rights, claims: &Map<String, Value>) -> Caller {
        let lacks_roles = !rights.is_admin && claim::find(claims, &self.roles_claim).is_none();
        let missing_roles =
            lacks_roles.then(|| Arc::new(UnusableClaim::new("auth.roles_claim", &self.roles_claim, claims)));
        let Rights { is_admin, is_sender, .. } = rights;
        let name = claim::display_name(claims, &self.name_claims);
        Caller { tenant, user, name, is_admin, is_sender, missing_roles }
    }

    /// What roles and scopes allow.
    fn rights(&self, claims: &Map<String, Value>) -> Result<Rights, TokenError> {
        let roles = match claim::find(claims, &self.roles_claim) {
            None => Vec::new(),
            Some(roles) => {
                claim::roles(roles).ok_or_else(|| unusable("auth.roles_claim", &self.roles_claim, claims))?
            }
        };
        let scopes = match claims.get("scope") {
            None => Vec::new(),
            Some(Value::String(scope)) => scope.split(' ').collect(),
            Some(scope) => {
                string_array(scope).ok_or(TokenError::Invalid("scope is neither string nor array"))?
            }
        };
        let holds =
            |held: &[&str], wanted: &[String]| held.iter().any(|one| wanted.iter().any(|other| other == one));
        let is_admin = holds(&roles, &self.admin_roles) || holds(&scopes, &self.admin_scopes);
        Ok(Rights {
            is_admin,
            is_sender: is_admin || holds(&roles, &self.sender_roles),
            // Two spaces in a row make an empty scope.
            is_platform: !self.platform_scope.is_empty() && scopes.contains(&self.platform_scope.as_str()),
        })
    }
}

fn unusable(setting: &'static str, name: &str, claims: &Map<String, Value>) -> TokenError {
    TokenError::Unusable(Arc::new(UnusableClaim::new(setting, name, claims)))
}

/// What a token's roles and scopes allow.
#[derive(Clone, Copy)]
struct Rights {
    is_admin: bool,
    is_sender: bool,
    is_platform: bool,
}

/// The time in which a token may be used, in seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Validity {
    not_before: Option<i64>,
    expires: i64,
}

impl Validity {
    pub(super) fn new(claims: &Map<String, Value>) -> Result<Self, TokenError> {
        let expires = date(claims, "exp")?.ok_or(TokenError::Invalid("no exp"))?;
        let not_before = date(claims, "nbf")?;
        // Only its form counts: RFC 7519 gives no rule by which an age makes a token invalid.
        date(claims, "iat")?;
        Ok(Self { not_before, expires })
    }

    /// # Errors
    /// [`TokenError::Invalid`]: too late, or too early.
    pub(super) fn check(self, now: Timestamp) -> Result<(), TokenError> {
        if now.seconds() >= self.expires + LEEWAY_SECONDS {
            return Err(TokenError::Invalid("expired"));
        }
        if self.not_before.is_some_and(|start| now.seconds() < start - LEEWAY_SECONDS) {
            return Err(TokenError::Invalid("not valid yet"));
        }
        Ok(())
    }
}

/// A `NumericDate` in whole seconds (RFC 7519 section 2); a fraction is cut off.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds));
    #[expect(clippy::cast_possible_truncation, reason = "within 0 and the year 9999; the fraction is to go")]
    let seconds = seconds.map(|seconds| seconds as i64);
    seconds.map(Some).ok_or(TokenError::Invalid("a time is no date"))
}

/// Members that ID tokens alone have (OpenID Connect Core 1.0 sections 2 and 3.1.3.6): an ID token tells a client who
/// signed in, and grants no right at a service that happens to have the same audience.
const ID_TOKEN_MEMBERS: [&str; 2] = ["nonce", "at_hash"];

/// Some issuers mark an ID or refresh token only by a claim: Keycloak by `typ`, Cognito by `token_use`.
fn require_access_token(claims: &Map<String, Value>) -> Result<(), TokenError> {
    let is_id_token = ID_TOKEN_MEMBERS.iter().any(|member| claims.contains_key(*member));
    if is_id_token || is_kind(claims, &["id", "refresh", "offline", "logout"]) {
        return Err(TokenError::Invalid("not an access token"));
    }
    Ok(())
}

fn is_kind(claims: &Map<String, Value>, kinds: &[&str]) -> bool {
    ["typ", "token_use"].iter().any(|name| {
        let kind = claims.get(*name).and_then(Value::as_str).unwrap_or_default();
        kinds.iter().any(|known| kind.eq_ignore_ascii_case(known))
    })
}

fn require_audience(claim: Option<&Value>, ours: &str) -> Result<(), TokenError> {
    let named = match claim {
        Some(Value::String(audience)) => audience == ours,
        Some(audiences) => string_array(audiences).is_some_and(|audiences| audiences.contains(&ours)),
        None => false,
    };
    if named { Ok(()) } else { Err(TokenError::Invalid("another audience")) }
}
