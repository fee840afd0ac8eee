//! `transports keys rotate`: changes to a new key while the service runs.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;

use super::rewrap;
use crate::app::open_keys;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::{Config, Invalid, Problem};
use crate::store::{Db, key_canaries, sealed_rows};
use crate::vault::key_file::{self, LockedKeyFile};
use crate::vault::{Keys, check_keys, generate_key, rows_text};

/// How the key becomes the first.
#[derive(PartialEq, Eq, Debug)]
enum Plan {
    /// It is the first already, from an interrupted rotation.
    Finish,
    /// It is in the file, after others.
    MakeFirst(String),
    New(String),
}

pub(super) async fn run(config: &Config, id: Option<&str>, wait: u64) -> anyhow::Result<()> {
    let clock = Clock::System;
    // Locked before the keys are read, so that no other process changes them in between.
    let locked = config.encryption.keys_file.as_deref().map(LockedKeyFile::open).transpose()?;
    let (keys, db) = open_keys(config, &clock).await?;
    check_keys(&keys, &db, &clock).await?;
    let keys = if let Some(service) = keys.service_name() {
        drop(locked);
        if id.is_some() {
            let text = format!("--id: {service} names its versions itself");
            return Err(Invalid::from(Problem::new(text).with_hint("leave it out")).into());
        }
        rotate_service(&keys, &db).await?;
        keys
    } else {
        let plan = plan(&keys, &db, id, &clock).await?;
        match (&config.encryption.keys_file, locked) {
            (Some(path), Some(locked)) => apply_plan(&plan, keys, path, locked)?,
            _ if plan == Plan::Finish => keys,
            _ => bail!("{BY_HAND}"),
        }
    };
    let first = rewrap::rewrap_all(Arc::new(keys), &db, &clock, wait).await?;
    output::data(&format!("{first}\n"))
}

const BY_HAND: &str = "\
encryption.keys stands in the settings of every process, which this command cannot change. To change to a new key:
  1. transports keys generate --id NEW; put the line at the end of encryption.keys everywhere, and restart all
     processes one after the other: now each of them can open what the new key seals.
  2. Put it first in encryption.keys everywhere, and restart all again.
  3. transports keys rewrap, with the same encryption.keys.
  4. Take the old key out of encryption.keys everywhere, restart all, and run: transports keys remove OLD
With encryption.keys_file in its place, this command does all of it without a restart";

async fn plan(keys: &Keys, db: &Db, id: Option<&str>, clock: &Clock) -> anyhow::Result<Plan> {
    let ids = keys.ids();
    let Some(first) = ids.first() else { bail!("encryption.keys: holds no key") };
    let used: Vec<String> = key_canaries::all(db).await?.into_iter().map(|canary| canary.key_id).collect();
    match id {
        Some(id) if id == *first => Ok(Plan::Finish),
        Some(id) if ids.contains(&id) => Ok(Plan::MakeFirst(id.to_owned())),
        Some(id) if used.iter().any(|used| used == id) => bail!(
            "this database has been used with another key {id}: choose another name, or remove that key with \
             `transports keys remove {id}`"
        ),
        Some(id) => Ok(Plan::New(id.to_owned())),
        None => {
            let others = rows_on_others(db, first).await?;
            if others > 0 {
                output::note(&format!(
                    "finishing an earlier rotation, since {} not sealed with {first} yet; run this again for a new \
                     key",
                    if others == 1 { "1 row is".to_owned() } else { format!("{others} rows are") }
                ));
                return Ok(Plan::Finish);
            }
            let date: String = clock.now().to_iso().chars().take(10).collect();
            let is_free = |name: &String| !ids.contains(&name.as_str()) && !used.contains(name);
            let names = std::iter::once(date.clone()).chain((2..).map(|n| format!("{date}.{n}")));
            Ok(Plan::New(names.into_iter().find(is_free).unwrap_or(date)))
        }
    }
}

async fn rows_on_others(db: &Db, first: &str) -> anyhow::Result<i64> {
    let mut rows = 0;
    for key in sealed_rows::keys_in_use(db).await?.iter().filter(|key| *key != first) {
        rows += sealed_rows::count(db, key).await?;
    }
    Ok(rows)
}

/// Changes the file and reloads the keys.
fn apply_plan(plan: &Plan, keys: Keys, path: &Path, locked: LockedKeyFile) -> anyhow::Result<Keys> {
    let text = match plan {
        Plan::Finish => return Ok(keys),
        Plan::MakeFirst(id) => key_file::move_first(locked.text(), id),
        Plan::New(id) => key_file::prepend(locked.text(), generate_key(id)?.expose()),
    };
    locked.replace(&text)?;
    let keys = keys.reload_ring(path)?;
    let (first, file) = (keys.ids().first().map(ToString::to_string).unwrap_or_default(), path.display());
    output::note(&format!("{first} is the first key in {file} now; keep a copy of it and of the others"));
    Ok(keys)
}

async fn rotate_service(keys: &Keys, db: &Db) -> anyhow::Result<()> {
    let current = keys.first().await?;
    let others = rows_on_others(db, &current).await?;
    if others > 0 {
        output::note(&format!(
            "finishing an earlier rotation: {} to be wrapped with {current}; run this again for a new version",
            rows_text(others)
        ));
        return Ok(());
    }
    keys.rotate_service().await?;
    output::note(&format!("the key service has made a new version: {}", keys.first().await?));
    Ok(())
}
