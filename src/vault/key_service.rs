//! An external service that wraps data keys with a key that never leaves it.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use zeroize::Zeroizing;

/// An answer that will come.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, WrapError>> + Send + 'a>>;

/// Wraps data keys, each bound to associated data. Every call goes over the network, and is bounded in time.
///
/// A key has versions. The newest one wraps, and each opens what it wrapped.
pub trait KeyService: Send + Sync {
    /// The key's name without a version, such as `vault:transit/mail`. The id of a version is this name, `:v` and
    /// its number.
    fn name(&self) -> &str;

    /// Wraps with the newest version.
    fn wrap<'a>(&'a self, data_key: &'a [u8], associated_data: &'a [u8]) -> Answer<'a, Wrapped>;

    /// Unwraps what version `key_id` wrapped.
    fn unwrap<'a>(
        &'a self,
        key_id: &'a str,
        wrapped: &'a [u8],
        associated_data: &'a [u8],
    ) -> Answer<'a, Zeroizing<Vec<u8>>>;

    /// Makes a new version, which wraps from then on.
    fn rotate(&self) -> Answer<'_, ()>;
}

/// A wrapped data key, and the id of what wrapped it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrapped {
    pub key_id: String,
    pub bytes: Vec<u8>,
}

/// Why a data key was not wrapped or unwrapped. The texts are for the operator's log, never for a client.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WrapError {
    /// It does not open, and will not: another key, other associated data, or damaged bytes.
    #[error("{0}")]
    Refused(Cow<'static, str>),
    /// No usable answer: it may be another one in a moment.
    #[error("{0}")]
    Unavailable(Cow<'static, str>),
}

impl WrapError {
    pub fn refused(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(reason.into())
    }

    pub fn unavailable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unavailable(reason.into())
    }
}
