//! Rewrites and syncs the write-ahead log that an earlier process left behind.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::is_busy;

/// Read and written at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes the content of the log again and syncs it, before anything is committed after it.
///
/// When a sync fails, Linux marks the pages clean: reads still return them, but the disk never gets them, and no later
/// sync fails. SQLite leaves such a commit out of its index and overwrites it; but a new process finds it whole in the
/// log and takes it as committed. It and all later commits would be lost when the power fails. (Where no sync failed,
/// this changes nothing.)
pub(super) fn renew(connection: &Connection, database: &Path) -> anyhow::Result<()> {
    // With the lock for writing nobody else changes the log. Who has it has opened the log before us.
    match connection.execute_batch("begin immediate") {
        Err(error) if is_busy(&error) => return Ok(()),
        result => result?,
    }
    let renewed = rewrite(&log_of(database)?);
    connection.execute_batch("rollback")?;
    Ok(renewed?)
}

/// SQLite puts the log beside the file itself, and not beside a link to it.
fn log_of(database: &Path) -> std::io::Result<PathBuf> {
    let mut path = OsString::from(fs::canonicalize(database)?);
    path.push("-wal");
    Ok(path.into())
}

fn rewrite(log: &Path) -> std::io::Result<()> {
    let log: File = match OpenOptions::new().read(true).write(true).open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result?,
    };
    let (mut chunk, mut offset) = (vec![0; CHUNK_BYTES], 0);
    loop {
        let length = log.read_at(&mut chunk, offset)?;
        if length == 0 {
            return log.sync_all();
        }
        log.write_all_at(&chunk[..length], offset)?;
        offset += length as u64;
    }
}
