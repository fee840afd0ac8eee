//! Who is signed in to the console, as it stands in the cookie.

use aws_lc_rs::rand;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::sealed;
use crate::auth::token::{Caller, IdToken};
use crate::clock::Timestamp;
use crate::id::{TenantId, UserId};

/// The header in which a browser proves that one of our own pages asks.
pub const CSRF_HEADER: &str = "qlik-csrf-token";

const CSRF_BYTES: usize = 32;

#[derive(Serialize, Deserialize)]
pub struct Session {
    pub tenant: String,
    pub user: String,
    pub is_admin: bool,
    /// The user's own address, for the recipient of a test mail.
    pub email: Option<String>,
    pub csrf: String,
    /// Unix milliseconds.
    pub until: i64,
}

impl Session {
    /// # Errors
    /// Where the system has no randomness.
    pub(super) fn new(token: IdToken, until: Timestamp) -> anyhow::Result<Self> {
        let mut csrf = [0; CSRF_BYTES];
        rand::fill(&mut csrf).map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
        Ok(Self {
            tenant: token.caller.tenant.as_str().to_owned(),
            user: token.caller.user.as_str().to_owned(),
            is_admin: token.caller.is_admin,
            email: token.email,
            csrf: URL_SAFE_NO_PAD.encode(csrf),
            until: until.0,
        })
    }

    /// Whether the request proves that it comes from a page of ours: exactly one header with this session's
    /// token.
    #[must_use]
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(CSRF_HEADER).iter();
        match (sent.next().and_then(|value| value.to_str().ok()), sent.next()) {
            (Some(token), None) => sealed::same(token, &self.csrf),
            _ => false,
        }
    }

    /// As a verified token would say it: the cookie was sealed from one.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        Some(Caller {
            tenant: TenantId::from_verified_claim(&self.tenant)?,
            user: UserId::from_verified_claim(&self.user)?,
            is_admin: self.is_admin,
        })
    }
}
