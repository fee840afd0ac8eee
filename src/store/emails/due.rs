//! The mail of an account that is due, by its lane and by whether it was tried before.

use uuid::Uuid;

use super::{Lane, Timestamp, read_id, unreadable};
use crate::id::TenantId;
use crate::store::{Db, DbError, Row, sql};

statements! {
    DUE = "select lane, is_retry, email_id, (select required_key_id from emails where tenant_id = $1 and id = email_id)
            from (select lane, is_retry, email_id from email_queue
            where tenant_id = $1 and lane = 'transactional' and not is_retry and due_at <= $2
            order by due_at, email_id limit $3) as new
        union all select lane, is_retry, email_id, (select required_key_id from emails where tenant_id = $1 and id = email_id)
            from (select lane, is_retry, email_id from email_queue
            where tenant_id = $1 and lane = 'transactional' and is_retry and due_at <= $2
            order by due_at, email_id limit $3) as retries
        union all select lane, is_retry, email_id, (select required_key_id from emails where tenant_id = $1 and id = email_id)
            from (select lane, is_retry, email_id from email_queue
            where tenant_id = $1 and lane = 'bulk' and not is_retry and due_at <= $2
            order by due_at, email_id limit $3) as new_bulk
        union all select lane, is_retry, email_id, (select required_key_id from emails where tenant_id = $1 and id = email_id)
            from (select lane, is_retry, email_id from email_queue
            where tenant_id = $1 and lane = 'bulk' and is_retry and due_at <= $2
            order by due_at, email_id limit $3) as bulk_retries";
}

/// A mail that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DueEmail {
    pub lane: Lane,
    /// Whether an attempt has been made.
    pub is_retry: bool,
    pub id: Uuid,
    /// The API key that has to be usable.
    pub required_key_id: Option<Uuid>,
}

/// What is due: of each lane the new mail and the retries apart, each the oldest first and at most so many.
pub async fn due(db: &Db, tenant: &TenantId, now: Timestamp, limit: i64) -> Result<Vec<DueEmail>, DbError> {
    let rows = db.all(sql(DUE).bind(tenant.as_str()).bind(now.0).bind(limit)).await?;
    let row = |row: Row| {
        let mut columns = row.columns();
        let lane = Lane::parse(&columns.text()?).ok_or_else(|| unreadable("lane"))?;
        Ok(DueEmail {
            lane,
            is_retry: columns.boolean()?,
            id: read_id(&columns.text()?)?,
            required_key_id: columns.optional_text()?.map(|id| read_id(&id)).transpose()?,
        })
    };
    rows.into_iter().map(row).collect()
}
