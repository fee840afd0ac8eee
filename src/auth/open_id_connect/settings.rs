//! The operator's settings of the console's sign-in.

use anyhow::Context;

use crate::config::check_operator_url;
use crate::config::{Auth, Config};
use crate::secret::Secret;

/// The provider, and this service as its client.
pub struct Settings {
    pub issuer: String,
    pub client_id: String,
    /// `None` for a public client, which PKCE alone protects.
    pub client_secret: Option<Secret>,
    pub scopes: Vec<String>,
    /// Where browsers find this service, without a slash at the end.
    pub public_url: String,
    /// The claims that name tenant, user and roles are those of the access tokens.
    pub auth: Auth,
}

impl Settings {
    /// `None` where the operator has not configured a provider.
    ///
    /// # Errors
    /// A text that names the setting.
    pub fn from_config(config: &Config) -> anyhow::Result<Option<Self>> {
        let console = &config.console;
        let (Some(issuer), Some(client_id), Some(public_url)) =
            (console.oidc_issuer.clone(), console.oidc_client_id.clone(), console.public_url.as_deref())
        else {
            return Ok(None);
        };
        for (key, url) in [("console.oidc_issuer", issuer.as_str()), ("console.public_url", public_url)] {
            check_operator_url(url).with_context(|| format!("{key} {url} cannot be used"))?;
        }
        let public_url = public_url.trim_end_matches('/').to_owned();
        let auth = Auth {
            jwks_url: None,
            jwks_max_age_hours: config.auth.jwks_max_age_hours,
            // An ID token comes once.
            token_cache_entries: 0,
            public_key_file: None,
            hs256_secret: None,
            issuer: Some(issuer.clone()),
            audience: Some(client_id.clone()),
            tenant_claim: config.auth.tenant_claim.clone(),
            user_claim: config.auth.user_claim.clone(),
            roles_claim: config.auth.roles_claim.clone(),
            name_claims: config.auth.name_claims.clone(),
            tenant_name_claims: config.auth.tenant_name_claims.clone(),
            admin_roles: config.auth.admin_roles.clone(),
            admin_scopes: config.auth.admin_scopes.clone(),
            sender_roles: config.auth.sender_roles.clone(),
            // The console is for the users of a tenant.
            platform_scope: String::new(),
        };
        let secret = console.oidc_client_secret.as_ref();
        let client_secret = secret.map(|secret| Secret::new(secret.expose().to_owned()));
        let scopes = console.oidc_scopes.clone();
        Ok(Some(Self { issuer, client_id, client_secret, scopes, public_url, auth }))
    }
}
