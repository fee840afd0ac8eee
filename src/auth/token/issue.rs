//! Signs a token with the shared secret: for the operator's command line and the development mode.

use anyhow::{Context, ensure};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::key::HMAC_MIN_BYTES;
use crate::clock::Timestamp;
use crate::config::Auth;
use crate::id::{TenantId, UserId};
use crate::secret::Secret;

/// A token that a [`super::Verifier`] with the same settings and secret accepts from `now` on, for
/// `lifetime_seconds`. An administrator gets the first of `auth.admin_roles`, or of
/// `auth.admin_scopes` where there is none.
///
/// # Errors
/// A text for the operator: the secret is too short, or a name is not one that a token may carry.
pub fn issue(
    secret: &Secret,
    settings: &Auth,
    tenant: &str,
    user: &str,
    admin: bool,
    lifetime_seconds: i64,
    now: Timestamp,
) -> anyhow::Result<Secret> {
    let tenant = TenantId::from_verified_claim(tenant).with_context(|| format!("the tenant {NAME_RULE}"))?;
    let mut claims = common_claims(settings, user, lifetime_seconds, now)?;
    claims.insert(settings.tenant_claim.clone(), json!(tenant.as_str()));
    if admin {
        if let Some(role) = settings.admin_roles.first() {
            claims.insert(settings.roles_claim.clone(), json!([role]));
        } else {
            let scope = settings.admin_scopes.first();
            let scope = scope.context("auth.admin_roles and auth.admin_scopes are empty")?;
            claims.insert("scope".to_owned(), json!(scope));
        }
    }
    sign_hs256(secret, &Value::Object(claims))
}

/// The same for the platform, which names a tenant in each request.
///
/// # Errors
/// A text for the operator: as [`issue`], or `auth.platform_scope` is empty.
pub fn issue_for_platform(
    secret: &Secret,
    settings: &Auth,
    user: &str,
    lifetime_seconds: i64,
    now: Timestamp,
) -> anyhow::Result<Secret> {
    ensure!(!settings.platform_scope.is_empty(), "auth.platform_scope is empty: no token is the platform's");
    let mut claims = common_claims(settings, user, lifetime_seconds, now)?;
    claims.insert("scope".to_owned(), json!(settings.platform_scope));
    sign_hs256(secret, &Value::Object(claims))
}

const NAME_RULE: &str = "must have 1 to 255 bytes without control characters, and not be \"*\"";

/// Times, issuer, audience and user.
fn common_claims(
    settings: &Auth,
    user: &str,
    lifetime_seconds: i64,
    now: Timestamp,
) -> anyhow::Result<Map<String, Value>> {
    let user = UserId::from_verified_claim(user).with_context(|| format!("the user {NAME_RULE}"))?;
    ensure!(lifetime_seconds > 0, "the lifetime must be at least one second");
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), json!(now.seconds()));
    claims.insert("exp".to_owned(), json!(now.seconds().saturating_add(lifetime_seconds)));
    if let Some(issuer) = &settings.issuer {
        claims.insert("iss".to_owned(), json!(issuer));
    }
    if let Some(audience) = &settings.audience {
        claims.insert("aud".to_owned(), json!(audience));
    }
    claims.insert(settings.user_claim.clone(), json!(user.as_str()));
    Ok(claims)
}

/// The compact form of `claims`, signed with HS256 and without a key id.
///
/// # Errors
/// The secret has fewer than 32 bytes.
pub fn sign_hs256(secret: &Secret, claims: &Value) -> anyhow::Result<Secret> {
    let secret = secret.expose().as_bytes();
    ensure!(secret.len() >= HMAC_MIN_BYTES, "auth.hs256_secret needs {HMAC_MIN_BYTES} bytes or more");
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "JWT"})), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    Ok(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))))
}
