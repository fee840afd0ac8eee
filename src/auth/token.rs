//! Verifies bearer tokens (RFC 7519, RFC 9068): signature, times, issuer, audience, and the claims that name tenant,
//! user and rights.
//!
//! The order is fixed: form, key, signature, claims. A token never chooses the algorithm and never brings a key; its
//! header only says which of the known keys to try.

mod algorithm;
mod claim;
mod claims;
mod compact;
mod configured;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod issue;
mod jwk;
mod jwks;
mod key;
mod verified;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

pub use claim::UnusableClaim;
pub use claims::LEEWAY_SECONDS;
pub use issue::{issue, issue_for_platform, sign_hs256};
pub use jwks::{JwksAnswer, JwksSource, REFRESH_AFTER, REFRESH_INTERVAL, RETRY_INTERVAL};

use crate::clock::Clock;
use crate::config::Auth;
use crate::config::check_operator_url;
use crate::egress::http_client::HttpClient;
use crate::id::{TenantId, UserId};
use claims::ExpectedClaims;
use compact::Compact;
use jwks::{Jwks, KeySet};
use key::Key;
use verified::{Fingerprint, KeySetVersion, VerifiedTokens};

/// Whom a verified token speaks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Principal {
    /// A user of one tenant.
    User(Caller),
    /// The platform: it works on the emails of every tenant.
    Platform(UserId),
}

/// The user of a tenant that a verified token names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    pub tenant: TenantId,
    pub user: UserId,
    /// The person's name, where the token has one. Only shown: it proves nothing.
    pub name: Option<String>,
    pub is_admin: bool,
    /// Whether a role lets the user send mail and read what was sent; every administrator may as well.
    pub is_sender: bool,
    /// Of a token that makes no administrator and has no claim for roles: where they were looked for.
    pub missing_roles: Option<Arc<UnusableClaim>>,
}

/// The user of a verified ID token (OpenID Connect Core 1.0 section 2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdToken {
    pub caller: Caller,
    /// The user's own address, where the provider vouches for it.
    pub email: Option<String>,
    /// The name of the tenant's organisation.
    pub tenant_name: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// Answered with 401; the reason is for the debug log.
    #[error("{0}")]
    Invalid(&'static str),
    /// An authentic token that does not name its tenant or user as the settings say. Answered with 401; the log tells the
    /// operator which claim was looked for.
    #[error("{0}")]
    Unusable(Arc<UnusableClaim>),
    /// The key that the token needs may exist, but the issuer cannot be asked: answered with 503.
    #[error("the issuer's keys cannot be fetched")]
    NoKeys,
}

/// Verifies tokens with the configured keys and the fetched key set.
pub struct Verifier {
    clock: Clock,
    expected: ExpectedClaims,
    configured: Vec<Key>,
    jwks: Option<Arc<Jwks>>,
    verified: VerifiedTokens,
}

impl Verifier {
    /// Reads the configured keys. The key set is fetched with the first token, or by [`Self::load_keys`].
    ///
    /// # Errors
    /// A text for the operator that names the setting.
    pub fn new(settings: &Auth, clock: Clock, client: HttpClient) -> anyhow::Result<Self> {
        let source = match &settings.jwks_url {
            Some(url) => {
                check_operator_url(url).with_context(|| format!("auth.jwks_url {url} cannot be used"))?;
                Some(JwksSource::Url { client, url: url.clone() })
            }
            None => None,
        };
        Self::with_source(settings, clock, source)
    }

    /// Like [`Self::new`], with a key set from `source` in place of `auth.jwks_url`.
    ///
    /// # Errors
    /// A text for the operator that names the setting.
    pub fn with_source(settings: &Auth, clock: Clock, source: Option<JwksSource>) -> anyhow::Result<Self> {
        let configured = configured::keys(settings)?;
        if configured.is_empty() && source.is_none() {
            bail!("auth: no key for tokens: set auth.jwks_url, auth.public_key_file or auth.hs256_secret");
        }
        ensure!(settings.jwks_max_age_hours > 0, "auth.jwks_max_age_hours must be 1 or more");
        let max_age = Duration::from_secs(settings.jwks_max_age_hours.saturating_mul(3600));
        let jwks = source.map(|source| Arc::new(Jwks::new(source, clock.clone(), max_age)));
        let verified = VerifiedTokens::new(settings.token_cache_entries);
        Ok(Self { expected: ExpectedClaims::new(settings)?, clock, configured, jwks, verified })
    }

