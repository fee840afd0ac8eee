//! What a PATCH or a PUT makes of a stored configuration, before it is sealed and written.

use super::{EmailConfig, Health, Settings, Version, canonical};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::vault::{Binding, Sealed, Vault, VaultError};

/// What happens to the stored secret.
#[derive(Debug)]
pub enum SecretChange<'a> {
    /// Stays, bound anew where the destination's form has changed. Also where there is none.
    Keep,
    /// Is erased, since it was entered for another destination, or because it was asked for.
    Drop,
    Set(&'a Secret),
}

/// A configuration as it is to become.
#[derive(Debug)]
pub struct Change<'a> {
    pub settings: Settings,
    pub secret: SecretChange<'a>,
    pub health: Health,
    /// The names of the fields that differ, for the audit; a secret only by its name.
    pub fields: Vec<&'static str>,
}

impl Change<'_> {
    /// The configuration to store: sealed, with a version of its own.
    ///
    /// # Errors
    /// Where the stored secret must be bound anew and cannot be read, or the keys are not available.
    pub async fn seal(
        self,
        stored: Option<&EmailConfig>,
        vault: &Vault,
        tenant: &TenantId,
        config_version: String,
        now: Timestamp,
    ) -> Result<EmailConfig, VaultError> {
        let destination = canonical(&self.settings);
        let field = self.settings.secret_field();
        let binding = Binding { tenant, field, destination: &destination };
        let secret = match self.secret {
            SecretChange::Drop => None,
            SecretChange::Set(secret) => Some(vault.seal(secret, &binding).await?),
            SecretChange::Keep => rebind(stored, vault, &binding).await?,
        };
        Ok(EmailConfig {
            settings: self.settings,
            secret,
            health: self.health,
            version: Version { config: config_version, health: 0 },
            modified_at: now,
            updated_at: now,
        })
    }
}

/// The stored secret for the destination of `binding`; the one that is stored where that has not changed.
async fn rebind(
    stored: Option<&EmailConfig>,
    vault: &Vault,
    binding: &Binding<'_>,
) -> Result<Option<Sealed>, VaultError> {
    let Some((stored, sealed)) = stored.and_then(|stored| Some((stored, stored.secret.as_ref()?))) else {
        return Ok(None);
    };
    let before = canonical(&stored.settings);
    if before == binding.destination {
        return Ok(Some(sealed.clone()));
    }
    let secret = vault.open(sealed, &Binding { destination: &before, ..*binding }).await?;
    vault.seal(&secret, binding).await.map(Some)
}
