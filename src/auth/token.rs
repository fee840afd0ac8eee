//! Checks bearer tokens (RFC 7519, RFC 9068): signature, times, issuer, audience, and the claims that name
//! tenant, user and rights. It knows no HTTP request and no database.
//!
//! The order is fixed: the form of the token, then its key, then the signature, then the claims. Nothing in
//! the token chooses the algorithm or brings a key; its header only says which of the known keys to try.

mod algorithm;
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

pub use claims::LEEWAY_SECONDS;
pub use issue::{issue, sign_hs256};
pub use jwks::{JwksAnswer, JwksSource, REFRESH_AFTER, REFRESH_INTERVAL, RETRY_INTERVAL};

use crate::clock::Clock;
use crate::config::Auth;
use crate::config::check_operator_url;
use crate::egress::http_client::HttpClient;
use crate::id::{TenantId, UserId};
use claims::Expected;
use compact::Compact;
use jwks::{Jwks, KeySet};
use key::Key;
use verified::{Fingerprint, KeySetNumber, VerifiedTokens};

/// What a verified token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    pub tenant: TenantId,
    pub user: UserId,
    pub is_admin: bool,
}

/// What a verified ID token says (OpenID Connect Core 1.0 section 2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdToken {
    pub caller: Caller,
    /// The user's own address, where the provider vouches for it.
    pub email: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenError {
    /// Answered with 401; the reason is for the debug log.
    Invalid(&'static str),
    /// The key that the token needs may exist, but the issuer cannot be asked: answered with 503.
    NoKeys,
}

/// Holds the keys, fetched or configured.
pub struct Verifier {
    clock: Clock,
    expected: Expected,
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

    /// The same with another source of the key set than `auth.jwks_url`.
    ///
    /// # Errors
    /// A text for the operator that names the setting.
    pub fn with_source(settings: &Auth, clock: Clock, source: Option<JwksSource>) -> anyhow::Result<Self> {
        let configured = configured::keys(settings)?;
        if configured.is_empty() && source.is_none() {
            bail!("no key for tokens: set auth.jwks_url, auth.public_key_file or auth.hs256_secret");
        }
        ensure!(settings.jwks_max_age_hours > 0, "auth.jwks_max_age_hours must be 1 or more");
        let max_age = Duration::from_secs(settings.jwks_max_age_hours.saturating_mul(3600));
        let jwks = source.map(|source| Arc::new(Jwks::new(source, clock.clone(), max_age)));
        let verified = VerifiedTokens::new(settings.token_cache_entries);
        Ok(Self { expected: Expected::new(settings)?, clock, configured, jwks, verified })
    }

    /// Fetches the key set where there is none yet, so that the first request need not wait for it.
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

    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let key_set = self.fetched().map(|set| set.number);
        let fingerprint = Fingerprint::of(token);
        if let Some(caller) = self.verified.caller(fingerprint, key_set, self.clock.now())? {
            return Ok(caller);
        }
        let compact = Compact::parse(token)?;
        let key_set = self.check_signature(&compact).await?;
        let (caller, validity) = self.expected.caller(&compact.claims()?, self.clock.now())?;
        self.verified.keep(fingerprint, key_set, validity, caller.clone());
        Ok(caller)
    }

    /// Checks an ID token that came from the token endpoint for this client (OpenID Connect Core 1.0 section
    /// 3.1.3.7). An access token is none, and the other way round.
    ///
    /// # Errors
    /// See [`TokenError`].
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

    /// Gives the key set that was there when the signature was found good.
    async fn check_signature(&self, token: &Compact<'_>) -> Result<KeySetNumber, TokenError> {
        let number = |set: Option<Arc<KeySet>>| set.map(|set| set.number);
        let fetched = self.fetched();
        let Err(failure) = self.try_keys(token, fetched.as_deref()) else {
            return Ok(number(fetched));
        };
        // A set never holds a shared secret, so a new one would not help a token that is signed with one.
        let Some(jwks) = self.jwks.as_ref().filter(|_| !token.algorithm.is_symmetric()) else {
            return Err(failure.error());
        };
        if matches!(failure, Failure::Final(_)) {
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

    /// Tries the one key that the token can mean.
    fn try_keys(&self, token: &Compact<'_>, fetched: Option<&KeySet>) -> Result<(), Failure> {
        let fetched = fetched.map_or(&[][..], |set| &set.keys);
        let fits = |key: &&Key| key.algorithm == token.algorithm;
        let named = |key: &&Key| token.key_id.is_some() && key.id == token.key_id;
        if let Some(key) = fetched.iter().find(named) {
            if !fits(&key) {
                return Err(Failure::Final("the algorithm is not the key's"));
            }
            return if key.verifies(token.message, &token.signature) {
                Ok(())
            } else {
                Err(Failure::Final("the signature is wrong"))
            };
        }
        // A configured key has no id of its own, so an id in the token says nothing against it. Without an id,
        // exactly one key must fit: trying several would let a token choose.
        let nameless = fetched.iter().filter(|_| token.key_id.is_none());
        let mut candidates = self.configured.iter().chain(nameless).filter(fits);
        match (candidates.next(), candidates.next()) {
            (Some(key), None) if key.verifies(token.message, &token.signature) => Ok(()),
            (Some(_), None) => Err(Failure::MayBeNewKey("the signature is wrong")),
            (Some(_), Some(_)) => Err(Failure::Final("several keys fit and the token names none")),
            (None, _) => Err(Failure::MayBeNewKey("no key fits")),
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
enum Failure {
    /// No other key set would change it.
    Final(&'static str),
    /// The issuer may have a key that is not known here yet.
    MayBeNewKey(&'static str),
}

impl Failure {
    fn error(self) -> TokenError {
        match self {
            Self::Final(reason) | Self::MayBeNewKey(reason) => TokenError::Invalid(reason),
        }
    }
}
