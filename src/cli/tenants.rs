//! `transports tenants`: what an operator sees of the tenants, and does with one as a whole.

mod choice;
mod csv;
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

/// See which tenants there are and how they are, and take one off.
///
/// Works on the database itself, whether the service runs or not, and needs no key: no secret is read.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    Summary(summary::Arguments),
    Ls(ls::Arguments),
    Rm(rm::Arguments),
}

/// How data is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One document.
    Json,
    /// RFC 4180, with a line of names; a text that a spreadsheet would run as a formula begins with '.
    Csv,
}

pub(super) async fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Summary(arguments) => summary::run(arguments, config).await,
        Command::Ls(arguments) => ls::run(arguments, config).await,
        Command::Rm(arguments) => rm::run(arguments, config).await,
    }
}

/// The database of the settings, which has to be there.
async fn open(config: &Config) -> anyhow::Result<Db> {
    let tls = egress::tls::client_config(&config.tls)?;
    crate::app::database_is_there(config)?;
    Db::open(&config.database, &tls).await.context("opening the database")
}

/// What stands behind the options in the help.
fn examples(commands: &[&str]) -> String {
    format!("Examples:\n  {}\n\n{}", commands.join("\n  "), super::EXIT_CODES)
}
