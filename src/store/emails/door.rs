//! Recognises a message that is handed in again without an idempotency key.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::store::{Db, DbError, Row, Statement, sql};

statements! {
    FIND_BY_DOOR = "select id from emails where tenant_id = $1 and door_hash = $2 and created_at > $3";
    FORGET_DOOR = "update emails set door_hash = null where tenant_id = $1 and door_hash = $2 and created_at <= $3";
    /// No row where it has been erased.
    CONFIRM_REPETITION = "update emails set came_again = true
        where tenant_id = $1 and id = $2 and sealed_details is not null";
    /// No row where its client has heard its id, or where it has begun to go: then its client hears the id when it comes again.
    WITHDRAW = "update emails set door_hash = null where tenant_id = $1 and id = $2 and not came_again
        and not exists (select 1 from email_recipients where tenant_id = $1 and email_id = $2 and attempts > 0)";
}

/// The email with this hash that was taken after `since`.
pub async fn find_by_door(
    db: &Db,
    tenant: &TenantId,
    hash: &[u8],
    since: Timestamp,
) -> Result<Option<Uuid>, DbError> {
    let row = db.optional(sql(FIND_BY_DOOR).bind(tenant.as_str()).bind(hash).bind(since.0)).await?;
    row.map(|row: Row| super::read_id(&row.columns().text()?)).transpose()
}

/// Makes room for a new email with this hash, where the one that has it was not taken after `since`.
pub fn forget_door(tenant: &TenantId, hash: &[u8], since: Timestamp) -> Statement {
    sql(FORGET_DOOR).bind(tenant.as_str()).bind(hash).bind(since.0)
}

/// Notes that a client hears the id of an email that it has handed in before. Affects no row where the email was erased.
pub fn confirm_repetition(tenant: &TenantId, id: Uuid) -> Statement {
    sql(CONFIRM_REPETITION).bind(tenant.as_str()).bind(id.to_string()).require_affected()
}

/// Beside an erasure: affects no row where a client has heard the email's id, or an attempt has begun, which rolls back the
/// erasure.
pub fn withdraw_unless_repeated(tenant: &TenantId, id: Uuid) -> Statement {
    sql(WITHDRAW).bind(tenant.as_str()).bind(id.to_string()).require_affected()
}
