//! `transports erase`: erases the emails to an address.

use anyhow::bail;
use clap::Args;

use super::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::id::TenantId;
use crate::store::erasure::{self, Addressed, Erasure};
use crate::store::{Db, DbError};

/// Emails that are read at once.
const BATCH: i64 = 500;

/// Erase all emails to an address: content, subject, metadata, addresses and server replies.
///
/// Waiting emails are withdrawn, also for their other recipients. Ids, times and states stay until their retention
/// ends. Works on the database, whether the service runs or not. Erased data can only be restored from a backup.
///
/// Example: transports --config /etc/transports/transports.toml erase --address bob@example.net --dry-run
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// Address of the recipient; case does not matter.
    #[arg(long)]
    address: String,

    /// Only emails of this tenant, exactly as in its tokens.
    #[arg(long, value_parser = TenantId::from_argument)]
    tenant: Option<TenantId>,

    /// Only count; erase nothing.
    #[arg(long)]
    dry_run: bool,

    /// Do not ask for confirmation. Required without a terminal.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    if !arguments.dry_run {
        output::require_answer("erase", arguments.yes)?;
    }
    let db = super::tenants::open(config).await?;
    let done = erase_from(&db, arguments).await;
    db.close().await;
    done
}

async fn erase_from(db: &Db, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { address, tenant, dry_run, yes } = arguments;
    let found = erasure::count(db, address, tenant.as_ref()).await?;
    if *dry_run {
        return output::data(&format!("found: {}\n", described(found)));
    }
    if found.emails == 0 {
        bail!("no email has the recipient {address:?}");
    }
    output::note(&format!("With the recipient {address:?}: {}.", described(found)));
    if !yes && !output::confirm("Erase them permanently?")? {
        bail!("nothing was erased");
    }
    let (mut last, mut erased) = (None, 0);
    loop {
        let batch =
            erasure::next(db, address, tenant.as_ref(), last.as_ref(), BATCH).await.map_err(unavailable)?;
        let Some(end) = batch.last() else { break };
        last = Some(end.clone());
        for (tenant, id) in &batch {
            match erasure::erase(db, tenant, *id, None, Clock::System.now()).await.map_err(unavailable)? {
                Erasure::Erased => erased += 1,
                Erasure::NotFound => {}
                Erasure::Contended => bail!("the email {id} keeps changing: run the command again"),
            }
        }
    }
    output::data(&format!("erased: {}\n", emails(erased)))
}

fn described(found: Addressed) -> String {
    let tenants =
        if found.tenants == 1 { "1 tenant".to_owned() } else { format!("{} tenants", found.tenants) };
    let waiting = match found.waiting {
        0 => "none of them waits".to_owned(),
        1 => "1 of them waits".to_owned(),
        waiting => format!("{waiting} of them wait"),
    };
    format!("{} of {tenants}; {waiting} to be sent", emails(found.emails))
}

fn emails(count: i64) -> String {
    if count == 1 { "1 email".to_owned() } else { format!("{count} emails") }
}

fn unavailable(error: DbError) -> anyhow::Error {
    anyhow::Error::from(error).context("emails erased so far stay erased; run the command again for the rest")
}
