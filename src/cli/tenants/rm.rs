//! `transports tenants rm`: deletes all that is stored of a tenant.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::bail;
use clap::Args;

use super::{open, output};
use crate::clock::Clock;
use crate::config::{Config, Invalid, Problem};
use crate::id::TenantId;
use crate::store::tenants::{self, TenantRows};
use crate::store::{Db, DbError};

/// Delete everything that is stored of a tenant: its configuration, its secret and its audit.
///
/// Only a backup can restore it. The service may run. Stop issuing tokens for the tenant first: a user with a token
/// can configure it again.
///
/// Example: transports --config /etc/transports.toml tenants rm acme --yes
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    /// The tenant, exactly as its tokens name it.
    tenant: String,

    /// Do not ask for confirmation. Required without a terminal.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let Arguments { tenant, yes } = arguments;
    if !yes && !io::stdin().is_terminal() {
        Invalid::unless_empty(vec![
            Problem::new("tenants rm: there is no terminal to ask whether to go on")
                .with_hint("add --yes to delete without a question"),
        ])?;
    }
    let db = open(config).await?;
    let done = remove_from(&db, &TenantId::from_operator(tenant), *yes).await;
    db.close().await;
    done
}

async fn remove_from(db: &Db, tenant: &TenantId, yes: bool) -> anyhow::Result<()> {
    let stored = tenants::count(db, tenant).await.map_err(unavailable)?;
    if stored == (TenantRows { configuration: false, audit_rows: 0 }) {
        bail!("nothing is stored of the tenant {:?}; names are compared byte by byte", tenant.as_str());
    }
    let what = described(stored);
    if !yes && !confirmed(tenant, &what)? {
        bail!("nothing was deleted");
    }
    tenants::remove(db, tenant, Clock::System.now()).await.map_err(unavailable)?;
    output::data(&format!("deleted of the tenant {:?}: {what}\n", tenant.as_str()))
}

fn described(stored: TenantRows) -> String {
    let configuration = if stored.configuration { "its configuration" } else { "no configuration" };
    match stored.audit_rows {
        1 => format!("{configuration}, 1 entry of the audit"),
        rows => format!("{configuration}, {rows} entries of the audit"),
    }
}

fn confirmed(tenant: &TenantId, what: &str) -> anyhow::Result<bool> {
    output::note(&format!("Stored of the tenant {:?}: {what}.", tenant.as_str()));
    output::note("Delete it for good? Type yes to go on:");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn unavailable(error: DbError) -> anyhow::Error {
    anyhow::Error::from(error)
        .context("what was deleted before stays deleted; run the command again to delete the rest")
}
