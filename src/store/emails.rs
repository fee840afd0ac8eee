//! The tables of outgoing emails: an email with its recipients and its row of the queue is written as one.

pub(super) mod begun;
pub(super) mod door;
pub(super) mod due;
pub(super) mod list;
pub(super) mod queue;
pub(super) mod removal;
mod rows;

use uuid::Uuid;

use super::{Db, DbError, Row, Statement, email_events, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::mail::address::EmailAddress;
use crate::outgoing::{Email, Event, Lane, Recipient};

pub use begun::begun_before;
pub use door::{confirm_repetition, find_by_door, forget_door, withdraw_unless_repeated};
pub use due::{DueEmail, due};
pub use list::{Filter, Page, list, list_tagged};
pub use queue::{
    due_to_play, expired_while_held, held, held_without_key, next_due_to_send, waiting, waiting_octets,
    window,
};
pub use removal::{Ended, ended, remove_content, remove_rows};
pub(super) use rows::read_id;
use rows::{read, read_recipient, unreadable};

/// The lane of mail that waits for its account to open, or for its API key to be usable again.
pub const HELD: &str = "held";

/// The lane of mail whose outcome is played.
pub const TEST: &str = "test";

/// Columns and tables of an email with its recipients, in the order in which they are read.
macro_rules! found {
    () => {
        "emails.lane, emails.created_at, emails.scheduled_at, emails.expires_at, emails.on_unknown,
            emails.message_id, emails.size, emails.has_content, emails.version, emails.api_key_id, emails.required_key_id,
            emails.is_test, emails.sealed_details, emails.key_day,
            email_recipients.position, email_recipients.address, email_recipients.kind, email_recipients.state,
            email_recipients.attempts, email_recipients.copies, email_recipients.started_at, email_recipients.fence,
            email_recipients.next_attempt_at, email_recipients.last
        from emails join email_recipients
            on email_recipients.tenant_id = emails.tenant_id and email_recipients.email_id = emails.id"
    };
}

statements! {
    INSERT = "insert into emails (tenant_id, id, idempotency_key, batch_position, fingerprint, lane, status, created_at,
            scheduled_at, expires_at, on_unknown, message_id, size, has_content, sealed_details, key_day, version, settled_at,
            traceparent, api_key_id, required_key_id, is_test, door_hash)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23)
        on conflict do nothing";
    INSERT_RECIPIENT = "insert into email_recipients (tenant_id, email_id, position, address, kind, state, attempts,
            copies, next_attempt_at)
        values ($1, $2, $3, $4, $5, $6, 0, 0, $7)";
    INSERT_BODY = "insert into email_bodies (tenant_id, email_id, part, sealed) values ($1, $2, $3, $4)";
    INSERT_TAG = "insert into email_tags (tenant_id, hash, email_id) values ($1, $2, $3) on conflict do nothing";
    REMOVE_TAGS = "delete from email_tags where tenant_id = $1 and email_id = $2";
    INSERT_QUEUE = "insert into email_queue (tenant_id, lane, due_at, email_id, size, is_retry)
        values ($1, $2, $3, $4, $5, $6)";
    REMOVE_QUEUE = "delete from email_queue where tenant_id = $1 and lane = $2 and due_at = $3 and email_id = $4";
    REMOVE_BODY = "delete from email_bodies where tenant_id = $1 and email_id = $2";
    /// One row for each recipient, in one statement: email and recipients are of the same moment.
    FIND = concat!(
        "select ", found!(),
        " where emails.tenant_id = $1 and emails.id = $2 order by email_recipients.position"
    );
    /// The id, and the columns of `FIND`.
    FIND_OF_EVENTS = concat!(
        "select emails.id, ", found!(),
        " where emails.tenant_id = $1 and emails.id in (select email_id from email_events
            where tenant_id = $1 and seq >= $2 and seq <= $3)
        order by emails.id, email_recipients.position"
    );
    FIND_BY_KEY = "select id, fingerprint, is_test from emails where tenant_id = $1 and idempotency_key = $2
        order by batch_position";
    TRACEPARENT = "select traceparent from emails where tenant_id = $1 and id = $2";
    BODY = "select sealed from email_bodies where tenant_id = $1 and email_id = $2 order by part";
    UPDATE = "update emails set status = $4, scheduled_at = $5, expires_at = $6, has_content = $7, settled_at = $8,
            required_key_id = $9, version = version + 1
        where tenant_id = $1 and id = $2 and version = $3";
    /// For the owner of the account alone.
    UPDATE_AS_OWNER = "update emails set status = $4, scheduled_at = $5, expires_at = $6, has_content = $7,
            settled_at = $8, required_key_id = $9, version = version + 1
        where tenant_id = $1 and id = $2 and version = $3
            and exists (select 1 from delivery_accounts where tenant_id = $1 and fence = $10)";
    UPDATE_RECIPIENT = "update email_recipients set address = $4, state = $5, attempts = $6, copies = $7, started_at = $8,
            begun_at = coalesce($8, begun_at), fence = $9, next_attempt_at = $10, last = $11
        where tenant_id = $1 and email_id = $2 and position = $3";
    ERASE = "update emails set sealed_details = null, idempotency_key = null, door_hash = null, fingerprint = $3
        where tenant_id = $1 and id = $2";
}

