//! `transports keys`: keys for the tenants' secrets.

use clap::Subcommand;

use super::output;

/// Make keys for the tenants' secrets.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    /// Make a new key.
    ///
    /// Prints one line, ID:BASE64, with 32 random bytes. Keep it as well as the database: without it no
    /// stored secret can be read again, and with it everybody can.
    ///
    /// Example: (umask 077; transports keys generate --id 2026-01 > keys)
    #[command(after_help = super::EXIT_CODES)]
    Generate {
        /// Name of the key, stored beside each secret that it seals.
        #[arg(long, default_value = "k1")]
        id: String,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Generate { id } => {
            let key = crate::vault::generate_key(id)?;
            output::data(&format!("{}\n", key.expose()))?;
            output::note(
                "Put the line first in the file of encryption.keys_file, or in encryption.keys. Keep older \
                 keys after it: they open what they sealed.",
            );
            Ok(())
        }
    }
}
