//! Brings the schema up to date at the start. Each migration and the row that records it are one transaction under a
//! lock: several processes may start together, and after a crash each migration is applied as a whole or not at all.

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
        applied_at bigint not null,
        works_with bigint not null
    )";
    APPLIED = "select version, checksum from schema_migrations order by version";
    RECORD = "insert into schema_migrations (version, name, checksum, applied_at, works_with)
        values ($1, $2, $3, $4, $5)";
    /// Counts newer migrations behind which a program that knows the schema up to version $1 does not work.
    INCOMPATIBLE = "select count(*) from schema_migrations where version > $1 and works_with > $1";
}

/// For PostgreSQL. Looks where the table would be created: another installation may lie further down the search path.
const EXISTS: &str = "select to_regclass(quote_ident(current_schema()) || '.schema_migrations') is not null";

/// The advisory lock on PostgreSQL while a migration runs: an arbitrary number.
const ADVISORY_LOCK: i64 = 0x7472_616e_7370_6f72;

pub(super) struct Migration {
    /// Counted from 1.
    pub version: i64,
    pub name: &'static str,
    /// For both engines.
    pub text: &'static str,
    /// What PostgreSQL needs besides, executed after `text`.
    pub postgres_text: &'static str,
    /// The oldest version of the schema whose programs keep working, and may start, after this migration. A migration
    /// that only adds names the version before it; one that removes something names itself. Like the text, it never
    /// changes once it was released.
    pub works_with: i64,
}

/// All migrations, in order. One that was released never changes.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration::new(1, 1, "first_schema", include_str!("../../migrations/0001_first_schema.sql"))
        .with_postgres(include_str!("../../migrations/0001_first_schema.postgres.sql")),
    Migration::new(2, 1, "delivery", include_str!("../../migrations/0002_delivery.sql"))
        .with_postgres(include_str!("../../migrations/0002_delivery.postgres.sql")),
    Migration::new(3, 2, "delivery_extended", include_str!("../../migrations/0003_delivery_extended.sql"))
        .with_postgres(include_str!("../../migrations/0003_delivery_extended.postgres.sql")),
];

impl Migration {
    const fn new(version: i64, works_with: i64, name: &'static str, text: &'static str) -> Self {
        Self { version, name, text, postgres_text: "", works_with }
    }

    const fn with_postgres(mut self, text: &'static str) -> Self {
        self.postgres_text = text;
        self
    }

    /// SHA-256 of both texts, in hexadecimal digits.
    fn checksum(&self) -> String {
        let both = [self.text, self.postgres_text].concat();
        let digest = digest::digest(&digest::SHA256, both.as_bytes());
        digest.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// The next step of bringing the schema up to date.
enum NextMigration<'a> {
    Migrate(&'a Migration),
    UpToDate,
    /// The schema has this version, of a newer program. This program may or may not work with it.
    Newer(i64),
}

/// Compares the known migrations with those that the database has recorded.
fn next<'a>(known: &'a [Migration], applied: &[(i64, String)]) -> anyhow::Result<NextMigration<'a>> {
    for migration in known {
        let Some((_, checksum)) = applied.iter().find(|(version, _)| *version == migration.version) else {
            return Ok(NextMigration::Migrate(migration));
        };
        if *checksum != migration.checksum() {
            bail!(
                "another build of transports has migrated this database, as one from before the first release would: \
                 its migration {} is not {} as this program knows it. Start that build again, or name a new, empty \
                 database in database.url and set the tenants up again",
                migration.version,
                migration.name
            );
        }
    }
    let newest = newest(known);
    let newer = applied.last().map(|(version, _)| *version).filter(|version| *version > newest);
    Ok(newer.map_or(NextMigration::UpToDate, NextMigration::Newer))
}

fn newest(known: &[Migration]) -> i64 {
    known.last().map_or(0, |migration| migration.version)
}

/// Accepts a database that a newer program has migrated, unless one of its migrations removed what this program needs.
/// So replicas of the older version keep working during an upgrade, and on the way back from one.
fn check_newer(known: &[Migration], version: i64, incompatible: i64) -> anyhow::Result<()> {
    let newest = newest(known);
    if incompatible > 0 {
        bail!(
            "a newer version of transports has migrated this database (its schema has version {version}, this \
             program knows {newest}): start that version again, or restore a backup from before"
        );
    }
    tracing::warn!(
        version,
        newest,
        "a newer version has migrated this database; this one still works with it"
    );
    Ok(())
}

/// `begin immediate` is the lock: a second process waits, then finds nothing left to do.
pub(super) fn on_sqlite(connection: &mut Connection, known: &[Migration]) -> anyhow::Result<()> {
    loop {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(CREATE_TABLE)?;
        let applied = transaction
            .prepare(APPLIED)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(i64, String)>, _>>()?;
        let migration = match next(known, &applied)? {
            NextMigration::Migrate(migration) => migration,
            NextMigration::UpToDate => return Ok(transaction.commit()?),
            NextMigration::Newer(version) => {
                let incompatible = transaction.query_row(INCOMPATIBLE, [newest(known)], |row| row.get(0))?;
                return check_newer(known, version, incompatible);
            }
        };
        transaction.execute_batch(migration.text).map_err(|error| failed(migration, &error))?;
        let now = Clock::System.now().0;
        let Migration { version, name, works_with, .. } = migration;
        transaction.execute(RECORD, (version, name, migration.checksum(), now, works_with))?;
        transaction.commit()?;
        tracing::info!(version = migration.version, name = migration.name, "migrated the database");
    }
}

/// Whether any program has migrated this database of PostgreSQL.
pub(super) async fn is_migrated(client: &Client) -> anyhow::Result<bool> {
    Ok(client.query_one(EXISTS, &[]).await?.try_get(0)?)
}

/// Read committed, so that a read after taking the lock sees what its last holder has committed.
pub(super) async fn on_postgres(client: &mut Client, known: &[Migration]) -> anyhow::Result<()> {
    loop {
        let isolation = IsolationLevel::ReadCommitted;
        let transaction = client.build_transaction().isolation_level(isolation).start().await?;
        transaction.execute("select pg_advisory_xact_lock($1)", &[&ADVISORY_LOCK]).await?;
        // A user who may use the tables, and make none, can start on a schema that another user has made.
        if !transaction.query_one(EXISTS, &[]).await?.try_get(0)? {
            transaction.batch_execute(CREATE_TABLE).await?;
        }
        let applied = transaction.query(APPLIED, &[]).await?;
        let applied = applied
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<Vec<(i64, String)>, tokio_postgres::Error>>()?;
        let migration = match next(known, &applied)? {
            NextMigration::Migrate(migration) => migration,
            NextMigration::UpToDate => return Ok(transaction.commit().await?),
            NextMigration::Newer(version) => {
                let incompatible =
                    transaction.query_one(INCOMPATIBLE, &[&newest(known)]).await?.try_get(0)?;
                return check_newer(known, version, incompatible);
            }
        };
        for text in [migration.text, migration.postgres_text] {
            transaction.batch_execute(text).await.map_err(|error| failed(migration, &error))?;
        }
        let Migration { version, name, works_with, .. } = migration;
        let (checksum, now) = (migration.checksum(), Clock::System.now().0);
        transaction.execute(RECORD, &[version, name, &checksum, &now, works_with]).await?;
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