/// An email with what only the delivery reads.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredEmail {
    pub email: Email,
    /// None once erased.
    pub sealed_details: Option<Vec<u8>>,
    /// The day of the key that details and body are sealed with.
    pub key_day: i64,
}

/// A new email, and what is stored with it.
pub struct NewEmail<'a> {
    pub email: &'a Email,
    pub idempotency: Option<IdempotencyKey<'a>>,
    /// SHA-256 of the request.
    pub fingerprint: &'a [u8],
    /// Where it is recognised without a key.
    pub door_hash: Option<&'a [u8]>,
    pub sealed_details: &'a [u8],
    pub key_day: i64,
    /// The message in sealed parts.
    pub parts: &'a [Vec<u8>],
    /// The hashes of its tags.
    pub tags: &'a [String],
    pub events: &'a [Event],
    /// The request that brought it, where it is traced.
    pub traceparent: Option<&'a str>,
}

/// The key that a client has given to its request.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey<'a> {
    pub key: &'a str,
    /// The position of the email in its batch.
    pub position: i64,
}

/// The statements that store a new email. The first one affects no row where the idempotency key or the hash is taken, which
/// rolls back all of them.
pub fn insert(tenant: &TenantId, new: &NewEmail<'_>, now: Timestamp) -> Vec<Statement> {
    let NewEmail { email, .. } = new;
    let id = email.id.to_string();
    let row = sql(INSERT)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(new.idempotency.map(|idempotency| idempotency.key))
        .bind(new.idempotency.map_or(0, |idempotency| idempotency.position))
        .bind(new.fingerprint)
        .bind(email.lane.as_str())
        .bind(email.status(now).as_str())
        .bind(email.created_at.0)
        .bind(email.scheduled_at.map(|at| at.0))
        .bind(email.expires_at.0)
        .bind(email.on_unknown.as_str())
        .bind(email.message_id.as_str())
        .bind(email.size)
        .bind(email.has_content)
        .bind(new.sealed_details)
        .bind(new.key_day)
        .bind(email.version)
        .bind(settled_at(email, now))
        .bind(new.traceparent)
        .bind(email.api_key_id.map(|id| id.to_string()))
        .bind(email.required_key_id.map(|id| id.to_string()))
        .bind(email.is_test)
        .bind(new.door_hash)
        .require_affected();
    let mut statements = vec![row];
    statements.extend(email.recipients.iter().map(|recipient| {
        sql(INSERT_RECIPIENT)
            .bind(tenant.as_str())
            .bind(id.as_str())
            .bind(recipient.position)
            .bind(recipient.address.as_ref().map(EmailAddress::as_str))
            .bind(recipient.kind.as_str())
            .bind(recipient.state.as_str())
            .bind(recipient.next_attempt_at.map(|at| at.0))
    }));
    statements.extend((0..).zip(new.parts).map(|(part, sealed)| {
        sql(INSERT_BODY).bind(tenant.as_str()).bind(id.as_str()).bind(part).bind(sealed.as_slice())
    }));
    statements.extend(
        new.tags
            .iter()
            .map(|hash| sql(INSERT_TAG).bind(tenant.as_str()).bind(hash.as_str()).bind(id.as_str())),
    );
    statements.extend(queue_row(email).map(|row| insert_queue_row(tenant, email, row)));
    statements.extend(new.events.iter().map(|event| email_events::insert(tenant, Some(email.id), event)));
    statements
}

