//! Erases emails on request: what they say, to whom they went, and what servers have replied. What became of each recipient
//! stays.

use uuid::Uuid;

use super::{Db, DbError, Row, Statement, Write, WriteOutcome, email_events, emails, sql};
use crate::clock::Timestamp;
use crate::id::TenantId;

/// How often an erasure is tried again because another write came first.
const MAX_ATTEMPTS: usize = 10;

statements! {
    /// The operator's, of all tenants, or of tenant `$3` where that is not empty: the next emails behind an email with a
    /// recipient at this address. Case does not matter; the engines differ in how they lower letters outside of ASCII.
    NEXT = "select distinct tenant_id, email_id from email_recipients
        where lower(address) in ($1, $2) and ($3 = '' or tenant_id = $3) and (tenant_id, email_id) > ($4, $5)
        order by tenant_id, email_id limit $6";
    /// The operator's: as above.
    COUNT = "select count(*), count(distinct tenant_id), cast(coalesce(sum(waits), 0) as bigint) from (
            select tenant_id, max(case when state in ('queued', 'held', 'deferred') then 1 else 0 end) as waits
            from email_recipients where lower(address) in ($1, $2) and ($3 = '' or tenant_id = $3)
            group by tenant_id, email_id) as named";
}

/// Emails with a recipient at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Addressed {
    pub emails: i64,
    pub tenants: i64,
    /// Those that have not gone to the address yet.
    pub waiting: i64,
}

/// Counts the emails with a recipient at this address, of one tenant or of all.
pub async fn count(db: &Db, address: &str, tenant: Option<&TenantId>) -> Result<Addressed, DbError> {
    let tenant = tenant.map_or("", TenantId::as_str);
    let count = sql(COUNT).bind(address.to_ascii_lowercase()).bind(address.to_lowercase()).bind(tenant);
    let Some(row) = db.optional(count).await? else {
        return Ok(Addressed { emails: 0, tenants: 0, waiting: 0 });
    };
    let mut columns = row.columns();
    Ok(Addressed { emails: columns.integer()?, tenants: columns.integer()?, waiting: columns.integer()? })
}

/// The next emails with a recipient at this address, behind the email `after`, of one tenant or of all.
pub async fn next(
    db: &Db,
    address: &str,
    tenant: Option<&TenantId>,
    after: Option<&(TenantId, Uuid)>,
    limit: i64,
) -> Result<Vec<(TenantId, Uuid)>, DbError> {
    let (after_tenant, after_email) =
        after.map_or(("", String::new()), |(tenant, email)| (tenant.as_str(), email.to_string()));
    let next = sql(NEXT)
        .bind(address.to_ascii_lowercase())
        .bind(address.to_lowercase())
        .bind(tenant.map_or("", TenantId::as_str))
        .bind(after_tenant)
        .bind(after_email)
        .bind(limit);
    let row = |row: Row| {
        let mut columns = row.columns();
        Ok((TenantId::from_operator(&columns.text()?), emails::read_id(&columns.text()?)?))
    };
    db.all(next).await?.into_iter().map(row).collect()
}

/// How an erasure ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erasure {
    Erased,
    NotFound,
    /// Other writes came first, again and again.
    Contended,
}

/// Erases one email; what waits of it is withdrawn. `with` is written together with it.
pub async fn erase(
    db: &Db,
    tenant: &TenantId,
    id: Uuid,
    with: Option<&Statement>,
    now: Timestamp,
) -> Result<Erasure, DbError> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(stored) = emails::find(db, tenant, id).await? else { return Ok(Erasure::NotFound) };
        let mut email = stored.email.clone();
        let events = email.erase(now);
        let earlier = email_events::of_email(db, tenant, id).await?;
        let write = Write::default()
            .then_all(emails::save(tenant, &stored.email, &email, &events, None, now))
            .then_all(emails::erase_details(tenant, id))
            .then_all(email_events::forget_replies(tenant, earlier))
            .then_all(with.cloned());
        if db.write(write).await? == WriteOutcome::Committed {
            return Ok(Erasure::Erased);
        }
    }
    Ok(Erasure::Contended)
}
