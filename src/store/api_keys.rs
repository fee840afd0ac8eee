//! The table of API keys, by their hashes.

use uuid::Uuid;

use super::background_tasks::{self, EMAIL_RETENTION};
use super::{Columns, Db, DbError, Row, Statement, Write, sql};
use crate::auth::api_key::{Permission, SecretHash};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::mail::address::EmailAddress;
use crate::outgoing::account_settings::AllowedSender;

statements! {
    /// The caller's, whose tenant is not known before.
    FIND = "select id, tenant_id, name, permission, allowed_senders, is_test, created_at, expires_at, revoked_at,
            usable_until, last_used_at, secret_hash
        from api_keys where id = $1";
    LIST_BEFORE = "select id, tenant_id, name, permission, allowed_senders, is_test, created_at, expires_at, revoked_at,
            usable_until, last_used_at
        from api_keys where tenant_id = $1 and id < $2 and ($3 or revoked_at is null) order by id desc limit $4";
    LIST_AFTER = "select id, tenant_id, name, permission, allowed_senders, is_test, created_at, expires_at, revoked_at,
            usable_until, last_used_at
        from api_keys where tenant_id = $1 and id > $2 and ($3 or revoked_at is null) order by id limit $4";
    /// No row where the tenant has as many keys as it may have.
    INSERT = "insert into api_keys (id, tenant_id, name, secret_hash, permission, allowed_senders, is_test, created_at,
            expires_at, usable_until)
        select $2, $1, $3, $4, $5, $6, $7, $8, $9, $10
            where (select count(*) from api_keys where tenant_id = $1 and revoked_at is null) < $11";
    SET_NAME = "update api_keys set name = $3 where tenant_id = $1 and id = $2 and revoked_at is null";
    SET_PERMISSION = "update api_keys set permission = $3 where tenant_id = $1 and id = $2 and revoked_at is null";
    SET_SENDERS = "update api_keys set allowed_senders = $3 where tenant_id = $1 and id = $2 and revoked_at is null";
    SET_EXPIRY = "update api_keys set expires_at = $3, usable_until = $4
        where tenant_id = $1 and id = $2 and revoked_at is null";
    REVOKE = "update api_keys set revoked_at = $3, usable_until = $4
        where tenant_id = $1 and id = $2 and revoked_at is null";
    SET_LAST_USED = "update api_keys set last_used_at = $3
        where tenant_id = $1 and id = $2 and (last_used_at is null or last_used_at < $3)";
    /// The operator's, of all tenants.
    REMOVE_REVOKED = "delete from api_keys where id in
        (select id from api_keys where revoked_at < $1 order by revoked_at limit $2)";
}

/// Above every id of a key.
const ABOVE_ALL: &str = "g";

/// Keys of a tenant that are not revoked, at most.
pub const MAX_KEYS: i64 = 100;

/// Whose a key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyOwner {
    Tenant(TenantId),
    /// The platform, which names a tenant with each request.
    Platform,
}

impl KeyOwner {
    /// No tenant has an empty name.
    fn as_str(&self) -> &str {
        match self {
            Self::Tenant(tenant) => tenant.as_str(),
            Self::Platform => "",
        }
    }

    fn read(text: &str) -> Self {
        if text.is_empty() { Self::Platform } else { Self::Tenant(TenantId::from_operator(text)) }
    }
}

/// A key without its hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    pub id: Uuid,
    pub owner: KeyOwner,
    pub name: String,
    pub permission: Permission,
    /// None is every sender of the account.
    pub allowed_senders: Option<Vec<AllowedSender>>,
    /// Takes mail, and plays its outcome instead of sending it.
    pub is_test: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    fn usable_until(&self) -> Timestamp {
        usable_until(self.expires_at, self.revoked_at)
    }

    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.usable_until() > now
    }

    /// Whether it may do less than its permission says.
    pub fn is_limited(&self) -> bool {
        self.is_test || self.allowed_senders.is_some() || self.expires_at.is_some()
    }

    /// Whether the key may send from this address. The account has to allow it as well.
    pub fn allows(&self, sender: &EmailAddress) -> bool {
        self.allowed_senders
            .as_ref()
            .is_none_or(|allowed| allowed.iter().any(|allowed| allowed.allows(sender)))
    }

    /// The senders that it is limited to, as they are shown.
    pub fn shown_senders(&self) -> Vec<String> {
        self.allowed_senders.iter().flatten().map(ToString::to_string).collect()
    }
}

/// The key with this id, of whichever tenant, and its stored hash.
pub async fn find(db: &Db, id: Uuid) -> Result<Option<(ApiKey, Vec<u8>)>, DbError> {
    let Some(row) = db.optional(sql(FIND).bind(id.to_string())).await? else { return Ok(None) };
    let mut columns = row.columns();
    let key = read(&mut columns)?;
    Ok(Some((key, columns.bytes()?)))
}

/// Where a page of keys begins.
#[derive(Clone, Copy, Debug)]
pub enum Page {
    First,
    /// Older than this key.
    After(Uuid),
    /// Newer than this key.
    Before(Uuid),
}

