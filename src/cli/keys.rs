//! `transports keys`: keys for the tenants' secrets.

mod remove;
mod rewrap;
mod rotate;
mod status;

use clap::Subcommand;

use super::output;
use crate::config::Config;
use crate::vault::counted;

/// Make keys for the tenants' secrets, and change them while the service runs.
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

    /// Show the keys, and how many rows each has sealed.
    ///
    /// Ends with 1 where rows need a key that is not there, or where the key service does not answer.
    ///
    /// Example: transports keys status --json
    #[command(after_help = super::EXIT_CODES)]
    Status {
        /// As JSON, for scripts.
        #[arg(long)]
        json: bool,
    },

    /// Change to a new key while the service runs.
    ///
    /// With `encryption.keys_file`: makes a key, puts it first in the file, and wraps the data keys of all rows
    /// with it. Running processes read the file by themselves; secrets are not touched, and nobody notices.
    /// With a key service: has it make a new version. With `encryption.keys`: says what to do, since it cannot
    /// change the settings of other processes.
    ///
    /// Interrupted, run it again. While rows are sealed with other keys than the first, it finishes that and
    /// makes no key; with the `--id` of a key in the file it makes that one first.
    ///
    /// Prints the name of the key that all rows are sealed with then. The old key stays in the file:
    /// see `transports keys remove`.
    ///
    /// Example: transports --config /etc/transports.toml keys rotate
    #[command(after_help = super::EXIT_CODES)]
    Rotate {
        /// Name of the new key; today's date by default.
        #[arg(long, value_name = "NEW")]
        id: Option<String>,
        #[command(flatten)]
        watching: Watching,
    },

    /// Wrap the data keys of all rows with the key that seals now.
    ///
    /// What rotate does last: for keys in `encryption.keys`, for a change between keys and a key service, and for
    /// a rotation that was interrupted. It can be stopped at any time, and goes on when it is run again.
    ///
    /// Example: transports keys rewrap
    #[command(after_help = super::EXIT_CODES)]
    Rewrap {
        #[command(flatten)]
        watching: Watching,
    },

    /// Remove a key that no row needs any more.
    ///
    /// Takes it out of `encryption.keys_file`, and its canary out of the database. Refused for the first key, and
    /// while rows are sealed with it.
    ///
    /// Example: transports keys remove k1
    #[command(after_help = super::EXIT_CODES)]
    Remove {
        /// Name of the key.
        id: String,
    },
}

/// How a rewrapping makes sure that it is over.
#[derive(Debug, clap::Args)]
pub struct Watching {
    /// How long to look afterwards for rows that come back under an old key, from a process that was late.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=3600))]
    wait: u64,
}

pub(super) async fn run(
    command: &Command,
    config: impl FnOnce() -> anyhow::Result<Config>,
) -> anyhow::Result<()> {
    match command {
        Command::Generate { id } => generate(id),
        Command::Status { json } => status::run(&config()?, *json).await,
        Command::Rotate { id, watching } => rotate::run(&config()?, id.as_deref(), watching.wait).await,
        Command::Rewrap { watching } => rewrap::run(&config()?, watching.wait).await,
        Command::Remove { id } => remove::run(&config()?, id).await,
    }
}

fn generate(id: &str) -> anyhow::Result<()> {
    let key = crate::vault::generate_key(id)?;
    output::data(&format!("{}\n", key.expose()))?;
    output::note(
        "Put the line first in the file of encryption.keys_file, or in encryption.keys. Keep older keys after it: \
         they open what they sealed. `transports keys rotate` does all of it while the service runs.",
    );
    Ok(())
}

/// `1 row needs`, `41 rows need`.
fn rows_need(rows: i64) -> String {
    format!("{} {}", counted(rows), if rows == 1 { "needs" } else { "need" })
}