    /// Fetches the key set at start, so that the first request need not wait for it.
    ///
    /// # Errors
    /// [`TokenError::NoKeys`]: no token can be checked now.
    pub async fn load_keys(&self) -> Result<(), TokenError> {
        if let Some(jwks) = &self.jwks
            && jwks.current().is_none()
        {
            jwks.refresh().await;
        }
        if self.has_keys(self.fetched().as_deref()) { Ok(()) } else { Err(TokenError::NoKeys) }
    }

    pub async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let key_set = self.fetched().map(|set| set.number);
        let fingerprint = Fingerprint::new(token);
        if let Some(principal) = self.verified.principal(fingerprint, key_set, self.clock.now())? {
            return Ok(principal);
        }
        let compact = Compact::parse(token)?;
        let key_set = self.check_signature(&compact).await?;
        let (principal, validity) = self.expected.principal(&compact.claims()?, self.clock.now())?;
        self.verified.insert(fingerprint, key_set, validity, principal.clone());
        Ok(principal)
    }

    /// Checks an ID token that came from the token endpoint for this client (OpenID Connect Core 1.0 section
    /// 3.1.3.7). An access token is none, and the other way round.
    pub async fn verify_id_token(
        &self,
        token: &str,
        nonce: &str,
        client_id: &str,
    ) -> Result<IdToken, TokenError> {
        let token = Compact::parse(token)?;
        self.check_signature(&token).await?;
        self.expected.id_token(&token.claims()?, nonce, client_id, self.clock.now())
    }

    /// Returns the number of the key set that verified the signature.
    async fn check_signature(&self, token: &Compact<'_>) -> Result<KeySetVersion, TokenError> {
        let number = |set: Option<Arc<KeySet>>| set.map(|set| set.number);
        let fetched = self.fetched();
        let Err(failure) = self.try_keys(token, fetched.as_deref()) else {
            return Ok(number(fetched));
        };
        // A set never holds a shared secret, so a new one would not help a token that is signed with one.
        let Some(jwks) = self.jwks.as_ref().filter(|_| !token.algorithm.is_symmetric()) else {
            return Err(failure.error());
        };
        if matches!(failure, SignatureFailure::Final(_)) {
            return Err(failure.error());
        }
        jwks.refresh().await;
        let fetched = self.fetched();
        let Err(failure) = self.try_keys(token, fetched.as_deref()) else {
            return Ok(number(fetched));
        };
        if fetched.is_none() || !self.has_keys(fetched.as_deref()) {
            return Err(TokenError::NoKeys);
        }
        Err(failure.error())
    }

    /// Tries the one key that the token's header designates.
    fn try_keys(&self, token: &Compact<'_>, fetched: Option<&KeySet>) -> Result<(), SignatureFailure> {
        let fetched = fetched.map_or(&[][..], |set| &set.keys);
        let has_algorithm = |key: &&Key| key.algorithm == token.algorithm;
        let has_id = |key: &&Key| token.key_id.is_some() && key.id == token.key_id;
        if let Some(key) = fetched.iter().find(has_id) {
            if !has_algorithm(&key) {
                return Err(SignatureFailure::Final("the algorithm is not the key's"));
            }
            return if key.verifies(token.message, &token.signature) {
                Ok(())
            } else {
                Err(SignatureFailure::Final("the signature is wrong"))
            };
        }
        // A configured key has no id, so it may be meant by any. Where the token names no id, exactly one key must
        // fit: trying several would let a token choose.
        let without_id = fetched.iter().filter(|_| token.key_id.is_none());
        let mut candidates = self.configured.iter().chain(without_id).filter(has_algorithm);
        match (candidates.next(), candidates.next()) {
            (Some(key), None) if key.verifies(token.message, &token.signature) => Ok(()),
            (Some(_), None) => Err(SignatureFailure::MayBeNewKey("the signature is wrong")),
            (Some(_), Some(_)) => Err(SignatureFailure::Final("several keys fit and the token names none")),
            (None, _) => Err(SignatureFailure::MayBeNewKey("no key fits")),
        }
    }

    fn fetched(&self) -> Option<Arc<KeySet>> {
        self.jwks.as_ref().and_then(Jwks::current)
    }

    fn has_keys(&self, fetched: Option<&KeySet>) -> bool {
        !self.configured.is_empty() || fetched.is_some_and(|set| !set.keys.is_empty())
    }
}

/// Why no key verified a token.
#[derive(Clone, Copy)]
enum SignatureFailure {
    /// No other key set would change it.
    Final(&'static str),
    /// The issuer may have a key that is not known here yet.
    MayBeNewKey(&'static str),
}

impl SignatureFailure {
    fn error(self) -> TokenError {
        match self {
            Self::Final(reason) | Self::MayBeNewKey(reason) => TokenError::Invalid(reason),
        }
    }
}
