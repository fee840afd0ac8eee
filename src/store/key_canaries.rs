//! The table of canaries: a known text for each key of the ring, sealed with it.

use super::{Db, DbError, Statement, sql};
use crate::clock::Timestamp;
use crate::secret::Sealed;

statements! {
    ALL_CANARIES = "select key_id, wrapped_key, payload from key_canaries order by key_id";
    /// Where another process has come first, its canary stands.
    INSERT = "insert into key_canaries (key_id, wrapped_key, payload, created_at)
        values ($1, $2, $3, $4) on conflict (key_id) do nothing";
    /// The operator's, of all tenants. The tables with sealed rows refer to this one, so that a row which is being
    /// sealed with the key at this moment is not missed.
    REMOVE_UNUSED = "delete from key_canaries where key_id = $1
        and not exists (select 1 from email_configs where secret_key_id = $1)
        and not exists (select 1 from content_keys where key_id = $1)";
}

/// The canaries of all keys that this database was ever used with.
pub async fn all(db: &Db) -> Result<Vec<Sealed>, DbError> {
    let rows = db.all(sql(ALL_CANARIES)).await?;
    let canary = |row: super::Row| {
        let mut columns = row.columns();
        Ok(Sealed { key_id: columns.text()?, wrapped_key: columns.bytes()?, payload: columns.bytes()? })
    };
    rows.into_iter().map(canary).collect()
}

/// Adds a key's canary; touches no row where the key has one.
pub fn insert(canary: &Sealed, now: Timestamp) -> Statement {
    sql(INSERT)
        .bind(canary.key_id.as_str())
        .bind(canary.wrapped_key.as_slice())
        .bind(canary.payload.as_slice())
        .bind(now.0)
}

/// Removes a key's canary; undoes the write where there is none, or where a row is sealed with the key.
pub fn remove_unused(key_id: &str) -> Statement {
    sql(REMOVE_UNUSED).bind(key_id).require_affected()
}
