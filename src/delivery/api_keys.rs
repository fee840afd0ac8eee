//! API keys: who presents one, and what administrators and the operator do with them. Works on the database alone.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::Error;
use crate::account::Actor;
use crate::account::record::OK;
use crate::auth::api_key::{NewKey, Permission, PresentedKey};
use crate::clock::{Clock, Timestamp};
use crate::error::{InputFault, Reason};
use crate::id::{TraceId, UserId};
use crate::json::is_deceptive;
use crate::outgoing::account_settings::AllowedSender;
use crate::secret::Secret;
use crate::store::api_keys::{self, ApiKey, KeyChange, KeyOwner, Page};
use crate::store::{Db, DbError, Statement, Write, WriteOutcome, audit, delivery_accounts};

/// The longest name of a key, in characters.
const MAX_NAME: usize = 50;

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

    /// The same key as it is now, for a session that lasts.
    pub async fn look_again(&self, key: &ApiKey) -> Result<ApiKey, KeyError> {
        let Some((key, _)) = api_keys::find(&self.db, key.id).await? else {
            return Err(KeyError::Refused(KeyRefusal::Unknown));
        };
        let now = self.clock.now();
        if let Some(refusal) = refusal(&key, now) {
            return Err(KeyError::Refused(refusal));
        }
        self.record_use(&key, now);
        Ok(key)
    }

    /// Whose key was presented, where there is one with its id: for the record of a refusal.
    pub async fn named_by(&self, presented: &str) -> Result<Option<ApiKey>, DbError> {
        let Some(presented) = PresentedKey::parse(presented) else { return Ok(None) };
        Ok(api_keys::find(&self.db, presented.id).await?.map(|(key, _)| key))
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

/// A key that is to be made.
#[derive(Debug)]
pub struct KeyRequest {
    pub name: String,
    pub permission: Permission,
    /// None is every sender of the account.
    pub allowed_senders: Option<Vec<AllowedSender>>,
    pub is_test: bool,
    pub expires_at: Option<Timestamp>,
}

/// Who makes, changes or revokes a key, for the audit.
#[derive(Debug)]
pub struct Author {
    user: UserId,
    user_name: Option<String>,
    trace_id: TraceId,
    remote: Option<IpAddr>,
}

impl Author {
    pub fn operator() -> Self {
        Self { user: UserId::operator(), user_name: None, trace_id: TraceId::random(), remote: None }
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        let (user, user_name) = (actor.user.clone(), actor.user_name.clone());
        Self { user, user_name, trace_id: actor.trace_id, remote: Some(actor.remote) }
    }
}

impl ApiKeys {
    /// Makes a key. Its text is known now and never again.
    ///
    /// # Errors
    /// [`Error::Input`], or [`Error::TooManyKeys`].
    pub async fn create(
        &self,
        owner: &KeyOwner,
        author: &Author,
        request: KeyRequest,
    ) -> Result<(ApiKey, Secret), Error> {
        let now = self.clock.now();
        let faults: Vec<_> = [name_fault(&request.name), expiry_fault(request.expires_at, now)]
            .into_iter()
            .flatten()
            .collect();
        if !faults.is_empty() {
            return Err(Error::Input(faults));
        }
        let NewKey { id, text, hash } = NewKey::generate().map_err(Error::Internal)?;
        let key = ApiKey {
            id,
            owner: owner.clone(),
            name: request.name,
            permission: request.permission,
            allowed_senders: request.allowed_senders,
            is_test: request.is_test,
            created_at: now,
            expires_at: request.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let audit = self.audit_row(owner, author, "create-api-key", id, Vec::new());
        let write = Write::default().then(api_keys::insert(&key, &hash)).then_all(audit);
        match self.db.write(write).await? {
            WriteOutcome::Committed => Ok((key, text)),
            WriteOutcome::NoRowsAffected => Err(Error::TooManyKeys),
        }
    }

    /// The key with this id, of whichever tenant: for the operator.
    pub async fn find(&self, id: Uuid) -> Result<ApiKey, Error> {
        api_keys::find(&self.db, id).await?.map(|(key, _)| key).ok_or(Error::NotFound)
    }

    /// One page of keys, the newest first, and whether more follow.
    pub async fn list(
        &self,
        owner: &KeyOwner,
        page: Page,
        with_revoked: bool,
        limit: usize,
    ) -> Result<(Vec<ApiKey>, bool), Error> {
        Ok(api_keys::list(&self.db, owner, page, with_revoked, limit).await?)
    }

    /// Changes a key. Held mail of a key that may be used again goes on.
    pub async fn update(
        &self,
        owner: &KeyOwner,
        author: &Author,
        id: Uuid,
        change: &KeyChange,
    ) -> Result<ApiKey, Error> {
        let now = self.clock.now();
        let expiry = change.expires_at.flatten();
        let name = change.name.as_deref().and_then(name_fault);
        let faults: Vec<_> = name.into_iter().chain(expiry_fault(expiry, now)).collect();
        if !faults.is_empty() {
            return Err(Error::Input(faults));
        }
        let changed = [
            ("name", change.name.is_some()),
            ("permission", change.permission.is_some()),
            ("allowed_senders", change.allowed_senders.is_some()),
            ("expires_at", change.expires_at.is_some()),
        ];
        let changed =
            changed.into_iter().filter_map(|(name, is_changed)| is_changed.then_some(name)).collect();
        let look_again = change.expires_at.map(|_| delivery_accounts::look_again(owner, id, now));
        let write = Write::default()
            .then_all(api_keys::update(owner, id, change))
            .then_all(look_again)
            .then_all(self.audit_row(owner, author, "update-api-key", id, changed));
        self.write_change(write).await?;
        self.find(id).await
    }

    /// Ends a key for good: it is refused from the next request on, and what waits of its mail is held.
    pub async fn revoke(&self, owner: &KeyOwner, author: &Author, id: Uuid) -> Result<(), Error> {
        let write = Write::default()
            .then(api_keys::revoke(owner, id, self.clock.now()))
            .then_all(self.audit_row(owner, author, "revoke-api-key", id, Vec::new()));
        self.write_change(write).await
    }

    async fn write_change(&self, write: Write) -> Result<(), Error> {
        match self.db.write(write).await? {
            WriteOutcome::Committed => Ok(()),
            WriteOutcome::NoRowsAffected => Err(Error::NotFound),
        }
    }

    /// None for a key of the platform, which has no audit: the operator alone makes and ends those.
    fn audit_row(
        &self,
        owner: &KeyOwner,
        author: &Author,
        action: &'static str,
        key: Uuid,
        changed: Vec<&'static str>,
    ) -> Option<Statement> {
        let KeyOwner::Tenant(tenant) = owner else { return None };
        let entry = audit::Entry {
            at: self.clock.now(),
            user: author.user.clone(),
            user_name: author.user_name.clone(),
            action,
            outcome: OK,
            changed,
            trace_id: author.trace_id,
            remote: author.remote,
            recipient: None,
            api_key: Some(key),
        };
        Some(audit::insert(tenant, Uuid::now_v7(), &entry))
    }
}

/// What is wrong with the name of a key.
pub fn name_fault(name: &str) -> Option<InputFault> {
    let fault = |reason, statement: String| Some(InputFault::new("name", reason, statement));
    if name.trim().is_empty() {
        fault(Reason::Empty, "is empty".to_owned())
    } else if name.chars().count() > MAX_NAME {
        fault(Reason::TooLong, format!("has more than {MAX_NAME} characters"))
    } else if name.chars().any(is_deceptive) {
        fault(Reason::ControlCharacter, "contains a line break or another invisible character".to_owned())
    } else {
        None
    }
}

/// What is wrong with the end of a key.
pub fn expiry_fault(expires_at: Option<Timestamp>, now: Timestamp) -> Option<InputFault> {
    let is_past = expires_at.is_some_and(|at| at <= now);
    is_past.then(|| InputFault::new("expires_at", Reason::OutOfRange, "is not in the future"))
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
