//! What a PATCH or a PUT makes of a stored configuration, before it is sealed and written.

use super::{EmailConfig, Health, Settings, Version, canonical};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::vault::{Binding, Sealed, Vault};

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
    /// Where the stored secret must be bound anew and cannot be read, or the system gives no randomness.
    pub fn seal(
        self,
        stored: Option<&EmailConfig>,
        vault: &Vault,
        tenant: &TenantId,
        config_version: String,
        now: Timestamp,
    ) -> anyhow::Result<EmailConfig> {
        let destination = canonical(&self.settings);
        let field = self.settings.secret_field();
        let binding = |destination| Binding { tenant, field, destination };
        let secret = match self.secret {
            SecretChange::Drop => None,
            SecretChange::Set(secret) => Some(vault.seal(secret, &binding(&destination))?),
            SecretChange::Keep => rebind(stored, vault, &binding, &destination)?,
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

fn rebind<'b>(
    stored: Option<&'b EmailConfig>,
    vault: &Vault,
    binding: &dyn Fn(&'b str) -> Binding<'b>,
    destination: &'b str,
) -> anyhow::Result<Option<Sealed>> {
    let Some((stored, sealed)) = stored.and_then(|stored| Some((stored, stored.secret.as_ref()?))) else {
        return Ok(None);
    };
    let before = canonical(&stored.settings);
    if before == destination {
        return Ok(Some(sealed.clone()));
    }
    let secret = vault.open(sealed, &Binding { destination: &before, ..binding(destination) })?;
    Ok(Some(vault.seal(&secret, &binding(destination))?))
}
