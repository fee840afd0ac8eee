//! Removes content, and whole emails, whose retention has ended.

use uuid::Uuid;

use super::{Row, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::store::background_tasks::{self, EMAIL_RETENTION};
use crate::store::{Db, DbError, Write};

statements! {
    /// The operator's, of all tenants.
    ENDED_WITH_CONTENT = "select tenant_id, id from emails
        where has_content and settled_at <= $1 order by settled_at limit $2";
    /// The operator's, of all tenants.
    ENDED = "select tenant_id, id from emails where settled_at <= $1 order by settled_at limit $2";
    /// Touches no row that a person has queued again meanwhile. The new version makes whoever has read the email read it
    /// again.
    FORGET_CONTENT = "update emails set has_content = $4, version = version + 1
        where tenant_id = $1 and id = $2 and settled_at <= $3";
    REMOVE_BODY = "delete from email_bodies where tenant_id = $1 and email_id = $2
        and not exists (select 1 from emails where tenant_id = $1 and id = $2 and has_content)";
    REMOVE = "delete from emails where tenant_id = $1 and id = $2 and settled_at <= $3";
    REMOVE_RECIPIENTS = "delete from email_recipients where tenant_id = $1 and email_id = $2
        and not exists (select 1 from emails where tenant_id = $1 and id = $2)";
    REMOVE_TAGS = "delete from email_tags where tenant_id = $1 and email_id = $2
        and not exists (select 1 from emails where tenant_id = $1 and id = $2)";
}

/// What has ended, by what is still there of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    WithContent,
    Any,
}

/// Emails of all tenants of which nothing has waited since this time, at most so many.
pub async fn ended(
    db: &Db,
    ended: Ended,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<(TenantId, Uuid)>, DbError> {
    let text = match ended {
        Ended::WithContent => ENDED_WITH_CONTENT,
        Ended::Any => ENDED,
    };
    let rows = db.all(sql(text).bind(until.0).bind(limit)).await?;
    let row = |row: Row| {
        let mut columns = row.columns();
        Ok((TenantId::from_operator(&columns.text()?), super::read_id(&columns.text()?)?))
    };
    rows.into_iter().map(row).collect()
}

/// Removes the messages of emails that have ended, and leaves what became of them.
pub fn remove_content(emails: &[(TenantId, Uuid)], until: Timestamp, now: Timestamp) -> Write {
    let mut write = Write::default().then(background_tasks::hold_row(EMAIL_RETENTION, now));
    for (tenant, id) in emails {
        let (tenant, id) = (tenant.as_str(), id.to_string());
        write = write
            .then(sql(FORGET_CONTENT).bind(tenant).bind(id.as_str()).bind(until.0).bind(false))
            .then(sql(REMOVE_BODY).bind(tenant).bind(id));
    }
    write
}

/// Removes emails that have ended. Their events go by their own time.
pub fn remove_rows(emails: &[(TenantId, Uuid)], until: Timestamp, now: Timestamp) -> Write {
    let mut write = Write::default().then(background_tasks::hold_row(EMAIL_RETENTION, now));
    for (tenant, id) in emails {
        let (tenant, id) = (tenant.as_str(), id.to_string());
        write = write
            .then(sql(REMOVE).bind(tenant).bind(id.as_str()).bind(until.0))
            .then(sql(REMOVE_RECIPIENTS).bind(tenant).bind(id.as_str()))
            .then(sql(REMOVE_TAGS).bind(tenant).bind(id.as_str()))
            .then(sql(REMOVE_BODY).bind(tenant).bind(id));
    }
    write
}
