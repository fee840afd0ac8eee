//! `transports api-keys revoke`: revokes a key permanently.

use clap::Args;
use uuid::Uuid;

use super::{failure, output, shown_owner};
use crate::cli::email_config::shown;
use crate::cli::values::IdParser;
use crate::config::Invalid;
use crate::delivery::api_keys::{ApiKeys, Author};

/// Revoke a key permanently. It is refused from the next request on.
///
/// Waiting emails that were submitted with the key are held. `transports queue retry` sends them anyway, `transports
/// queue cancel` withdraws them.
///
/// Example: transports api-keys revoke 0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a --yes
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    /// Id of the key, as `api-keys ls` shows it, or the key's beginning with its id.
    #[arg(value_parser = IdParser::ApiKey)]
    id: Uuid,

    /// Do not ask for confirmation. Required without a terminal.
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    pub fn require_answer(&self) -> Result<(), Invalid> {
        output::require_answer("api-keys revoke", self.yes)
    }
}

pub(super) async fn run(arguments: &Arguments, keys: &ApiKeys) -> anyhow::Result<()> {
    let key = keys.find(arguments.id).await.map_err(failure)?;
    let question = format!("Revoke the key {:?} of {}?", shown(&key.name), shown_owner(&key));
    if !arguments.yes && !output::confirm(&question)? {
        output::note("Nothing was changed.");
        return Ok(());
    }
    keys.revoke(&key.owner, &Author::operator(), key.id).await.map_err(failure)?;
    output::data(&format!("revoked: {}, {:?} of {}\n", key.id, shown(&key.name), shown_owner(&key)))
}
