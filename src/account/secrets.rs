//! Opens and seals the account's secret for the mail server that it was entered for.

use super::Error;
use crate::clock::Timestamp;
use crate::email_config::{Change, EmailConfig, SecretChange, Version};
use crate::id::TenantId;
use crate::providers::{self, Outcome};
use crate::secret::{Sealed, Secret};
use crate::vault::{Binding, Vault, VaultError};

/// Opens the stored secret, where there is one.
///
/// # Errors
/// [`VaultError::Unreadable`] where the secret was sealed with another key or for another row.
pub async fn open(
    stored: &EmailConfig,
    vault: &Vault,
    tenant: &TenantId,
) -> Result<Option<Secret>, VaultError> {
    let Some(sealed) = &stored.secret else { return Ok(None) };
    let destination = stored.settings.destination();
    let binding = Binding { tenant, field: stored.settings.secret_field(), destination: &destination };
    vault.open(sealed, &binding).await.map(Some)
}

/// The outcome of a check or a sending whose secret did not open.
pub(super) fn outcome_without_secret(error: VaultError) -> Result<Outcome, Error> {
    match error {
        VaultError::Unreadable => Ok(providers::unreadable()),
        VaultError::Unavailable => Err(Error::KeysUnavailable),
    }
}

/// Seals a change and gives it a version: the configuration to store in place of `stored`.
///
/// # Errors
/// [`VaultError::Unreadable`] where the stored secret must be bound to another destination and does not open.
pub async fn seal(
    change: Change,
    stored: Option<&EmailConfig>,
    vault: &Vault,
    tenant: &TenantId,
    config_version: String,
    now: Timestamp,
) -> Result<EmailConfig, VaultError> {
    let destination = change.settings.destination();
    let field = change.settings.secret_field();
    let binding = Binding { tenant, field, destination: &destination };
    let secret = match change.secret {
        SecretChange::Drop => None,
        SecretChange::Set(secret) => Some(vault.seal(&secret, &binding).await?),
        SecretChange::Keep => rebind(stored, vault, &binding).await?,
    };
    Ok(EmailConfig {
        settings: change.settings,
        secret,
        health: change.health,
        last_check: None,
        version: Version { config: config_version, health: 0 },
        modified_at: now,
        updated_at: now,
    })
}

/// The stored secret, sealed again where its destination is written differently now.
async fn rebind(
    stored: Option<&EmailConfig>,
    vault: &Vault,
    binding: &Binding<'_>,
) -> Result<Option<Sealed>, VaultError> {
    let Some((stored, sealed)) = stored.and_then(|stored| Some((stored, stored.secret.as_ref()?))) else {
        return Ok(None);
    };
    let before = stored.settings.destination();
    if before == binding.destination {
        return Ok(Some(sealed.clone()));
    }
    let secret = vault.open(sealed, &Binding { destination: &before, ..*binding }).await?;
    vault.seal(&secret, binding).await.map(Some)
}
