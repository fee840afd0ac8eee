//! Lists and counts the tenants that have a configuration, for the operator.
//!
//! Each row stores its [`Group`]. A filter selects some of the groups, and an index holds the tenants of each group in
//! order. No secret is read.

mod group;
mod listing;

use super::{Columns, Db, DbError, Row, sql};
use crate::clock::Timestamp;

pub use group::{Filter, Group};
pub use listing::Listing;

statements! {
    /// The operator's, of all tenants: the next group. Asked again and again from the empty text on, it walks over the
    /// index from group to group, however many rows there are.
    NEXT_GROUP = "select min(listing_group) from email_configs where listing_group > $1";
    /// The operator's, of all tenants.
    COUNT_GROUP = "select count(*) from email_configs where listing_group = $1";
    /// The operator's, of all tenants: the next ones of a group behind tenant `$2`.
    PAGE_OF_GROUP = "select tenant_id, listing_group, server_address, server_port, security_type, email_address,
            provider_tenant_id, auth_failures, modified_at, updated_at
        from email_configs where listing_group = $1 and tenant_id > $2 order by tenant_id limit $3";
    /// The operator's: the next ones behind tenant `$1`, of all groups.
    PAGE = "select tenant_id, listing_group, server_address, server_port, security_type, email_address,
            provider_tenant_id, auth_failures, modified_at, updated_at
        from email_configs where tenant_id > $1 order by tenant_id limit $2";
}

/// One tenant of the list. Texts are as they are stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantRow {
    pub tenant: String,
    pub group: Group,
    pub server_address: Option<String>,
    pub server_port: Option<i64>,
    pub security_type: Option<String>,
    /// The domain of the sender address: it names the organisation, and no person.
    pub sender_domain: Option<String>,
    /// The directory of Microsoft 365.
    pub provider_tenant: Option<String>,
    pub auth_failures: i64,
    /// The last change by an administrator.
    pub modified_at: Timestamp,
    /// The last change of anything, health included.
    pub updated_at: Timestamp,
}

/// The groups that have tenants now, and that the filter lets pass.
pub async fn groups(db: &Db, filter: &Filter) -> Result<Vec<Group>, DbError> {
    let mut groups = Vec::new();
    let mut last = String::new();
    loop {
        let row = db.optional(sql(NEXT_GROUP).bind(last.as_str())).await?;
        let Some(next) = row.map(|row| row.columns().optional_text()).transpose()?.flatten() else {
            return Ok(groups);
        };
        groups.extend(Some(Group::parse(&next)).filter(|group| filter.matches(group)));
        last = next;
    }
}

/// How many tenants a group has now.
pub async fn count(db: &Db, group: &Group) -> Result<i64, DbError> {
    let row = db.optional(sql(COUNT_GROUP).bind(group.as_str())).await?;
    row.map_or(Ok(0), |row| row.columns().integer())
}

/// The next tenants behind `after`, of one group or of all, in the order of their bytes.
async fn page(db: &Db, group: Option<&Group>, after: &str, most: i64) -> Result<Vec<TenantRow>, DbError> {
    let statement = match group {
        Some(group) => sql(PAGE_OF_GROUP).bind(group.as_str()),
        None => sql(PAGE),
    };
    let rows = db.all(statement.bind(after).bind(most)).await?;
    rows.into_iter().map(|row: Row| read(&mut row.columns())).collect()
}

fn read(columns: &mut Columns) -> Result<TenantRow, DbError> {
    let domain = |address: String| address.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    Ok(TenantRow {
        tenant: columns.text()?,
        group: Group::parse(&columns.text()?),
        server_address: columns.optional_text()?,
        server_port: columns.optional_integer()?,
        security_type: columns.optional_text()?,
        sender_domain: columns.optional_text()?.and_then(domain),
        provider_tenant: columns.optional_text()?,
        auth_failures: columns.integer()?,
        modified_at: Timestamp(columns.integer()?),
        updated_at: Timestamp(columns.integer()?),
    })
}
