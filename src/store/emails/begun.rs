//! How many mails have gone to one recipient of a tenant.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::mail::address::EmailAddress;
use crate::store::{Db, DbError, sql};

statements! {
    /// Of the hand-overs of other emails to an address, the one before which so many have begun since.
    BEGUN_BEFORE = "select begun_at from email_recipients
        where tenant_id = $1 and address = $2 and begun_at > $3 and begun_at <= $4 and email_id <> $5
        order by begun_at desc limit 1 offset $6";
}

/// When the last but `skip` of the hand-overs of other emails to this address began, after `since`. None where fewer did.
pub async fn begun_before(
    db: &Db,
    tenant: &TenantId,
    address: &EmailAddress,
    (since, now): (Timestamp, Timestamp),
    id: Uuid,
    skip: u32,
) -> Result<Option<Timestamp>, DbError> {
    let statement = sql(BEGUN_BEFORE).bind(tenant.as_str()).bind(address.as_str()).bind(since.0).bind(now.0);
    let row = db.optional(statement.bind(id.to_string()).bind(i64::from(skip))).await?;
    row.map(|row| row.columns().integer().map(Timestamp)).transpose()
}
