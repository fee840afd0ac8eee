//! `transports tenants`: lists and counts the tenants for an operator, and deletes one.

mod csv;
mod filter;
mod json;
mod ls;
mod rm;
mod summary;
mod table;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};

use super::output;
use crate::config::Config;
use crate::egress;
use crate::store::Db;

/// List and count the tenants, or delete one.
///
/// Works on the database, whether the service runs or not. Needs no key, since it reads no secret.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    Summary(summary::Arguments),
    Ls(ls::Arguments),
    Rm(rm::Arguments),
}

/// Output format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Format {
    /// A table.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// RFC 4180 with a header line; a cell that a spreadsheet would run as a formula begins with '.
    Csv,
}

pub(super) async fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Summary(arguments) => summary::run(arguments, config).await,
        Command::Ls(arguments) => ls::run(arguments, config).await,
        Command::Rm(arguments) => rm::run(arguments, config).await,
    }
}

/// Opens the configured database, which must exist.
pub(super) async fn open(config: &Config) -> anyhow::Result<Db> {
    let tls = egress::tls::client_config(&config.tls)?;
    crate::app::require_database_file(config)?;
    Db::open(&config.database, &tls).await.context("opening the database")
}

/// The end of the help.
fn examples(commands: &[&str]) -> String {
    format!("Examples:\n  {}\n\n{}", commands.join("\n  "), super::EXIT_CODES)
}
