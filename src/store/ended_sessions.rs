//! Sessions of the console that were ended before their time: every replica refuses their cookies.

use super::{Db, DbError, Write, sql};
use crate::clock::Timestamp;

statements! {
    IS_ENDED = "select expires_at from ended_sessions where id_hash = $1";
    /// Signing out twice at the same time ends a session once.
    INSERT = "insert into ended_sessions (id_hash, expires_at) values ($1, $2) on conflict (id_hash) do nothing";
    REMOVE_EXPIRED = "delete from ended_sessions where id_hash in (
            select id_hash from ended_sessions where expires_at <= $1 order by expires_at limit $2
        )";
}

/// Whether this session was ended.
pub async fn is_ended(db: &Db, id_hash: &[u8; 32]) -> Result<bool, DbError> {
    Ok(db.optional(sql(IS_ENDED).bind(&id_hash[..])).await?.is_some())
}

/// Ends a session before it expires at `expires_at`.
pub fn insert(id_hash: &[u8; 32], expires_at: Timestamp) -> Write {
    Write::default().then(sql(INSERT).bind(&id_hash[..]).bind(expires_at.0))
}

/// Removes at most `most` of the sessions that have expired. Touches nothing where there are none.
pub fn remove_expired(now: Timestamp, most: i64) -> Write {
    Write::default().then(sql(REMOVE_EXPIRED).bind(now.0).bind(most).require_affected())
}
