//! Counts and deletes all rows of one tenant, for the operator.

use super::background_tasks::{self, AUDIT_RETENTION, EMAIL_RETENTION};
use super::{Db, DbError, Write, WriteOutcome, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;

statements! {
    COUNT = "select (select count(*) from email_configs where tenant_id = $1),
        (select count(*) from delivery_accounts where tenant_id = $1),
        (select count(*) from emails where tenant_id = $1),
        (select count(*) from email_queue where tenant_id = $1),
        (select count(*) from email_events where tenant_id = $1),
        (select count(*) from content_keys where tenant_id = $1),
        (select count(*) from audit where tenant_id = $1),
        (select count(*) from api_keys where tenant_id = $1)";
    /// Whether the tenant has an account, mail or a key: its audit alone outlives them.
    IS_STORED = "select tenant_id from email_configs where tenant_id = $1
        union all select tenant_id from delivery_accounts where tenant_id = $1
        union all select tenant_id from emails where tenant_id = $1
        union all select tenant_id from api_keys where tenant_id = $1 limit 1";
    REMOVE_API_KEYS = "delete from api_keys where tenant_id = $1";
    REMOVE_CONFIG = "delete from email_configs where tenant_id = $1";
    /// Whoever owns the account finds nothing more to send, and writes nothing more.
    REMOVE_ACCOUNT = "delete from delivery_accounts where tenant_id = $1";
    REMOVE_QUEUE = "delete from email_queue where tenant_id = $1 and (lane, due_at, email_id) in
        (select lane, due_at, email_id from email_queue where tenant_id = $1 limit $2)";
    REMOVE_BODIES = "delete from email_bodies where tenant_id = $1 and (email_id, part) in
        (select email_id, part from email_bodies where tenant_id = $1 limit $2)";
    REMOVE_RECIPIENTS = "delete from email_recipients where tenant_id = $1 and (email_id, position) in
        (select email_id, position from email_recipients where tenant_id = $1 limit $2)";
    REMOVE_TAGS = "delete from email_tags where tenant_id = $1 and (hash, email_id) in
        (select hash, email_id from email_tags where tenant_id = $1 limit $2)";
    /// The newest event of all is kept, since SQLite would use its number again, but it is nobody's and says nothing.
    BLANK_NEWEST_EVENT = "update email_events set tenant_id = '', email_id = null, details = ''
        where tenant_id = $1 and seq = (select max(seq) from email_events)";
    REMOVE_EVENTS = "delete from email_events where tenant_id = $1 and seq in
        (select seq from email_events where tenant_id = $1 and seq < (select max(seq) from email_events)
            order by seq limit $2)";
    REMOVE_EMAILS = "delete from emails where tenant_id = $1 and id in
        (select id from emails where tenant_id = $1 order by id limit $2)";
    REMOVE_KEYS = "delete from content_keys where tenant_id = $1";
    REMOVE_AUDIT = "delete from audit
        where tenant_id = $1 and id in (select id from audit where tenant_id = $1 order by at limit $2)";
}

/// What is removed in batches, with the rows of one transaction: it takes some milliseconds, and others write between two of
/// them. A part of a message has up to 1 MiB. The emails go first: the result of a hand-over that is under way is written
/// where its email is, and nowhere else.
const BATCHES: [(&str, i64, &str); 7] = [
    (REMOVE_EMAILS, 1_000, EMAIL_RETENTION),
    (REMOVE_QUEUE, 1_000, EMAIL_RETENTION),
    (REMOVE_BODIES, 50, EMAIL_RETENTION),
    (REMOVE_RECIPIENTS, 1_000, EMAIL_RETENTION),
    (REMOVE_TAGS, 1_000, EMAIL_RETENTION),
    (REMOVE_EVENTS, 1_000, EMAIL_RETENTION),
    (REMOVE_AUDIT, 1_000, AUDIT_RETENTION),
];

/// The rows that are stored of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TenantRows {
    pub configuration: bool,
    /// The account as a sender of mail.
    pub delivery_account: bool,
    pub emails: i64,
    /// Of the emails those that wait.
    pub waiting: i64,
    pub events: i64,
    /// The keys that the emails' content is sealed with.
    pub content_keys: i64,
    pub audit_rows: i64,
    /// The keys that programs send with.
    pub api_keys: i64,
}

impl TenantRows {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Counts what is stored of a tenant.
pub async fn count(db: &Db, tenant: &TenantId) -> Result<TenantRows, DbError> {
    let row = db.optional(sql(COUNT).bind(tenant.as_str())).await?;
    let row = row.ok_or_else(|| DbError::Statement("counts returned no row".to_owned()))?;
    let mut columns = row.columns();
    Ok(TenantRows {
        configuration: columns.integer()? > 0,
        delivery_account: columns.integer()? > 0,
        emails: columns.integer()?,
        waiting: columns.integer()?,
        events: columns.integer()?,
        content_keys: columns.integer()?,
        audit_rows: columns.integer()?,
        api_keys: columns.integer()?,
    })
}

/// Whether a tenant has a configuration, an account as a sender, emails or API keys.
pub async fn is_stored(db: &Db, tenant: &TenantId) -> Result<bool, DbError> {
    Ok(db.optional(sql(IS_STORED).bind(tenant.as_str())).await?.is_some())
}

/// Removes the API keys, the configuration and whatever could send, then the rest in batches, and the keys last, so that after an
/// interruption there is something left to call it for again.
pub async fn remove(db: &Db, tenant: &TenantId, now: Timestamp) -> Result<(), DbError> {
    let of_tenant = |text| sql(text).bind(tenant.as_str());
    let first = [REMOVE_API_KEYS, REMOVE_CONFIG, REMOVE_ACCOUNT].map(of_tenant);
    let _ = db.write(Write::default().then_all(first)).await?;
    for (text, batch_size, task) in BATCHES {
        loop {
            let step = Write::default()
                .then(background_tasks::hold_row(task, now))
                .then(of_tenant(text).bind(batch_size).require_affected());
            if db.write(step).await? == WriteOutcome::NoRowsAffected {
                break;
            }
        }
    }
    let last = [REMOVE_KEYS, BLANK_NEWEST_EVENT].map(of_tenant);
    let hold = background_tasks::hold_row(EMAIL_RETENTION, now);
    db.write(Write::default().then(hold).then_all(last)).await.map(|_| ())
}
