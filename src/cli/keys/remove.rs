//! `transports keys remove`: removes a key that no row needs.

use anyhow::bail;

use super::rows_need;
use crate::app::open_keys;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Db, Write, WriteOutcome, key_canaries, sealed_rows};
use crate::vault::key_file::{self, LockedKeyFile};

pub(super) async fn run(config: &Config, id: &str) -> anyhow::Result<()> {
    let locked = config.encryption.keys_file.as_deref().map(LockedKeyFile::open).transpose()?;
    let (keys, db) = open_keys(config, &Clock::System).await?;
    let is_in_ring = keys.ids().contains(&id);
    let is_first = keys.ids().first() == Some(&id) && keys.service_name().is_none();
    if is_first || (!is_in_ring && keys.has(id) && keys.first().await? == id) {
        bail!("{id} is the current key: change to another one first with `transports keys rotate`");
    }
    if is_in_ring && locked.is_none() {
        refuse_needed(&db, id).await?;
        bail!(
            "no row needs {id}, but it is in encryption.keys, which this command cannot change: remove it \
             everywhere, restart all processes, and run this again to remove its canary"
        );
    }
    if is_in_ring && keys.ids().len() == 1 {
        refuse_needed(&db, id).await?;
        bail!("{id} is the last key in the file: leave encryption.keys_file out of the settings instead");
    }
    let was_known = remove_canary(&db, id).await?;
    match locked {
        Some(locked) if is_in_ring => {
            let text = key_file::remove(locked.text(), id);
            locked.replace(&text)?;
            // A process that read the file in between has written the canary again.
            remove_canary(&db, id).await?;
            output::note(&format!(
                "{id} was removed; keep a copy where backups of the database from before are still needed"
            ));
        }
        _ if was_known => {
            output::note(&format!(
                "the canary of {id} was removed: the key was not in the ring, and no row needs it"
            ));
        }
        _ => bail!("there is no key {id}: `transports keys status` lists the keys"),
    }
    db.close().await;
    Ok(())
}

/// Removes the canary, in the same statement that checks that no row needs the key. False where there was none.
async fn remove_canary(db: &Db, id: &str) -> anyhow::Result<bool> {
    let outcome = db.write(Write::default().then(key_canaries::remove_unused(id))).await?;
    if outcome == WriteOutcome::NoRowsAffected {
        refuse_needed(db, id).await?;
        if key_canaries::all(db).await?.iter().any(|canary| canary.key_id == id) {
            bail!("{id} was used to seal a secret at this moment: run this again");
        }
    }
    Ok(outcome == WriteOutcome::Committed)
}

async fn refuse_needed(db: &Db, id: &str) -> anyhow::Result<()> {
    let rows = sealed_rows::count(db, id).await?;
    if rows > 0 {
        bail!("{} {id}: run `transports keys rewrap` first", rows_need(rows));
    }
    Ok(())
}
