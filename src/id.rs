//! Names of tenants, users and requests, as types that cannot be mixed up.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// The tenant that a verified token or the platform names: the exact bytes, neither trimmed nor folded.
///
/// Cheap to clone. Only the token verifier, the extractor of callers, a worker that reads its own rows and the operator's
/// command line make one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The longest tenant id taken from a token, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// From the claim of a token whose signature and times have been checked.
    pub(crate) fn from_verified_claim(text: &str) -> Option<Self> {
        is_plain_name(text).then(|| Self(text.into()))
    }

    /// From the path of a request with a credential of the platform, which may name any tenant.
    pub(crate) fn from_platform(text: &str) -> Option<Self> {
        is_plain_name(text).then(|| Self(text.into()))
    }

    /// From an argument of the operator's command line.
    ///
    /// # Errors
    /// A sentence, where no token could name this tenant: an empty name is what a variable without a value leaves.
    pub fn from_argument(text: &str) -> Result<Self, String> {
        let names = "a tenant has 1 to 255 bytes without control characters, and is not `*`";
        Self::from_verified_claim(text).ok_or_else(|| names.to_owned())
    }

    /// From the operator, who may name any tenant.
    pub fn from_operator(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The user that a verified token names. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UserId(pub Arc<str>);

impl UserId {
    /// From the claim of a token whose signature and times have been checked. The rules are the tenant's.
    pub(crate) fn from_verified_claim(text: &str) -> Option<Self> {
        is_plain_name(text).then(|| Self(text.into()))
    }

    /// A program, by the id of its API key.
    pub(crate) fn of_api_key(id: Uuid) -> Self {
        Self(format!("api-key:{id}").into())
    }

    /// The operator at the command line.
    pub fn operator() -> Self {
        Self("operator".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 1 to 255 bytes, no control character, and not `*`, which some systems read as "all".
fn is_plain_name(text: &str) -> bool {
    let fits = !text.is_empty() && text.len() <= TenantId::MAX_BYTES;
    fits && text != "*" && !text.chars().any(char::is_control)
}

/// Finds one request in the log: 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceId(u128);

impl TraceId {
    pub fn random() -> Self {
        Self(Uuid::new_v4().as_u128())
    }

    /// That of a trace which began elsewhere (W3C Trace Context), or which an exported span belongs to.
    pub(crate) fn of_trace(id: opentelemetry::TraceId) -> Self {
        Self(u128::from_be_bytes(id.to_bytes()))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}
