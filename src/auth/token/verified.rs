//! Caches verified tokens: checking a signature costs several times the rest of a request.
//!
//! An entry belongs to the whole token, byte by byte, and to the key set that verified it. It ends with that set, so a
//! key that the issuer has withdrawn does not live on here. The token's times are checked at every use.

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;

use super::claims::Validity;
use super::{Principal, TokenError};
use crate::clock::Timestamp;

/// A hash in place of the token, so that no usable token stays in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn new(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// The version of the fetched key set that a token was verified with; `None` for the configured keys alone.
pub(super) type KeySetVersion = Option<u64>;

#[derive(Clone)]
struct Verified {
    key_set: KeySetVersion,
    validity: Validity,
    principal: Principal,
}

/// Bounded; entries in frequent use stay.
pub(super) struct VerifiedTokens {
    entries: Cache<Fingerprint, Verified>,
}

impl VerifiedTokens {
    /// With a capacity of 0 every token is verified each time.
    pub(super) fn new(capacity: u64) -> Self {
        Self { entries: Cache::new(capacity) }
    }

    /// The principal of a token that this key set has verified before; `None` where it has not.
    ///
    /// # Errors
    /// The token has expired, or the clock was set back to a time before it is valid.
    pub(super) fn principal(
        &self,
        token: Fingerprint,
        key_set: KeySetVersion,
        now: Timestamp,
    ) -> Result<Option<Principal>, TokenError> {
        let Some(verified) = self.entries.get(&token) else {
            return Ok(None);
        };
        if verified.key_set != key_set {
            return Ok(None);
        }
        verified.validity.check(now)?;
        Ok(Some(verified.principal))
    }

    /// Remembers a token whose signature, times and claims were verified.
    pub(super) fn insert(
        &self,
        token: Fingerprint,
        key_set: KeySetVersion,
        validity: Validity,
        principal: Principal,
    ) {
        self.entries.insert(token, Verified { key_set, validity, principal });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Caller;
    use super::*;
    use crate::id::{TenantId, UserId};

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    fn caller(user: &str) -> Principal {
        let (tenant, user) = (TenantId::from_operator("tenant"), UserId(user.into()));
        Principal::User(Caller {
            tenant,
            user,
            name: None,
            is_admin: false,
            is_sender: false,
            missing_roles: None,
        })
    }

    fn an_hour() -> Validity {
        let claims = json!({ "exp": NOW.seconds() + 3600 });
        Validity::new(claims.as_object().expect("an object")).expect("a date")
    }

    #[test]
    fn an_entry_stands_for_one_token_and_one_key_set() {
        let tokens = VerifiedTokens::new(10);
        tokens.insert(Fingerprint::new("a.b.c"), Some(1), an_hour(), caller("ann"));
        assert_eq!(tokens.principal(Fingerprint::new("a.b.c"), Some(1), NOW), Ok(Some(caller("ann"))));
        for (token, key_set) in [("a.b.d", Some(1)), ("a.b.c", Some(2)), ("a.b.c", Some(0)), ("a.b.c", None)]
        {
            assert_eq!(
                tokens.principal(Fingerprint::new(token), key_set, NOW),
                Ok(None),
                "{token} {key_set:?}"
            );
        }
        tokens.insert(Fingerprint::new("a.b.c"), Some(2), an_hour(), caller("ann"));
        assert_eq!(tokens.principal(Fingerprint::new("a.b.c"), Some(2), NOW), Ok(Some(caller("ann"))));
    }

    #[test]
    fn however_many_tokens_come_memory_is_bounded() {
        let tokens = VerifiedTokens::new(100);
        for number in 0..5_000 {
            tokens.insert(Fingerprint::new(&format!("token {number}")), None, an_hour(), caller("ann"));
        }
        tokens.entries.run_pending_tasks();
        let kept = tokens.entries.entry_count();
        assert!((1..=100).contains(&kept), "{kept}");
    }

    #[test]
    fn with_no_entries_nothing_is_remembered() {
        let tokens = VerifiedTokens::new(0);
        tokens.insert(Fingerprint::new("a.b.c"), None, an_hour(), caller("ann"));
        assert_eq!(tokens.principal(Fingerprint::new("a.b.c"), None, NOW), Ok(None));
    }
}
