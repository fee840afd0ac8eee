//! `transports dev`: everything in one process, to try it.

use std::path::PathBuf;

use clap::Args;

use crate::config::Config;

/// Try the service on this machine, with nothing to configure.
///
/// Starts the service on loopback with SQLite and a key under a data folder, an inbox that catches every
/// mail that it sends, and the console. Prints the address of each, a token of a tenant admin, and curl
/// lines to try. Never for production: loopback and all ports are opened as destinations.
///
/// Example: transports dev --port 9000
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// Folder for the database and the key; made where it is missing.
    #[arg(long, value_name = "FOLDER", default_value = "./transports-dev")]
    pub data_dir: PathBuf,

    /// Port of the API and the console on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
}

pub async fn run(_arguments: Arguments, _config: Config) -> anyhow::Result<()> {
    anyhow::bail!("the development server is not part of this build")
}
