//! All keys that wrap data keys: the ring from the settings, and the key service if one is configured.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::envelope::DataKey;
use super::key_service::{WrapError, Wrapped};
use super::remote::{CachedKey, Remote};
use super::ring::{Key, Ring};
use super::{Binding, VaultError};
use crate::config::{Encryption, SealWith};
use crate::secret::{Sealed, Secret};

/// How long a key that was taken out of the ring still opens: longer than a request takes by default.
const REMOVED_KEY_GRACE: Duration = Duration::from_mins(1);

/// The keys of the settings, as they were when they were read.
pub struct Keys {
    pub(super) ring: Ring,
    /// Keys that were taken out of the ring a moment ago. A request may have read a row before that.
    pub(super) removed: Vec<RemovedKey>,
    pub(super) remote: Option<Arc<Remote>>,
    seals_remotely: bool,
}

pub(super) struct RemovedKey {
    pub key: Arc<Key>,
    pub until: Instant,
}

/// An unwrapped data key, owned or shared with the cache.
enum UnwrappedKey {
    Owned(DataKey),
    Cached(CachedKey),
}

impl std::ops::Deref for UnwrappedKey {
    type Target = DataKey;

    fn deref(&self) -> &DataKey {
        match self {
            Self::Owned(data_key) => data_key,
            Self::Cached(cached) => cached,
        }
    }
}

impl Keys {
    /// Reads the ring from `encryption.keys` or `encryption.keys_file`; `remote` is the key service of the settings.
    ///
    /// # Errors
    /// Names the setting and the key's id, never a key.
    pub fn load(settings: &Encryption, remote: Option<Remote>) -> anyhow::Result<Self> {
        let ring = Ring::load(settings)?;
        if ring.first().is_none() && remote.is_none() {
            bail!(
                "encryption.keys: no key to seal the tenants' secrets with; make one with `transports keys generate`"
            );
        }
        let seals_remotely = match (settings.seal_with, ring.first(), &remote) {
            (Some(SealWith::Keys), None, _) => {
                bail!("encryption.seal_with: is `keys`, and encryption.keys holds none");
            }
            (Some(SealWith::Vault), _, None) => {
                bail!("encryption.seal_with: is `vault`, and encryption.vault_url is not set");
            }
            (Some(SealWith::Keys), ..) => false,
            (_, _, remote) => remote.is_some(),
        };
        Ok(Self { ring, removed: Vec::new(), remote: remote.map(Arc::new), seals_remotely })
    }

    /// The same with another ring. Keys that it no longer holds open stored secrets `until` then.
    pub(super) fn with_ring(&self, ring: Ring, until: Instant) -> Self {
        let gone = self.ring.all().iter().filter(|key| ring.find(&key.id).is_none());
        let gone = gone.map(|key| RemovedKey { key: Arc::clone(key), until });
        let before = self.removed.iter().filter(|old| ring.find(&old.key.id).is_none());
        let before = before.map(|old| RemovedKey { key: Arc::clone(&old.key), until: old.until });
        Self {
            removed: before.chain(gone).collect(),
            remote: self.remote.clone(),
            seals_remotely: self.seals_remotely,
            ring,
        }
    }

    /// The same with the ring as it stands in the file now.
    ///
    /// # Errors
    /// Names the file and the line, never a key.
    pub fn reload_ring(&self, path: &Path) -> anyhow::Result<Self> {
        Ok(self.with_ring(Ring::from_file(path)?, Instant::now() + REMOVED_KEY_GRACE))
    }

    /// The same without the removed keys whose grace time has ended; none where there is no such key.
    pub(super) fn without_expired(&self, now: Instant) -> Option<Self> {
        let kept: Vec<&RemovedKey> = self.removed.iter().filter(|old| old.until > now).collect();
        if kept.len() == self.removed.len() {
            return None;
        }
        let removed = kept.into_iter().map(|old| RemovedKey { key: Arc::clone(&old.key), until: old.until });
        Some(Self {
            removed: removed.collect(),
            ring: self.ring.clone(),
            remote: self.remote.clone(),
            seals_remotely: self.seals_remotely,
        })
    }

    /// Where the ring was read from: for messages.
    pub fn source(&self) -> &str {
        &self.ring.source
    }

    /// The names of the ring's keys, the first one first.
    pub fn ids(&self) -> Vec<&str> {
        self.ring.all().iter().map(|key| key.id.as_str()).collect()
    }

    /// Whether this may be a key of the ring, or a version of the service's key.
    pub fn has(&self, key_id: &str) -> bool {
        self.ring.find(key_id).is_some() || self.remote.as_ref().is_some_and(|remote| remote.has(key_id))
    }

    /// The key service that seals, where one does.
    pub(super) fn sealing_service(&self) -> Option<&Arc<Remote>> {
        self.remote.as_ref().filter(|_| self.seals_remotely)
    }

