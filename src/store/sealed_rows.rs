//! Every row that is sealed under a key of the ring, of all tables that have such rows: which keys they need, and how their
//! data keys are wrapped again.

use std::collections::BTreeSet;

use super::{Db, DbError, Row, Statement, sql};
use crate::id::TenantId;

statements! {
    /// The operator's, of all tenants: the first name of a key behind `$1` that seals any row. Asked again and
    /// again from the empty text on, it walks over the index from key to key, however many rows there are.
    NEXT_KEY_OF_CONFIGS = "select min(secret_key_id) from email_configs where secret_key_id > $1";
    /// The operator's, of all tenants.
    COUNT_CONFIGS = "select count(*) from email_configs where secret_key_id = $1";
    /// The operator's, of all tenants: the next rows behind tenant `$2`. A tenant has one row, which has no day.
    NEXT_CONFIGS = "select tenant_id, cast(0 as bigint), secret_wrapped_key from email_configs
        where secret_key_id = $1 and tenant_id > $2 order by tenant_id limit $3";
    /// Touches neither version nor times: the secret is the same. Touches no row where another write has come first.
    REWRAP_CONFIG = "update email_configs set secret_key_id = $4, secret_wrapped_key = $5
        where tenant_id = $1 and secret_key_id = $2 and secret_wrapped_key = $3";
    /// The operator's, of all tenants: as for the configurations.
    NEXT_KEY_OF_CONTENT = "select min(key_id) from content_keys where key_id > $1";
    /// The operator's, of all tenants.
    COUNT_CONTENT = "select count(*) from content_keys where key_id = $1";
    /// The operator's, of all tenants: the next rows behind tenant `$2` and day `$4`.
    NEXT_CONTENT = "select tenant_id, day, wrapped_key from content_keys
        where key_id = $1 and (tenant_id, day) > ($2, $4) order by tenant_id, day limit $3";
    /// Touches no row where another write has come first.
    REWRAP_CONTENT = "update content_keys set key_id = $4, wrapped_key = $5
        where tenant_id = $1 and key_id = $2 and wrapped_key = $3 and day = $6";
}

/// A table with sealed rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealedTable {
    /// The secrets of the accounts.
    EmailConfigs,
    /// The keys of the content of emails, one for each tenant and day.
    ContentKeys,
}

impl SealedTable {
    const ALL: [Self; 2] = [Self::EmailConfigs, Self::ContentKeys];

    fn next_key(self) -> &'static str {
        match self {
            Self::EmailConfigs => NEXT_KEY_OF_CONFIGS,
            Self::ContentKeys => NEXT_KEY_OF_CONTENT,
        }
    }

    fn count(self) -> &'static str {
        match self {
            Self::EmailConfigs => COUNT_CONFIGS,
            Self::ContentKeys => COUNT_CONTENT,
        }
    }

    /// The next rows with this key, behind a tenant and a day.
    fn next_rows(self, key_id: &str, tenant: &str, day: i64, count: usize) -> Statement {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        match self {
            Self::EmailConfigs => sql(NEXT_CONFIGS).bind(key_id).bind(tenant).bind(count),
            Self::ContentKeys => sql(NEXT_CONTENT).bind(key_id).bind(tenant).bind(count).bind(day),
        }
    }
}

/// A wrapped data key, and where it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedRow {
    pub table: SealedTable,
    pub tenant: TenantId,
    /// Of a content key, in days since 1970.
    pub day: i64,
    pub key_id: String,
    pub wrapped_key: Vec<u8>,
}

/// The names of all keys that some row needs, in their order.
pub async fn keys_in_use(db: &Db) -> Result<Vec<String>, DbError> {
    let mut keys = BTreeSet::new();
    for table in SealedTable::ALL {
        let mut last = String::new();
        loop {
            let row = db.optional(sql(table.next_key()).bind(last.as_str())).await?;
            let Some(key) = row.map(|row| row.columns().optional_text()).transpose()?.flatten() else {
                break;
            };
            keys.insert(key.clone());
            last = key;
        }
    }
    Ok(keys.into_iter().collect())
}

/// How many rows are sealed with this key.
pub async fn count(db: &Db, key_id: &str) -> Result<i64, DbError> {
    let mut rows = 0;
    for table in SealedTable::ALL {
        let row = db.optional(sql(table.count()).bind(key_id)).await?;
        rows += row.map_or(Ok(0), |row| row.columns().integer())?;
    }
    Ok(rows)
}

/// The first `count` rows that are sealed with this key behind the row `after`: table by table, each in the order of
/// tenants and days. Fewer may come, and none at the end alone.
pub async fn next(
    db: &Db,
    key_id: &str,
    after: Option<&SealedRow>,
    count: usize,
) -> Result<Vec<SealedRow>, DbError> {
    let is_done = |table: &SealedTable| after.is_some_and(|after| after.table == *table);
    let first = SealedTable::ALL.iter().position(is_done).unwrap_or(0);
    for table in SealedTable::ALL.into_iter().skip(first) {
        let after = after.filter(|after| after.table == table);
        // No tenant has an empty name.
        let (tenant, day) = after.map_or(("", 0), |after| (after.tenant.as_str(), after.day));
        let rows = db.all(table.next_rows(key_id, tenant, day, count)).await?;
        if !rows.is_empty() {
            return rows.into_iter().map(|row| read(table, key_id, row)).collect();
        }
    }
    Ok(Vec::new())
}

fn read(table: SealedTable, key_id: &str, row: Row) -> Result<SealedRow, DbError> {
    let mut columns = row.columns();
    Ok(SealedRow {
        table,
        tenant: TenantId::from_operator(&columns.text()?),
        day: columns.integer()?,
        key_id: key_id.to_owned(),
        wrapped_key: columns.bytes()?,
    })
}

/// Replaces a wrapped data key by its rewrapped form; affects no row where the stored one has changed since it was
/// read.
pub fn rewrap(read: &SealedRow, key_id: &str, wrapped_key: &[u8]) -> Statement {
    let statement = match read.table {
        SealedTable::EmailConfigs => sql(REWRAP_CONFIG),
        SealedTable::ContentKeys => sql(REWRAP_CONTENT),
    };
    let statement = statement
        .bind(read.tenant.as_str())
        .bind(read.key_id.as_str())
        .bind(read.wrapped_key.as_slice())
        .bind(key_id)
        .bind(wrapped_key);
    match read.table {
        SealedTable::EmailConfigs => statement,
        SealedTable::ContentKeys => statement.bind(read.day),
    }
}
