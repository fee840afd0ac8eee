//! The look at the keys before the service starts: each opens its canary, and none is missing.

use anyhow::{Context, bail};

use super::{Vault, envelope, seal_with};
use crate::clock::Clock;
use crate::store::{Db, Write, email_configs, key_canaries};

const CANARY_LABEL: &str = "transports key canary";
const CANARY: &[u8] = b"this text opens with the key that it was sealed with";

/// Tries every key of the ring at its canary, and looks whether a row needs a key that is not there.
///
/// # Errors
/// Which key, where it was looked for, and how many rows need it: the service must not start.
pub async fn check_keys(vault: &Vault, db: &Db, clock: &Clock) -> anyhow::Result<()> {
    refuse_missing_keys(vault, db).await?;
    add_canaries(vault, db, clock).await?;
    refuse_other_bytes(vault, db).await
}

async fn refuse_missing_keys(vault: &Vault, db: &Db) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for id in email_configs::keys_in_use(db).await? {
        if vault.ring.find(&id).is_none() {
            let rows = email_configs::count_sealed_with(db, &id).await?;
            missing.push(format!("key {id} needed by {}", counted(rows)));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "{}: {} is not there: put it back behind the first key, or restore the database that belongs to these keys",
        vault.ring.source,
        missing.join(", ")
    )
}

/// For keys that this database sees for the first time. Another process may come first with the same key, or
/// with the same name for another one: so the canaries are tried afterwards.
async fn add_canaries(vault: &Vault, db: &Db, clock: &Clock) -> anyhow::Result<()> {
    let known = key_canaries::all(db).await?;
    let is_new = |id: &str| known.iter().all(|canary| canary.key_id != id);
    let mut write = Write::default();
    for key in vault.ring.all().iter().filter(|key| is_new(&key.id)) {
        let canary = seal_with(key, CANARY, &envelope::framed(&[CANARY_LABEL, &key.id]))?;
        write = write.then(key_canaries::insert(&canary, clock.now()));
    }
    if !write.statements.is_empty() {
        let _ = db.write(write).await.context("storing the canaries of new keys")?;
    }
    Ok(())
}

async fn refuse_other_bytes(vault: &Vault, db: &Db) -> anyhow::Result<()> {
    for canary in key_canaries::all(db).await? {
        let id = &canary.key_id;
        if vault.ring.find(id).is_none() {
            continue;
        }
        if vault.open_bytes(&canary, &envelope::framed(&[CANARY_LABEL, id])).is_err() {
            let rows = email_configs::count_sealed_with(db, id).await?;
            bail!(
                "{}: key {id} is not the key {id} that this database was used with, needed by {}: put the right \
                 bytes under this name, or give the new key a name of its own",
                vault.ring.source,
                counted(rows)
            );
        }
    }
    Ok(())
}

fn counted(rows: i64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}
