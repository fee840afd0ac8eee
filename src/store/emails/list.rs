//! A tenant's emails page by page, the newest first.

use uuid::Uuid;

use super::{Row, sql};
use crate::id::TenantId;
use crate::outgoing::EmailStatus;
use crate::store::{Db, DbError, Statement};

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
    /// By the index of a key's emails.
    OF_KEY_BEFORE = "select id from emails
        where tenant_id = $1 and api_key_id = $6 and id < $2 and ($3 = '' or status = $3)
            and ($4 = '' or exists (select 1 from email_recipients
                where tenant_id = $1 and email_id = emails.id and address = $4))
        order by id desc limit $5";
    OF_KEY_AFTER = "select id from emails
        where tenant_id = $1 and api_key_id = $6 and id > $2 and ($3 = '' or status = $3)
            and ($4 = '' or exists (select 1 from email_recipients
                where tenant_id = $1 and email_id = emails.id and address = $4))
        order by id limit $5";
    TAGGED_BEFORE = "select email_id from email_tags
        where tenant_id = $1 and hash = $6 and email_id < $2 and exists (select 1 from emails
            where tenant_id = $1 and id = email_tags.email_id and ($3 = '' or status = $3)
                and ($7 = '' or api_key_id = $7)
                and ($4 = '' or exists (select 1 from email_recipients
                    where tenant_id = $1 and email_id = emails.id and address = $4)))
        order by email_id desc limit $5";
    TAGGED_AFTER = "select email_id from email_tags
        where tenant_id = $1 and hash = $6 and email_id > $2 and exists (select 1 from emails
            where tenant_id = $1 and id = email_tags.email_id and ($3 = '' or status = $3)
                and ($7 = '' or api_key_id = $7)
                and ($4 = '' or exists (select 1 from email_recipients
                    where tenant_id = $1 and email_id = emails.id and address = $4)))
        order by email_id limit $5";
}

/// Above every id of an email.
const ABOVE_ALL: &str = "g";

/// Which emails are listed.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    pub status: Option<EmailStatus>,
    /// The address of a recipient, as it was given.
    pub recipient: Option<String>,
    /// The name and the value of a tag: for [`list_tagged`], by its hash.
    pub tag: Option<(String, String)>,
    /// The API key that it was taken with.
    pub api_key_id: Option<Uuid>,
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
    let statement = match filter.api_key_id {
        Some(key) => {
            let texts = [OF_KEY_BEFORE, OF_KEY_AFTER];
            statement(texts, tenant, filter, page, limit).bind(key.to_string())
        }
        None => statement([BEFORE, AFTER], tenant, filter, page, limit),
    };
    let mut ids = read(db, statement).await?;
    let has_more = ids.len() > limit;
    ids.truncate(limit);
    if matches!(page, Page::Before(_)) {
        ids.reverse();
    }
    Ok((ids, has_more))
}

/// The ids of emails with this hash of a tag, in the page's direction, at most one more than `limit`.
pub async fn list_tagged(
    db: &Db,
    tenant: &TenantId,
    filter: &Filter,
    page: Page,
    limit: usize,
    hash: &str,
) -> Result<Vec<Uuid>, DbError> {
    let texts = [TAGGED_BEFORE, TAGGED_AFTER];
    let key = filter.api_key_id.map_or_else(String::new, |id| id.to_string());
    read(db, statement(texts, tenant, filter, page, limit).bind(hash).bind(key)).await
}

fn statement(
    [before, after]: [&'static str; 2],
    tenant: &TenantId,
    filter: &Filter,
    page: Page,
    limit: usize,
) -> Statement {
    let (text, bound) = match page {
        Page::First => (before, ABOVE_ALL.to_owned()),
        Page::After(id) => (before, id.to_string()),
        Page::Before(id) => (after, id.to_string()),
    };
    sql(text)
        .bind(tenant.as_str())
        .bind(bound)
        .bind(filter.status.map_or("", EmailStatus::as_str))
        .bind(filter.recipient.as_deref().unwrap_or_default())
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
}

async fn read(db: &Db, statement: Statement) -> Result<Vec<Uuid>, DbError> {
    let rows = db.all(statement).await?;
    rows.into_iter().map(|row: Row| super::read_id(&row.columns().text()?)).collect()
}
