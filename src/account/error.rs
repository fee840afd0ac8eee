//! The errors of the use cases, without a status or a language: `http` adds both.

use crate::diagnosis::Finding;
use crate::error::InputFault;
use crate::limits::connections::NoPermit;
use crate::limits::quotas::QuotaExceeded;
use crate::limits::refused_sign_ins::SignInBarred;
use crate::store::DbError;
use crate::vault::VaultError;

#[derive(Debug)]
pub enum Error {
    NothingToDelete,
    NothingToVerify,
    NothingToSendWith,
    /// The change does not fit what is stored.
    Input(InputFault),
    /// Another version is stored than the client named.
    PreconditionFailed,
    /// Another change came between, and the secret that was checked may not be the stored one any more.
    SecretReplaced,
    /// The server did not accept the settings; nothing was stored.
    CheckFailed(Box<Finding>),
    NoPermit(NoPermit),
    QuotaExceeded(QuotaExceeded),
    /// The server has refused sign-ins too often.
    SignInBarred(SignInBarred),
    /// The stored secret does not open, and the change would keep it.
    SecretUnreadable,
    KeysUnavailable,
    /// Other writes came first, again and again.
    Contended,
    Database(DbError),
    Internal(anyhow::Error),
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<NoPermit> for Error {
    fn from(reason: NoPermit) -> Self {
        Self::NoPermit(reason)
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Unreadable => Self::SecretUnreadable,
            VaultError::Unavailable => Self::KeysUnavailable,
        }
    }
}
