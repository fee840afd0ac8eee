//! The database: one SQL text for SQLite and PostgreSQL, a file for each table.

/// Declares the SQL texts of a file as constants, and gathers them in `ALL`, so that none can be left out of
/// the tests that prepare every text on both engines and look for the tenant in it.
macro_rules! statements {
    ($( $(#[doc = $doc:literal])* $name:ident = $text:expr; )+) => {
        $( $(#[doc = $doc])* const $name: &str = $text; )+
        pub(in crate::store) const ALL: &[&str] = &[$($name),+];
    };
}

pub mod api_keys;
pub mod audit;
pub mod background_tasks;
pub mod backlog;
pub mod content_keys;
mod db;
pub mod delivery_accounts;
pub mod email_configs;
pub mod email_events;
pub mod email_selection;
pub mod emails;
pub mod ended_sessions;
pub mod erasure;
pub mod key_canaries;
mod migrations;
mod postgres;
pub mod rate_limits;
pub mod retention;
mod row;
pub mod sealed_rows;
mod sqlite;
mod statement;
pub mod tenant_list;
pub mod tenants;

pub use db::{Db, DbError};
pub use postgres::{check_url, warnings};
pub use row::{Columns, Row};
pub use sqlite::{Progress as BackupProgress, SenderLock, backup as backup_sqlite, check_writable};
pub use statement::{Statement, Value, Write, WriteOutcome, sql};

/// The SQL texts for PostgreSQL alone.
pub fn postgres_texts() -> Vec<&'static str> {
    [rate_limits::ALL, email_events::postgres::ALL].concat()
}

/// Every SQL text on the tables of both engines, by the name of the file that holds it.
pub fn texts() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("api_keys", api_keys::ALL),
        ("audit", audit::ALL),
        ("background_tasks", background_tasks::ALL),
        ("backlog", backlog::ALL),
        ("content_keys", content_keys::ALL),
        ("db", db::ALL),
        ("delivery_accounts", delivery_accounts::ALL),
        ("email_configs", email_configs::ALL),
        ("email_events", email_events::ALL),
        ("email_selection", email_selection::ALL),
        ("emails", emails::ALL),
        ("emails/door", emails::door::ALL),
        ("emails/begun", emails::begun::ALL),
        ("emails/due", emails::due::ALL),
        ("emails/list", emails::list::ALL),
        ("emails/queue", emails::queue::ALL),
        ("emails/removal", emails::removal::ALL),
        ("ended_sessions", ended_sessions::ALL),
        ("erasure", erasure::ALL),
        ("key_canaries", key_canaries::ALL),
        ("migrations", migrations::ALL),
        ("sealed_rows", sealed_rows::ALL),
        ("tenant_list", tenant_list::ALL),
        ("tenants", tenants::ALL),
    ]
}

#[cfg(test)]
mod tests;
