//! Seals and opens the tenants' secrets: an envelope with a key id, bound to tenant and destination.
//!
//! Each secret has a data key of its own, and the data key is wrapped by a named key of the ring. So a change of
//! the named key wraps data keys anew and leaves the secrets as they are. It knows nothing of a configuration's
//! fields.

mod check;
mod envelope;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod ring;

use zeroize::Zeroizing;

use crate::config::Encryption;
use crate::id::TenantId;
use crate::secret::Secret;
use envelope::{DataKey, framed};
use ring::Ring;

pub use check::check_keys;
pub use ring::generate_key;

/// Every kind of associated data begins with a label of its own, so that none can stand in for another.
const SECRET_LABEL: &str = "transports secret";

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
        framed(&[SECRET_LABEL, self.tenant.as_str(), self.field, self.destination])
    }
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
pub struct Vault {
    ring: Ring,
}

impl Vault {
    /// Reads the ring from `encryption.keys` or `encryption.keys_file`.
    ///
    /// # Errors
    /// Names the setting and the key's id, never a key.
    pub fn load(settings: &Encryption) -> anyhow::Result<Self> {
        Ok(Self { ring: Ring::load(settings)? })
    }

    /// # Errors
    /// Where the system has no randomness.
    pub fn seal(&self, secret: &Secret, binding: &Binding<'_>) -> anyhow::Result<Sealed> {
        seal_with(self.ring.first(), secret.expose().as_bytes(), &binding.associated_data())
    }

    /// # Errors
    /// [`Unreadable`], which does not say why: the log does.
    pub fn open(&self, sealed: &Sealed, binding: &Binding<'_>) -> Result<Secret, Unreadable> {
        let opened = self.open_bytes(sealed, &binding.associated_data()).and_then(|bytes| {
            let text = std::str::from_utf8(&bytes).map_err(|_| "it is not text")?;
            Ok(Secret::new(text.to_owned()))
        });
        opened.map_err(|reason| {
            let (tenant, field, key) = (binding.tenant, binding.field, &sealed.key_id);
            tracing::error!(%tenant, field, key, reason, "a stored secret cannot be read");
            Unreadable
        })
    }

    fn open_bytes(
        &self,
        sealed: &Sealed,
        associated_data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let key = self.ring.find(&sealed.key_id).ok_or("its key is not in the ring")?;
        let data_key = DataKey::unwrapped(&sealed.wrapped_key, key)?;
        data_key.open(&sealed.payload, associated_data)
    }
}

fn seal_with(key: &ring::Key, plain: &[u8], associated_data: &[u8]) -> anyhow::Result<Sealed> {
    let data_key = DataKey::random()?;
    Ok(Sealed {
        key_id: key.id.clone(),
        wrapped_key: data_key.wrapped(key)?,
        payload: data_key.seal(plain, associated_data)?,
    })
}

#[cfg(test)]
mod tests;
