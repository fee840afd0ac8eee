//! Seals and opens the tenants' secrets: an envelope with a key id, bound to tenant and destination.

use crate::clock::Clock;
use crate::config::Encryption;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store::Db;

/// What a sealed secret belongs to: the associated data of its encryption.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    pub tenant: &'a TenantId,
    /// The column's meaning: `emailPassword` or `clientSecret`.
    pub field: &'static str,
    /// The canonical destination; see [`crate::email_config`].
    pub destination: &'a str,
}

/// A secret as it stands in the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The named key that wraps the data key.
    pub key_id: String,
    pub wrapped_key: Vec<u8>,
    pub payload: Vec<u8>,
}

/// A stored secret that does not open: another key, another tenant, another destination, or damaged bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the stored secret cannot be read")]
pub struct Unreadable;

/// The key ring.
pub struct Vault {}

impl Vault {
    /// Reads the ring from `encryption.keys` or `encryption.keys_file`.
    ///
    /// # Errors
    /// Names the setting and the key's id, never a key.
    pub fn load(_settings: &Encryption) -> anyhow::Result<Self> {
        todo!()
    }

    /// # Errors
    /// Where the system has no randomness.
    pub fn seal(&self, _secret: &Secret, _binding: &Binding<'_>) -> anyhow::Result<Sealed> {
        todo!()
    }

    /// # Errors
    /// [`Unreadable`], which does not say why: the log does.
    pub fn open(&self, _sealed: &Sealed, _binding: &Binding<'_>) -> Result<Secret, Unreadable> {
        todo!()
    }
}

/// Tries every key of the ring at its canary, and looks whether a row needs a key that is not there.
///
/// # Errors
/// Which key, where it was looked for, and how many rows need it: the service must not start.
pub async fn check_keys(_vault: &Vault, _db: &Db, _clock: &Clock) -> anyhow::Result<()> {
    todo!()
}

/// A new key as a line `ID:BASE64`.
///
/// # Errors
/// An id that cannot stand in a list of keys, or a system without randomness.
pub fn generate_key(_id: &str) -> anyhow::Result<Secret> {
    todo!()
}
