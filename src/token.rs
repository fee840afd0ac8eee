//! Checks bearer tokens (RFC 7519, RFC 9068): signature, times, issuer, audience, and the claims that name
//! tenant, user and rights. It knows no HTTP request and no database.

use crate::clock::Clock;
use crate::config::Auth;
use crate::egress::http_client::HttpClient;
use crate::id::{TenantId, UserId};

/// What a verified token says.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tenant: TenantId,
    pub user: UserId,
    pub is_admin: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenError {
    /// Answered with 401; the reason is for the debug log.
    Invalid(&'static str),
    /// No usable key at all: answered with 503.
    NoKeys,
}

/// Holds the keys, fetched or configured.
pub struct Verifier {}

impl Verifier {
    /// # Errors
    /// A text for the operator that names the setting.
    pub fn new(_settings: &Auth, _clock: Clock, _client: HttpClient) -> anyhow::Result<Self> {
        todo!()
    }

    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, _token: &str) -> Result<Caller, TokenError> {
        todo!()
    }
}
