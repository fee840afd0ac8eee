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
    /// SQLite counts parameters in the order in which they stand.
    RECORD_WORKS_WITH = "update schema_migrations set works_with = $1 where version = $2";
    /// What newer versions of the program have done that one which knows the schema up to $1 does not work with.
    UNWORKABLE = "select count(*) from schema_migrations
        where version > $1 and (works_with is null or works_with > $1)";
}

/// The version from which on a migration says which programs it leaves working.
const TELLS_WHO_WORKS: i64 = 5;

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
    /// The oldest version of the schema whose programs go on working, and may start, behind this migration. A
    /// migration that only adds has that of the one before it; one that takes something away, its own. Never changed
    /// once it was released, as the text.
    pub works_with: i64,
}

/// All migrations, in order. One that was released is never changed again.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration::new(1, 1, "first_tables", include_str!("../../migrations/0001_first_tables.sql")),
    Migration::new(2, 2, "microsoft365", include_str!("../../migrations/0002_microsoft365.sql")),
    Migration::new(3, 3, "audit_remote", include_str!("../../migrations/0003_audit_remote.sql")),
    Migration::new(4, 4, "keys_in_use", include_str!("../../migrations/0004_keys_in_use.sql")),
    Migration::new(5, 5, "rate_limits", include_str!("../../migrations/0005_rate_limits.sqlite.sql"))
        .on_postgres(include_str!("../../migrations/0005_rate_limits.postgres.sql")),
    Migration::new(6, 5, "tenant_listing", include_str!("../../migrations/0006_tenant_listing.sqlite.sql"))
        .on_postgres(include_str!("../../migrations/0006_tenant_listing.postgres.sql")),
];

impl Migration {
    /// `works_with` is the version itself for one that leaves no program working but those that know it.
    const fn new(version: i64, works_with: i64, name: &'static str, text: &'static str) -> Self {
        Self { version, name, text, postgres_text: None, works_with }
    }

    const fn on_postgres(mut self, text: &'static str) -> Self {
        self.postgres_text = Some(text);
        self
    }

    fn text_of_postgres(&self) -> &'static str {
        self.postgres_text.unwrap_or(self.text)
    }

    /// Whether the table has a place for `works_with` by then.
    fn tells_who_works(&self) -> bool {
        self.version >= TELLS_WHO_WORKS
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

/// What a start has to do.
enum Next<'a> {
    Migrate(&'a Migration),
    UpToDate,
    /// Migrations of a newer version, which may or may not leave this program working.
    Newer(i64),
}

/// The first migration that was not applied, or how the schema stands.
fn next<'a>(known: &'a [Migration], applied: &[(i64, String)]) -> anyhow::Result<Next<'a>> {
    for migration in known {
        let Some((_, checksum)) = applied.iter().find(|(version, _)| *version == migration.version) else {
            return Ok(Next::Migrate(migration));
        };
        if *checksum != migration.checksum() {
            bail!(
                "another build of transports has migrated this database: migration {} ({}) was another one",
                migration.version,
                migration.name
            );
        }
    }
    let newest = newest(known);
    let newer = applied.last().map(|(version, _)| *version).filter(|version| *version > newest);
    Ok(newer.map_or(Next::UpToDate, Next::Newer))
}

fn newest(known: &[Migration]) -> i64 {
    known.last().map_or(0, |migration| migration.version)
}

/// A database that a newer version has migrated: during an upgrade, and on the way back from one, replicas of the
/// version before go on with it as long as nothing was taken away that they need.
fn judge_newer(known: &[Migration], version: i64, unworkable: i64) -> anyhow::Result<()> {
    let newest = newest(known);
    if unworkable > 0 {
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

/// `begin immediate` is the lock: the second process waits, then finds the work done.
pub(super) fn on_sqlite(connection: &mut Connection, known: &[Migration]) -> anyhow::Result<()> {
    loop {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(CREATE_TABLE)?;
        let applied = transaction
            .prepare(APPLIED)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(i64, String)>, _>>()?;
        let migration = match next(known, &applied)? {
            Next::Migrate(migration) => migration,
            Next::UpToDate => return Ok(transaction.commit()?),
            Next::Newer(version) => {
                let unworkable = transaction.query_row(UNWORKABLE, [newest(known)], |row| row.get(0))?;
                return judge_newer(known, version, unworkable);
            }
        };
        transaction.execute_batch(migration.text).map_err(|error| failed(migration, &error))?;
        let now = Clock::System.now().0;
        transaction.execute(RECORD, (migration.version, migration.name, migration.checksum(), now))?;
        if migration.tells_who_works() {
            transaction.execute(RECORD_WORKS_WITH, (migration.works_with, migration.version))?;
        }
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
        let migration = match next(known, &applied)? {
            Next::Migrate(migration) => migration,
            Next::UpToDate => return Ok(transaction.commit().await?),
            Next::Newer(version) => {
                let unworkable = transaction.query_one(UNWORKABLE, &[&newest(known)]).await?.try_get(0)?;
                return judge_newer(known, version, unworkable);
            }
        };
        transaction
            .batch_execute(migration.text_of_postgres())
            .await
            .map_err(|error| failed(migration, &error))?;
        let now = Clock::System.now().0;
        let checksum = migration.checksum();
        transaction.execute(RECORD, &[&migration.version, &migration.name, &checksum, &now]).await?;
        if migration.tells_who_works() {
            transaction.execute(RECORD_WORKS_WITH, &[&migration.works_with, &migration.version]).await?;
        }
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