/// The statements that store what has changed in an email since it was read. The first one affects no row where another
/// write came first, or where `fence` is given and the account has another owner by now.
pub fn save(
    tenant: &TenantId,
    before: &Email,
    after: &Email,
    events: &[Event],
    fence: Option<i64>,
    now: Timestamp,
) -> Vec<Statement> {
    let id = after.id.to_string();
    let row = sql(if fence.is_some() { UPDATE_AS_OWNER } else { UPDATE })
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(before.version)
        .bind(after.status(now).as_str())
        .bind(after.scheduled_at.map(|at| at.0))
        .bind(after.expires_at.0)
        .bind(after.has_content)
        .bind(settled_at(after, now))
        .bind(after.required_key_id.map(|id| id.to_string()));
    let mut statements = vec![fence.into_iter().fold(row, Statement::bind).require_affected()];
    let changed = before.recipients.iter().zip(&after.recipients).filter(|(before, after)| before != after);
    statements.extend(changed.map(|(_, recipient)| update_recipient(tenant, &id, recipient)));
    let (old, new) = (queue_row(before), queue_row(after));
    if old != new {
        statements.extend(old.map(|(lane, due_at)| {
            sql(REMOVE_QUEUE).bind(tenant.as_str()).bind(lane).bind(due_at.0).bind(id.as_str())
        }));
        statements.extend(new.map(|row| insert_queue_row(tenant, after, row)));
    }
    if before.has_content && !after.has_content {
        statements.push(sql(REMOVE_BODY).bind(tenant.as_str()).bind(id.as_str()));
    }
    statements.extend(events.iter().map(|event| email_events::insert(tenant, Some(after.id), event)));
    statements
}

/// Removes what says what the email was about; beside [`save`].
pub fn erase_details(tenant: &TenantId, id: Uuid) -> [Statement; 2] {
    let id = id.to_string();
    [
        sql(ERASE).bind(tenant.as_str()).bind(id.as_str()).bind(&[][..]),
        sql(REMOVE_TAGS).bind(tenant.as_str()).bind(id.as_str()),
    ]
}

/// Since when nothing of the email waits or is under way, as it is written now.
fn settled_at(email: &Email, now: Timestamp) -> Option<i64> {
    email.due_at().is_none().then_some(now.0)
}

fn update_recipient(tenant: &TenantId, email: &str, recipient: &Recipient) -> Statement {
    // Numbers, texts and maps with text keys: they can always be written as JSON.
    let last = recipient.last.as_ref().and_then(|last| serde_json::to_string(last).ok());
    sql(UPDATE_RECIPIENT)
        .bind(tenant.as_str())
        .bind(email)
        .bind(recipient.position)
        .bind(recipient.address.as_ref().map(EmailAddress::as_str))
        .bind(recipient.state.as_str())
        .bind(recipient.attempts)
        .bind(recipient.copies)
        .bind(recipient.started.map(|started| started.at.0))
        .bind(recipient.started.map(|started| started.fence))
        .bind(recipient.next_attempt_at.map(|at| at.0))
        .bind(last)
}

