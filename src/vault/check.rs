//! Checks before any use of the keys that each opens its canary and that no needed key is missing.

use anyhow::{Context, bail};

use super::envelope;
use super::key_service::WrapError;
use super::keys::Keys;
use super::remote::Remote;
use super::ring::Key;
use crate::clock::Clock;
use crate::secret::Sealed;
use crate::store::{Db, DbError, Write, key_canaries, sealed_rows};
use envelope::{DataKey, length_prefixed};

const CANARY_LABEL: &str = "transports key canary";
const CANARY: &[u8] = b"this text opens with the key that it was sealed with";

/// Checks that every key of the ring opens its canary, and that no row needs a key that is missing.
///
/// # Errors
/// Which key, where it was looked for, and how many rows need it: the service must not start.
pub(super) async fn check_ring(keys: &Keys, db: &Db, clock: &Clock) -> anyhow::Result<()> {
    refuse_missing_keys(keys, db).await?;
    add_canaries(keys, db, clock).await?;
    refuse_other_bytes(keys, db).await
}

async fn refuse_missing_keys(keys: &Keys, db: &Db) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for id in sealed_rows::keys_in_use(db).await? {
        if !keys.has(&id) {
            let rows = sealed_rows::count(db, &id).await?;
            missing.push(format!("key {id} needed by {}", rows_text(rows)));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "{}: {} is not there: put it back behind the first key, or restore the database that belongs to these keys; \
         where it is lost for good, docs/keys.md (\"A lost key\") has what is left",
        keys.source(),
        missing.join(", ")
    )
}

/// For keys that this database sees for the first time. Another process may come first with the same key, or
/// with the same name for another one: so the canaries are tried afterwards.
async fn add_canaries(keys: &Keys, db: &Db, clock: &Clock) -> anyhow::Result<()> {
    let known = key_canaries::all(db).await?;
    let is_new = |id: &str| known.iter().all(|canary| canary.key_id != id);
    let mut write = Write::default();
    for key in keys.ring.all().iter().filter(|key| is_new(&key.id)) {
        write = write.then(key_canaries::insert(&canary_of(key)?, clock.now()));
    }
    if !write.statements.is_empty() {
        let _ = db.write(write).await.context("storing the canaries of new keys")?;
    }
    Ok(())
}

fn canary_of(key: &Key) -> anyhow::Result<Sealed> {
    let data_key = DataKey::random()?;
    Ok(Sealed {
        key_id: key.id.clone(),
        wrapped_key: data_key.wrapped(key)?,
        payload: data_key.seal(CANARY, &length_prefixed(&[CANARY_LABEL, &key.id]))?,
    })
}

async fn refuse_other_bytes(keys: &Keys, db: &Db) -> anyhow::Result<()> {
    let Some(id) = wrong_keys(keys, db).await?.into_iter().next() else { return Ok(()) };
    let rows = sealed_rows::count(db, &id).await?;
    bail!(
        "{}: key {id} is not the key {id} that this database was used with, needed by {}: put the right bytes under this \
         name, or give the new key a name of its own",
        keys.source(),
        rows_text(rows)
    )
}

/// The keys of the ring that do not open what a key of their name has sealed in this database.
pub(super) async fn wrong_keys(keys: &Keys, db: &Db) -> Result<Vec<String>, DbError> {
    let mut wrong = Vec::new();
    for canary in key_canaries::all(db).await? {
        let associated_data = length_prefixed(&[CANARY_LABEL, &canary.key_id]);
        if keys.ring.find(&canary.key_id).is_some()
            && keys.open_bytes(&canary, &associated_data).await.is_err()
        {
            wrong.push(canary.key_id);
        }
    }
    Ok(wrong)
}

/// As [`check_ring`], without a write: keys that are new to this database are not tried.
pub(super) async fn check_known(keys: &Keys, db: &Db) -> anyhow::Result<()> {
    refuse_missing_keys(keys, db).await?;
    refuse_other_bytes(keys, db).await
}

/// Why the key service failed the check of its canaries.
#[derive(Debug, thiserror::Error)]
pub(super) enum CanaryCheckError {
    /// A later attempt may succeed.
    #[error("{0}")]
    Unavailable(String),
    /// It holds another key than the one that this database was used with.
    #[error("{0}")]
    Wrong(String),
}

impl From<WrapError> for CanaryCheckError {
    fn from(error: WrapError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<crate::store::DbError> for CanaryCheckError {
    fn from(error: crate::store::DbError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Opens the canary of the current version, and of each that a row needs. Where all open, the service may be
/// used.
pub(super) async fn try_service(remote: &Remote, db: &Db, clock: &Clock) -> Result<(), CanaryCheckError> {
    let current = add_service_canary(remote, db, clock).await?;
    let needed = sealed_rows::keys_in_use(db).await?;
    for canary in key_canaries::all(db).await? {
        let id = &canary.key_id;
        if !remote.has(id) || !(needed.contains(id) || *id == current) {
            continue;
        }
        match remote.unwrap_now(&canary).await {
            Ok(data_key) if data_key.open(&canary.payload, &length_prefixed(&[CANARY_LABEL, id])).is_ok() => {
                remote.set_registered(id);
            }
            Err(error @ WrapError::Unavailable(_)) => return Err(error.into()),
            Ok(_) | Err(WrapError::Refused(_)) => {
                let rows = rows_text(sealed_rows::count(db, id).await?);
                return Err(CanaryCheckError::Wrong(format!(
                    "encryption.vault_url: the service no longer opens what {id} has wrapped, needed by {rows}: it \
                     may be another key of this name, or its min_decryption_version was raised too early"
                )));
            }
        }
    }
    remote.set_checked();
    Ok(())
}

/// Returns the id of the current version, and adds its canary where there is none.
pub(super) async fn add_service_canary(
    remote: &Remote,
    db: &Db,
    clock: &Clock,
) -> Result<String, CanaryCheckError> {
    let no_randomness = |error: anyhow::Error| CanaryCheckError::Unavailable(format!("{error:#}"));
    let data_key = DataKey::random().map_err(no_randomness)?;
    let wrapped = remote.wrap(&data_key).await?;
    let key_id = wrapped.key_id;
    if !remote.is_registered(&key_id) {
        let payload =
            data_key.seal(CANARY, &length_prefixed(&[CANARY_LABEL, &key_id])).map_err(no_randomness)?;
        let canary = Sealed { key_id: key_id.clone(), wrapped_key: wrapped.bytes, payload };
        let _ = db.write(Write::default().then(key_canaries::insert(&canary, clock.now()))).await?;
        remote.set_registered(&key_id);
    }
    Ok(key_id)
}

/// `1 row`, `41 rows`.
pub fn rows_text(rows: i64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}
