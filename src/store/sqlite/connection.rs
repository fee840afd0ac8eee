//! Opens connections with durable settings, and runs statements on them.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use rustix::fs::{Access, access};

use super::error::{DAMAGED, explain, is_busy};
use super::log;
use crate::store::{Row, Statement, Value};

/// How long a connection waits for another process: a backup, or a second service on the same file. A write
/// may wait behind one such wait for its own, so that two of them stay below five seconds.
const BUSY_TIMEOUT: Duration = Duration::from_millis(2400);

/// The statements of transactions and savepoints, which a connection keeps besides the texts of the tables.
const TRANSACTION_STATEMENTS: usize = 8;

/// The write-ahead log is truncated to this size when it restarts.
const JOURNAL_BYTES: i64 = 16 * 1024 * 1024;

/// Files up to this size are checked as a whole at the start, which takes some milliseconds; in larger ones
/// damage shows where it is read.
const CHECKED_BYTES: i64 = 8 * 1024 * 1024;

/// The folder of the file, which has to be there.
fn folder_of(path: &Path) -> anyhow::Result<&Path> {
    if matches!(path.to_str(), Some("" | ":memory:")) {
        bail!("is not a path: the database has to be a file");
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("there is no folder {}: make it, for the user of this process", folder.display());
    }
    Ok(folder)
}

/// Whether this process can write the file and what SQLite keeps beside it. Creates nothing.
pub(super) fn check_writable(path: &Path) -> anyhow::Result<()> {
    let folder = folder_of(path)?;
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .with_context(|| format!("the folder {} cannot be written", folder.display()))?;
    if path.is_dir() {
        bail!("is a folder: the database has to be a file");
    }
    if path.exists() {
        access(path, Access::READ_OK | Access::WRITE_OK).context("the file cannot be read and written")?;
    }
    check_access(path)
}

/// Creates the file where there is none, readable by its owner alone; SQLite gives its log the same mode.
pub(super) fn create_file(path: &Path) -> anyhow::Result<()> {
    folder_of(path)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).context("the file cannot be made"),
    }
}

/// Refuses a database that every user of this host can write, and warns of one that every user can read.
///
/// Who can write it can redirect mail and forge the audit; secrets in it are sealed, names are not.
pub(super) fn check_access(path: &Path) -> anyhow::Result<()> {
    for path in files(path) {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        let file = path.display();
        if mode & 0o002 != 0 {
            bail!(
                "every user of this host may write to it (mode {mode:04o}): remove that right with `chmod o= {file}`"
            );
        }
        if mode & 0o004 != 0 {
            let hint = format!("remove that right with `chmod o= {file}`");
            tracing::warn!(hint, "every user of this host may read the database {file} (mode {mode:04o})");
        }
    }
    Ok(())
}

/// The database, and what SQLite keeps beside it.
fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// The first connection of a process: also switches a new file to the write-ahead log, and looks for damage.
pub(super) fn open_first(path: &Path) -> anyhow::Result<Connection> {
    if path.is_dir() {
        bail!("is a folder: the database has to be a file");
    }
    let connection = retry_while_busy(|| {
        let connection = open_writing(path)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        Ok((connection, mode))
    });
    let (connection, mode) = connection.map_err(explain)?;
    if mode != "wal" {
        bail!("this file system cannot hold a write-ahead log (SQLite offers `{mode}`): use a local disk");
    }
    let damage = quick_check(&connection).map_err(explain)?;
    if let Some(damage) = damage {
        return Err(anyhow::Error::msg(damage).context(DAMAGED));
    }
    log::renew(&connection, path).context("the write-ahead log cannot be written")?;
    Ok(connection)
}

/// SQLite answers busy here without waiting where two processes start on a new file at once.
fn retry_while_busy<T>(open: impl Fn() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 0..BUSY_TIMEOUT.as_millis() / PAUSE.as_millis() {
        match open() {
            Err(error) if is_busy(&error) => thread::sleep(PAUSE),
            result => return result,
        }
    }
    open()
}

fn quick_check(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if pages * page_size > CHECKED_BYTES {
        return Ok(None);
    }
    let found: String = connection.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

/// A connection for the writer. The file has to be there: a deleted one is not replaced by an empty one.
pub(super) fn open_writing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // So many that each text is prepared once for each connection.
    let texts: usize = crate::store::texts().iter().map(|(_, texts)| texts.len()).sum();
    connection.set_prepared_statement_cache_capacity(texts + TRANSACTION_STATEMENTS);
    // `full` is what survives a loss of power; with `normal`, acknowledged commits were lost in trials.
    connection.pragma_update(None, "synchronous", "full")?;
    // Else a statement with a bound limit is parsed and planned again whenever another number is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted or replaced is overwritten.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
    Ok(connection)
}

pub(super) fn open_reading(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open_writing(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Moves the write-ahead log into the file, unless it is in use. Returns whether it is empty.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(Duration::ZERO)?;
    let busy = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(busy? == 0)
}

/// Runs a statement that gives no rows; the number of rows that it touched.
pub(super) fn execute(connection: &Connection, statement: &Statement) -> rusqlite::Result<u64> {
    let mut prepared = prepare(connection, statement)?;
    prepared.raw_execute().map(|touched| touched as u64)
}

/// Runs a statement that gives rows.
pub(super) fn query(connection: &Connection, statement: &Statement) -> rusqlite::Result<Vec<Row>> {
    let mut prepared = prepare(connection, statement)?;
    let columns = prepared.column_count();
    let mut found = Vec::new();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            values.push(value(row.get_ref(column)?)?);
        }
        found.push(Row(values));
    }
    Ok(found)
}

/// To SQLite `$1` is a name, and the number of a parameter is its place in the text: so they are bound by name.
fn prepare<'a>(
    connection: &'a Connection,
    statement: &Statement,
) -> rusqlite::Result<rusqlite::CachedStatement<'a>> {
    let mut prepared = connection.prepare_cached(statement.text)?;
    if prepared.parameter_count() != statement.values.len() {
        return Err(rusqlite::Error::InvalidParameterCount(
            statement.values.len(),
            prepared.parameter_count(),
        ));
    }
    for (index, value) in statement.values.iter().enumerate() {
        prepared.raw_bind_parameter(format!("${}", index + 1).as_str(), value)?;
    }
    Ok(prepared)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Boolean(truth) => ValueRef::Integer(i64::from(*truth)),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(found: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(0, "real".to_owned(), found.data_type()));
        }
        ValueRef::Text(_) => Value::Text(found.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::migrations;

    #[test]
    fn no_statement_is_planned_again_for_other_values() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("transports.db");
        create_file(&path).expect("a file");
        let mut connection = open_first(&path).expect("a database");
        migrations::on_sqlite(&mut connection, migrations::MIGRATIONS).expect("a schema");
        let mut tried = 0;
        for text in crate::store::texts().iter().flat_map(|(_, texts)| texts.iter()) {
            let Ok(mut statement) = connection.prepare(text) else { continue }; // PostgreSQL's alone
            if !statement.readonly() {
                continue;
            }
            for value in [1_i64, 2, 2] {
                for index in 1..=statement.parameter_count() {
                    statement.raw_bind_parameter(index, value).expect("binds");
                }
                // A value may be of another type than the statement's own.
                let _ = statement.raw_query().next();
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{text}");
            tried += 1;
        }
        assert!(tried > 20, "{tried}");
    }
}
