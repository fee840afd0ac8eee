//! `transports keys`: creates, rotates and removes the keys that seal the tenants' secrets.

mod remove;
mod rewrap;
mod rotate;
mod status;

use clap::Subcommand;

use super::output;
use super::values::whole_number;
use crate::config::Config;
use crate::vault::rows_text;

/// Create the keys that seal the tenants' secrets, and rotate them while the service runs.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    /// Generate a key.
    ///
    /// Prints one line, ID:BASE64, with 32 random bytes. Back it up and protect it: without it no stored secret can be
    /// opened, and with it anyone who has the database can open all of them.
    ///
    /// Example: (umask 077; transports keys generate --id 2026-01 > keys)
    #[command(after_help = super::EXIT_CODES)]
    Generate {
        /// Name of the key, stored with each secret that it seals.
        #[arg(long, default_value = "k1")]
        id: String,
    },

    /// Show the keys, and how many rows each has sealed.
    ///
    /// Exits with 1 if rows need a missing key, if a key does not open what a key of its name has sealed, or if the key
    /// service does not answer.
    ///
    /// Example: transports keys status --json
    #[command(after_help = super::EXIT_CODES)]
    Status {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },

    /// Rotate to a new key while the service runs.
    ///
    /// With `encryption.keys_file`: generates a key, puts it first in the file, and wraps the data keys of all rows
    /// with it. Running processes notice the change of the file. Secrets are not decrypted.
    /// With a key service: requests a new version of its key. With `encryption.keys`: prints instructions, since it
    /// cannot change the settings of other processes.
    ///
    /// If it was interrupted, run it again. While rows are sealed with other keys than the first, it finishes that and
    /// generates no key. With the `--id` of a key in the file it puts that key first.
    ///
    /// Prints the name of the key that seals all rows afterwards. The old key stays in the file:
    /// see `transports keys remove`.
    ///
    /// Example: transports --config /etc/transports/transports.toml keys rotate
    #[command(after_help = super::EXIT_CODES)]
    Rotate {
        /// Name of the new key; today's date by default.
        #[arg(long, value_name = "NEW")]
        id: Option<String>,
        #[command(flatten)]
        watching: WaitArguments,
    },

    /// Wrap the data keys of all rows with the current key.
    ///
    /// This is the last step of rotate. Use it with `encryption.keys`, after a change between keys and a key service,
    /// and after an interrupted rotation. It can be stopped at any time and continues when it is run again.
    ///
    /// Example: transports keys rewrap
    #[command(after_help = super::EXIT_CODES)]
    Rewrap {
        #[command(flatten)]
        watching: WaitArguments,
    },

    /// Remove a key that no row needs.
    ///
    /// Removes it from `encryption.keys_file`, and its canary from the database. Refused for the first key, and while
    /// rows are sealed with it.
    ///
    /// Example: transports keys remove k1
    #[command(after_help = super::EXIT_CODES)]
    Remove {
        /// Name of the key.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct WaitArguments {
    /// How long to watch afterwards for rows that another process still seals with an old key.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = whole_number::<u64>(0..=3600))]
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
        "Put the line into a file that only the service can read, and name the file in encryption.keys_file. Back it up \
         separately from the database: without the key no stored secret can be opened. A key that is in use already is \
         replaced by `transports keys rotate`.",
    );
    Ok(())
}

/// `1 row needs`, `41 rows need`.
fn rows_need(rows: i64) -> String {
    format!("{} {}", rows_text(rows), if rows == 1 { "needs" } else { "need" })
}
