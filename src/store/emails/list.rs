//! A tenant's emails page by page, the newest first.

use uuid::Uuid;

use super::{Row, sql};
use crate::id::TenantId;
use crate::outgoing::EmailStatus;
use crate::store::{Db, DbError};

statements! {
    /// Empty texts are no filter: every id lies above the empty one.
    BEFORE = "select id from emails
        where tenant_id = $1 and id < $2 and ($3 = '' or status = $3)
            and ($4 = '' or exists (select 1 from email_recipients
                where tenant_id = $1 and email_id = emails.id and address = $4))
        order by id desc limit $5";
    AFTER = "select id from emails
        where tenant_id = $1 and id > $2 and ($3 = '' or status = $3)
            and ($4 = '' or exists (select 1 from email_recipients
                where tenant_id = $1 and email_id = emails.id and address = $4))
        order by id limit $5";
}

/// Above every id of an email.
const ABOVE_ALL: &str = "g";

/// Which emails are listed.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    pub status: Option<EmailStatus>,
    /// The address of a recipient, as it was given.
    pub recipient: Option<String>,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub enum Page {
    First,
    /// Older than this email.
    After(Uuid),
    /// Newer than this email.
    Before(Uuid),
}

/// The ids of one page, the newest first, and whether more follow in the page's direction.
pub async fn list(
    db: &Db,
    tenant: &TenantId,
    filter: &Filter,
    page: Page,
    limit: usize,
) -> Result<(Vec<Uuid>, bool), DbError> {
    let (text, bound) = match page {
        Page::First => (BEFORE, ABOVE_ALL.to_owned()),
        Page::After(id) => (BEFORE, id.to_string()),
        Page::Before(id) => (AFTER, id.to_string()),
    };
    let statement = sql(text)
        .bind(tenant.as_str())
        .bind(bound)
        .bind(filter.status.map_or("", EmailStatus::as_str))
        .bind(filter.recipient.as_deref().unwrap_or_default())
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
    let rows = db.all(statement).await?;
    let read = |row: Row| super::read_id(&row.columns().text()?);
    let mut ids = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let has_more = ids.len() > limit;
    ids.truncate(limit);
    if matches!(page, Page::Before(_)) {
        ids.reverse();
    }
    Ok((ids, has_more))
}
