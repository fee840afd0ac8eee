//! Brings the schema up to date at the start. Each migration is one transaction, with the row that records
//! it, under a lock; so two processes may start together, and a crash leaves whole steps behind.

use std::fmt::Write as _;

use anyhow::{anyhow, bail};
use aws_lc_rs::digest;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio_postgres::{Client, IsolationLevel};

use crate::clock::Clock;

statements! {
    CREATE_TABLE = "create table if not exists schema_migrations (
        version bigint not null primary key,
        name text not null,
        checksum text not null,
        applied_at bigint not null
    )";
    APPLIED = "select version, checksum from schema_migrations order by version";
    RECORD = "insert into schema_migrations (version, name, checksum, applied_at) values ($1, $2, $3, $4)";
}

/// Held on PostgreSQL while a migration runs: any number that nobody else in the database takes.
const ADVISORY_LOCK: i64 = 0x7472_616e_7370_6f72;

pub(super) struct Migration {
    /// Counted from 1.
    pub version: i64,
    pub name: &'static str,
    /// One text for both engines, or that of SQLite.
    pub text: &'static str,
    /// That of PostgreSQL, where one text cannot serve both.
    pub postgres_text: Option<&'static str>,
}

/// All migrations, in order. One that was released is never changed again.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "first_tables",
        text: include_str!("../../migrations/0001_first_tables.sql"),
        postgres_text: None,
    },
    Migration {
        version: 2,
        name: "microsoft365",
        text: include_str!("../../migrations/0002_microsoft365.sql"),
        postgres_text: None,
    },
    Migration {
        version: 3,
        name: "audit_remote",
        text: include_str!("../../migrations/0003_audit_remote.sql"),
        postgres_text: None,
    },
    Migration {
        version: 4,
        name: "keys_in_use",
        text: include_str!("../../migrations/0004_keys_in_use.sql"),
        postgres_text: None,
    },
    Migration {
        version: 6,
        name: "tenant_listing",
        text: include_str!("../../migrations/0006_tenant_listing.sqlite.sql"),
        postgres_text: Some(include_str!("../../migrations/0006_tenant_listing.postgres.sql")),
    },
];

impl Migration {
    fn text_of_postgres(&self) -> &'static str {
        self.postgres_text.unwrap_or(self.text)
    }

    /// SHA-256 in hexadecimal digits, of the one text or of both.
    fn checksum(&self) -> String {
        let both = [self.text, self.postgres_text.unwrap_or_default()].concat();
        let digest = digest::digest(&digest::SHA256, both.as_bytes());
        digest.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// The first migration that was not applied; none where the schema is up to date.
fn next<'a>(known: &'a [Migration], applied: &[(i64, String)]) -> anyhow::Result<Option<&'a Migration>> {
    let newest = known.last().map_or(0, |migration| migration.version);
    if let Some((version, _)) = applied.last().filter(|(version, _)| *version > newest) {
        bail!(
            "a newer version of transports has migrated this database (its schema has version {version}, this \
             program knows {newest}): start that version again, or restore a backup from before"
        );
    }
    for migration in known {
        let Some((_, checksum)) = applied.iter().find(|(version, _)| *version == migration.version) else {
            return Ok(Some(migration));
        };
        if *checksum != migration.checksum() {
            bail!(
                "another build of transports has migrated this database: migration {} ({}) was another one",
                migration.version,
                migration.name
            );
        }
    }
    Ok(None)
}

/// `begin immediate` is the lock: the second process waits, then finds the work done.
pub(super) fn on_sqlite(connection: &mut Connection, known: &[Migration]) -> anyhow::Result<()> {
    loop {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(CREATE_TABLE)?;
        let applied = transaction
            .prepare(APPLIED)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(i64, String)>, _>>()?;
        let Some(migration) = next(known, &applied)? else {
            return Ok(transaction.commit()?);
        };
        transaction.execute_batch(migration.text).map_err(|error| failed(migration, &error))?;
        let now = Clock::System.now().0;
        transaction.execute(RECORD, (migration.version, migration.name, migration.checksum(), now))?;
        transaction.commit()?;
        tracing::info!(version = migration.version, name = migration.name, "migrated the database");
    }
}

/// Read committed, so that what is read behind the lock is what its last holder has left.
pub(super) async fn on_postgres(client: &mut Client, known: &[Migration]) -> anyhow::Result<()> {
    loop {
        let isolation = IsolationLevel::ReadCommitted;
        let transaction = client.build_transaction().isolation_level(isolation).start().await?;
        transaction.execute("select pg_advisory_xact_lock($1)", &[&ADVISORY_LOCK]).await?;
        transaction.batch_execute(CREATE_TABLE).await?;
        let applied = transaction.query(APPLIED, &[]).await?;
        let applied = applied
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<Vec<(i64, String)>, tokio_postgres::Error>>()?;
        let Some(migration) = next(known, &applied)? else {
            return Ok(transaction.commit().await?);
        };
        transaction
            .batch_execute(migration.text_of_postgres())
            .await
            .map_err(|error| failed(migration, &error))?;
        let now = Clock::System.now().0;
        let checksum = migration.checksum();
        transaction.execute(RECORD, &[&migration.version, &migration.name, &checksum, &now]).await?;
        transaction.commit().await?;
        tracing::info!(version = migration.version, name = migration.name, "migrated the database");
    }
}

fn failed(migration: &Migration, error: &dyn std::error::Error) -> anyhow::Error {
    let cause = super::db::chain(error);
    anyhow!(
        "migration {} ({}) failed, and nothing of it was done: {cause}",
        migration.version,
        migration.name
    )
}

#[cfg(test)]
mod tests;
