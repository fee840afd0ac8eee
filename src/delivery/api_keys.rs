//! API keys: who presents one, and what administrators and the operator do with them. Works on the database alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::auth::api_key::PresentedKey;
use crate::clock::{Clock, Timestamp};
use crate::store::api_keys::{self, ApiKey};
use crate::store::{Db, DbError, Write};

const MILLISECONDS_PER_MINUTE: i64 = 60_000;

/// The API keys of all tenants and of the platform.
pub struct ApiKeys {
    db: Db,
    clock: Clock,
    /// The keys whose last use is being written.
    being_written: Arc<Mutex<HashSet<Uuid>>>,
}

/// Why a presented key is not accepted. Only who has the whole key hears that it was revoked or has expired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyRefusal {
    /// It is no key, was never made, or was removed long after it was revoked.
    Unknown,
    Revoked,
    Expired,
}

#[derive(Debug)]
pub enum KeyError {
    Refused(KeyRefusal),
    /// Whether the key is accepted cannot be told.
    Database(DbError),
}

impl From<DbError> for KeyError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl ApiKeys {
    pub fn new(db: &Db, clock: Clock) -> Self {
        Self { db: db.clone(), clock, being_written: Arc::default() }
    }

    /// The key that a caller presents. The database is asked each time: a key that was revoked through another replica is
    /// refused at once.
    pub async fn authenticate(&self, presented: &str) -> Result<ApiKey, KeyError> {
        let unknown = KeyError::Refused(KeyRefusal::Unknown);
        let Some(presented) = PresentedKey::parse(presented) else { return Err(unknown) };
        let Some((key, hash)) = api_keys::find(&self.db, presented.id).await? else { return Err(unknown) };
        if !presented.has_hash(&hash) {
            return Err(unknown);
        }
        let now = self.clock.now();
        if let Some(refusal) = refusal(&key, now) {
            return Err(KeyError::Refused(refusal));
        }
        self.record_use(&key, now);
        Ok(key)
    }

    /// Writes the minute in which the key was used, once, and while the request goes on.
    fn record_use(&self, key: &ApiKey, now: Timestamp) {
        let minute = Timestamp(now.0 - now.0.rem_euclid(MILLISECONDS_PER_MINUTE));
        if key.last_used_at.is_some_and(|at| at >= minute) || !lock(&self.being_written).insert(key.id) {
            return;
        }
        let (db, being_written) = (self.db.clone(), Arc::clone(&self.being_written));
        let (owner, id) = (key.owner.clone(), key.id);
        tokio::spawn(async move {
            let use_of_key = Write::default().then(api_keys::set_last_used(&owner, id, minute));
            if let Err(error) = db.write(use_of_key).await {
                tracing::warn!(%error, "the last use of an API key could not be written");
            }
            lock(&being_written).remove(&id);
        });
    }
}

fn refusal(key: &ApiKey, now: Timestamp) -> Option<KeyRefusal> {
    if key.is_usable(now) {
        return None;
    }
    Some(if key.revoked_at.is_some() { KeyRefusal::Revoked } else { KeyRefusal::Expired })
}

fn lock(ids: &Mutex<HashSet<Uuid>>) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}
