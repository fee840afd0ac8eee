//! Seals and opens the tenants' secrets: an envelope with a key id, bound to tenant and destination.
//!
//! Each secret has a data key of its own, which is wrapped by a named key of the ring or of an external key service. So a
//! change of the named key rewraps data keys and leaves the secrets as they are.

mod check;
pub mod content;
mod envelope;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub mod key_file;
pub mod key_service;
mod keys;
mod reload;
mod remote;
mod rewrap;
mod ring;
mod transit;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use crate::clock::Clock;
use crate::config::Encryption;
use crate::id::TenantId;
use crate::secret::{Sealed, Secret};
use crate::store::{Db, DbError, key_canaries};
use crate::telemetry::metrics::Metrics;
use check::CanaryCheckError;
use envelope::length_prefixed;

pub use check::rows_text;
pub use keys::Keys;
pub use remote::Remote;
pub use rewrap::{Rewrap, RewrapReport};
pub use ring::generate_key;

/// Every kind of associated data begins with a label of its own, so that none can stand in for another.
const SECRET_LABEL: &str = "transports secret";

/// How often sealing is tried again after the key service has made a new version in between.
const MAX_SEAL_ATTEMPTS: usize = 3;

/// What a sealed secret belongs to: the associated data of its encryption.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    pub tenant: &'a TenantId,
    /// The column's meaning: `emailPassword` or `clientSecret`.
    pub field: &'static str,
    /// The canonical destination; see [`crate::email_config`].
    pub destination: &'a str,
}

impl Binding<'_> {
    fn associated_data(&self) -> Vec<u8> {
        length_prefixed(&[SECRET_LABEL, self.tenant.as_str(), self.field, self.destination])
    }
}

/// Why a secret was not sealed, or not opened. The log says more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VaultError {
    /// A stored secret that does not open: another key, another tenant, another destination, or damaged bytes.
    #[error("the stored secret cannot be read")]
    Unreadable,
    /// The key service does not answer, or was not tried yet: it may answer in a moment.
    #[error("the keys are not available")]
    Unavailable,
}

/// Whether the keys can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeysState {
    Ok,
    /// The key service does not answer now; secrets with a cached data key still open.
    Degraded,
    /// The key service was not reached since the start.
    Unavailable,
}

impl KeysState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The keys in use, which may change while the service runs.
pub struct Vault {
    keys: RwLock<Arc<Keys>>,
    /// `encryption.keys_file`, where the ring comes from a file.
    file: Option<PathBuf>,
    reload_state: reload::ReloadState,
    db: Db,
    clock: Clock,
    metrics: Metrics,
}

impl Vault {
    /// Tries the keys at the database. A key service that does not answer is tried again later, by [`Self::maintain`];
    /// until then it seals and opens nothing.
    ///
    /// # Errors
    /// Which key does not fit, where it was looked for, and how many rows need it: the service must not start.
    pub async fn start(
        keys: Keys,
        settings: &Encryption,
        db: &Db,
        clock: &Clock,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        check_keys(&keys, db, clock).await?;
        Ok(Self {
            file: settings.keys_file.clone(),
            reload_state: reload::ReloadState::new(&keys),
            keys: RwLock::new(Arc::new(keys)),
            db: db.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        })
    }

    /// Seals with the current key. A changed key file is read first.
    pub async fn seal(&self, secret: &Secret, binding: &Binding<'_>) -> Result<Sealed, VaultError> {
        self.reload_if_changed().await;
        let keys = self.keys();
        for _ in 0..MAX_SEAL_ATTEMPTS {
            usable(keys.sealing_service())?;
            let sealed = keys.seal(secret, binding).await?;
            let Some(remote) = keys.sealing_service() else { return Ok(sealed) };
            if remote.is_registered(&sealed.key_id) {
                return Ok(sealed);
            }
            // A version that is new to this process: no row can name it before it has a canary.
            match check::add_service_canary(remote, &self.db, &self.clock).await {
                Ok(registered) if registered == sealed.key_id => return Ok(sealed),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the canary of a new version cannot be stored");
                    return Err(VaultError::Unavailable);
                }
            }
        }
        Err(VaultError::Unavailable)
    }

    /// Opens. A row that names an unknown key has the file of keys read again, where that has changed.
    pub async fn open(&self, sealed: &Sealed, binding: &Binding<'_>) -> Result<Secret, VaultError> {
        let mut keys = self.keys();
        if !keys.has(&sealed.key_id) {
            self.reload_if_changed().await;
            keys = self.keys();
        }
        usable(keys.remote.as_ref().filter(|remote| remote.has(&sealed.key_id)))?;
        keys.open(sealed, binding).await
    }

    /// After a write with this secret that did not happen: whether it could never happen, since the key was removed
    /// elsewhere and this process has not loaded a newer one.
    ///
    /// # Errors
    /// [`VaultError::Unavailable`], and the log says what to do.
    pub async fn check_not_removed(&self, sealed: &Sealed) -> Result<(), VaultError> {
        let canaries = key_canaries::all(&self.db).await.map_err(|_| VaultError::Unavailable)?;
        if canaries.iter().any(|canary| canary.key_id == sealed.key_id) {
            return Ok(());
        }
        self.reload_if_changed().await;
        if self.keys().ring.first().is_none_or(|first| first.id != sealed.key_id) {
            return Ok(());
        }
        tracing::error!(key = sealed.key_id, "this process seals with a removed key: update its keys");
        Err(VaultError::Unavailable)
    }

    /// The state of the keys now.
    pub fn state(&self) -> KeysState {
        match &self.keys().remote {
            Some(remote) if !remote.is_checked() => KeysState::Unavailable,
            Some(remote) if !remote.answers() => KeysState::Degraded,
            _ => KeysState::Ok,
        }
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn use_keys(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

/// Tries every key at what it has sealed in this database.
///
/// # Errors
/// As [`Vault::start`]. A key service that does not answer is no error.
pub async fn check_keys(keys: &Keys, db: &Db, clock: &Clock) -> anyhow::Result<()> {
    check::check_ring(keys, db, clock).await?;
    let Some(remote) = &keys.remote else { return Ok(()) };
    match check::try_service(remote, db, clock).await {
        Ok(()) => Ok(()),
        Err(wrong @ CanaryCheckError::Wrong(_)) => Err(wrong.into()),
        Err(CanaryCheckError::Unavailable(reason)) => {
            let key = remote.name();
            tracing::warn!(key, reason, "the key service does not answer yet; trying again");
            Ok(())
        }
    }
}

/// Tries the keys of the ring at what they have sealed in this database. Writes nothing, and calls no key service.
///
/// # Errors
/// As [`Vault::start`].
pub async fn check_known_keys(keys: &Keys, db: &Db) -> anyhow::Result<()> {
    check::check_known(keys, db).await
}

/// The keys of the ring that do not open what a key of their name has sealed in this database.
pub async fn wrong_keys(keys: &Keys, db: &Db) -> Result<Vec<String>, DbError> {
    check::wrong_keys(keys, db).await
}

/// Nothing is sealed or opened with a service whose canaries were not tried.
fn usable(remote: Option<&Arc<Remote>>) -> Result<(), VaultError> {
    match remote {
        Some(remote) if !remote.is_checked() => Err(VaultError::Unavailable),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
