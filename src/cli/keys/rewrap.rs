//! `transports keys rewrap`: wraps the data keys of all rows with the current key.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use crate::app::open_keys;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::id::TenantId;
use crate::store::Db;
use crate::vault::{Keys, Rewrap, rows_text};

/// Rounds in which rows may come back under an old key before that is an error.
const MAX_ROUNDS: usize = 5;

/// The most tenants that an error names.
const MAX_NAMED: usize = 10;

const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(config: &Config, wait: u64) -> anyhow::Result<()> {
    let clock = Clock::System;
    let (keys, db) = open_keys(config, &clock).await?;
    rewrap_all(Arc::new(keys), &db, &clock, wait).await.map(drop)
}

/// Rewraps until no row is left under another key, and none comes back within `wait` seconds. Returns the key's name.
pub(super) async fn rewrap_all(keys: Arc<Keys>, db: &Db, clock: &Clock, wait: u64) -> anyhow::Result<String> {
    let rewrap = Rewrap::begin(keys, db, clock).await?;
    let target = rewrap.target();
    let mut came_back = None;
    for _ in 0..MAX_ROUNDS {
        let left = rewrap.remaining().await?;
        let all: i64 = left.iter().map(|(_, rows)| rows).sum();
        if let Some(others) = named(&left) {
            output::note(&format!("wrapping the data keys of {} with {target}: {others}", rows_text(all)));
            let pass = rewrap.pass(progress(all)).await?;
            refuse_unreadable(&pass.unreadable)?;
            // Rows that came in between need no pause first.
            if !rewrap.remaining().await?.is_empty() {
                continue;
            }
        }
        tokio::time::sleep(Duration::from_secs(wait)).await;
        came_back = named(&rewrap.remaining().await?);
        let Some(others) = &came_back else {
            db.close().await;
            output::note(&format!("all rows are sealed with {target}"));
            return Ok(target.to_owned());
        };
        output::note(&format!(
            "new rows under an old key, from a process that has not reloaded its keys: {others}"
        ));
    }
    bail!(
        "rows keep coming back under another key ({}): a running process still seals with it. Is its \
         encryption.keys_file this file, or does it wait for a restart with other encryption.keys?",
        came_back.unwrap_or_else(|| "under load".to_owned())
    )
}

/// `41 rows of k1, 1 row of k0`; none where no row is left.
fn named(left: &[(String, i64)]) -> Option<String> {
    let left: Vec<_> = left.iter().map(|(key, rows)| format!("{} of {key}", rows_text(*rows))).collect();
    (!left.is_empty()).then(|| left.join(", "))
}

fn progress(all: i64) -> impl FnMut(i64) {
    let mut printed: Option<Instant> = None;
    move |done| {
        if printed.is_none_or(|printed| printed.elapsed() >= PROGRESS_INTERVAL) || done == all {
            printed = Some(Instant::now());
            output::note(&format!("{done} of {all}"));
        }
    }
}

fn refuse_unreadable(tenants: &[TenantId]) -> anyhow::Result<()> {
    if tenants.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = tenants.iter().take(MAX_NAMED).map(TenantId::as_str).collect();
    let more = if tenants.len() > MAX_NAMED { ", …" } else { "" };
    bail!(
        "{} cannot be rewrapped, because the key that they name does not open them: the rows were damaged or \
         edited ({}{more}). They are unchanged and still need their key; all other rows are done",
        rows_text(i64::try_from(tenants.len())?),
        names.join(", ")
    )
}