    /// The name of the service's key, where it seals.
    pub fn service_name(&self) -> Option<&str> {
        self.sealing_service().map(|remote| remote.name())
    }

    /// Makes a new version of the service's key.
    ///
    /// # Errors
    /// See [`WrapError`]; also where there is no service.
    pub async fn rotate_service(&self) -> Result<(), WrapError> {
        match self.sealing_service() {
            Some(remote) => remote.rotate().await,
            None => Err(WrapError::refused("there is no key service")),
        }
    }

    /// The id of the current key. A service tells it with a wrapped data key.
    pub async fn first(&self) -> Result<String, WrapError> {
        self.wrap(&random_data_key()?).await.map(|wrapped| wrapped.key_id)
    }

    /// Seals with the first key of the ring, or through the service.
    ///
    /// # Errors
    /// [`VaultError::Unavailable`], which does not say why: the log does.
    pub async fn seal(&self, secret: &Secret, binding: &Binding<'_>) -> Result<Sealed, VaultError> {
        let sealed = self.seal_bytes(secret.expose().as_bytes(), &binding.associated_data()).await;
        sealed.map_err(|error| {
            let (tenant, field) = (binding.tenant, binding.field);
            tracing::error!(%tenant, field, %error, "a secret cannot be sealed");
            VaultError::Unavailable
        })
    }

    /// Opens what a key of the ring or the service has sealed.
    ///
    /// # Errors
    /// See [`VaultError`], which does not say why: the log does.
    pub async fn open(&self, sealed: &Sealed, binding: &Binding<'_>) -> Result<Secret, VaultError> {
        let opened = self.open_bytes(sealed, &binding.associated_data()).await.and_then(|bytes| {
            let text = std::str::from_utf8(&bytes).map_err(|_| WrapError::refused("it is not text"))?;
            Ok(Secret::new(text.to_owned()))
        });
        opened.map_err(|error| {
            let (tenant, field, key) = (binding.tenant, binding.field, &sealed.key_id);
            tracing::error!(%tenant, field, key, reason = %error, "a stored secret cannot be read");
            match error {
                WrapError::Refused(_) => VaultError::Unreadable,
                WrapError::Unavailable(_) => VaultError::Unavailable,
            }
        })
    }

    pub(super) async fn seal_bytes(&self, plain: &[u8], associated_data: &[u8]) -> Result<Sealed, WrapError> {
        let data_key = random_data_key()?;
        let payload = data_key.seal(plain, associated_data).map_err(|error| no_randomness(&error))?;
        let wrapped = self.wrap(&data_key).await?;
        Ok(Sealed { key_id: wrapped.key_id, wrapped_key: wrapped.bytes, payload })
    }

    pub(super) async fn open_bytes(
        &self,
        sealed: &Sealed,
        associated_data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, WrapError> {
        let data_key = self.unwrap(&sealed.key_id, &sealed.wrapped_key).await?;
        data_key.open(&sealed.payload, associated_data).map_err(WrapError::refused)
    }

    /// The same data key, wrapped with the current key.
    pub(super) async fn rewrap(&self, key_id: &str, wrapped: &[u8]) -> Result<Wrapped, WrapError> {
        self.wrap(&*self.unwrap(key_id, wrapped).await?).await
    }

    async fn wrap(&self, data_key: &DataKey) -> Result<Wrapped, WrapError> {
        match (self.sealing_service(), self.ring.first()) {
            (Some(remote), _) => remote.wrap(data_key).await,
            (None, Some(key)) => {
                let bytes = data_key.wrapped(key).map_err(|error| no_randomness(&error))?;
                Ok(Wrapped { key_id: key.id.clone(), bytes })
            }
            (None, None) => Err(WrapError::unavailable("the ring is empty")),
        }
    }

    async fn unwrap(&self, key_id: &str, wrapped: &[u8]) -> Result<UnwrappedKey, WrapError> {
        let removed = || self.removed.iter().map(|old| &old.key).find(|key| key.id == key_id);
        if let Some(key) = self.ring.find(key_id).or_else(removed) {
            return DataKey::unwrapped(wrapped, key).map(UnwrappedKey::Owned).map_err(WrapError::refused);
        }
        match self.remote.as_ref().filter(|remote| remote.has(key_id)) {
            Some(remote) => remote.unwrap(key_id, wrapped).await.map(UnwrappedKey::Cached),
            None => Err(WrapError::refused("its key is not in the ring")),
        }
    }
}

fn random_data_key() -> Result<DataKey, WrapError> {
    DataKey::random().map_err(|error| no_randomness(&error))
}

/// A system without randomness may have some later.
fn no_randomness(error: &anyhow::Error) -> WrapError {
    WrapError::unavailable(format!("{error:#}"))
}
