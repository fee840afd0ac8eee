//! The session of the console: its user, its CSRF token and its end.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::sealer;
use crate::auth::token::{Caller, IdToken};
use crate::clock::Timestamp;
use crate::id::{TenantId, UserId};

const CSRF_BYTES: usize = 32;

#[derive(Serialize, Deserialize)]
pub struct Session {
    pub tenant: String,
    pub user: String,
    /// The names of the person and of the organisation, for the page's header.
    pub user_name: Option<String>,
    pub tenant_name: Option<String>,
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
            user_name: token.caller.name,
            tenant_name: token.tenant_name,
            is_admin: token.caller.is_admin,
            email: token.email,
            csrf: URL_SAFE_NO_PAD.encode(csrf),
            until: until.0,
        })
    }

    /// Whether this is the session's own CSRF token, which only our own pages can read.
    pub fn has_csrf_token(&self, token: &str) -> bool {
        sealer::is_equal(token, &self.csrf)
    }

    /// The id under which an ended session is stored. It opens nothing.
    pub fn id_hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.csrf.as_bytes()).as_ref());
        hash
    }

    /// The caller that the ID token named.
    pub fn caller(&self) -> Option<Caller> {
        Some(Caller {
            tenant: TenantId::from_verified_claim(&self.tenant)?,
            user: UserId::from_verified_claim(&self.user)?,
            name: self.user_name.clone(),
            is_admin: self.is_admin,
            // The console shows nothing that a mere sender may do.
            is_sender: self.is_admin,
            missing_roles: None,
        })
    }
}
