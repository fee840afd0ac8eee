//! `transports tenants`: lists and counts the tenants for an operator, deletes one, and stops or starts its sending.

mod csv;
mod filter;
mod json;
mod ls;
mod rm;
mod summary;
mod table;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};

use super::{output, queue};
use crate::config::Config;
use crate::egress;
use crate::store::Db;

pub(super) use filter::parse_code;

/// List and count tenants; delete one, or pause and resume its sending.
///
/// Works on the database, whether the service runs or not. Needs no key: secrets are not read.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    Summary(summary::Arguments),
    Ls(ls::Arguments),
    Rm(rm::Arguments),
    /// Pause sending with a tenant's account, until `tenants resume`.
    ///
    /// Emails are still accepted, and held. An attempt in progress is completed. The API tells the tenant that the
    /// operator has paused the account; its administrators cannot resume it.
    ///
    /// Example: transports tenants pause acme --yes
    #[command(after_help = super::EXIT_CODES)]
    Pause(queue::TenantArguments),
    /// Resume a tenant's account that the operator has paused or a failure has stopped.
    ///
    /// If an administrator of the tenant has also paused it, it stays paused. Held emails are queued again.
    ///
    /// Example: transports tenants resume acme --yes
    #[command(after_help = super::EXIT_CODES)]
    Resume(queue::TenantArguments),
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
        Command::Pause(arguments) | Command::Resume(arguments) => {
            let is_pause = matches!(command, Command::Pause(_));
            if let Some(yes) = arguments.asks() {
                output::require_answer(if is_pause { "tenants pause" } else { "tenants resume" }, yes)?;
            }
            let db = open(config).await?;
            let operator = queue::operator(&db, config);
            let done = if is_pause {
                queue::pause_tenant(arguments, &operator).await
            } else {
                queue::resume_tenant(arguments, &operator).await
            };
            db.close().await;
            done
        }
    }
}

/// Opens the configured database, which must exist.
pub(super) async fn open(config: &Config) -> anyhow::Result<Db> {
    let tls = egress::tls::client_config(&config.tls)?;
    crate::app::require_database_file(config)?;
    Db::open_served(&config.database, &tls).await.context("opening the database")
}

/// The end of the help.
fn examples(commands: &[&str]) -> String {
    format!("Examples:\n  {}\n\n{}", commands.join("\n  "), super::EXIT_CODES)
}
