//! `transports queue`: shows the waiting emails of all tenants, and retries, withdraws or holds them.

mod change;
mod drain;
mod hold;
mod ls;
mod options;
mod show;
mod summary;

use clap::Subcommand;

use super::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::operator::Operator;
use crate::store::Db;

pub(super) use hold::{TenantArguments, pause_tenant, resume_tenant};
pub(super) use ls::columns;
pub(super) use options::parse_age;

/// Show waiting emails, and retry, withdraw or hold them.
///
/// Works on the database, whether the service runs or not; a running service notices changes within a second. Needs
/// no key: subjects and content are not read, and only the domains of addresses are shown. Each change is recorded
/// in the tenant's audit, with `operator` as its user.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    Summary(summary::Arguments),
    Ls(ls::Arguments),
    Show(show::Arguments),
    Retry(change::RetryArguments),
    Cancel(change::CancelArguments),
    Purge(change::PurgeArguments),
    Hold(hold::HoldArguments),
    Release(hold::ReleaseArguments),
    Drain(drain::Arguments),
}

pub(super) async fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    if let Command::Retry(arguments) = command {
        arguments.check()?;
    }
    if let Some((name, yes)) = command.confirmation() {
        output::require_answer(name, yes)?;
    }
    let db = super::tenants::open(config).await?;
    let done = run_on(command, &operator(&db, config)).await;
    db.close().await;
    done
}

async fn run_on(command: &Command, operator: &Operator) -> anyhow::Result<()> {
    match command {
        Command::Summary(arguments) => summary::run(arguments, operator).await,
        Command::Ls(arguments) => ls::run(arguments, operator).await,
        Command::Show(arguments) => show::run(arguments, operator).await,
        Command::Retry(arguments) => arguments.run(operator).await,
        Command::Cancel(arguments) => arguments.run(operator).await,
        Command::Purge(arguments) => arguments.run(operator).await,
        Command::Hold(arguments) => hold::hold(arguments, operator).await,
        Command::Release(arguments) => hold::release(arguments, operator).await,
        Command::Drain(arguments) => drain::run(arguments, operator).await,
    }
}

impl Command {
    /// The name of a command that asks before it changes something, and whether the answer was given.
    fn confirmation(&self) -> Option<(&'static str, bool)> {
        let (name, confirm) = match self {
            Self::Retry(arguments) => ("queue retry", &arguments.confirm),
            Self::Cancel(arguments) => ("queue cancel", &arguments.confirm),
            Self::Purge(arguments) => ("queue purge", &arguments.confirm),
            Self::Hold(arguments) => ("queue hold", &arguments.confirm),
            Self::Release(arguments) => ("queue release", &arguments.confirm),
            Self::Summary(_) | Self::Ls(_) | Self::Show(_) | Self::Drain(_) => return None,
        };
        (!confirm.dry_run).then_some((name, confirm.yes))
    }
}

pub(super) fn operator(db: &Db, config: &Config) -> Operator {
    Operator::new(db, Clock::System, &config.delivery)
}

/// A number with its noun.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