/// Where the email stands in the queue; none where nothing waits.
fn queue_row(email: &Email) -> Option<(&'static str, Timestamp)> {
    let lane = if email.is_held() {
        HELD
    } else if email.is_test {
        TEST
    } else {
        email.lane.as_str()
    };
    email.due_at().map(|due_at| (lane, due_at))
}

fn insert_queue_row(tenant: &TenantId, email: &Email, (lane, due_at): (&str, Timestamp)) -> Statement {
    sql(INSERT_QUEUE)
        .bind(tenant.as_str())
        .bind(lane)
        .bind(due_at.0)
        .bind(email.id.to_string())
        .bind(email.size)
        .bind(email.recipients.iter().any(|recipient| recipient.attempts > 0))
}

/// One email of the tenant.
pub async fn find(db: &Db, tenant: &TenantId, id: Uuid) -> Result<Option<StoredEmail>, DbError> {
    let rows = db.all(sql(FIND).bind(tenant.as_str()).bind(id.to_string())).await?;
    let mut found: Option<StoredEmail> = None;
    for row in rows {
        let columns = &mut row.columns();
        let stored = read(columns, id)?;
        let recipient = read_recipient(columns)?;
        found.get_or_insert(stored).email.recipients.push(recipient);
    }
    Ok(found)
}

/// The emails that the tenant's events from `first` to `last` name.
pub async fn find_of_events(
    db: &Db,
    tenant: &TenantId,
    first: i64,
    last: i64,
) -> Result<Vec<StoredEmail>, DbError> {
    let rows = db.all(sql(FIND_OF_EVENTS).bind(tenant.as_str()).bind(first).bind(last)).await?;
    let mut found: Vec<StoredEmail> = Vec::new();
    for row in rows {
        let columns = &mut row.columns();
        let id = read_id(&columns.text()?)?;
        let mut stored = read(columns, id)?;
        let recipient = read_recipient(columns)?;
        if let Some(before) = found.last_mut().filter(|before| before.email.id == id) {
            before.email.recipients.push(recipient);
        } else {
            stored.email.recipients.push(recipient);
            found.push(stored);
        }
    }
    Ok(found)
}

/// An email that came with an idempotency key.
pub struct KeyedEmail {
    pub id: Uuid,
    /// Of its request.
    pub fingerprint: Vec<u8>,
    pub is_test: bool,
}

/// The emails that came with an idempotency key, in the order of their batch.
pub async fn find_by_key(db: &Db, tenant: &TenantId, key: &str) -> Result<Vec<KeyedEmail>, DbError> {
    let rows = db.all(sql(FIND_BY_KEY).bind(tenant.as_str()).bind(key)).await?;
    let row = |row: Row| {
        let mut columns = row.columns();
        let (id, fingerprint) = (read_id(&columns.text()?)?, columns.bytes()?);
        Ok(KeyedEmail { id, fingerprint, is_test: columns.boolean()? })
    };
    rows.into_iter().map(row).collect()
}

/// The `traceparent` of the request that brought an email, where it was traced.
pub async fn traceparent(db: &Db, tenant: &TenantId, id: Uuid) -> Result<Option<String>, DbError> {
    let row = db.optional(sql(TRACEPARENT).bind(tenant.as_str()).bind(id.to_string())).await?;
    Ok(row.map(|row| row.columns().optional_text()).transpose()?.flatten())
}

/// The sealed parts of the message.
pub async fn body(db: &Db, tenant: &TenantId, id: Uuid) -> Result<Vec<Vec<u8>>, DbError> {
    let rows = db.all(sql(BODY).bind(tenant.as_str()).bind(id.to_string())).await?;
    rows.into_iter().map(|row| row.columns().bytes()).collect()
}