/// One page of keys, the newest first, and whether more follow in the page's direction.
pub async fn list(
    db: &Db,
    owner: &KeyOwner,
    page: Page,
    with_revoked: bool,
    limit: usize,
) -> Result<(Vec<ApiKey>, bool), DbError> {
    let (text, bound) = match page {
        Page::First => (LIST_BEFORE, ABOVE_ALL.to_owned()),
        Page::After(id) => (LIST_BEFORE, id.to_string()),
        Page::Before(id) => (LIST_AFTER, id.to_string()),
    };
    let statement = sql(text)
        .bind(owner.as_str())
        .bind(bound)
        .bind(with_revoked)
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
    let rows = db.all(statement).await?;
    let mut keys =
        rows.into_iter().map(|row: Row| read(&mut row.columns())).collect::<Result<Vec<_>, _>>()?;
    let has_more = keys.len() > limit;
    keys.truncate(limit);
    if matches!(page, Page::Before(_)) {
        keys.reverse();
    }
    Ok((keys, has_more))
}

/// Stores a new key; undoes the write where its owner has [`MAX_KEYS`] of them.
pub fn insert(key: &ApiKey, hash: &SecretHash) -> Statement {
    sql(INSERT)
        .bind(key.owner.as_str())
        .bind(key.id.to_string())
        .bind(key.name.as_str())
        .bind(hash.as_bytes())
        .bind(key.permission.as_str())
        .bind(senders_as_json(key.allowed_senders.as_deref()))
        .bind(key.is_test)
        .bind(key.created_at.0)
        .bind(key.expires_at.map(|at| at.0))
        .bind(key.usable_until().0)
        .bind(MAX_KEYS)
        .require_affected()
}

/// What changes of a key; what is none stays.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct KeyChange {
    pub name: Option<String>,
    pub permission: Option<Permission>,
    pub allowed_senders: Option<Option<Vec<AllowedSender>>>,
    pub expires_at: Option<Option<Timestamp>>,
}

/// Stores a change, member by member, so that two changes of the same moment undo nothing of each other. Undoes the write
/// where the key is revoked by now.
pub fn update(owner: &KeyOwner, id: Uuid, change: &KeyChange) -> Vec<Statement> {
    let bound = |text| sql(text).bind(owner.as_str()).bind(id.to_string()).require_affected();
    let mut statements = Vec::new();
    statements.extend(change.name.as_deref().map(|name| bound(SET_NAME).bind(name)));
    statements.extend(change.permission.map(|permission| bound(SET_PERMISSION).bind(permission.as_str())));
    if let Some(senders) = &change.allowed_senders {
        statements.push(bound(SET_SENDERS).bind(senders_as_json(senders.as_deref())));
    }
    if let Some(at) = change.expires_at {
        let usable_until = usable_until(at, None);
        statements.push(bound(SET_EXPIRY).bind(at.map(|at| at.0)).bind(usable_until.0));
    }
    statements
}

/// Ends a key for good; undoes the write where it is revoked already.
pub fn revoke(owner: &KeyOwner, id: Uuid, now: Timestamp) -> Statement {
    sql(REVOKE)
        .bind(owner.as_str())
        .bind(id.to_string())
        .bind(now.0)
        .bind(usable_until(None, Some(now)).0)
        .require_affected()
}

/// Writes when the key was used, unless that is known.
pub fn set_last_used(owner: &KeyOwner, id: Uuid, at: Timestamp) -> Statement {
    sql(SET_LAST_USED).bind(owner.as_str()).bind(id.to_string()).bind(at.0)
}

/// Removes at most `most` of the keys that were revoked before this time. Affects nothing where there are none.
pub fn remove_revoked(until: Timestamp, most: i64, now: Timestamp) -> Write {
    Write::default()
        .then(background_tasks::hold_row(EMAIL_RETENTION, now))
        .then(sql(REMOVE_REVOKED).bind(until.0).bind(most).require_affected())
}

fn senders_as_json(senders: Option<&[AllowedSender]>) -> Option<String> {
    // A list of texts can always be written as JSON.
    senders.map(|senders| serde_json::to_string(senders).unwrap_or_default())
}

/// The one rule of when a key ends, which the table holds as a value. A revoked key has ended for everybody, also where a
/// clock is behind the clock of the process that revoked it.
fn usable_until(expires_at: Option<Timestamp>, revoked_at: Option<Timestamp>) -> Timestamp {
    if revoked_at.is_some() { Timestamp(i64::MIN) } else { expires_at.unwrap_or(Timestamp(i64::MAX)) }
}

fn read(columns: &mut Columns) -> Result<ApiKey, DbError> {
    let id = columns.text()?.parse().map_err(|_| unreadable("id"))?;
    let owner = KeyOwner::read(&columns.text()?);
    let name = columns.text()?;
    let permission = Permission::parse(&columns.text()?).ok_or_else(|| unreadable("permission"))?;
    let allowed_senders = match columns.optional_text()? {
        Some(text) => Some(serde_json::from_str(&text).map_err(|_| unreadable("allowed_senders"))?),
        None => None,
    };
    let is_test = columns.boolean()?;
    let created_at = Timestamp(columns.integer()?);
    let expires_at = columns.optional_integer()?.map(Timestamp);
    let revoked_at = columns.optional_integer()?.map(Timestamp);
    let usable_until = Timestamp(columns.integer()?);
    let last_used_at = columns.optional_integer()?.map(Timestamp);
    let key = ApiKey {
        id,
        owner,
        name,
        permission,
        allowed_senders,
        is_test,
        created_at,
        expires_at,
        revoked_at,
        last_used_at,
    };
    // A row that was edited by hand in one place alone must not revive a key.
    if key.usable_until() == usable_until { Ok(key) } else { Err(unreadable("usable_until")) }
}

/// Never holds the value: it was edited by hand, and may be anything.
fn unreadable(column: &str) -> DbError {
    DbError::Statement(format!("a row of api_keys cannot be understood: {column} is not one of ours"))
}
