//! The feed of events: appended with each change, read in the order of their commits.

use uuid::Uuid;

use super::background_tasks::{self, EMAIL_RETENTION};
use super::{Db, DbError, Row, Statement, Write, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::outgoing::event::EventDetails;
use crate::outgoing::{Event, EventKind};

statements! {
    INSERT = "insert into email_events (id, tenant_id, email_id, kind, at, details) values ($1, $2, $3, $4, $5, $6)";
    /// Only where this event is that of the account's last change: another write may have made the same one first.
    INSERT_OF_ACCOUNT = "insert into email_events (id, tenant_id, email_id, kind, at, details)
        select $1, $2, null, $3, cast($4 as bigint), $5 from delivery_accounts where tenant_id = $2 and state_event = $1";
    OF_EMAIL = "select seq, tenant_id, id, email_id, kind, at, details from email_events
        where tenant_id = $1 and email_id = $2 order by seq";
    AFTER = "select seq, tenant_id, id, email_id, kind, at, details from email_events
        where tenant_id = $1 and seq > $2 order by seq limit $3";
    /// The platform's, of all tenants.
    AFTER_OF_ALL = "select seq, tenant_id, id, email_id, kind, at, details from email_events
        where seq > $1 order by seq limit $2";
    SET_DETAILS = "update email_events set details = $3 where tenant_id = $1 and seq = $2";
    /// The operator's, of all tenants: old events of emails that are gone, or of none. The newest row of all stays, since
    /// SQLite would use its number again.
    REMOVE_OLD = "delete from email_events where seq in (select seq from email_events
            where at <= $1 and seq < (select max(seq) from email_events)
                and not exists (select 1 from emails
                    where emails.tenant_id = email_events.tenant_id and emails.id = email_events.email_id)
            order by at limit $2)";
}

/// Whose events are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Feed {
    OfTenant(TenantId),
    /// For the platform.
    OfAllTenants,
}

/// An event as it was stored.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredEvent {
    /// The cursor behind this event.
    pub seq: i64,
    pub tenant: TenantId,
    pub email: Option<Uuid>,
    pub event: Event,
}

/// Appends an event.
pub fn insert(tenant: &TenantId, email: Option<Uuid>, event: &Event) -> Statement {
    sql(INSERT)
        .bind(event.id.to_string())
        .bind(tenant.as_str())
        .bind(email.map(|email| email.to_string()))
        .bind(event.kind.as_str())
        .bind(event.at.0)
        .bind(to_json(&event.details))
}

/// Appends the event of a change of the account, which a statement before has made; nothing where it changed nothing.
pub fn insert_of_account(tenant: &TenantId, event: &Event) -> Statement {
    sql(INSERT_OF_ACCOUNT)
        .bind(event.id.to_string())
        .bind(tenant.as_str())
        .bind(event.kind.as_str())
        .bind(event.at.0)
        .bind(to_json(&event.details))
}

/// Numbers, texts and maps with text keys can always be written as JSON.
fn to_json(details: &EventDetails) -> String {
    serde_json::to_string(details).unwrap_or_default()
}

/// All events of one email, the oldest first.
pub async fn of_email(db: &Db, tenant: &TenantId, email: Uuid) -> Result<Vec<StoredEvent>, DbError> {
    let rows = db.all(sql(OF_EMAIL).bind(tenant.as_str()).bind(email.to_string())).await?;
    rows.into_iter().map(read).collect()
}

/// The events behind a cursor, at most so many. On PostgreSQL no transaction that still runs can commit an event before
/// the last of them.
pub async fn after(db: &Db, feed: &Feed, cursor: i64, limit: i64) -> Result<Vec<StoredEvent>, DbError> {
    let [of_tenant, of_all] = if db.is_postgres() { postgres::after() } else { [AFTER, AFTER_OF_ALL] };
    let statement = match feed {
        Feed::OfTenant(tenant) => sql(of_tenant).bind(tenant.as_str()),
        Feed::OfAllTenants => sql(of_all),
    };
    let rows = db.all(statement.bind(cursor).bind(limit)).await?;
    rows.into_iter().map(read).collect()
}

/// Removes at most `most` of the events that are as old as this, of emails that are gone; those of other emails stay.
/// Affects nothing where there are none.
pub fn remove_old(oldest: Timestamp, most: i64, now: Timestamp) -> Write {
    Write::default()
        .then(background_tasks::hold_row(EMAIL_RETENTION, now))
        .then(sql(REMOVE_OLD).bind(oldest.0).bind(most).require_affected())
}

/// Removes from stored events what servers have said: that may name a recipient.
pub fn forget_replies(tenant: &TenantId, events: Vec<StoredEvent>) -> Vec<Statement> {
    let with_reply = events.into_iter().filter(|stored| stored.event.details.last.is_some());
    let forget = with_reply.map(|stored| {
        let details = EventDetails { last: None, ..stored.event.details };
        sql(SET_DETAILS).bind(tenant.as_str()).bind(stored.seq).bind(to_json(&details))
    });
    forget.collect()
}

/// The texts for PostgreSQL alone.
pub(super) mod postgres {
    statements! {
        AFTER = "select seq, tenant_id, id, email_id, kind, at, details from email_events
            where tenant_id = $1 and seq > $2
                and transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            order by seq limit $3";
        /// The platform's, of all tenants.
        AFTER_OF_ALL = "select seq, tenant_id, id, email_id, kind, at, details from email_events
            where seq > $1 and transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            order by seq limit $2";
    }

    pub(super) fn after() -> [&'static str; 2] {
        [AFTER, AFTER_OF_ALL]
    }
}

fn read(row: Row) -> Result<StoredEvent, DbError> {
    let mut columns = row.columns();
    let unreadable =
        || DbError::Statement("a row of email_events cannot be understood: it is not one of ours".to_owned());
    let seq = columns.integer()?;
    let tenant = TenantId::from_operator(&columns.text()?);
    let id = columns.text()?.parse().map_err(|_| unreadable())?;
    let email = columns.optional_text()?.map(|text| text.parse()).transpose().map_err(|_| unreadable())?;
    let kind = columns.text()?;
    let kind = EventKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(unreadable)?;
    let at = Timestamp(columns.integer()?);
    let details: EventDetails = serde_json::from_str(&columns.text()?).map_err(|_| unreadable())?;
    Ok(StoredEvent { seq, tenant, email, event: Event { id, kind, at, details } })
}
