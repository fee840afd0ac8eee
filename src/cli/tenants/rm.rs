//! `transports tenants rm`: deletes all that is stored of a tenant.

use anyhow::bail;
use clap::Args;

use super::{open, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::id::TenantId;
use crate::store::tenants::{self, TenantRows};
use crate::store::{Db, DbError};

/// Delete everything that is stored of a tenant: its configuration, its secret, its API keys, its emails and
/// its audit.
///
/// Waiting emails are not sent. Deleted data can only be restored from a backup. The service may be running. Stop
/// issuing tokens for the tenant first: a user with a token can configure it again.
///
/// Example: transports --config /etc/transports/transports.toml tenants rm acme --yes
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    /// Tenant, exactly as in its tokens.
    #[arg(value_parser = TenantId::from_argument)]
    tenant: TenantId,

    /// Do not ask for confirmation. Required without a terminal.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let Arguments { tenant, yes } = arguments;
    output::require_answer("tenants rm", *yes)?;
    let db = open(config).await?;
    let done = remove_from(&db, tenant, *yes).await;
    db.close().await;
    done
}

async fn remove_from(db: &Db, tenant: &TenantId, yes: bool) -> anyhow::Result<()> {
    let stored = tenants::count(db, tenant).await.map_err(unavailable)?;
    if stored.is_empty() {
        bail!("nothing is stored of the tenant {:?}; names are compared byte by byte", tenant.as_str());
    }
    let what = described(stored);
    output::note(&format!("Stored of the tenant {:?}: {what}.", tenant.as_str()));
    if !yes && !output::confirm("Delete it permanently?")? {
        bail!("nothing was deleted");
    }
    tenants::remove(db, tenant, Clock::System.now()).await.map_err(unavailable)?;
    output::data(&format!("deleted of the tenant {:?}: {what}\n", tenant.as_str()))
}

fn described(stored: TenantRows) -> String {
    let mut parts =
        vec![if stored.configuration { "its configuration" } else { "no configuration" }.to_owned()];
    if stored.delivery_account {
        parts.push("the state of its account".to_owned());
    }
    match (stored.emails, stored.waiting) {
        (0, _) => {}
        (emails, 0) => parts.push(counted(emails, "email", "emails")),
        (emails, waiting) => {
            let wait = if waiting == 1 { "waits" } else { "wait" };
            parts.push(format!(
                "{} ({waiting} of them {wait} to be sent)",
                counted(emails, "email", "emails")
            ));
        }
    }
    parts.extend((stored.api_keys > 0).then(|| counted(stored.api_keys, "API key", "API keys")));
    for (count, one, many) in
        [(stored.events, "event", "events"), (stored.content_keys, "key of its emails", "keys of its emails")]
    {
        parts.extend((count > 0).then(|| counted(count, one, many)));
    }
    parts.push(counted(stored.audit_rows, "entry of the audit", "entries of the audit"));
    parts.join(", ")
}

fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn unavailable(error: DbError) -> anyhow::Error {
    anyhow::Error::from(error)
        .context("data deleted so far stays deleted; run the command again for the rest")
}
