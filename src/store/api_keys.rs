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
    UPDATE = "update api_keys set name = $3, permission = $4, allowed_senders = $5, expires_at = $6, usable_until = $7
        where tenant_id = $1 and id = $2 and revoked_at is null";
    REVOKE = "update api_keys set revoked_at = $3, usable_until = $3
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
    /// The one rule of when a key ends, which the table holds as a value.
    pub fn usable_until(&self) -> Timestamp {
        let ends = [self.expires_at, self.revoked_at];
        ends.into_iter().flatten().min().unwrap_or(Timestamp(i64::MAX))
    }

    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.usable_until() > now
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
        .bind(senders_as_json(key))
        .bind(key.is_test)
        .bind(key.created_at.0)
        .bind(key.expires_at.map(|at| at.0))
        .bind(key.usable_until().0)
        .bind(MAX_KEYS)
        .require_affected()
}

/// Stores what can be changed; undoes the write where the key is revoked by now.
pub fn update(key: &ApiKey) -> Statement {
    sql(UPDATE)
        .bind(key.owner.as_str())
        .bind(key.id.to_string())
        .bind(key.name.as_str())
        .bind(key.permission.as_str())
        .bind(senders_as_json(key))
        .bind(key.expires_at.map(|at| at.0))
        .bind(key.usable_until().0)
        .require_affected()
}

/// Ends a key for good; undoes the write where it is revoked already.
pub fn revoke(owner: &KeyOwner, id: Uuid, now: Timestamp) -> Statement {
    sql(REVOKE).bind(owner.as_str()).bind(id.to_string()).bind(now.0).require_affected()
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

fn senders_as_json(key: &ApiKey) -> Option<String> {
    // A list of texts can always be written as JSON.
    key.allowed_senders.as_ref().map(|senders| serde_json::to_string(senders).unwrap_or_default())
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
