//! What SQLite's errors mean for the caller.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::store::DbError;

/// Whether the database is in trouble, or the statement is wrong.
pub(super) fn classify(path: &Path, error: &Error) -> DbError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            DbError::Unavailable(format!("{}: {BUSY} ({error})", path.display()))
        }
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted,
        ) => DbError::Unavailable(format!("{}: {error}", path.display())),
        _ => DbError::Statement(error.to_string()),
    }
}

/// A wait that a moment later may succeed.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a row refers to one that is not there, or one is removed that another refers to.
pub(super) fn is_foreign_key(error: &Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

/// The same for the first write of a process, where a failure of another kind has its own words.
pub(super) fn explain_busy(error: anyhow::Error) -> anyhow::Error {
    if error.downcast_ref().is_some_and(is_busy) { error.context(BUSY) } else { error }
}

/// What the operator reads where the file cannot be opened.
pub(super) fn explain(error: Error) -> anyhow::Error {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "the file is not an SQLite database: check the path",
        Some(ErrorCode::DatabaseCorrupt) => DAMAGED,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            "check that the user of this process may write to the file and to its folder"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BUSY,
        Some(ErrorCode::DiskFull) => "the disk is full",
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(advice)
}

const BUSY: &str = "another process writes to the database, and has not ended in time: try again";

pub(super) const DAMAGED: &str = "the file is damaged: restore it from a backup";

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// Security case K8.
    #[test]
    fn trouble_with_the_file_is_told_from_a_wrong_statement() {
        let unavailable = [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_BUSY_SNAPSHOT,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_READONLY_DBMOVED,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_FULL,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_PERM,
            ffi::SQLITE_PROTOCOL,
            ffi::SQLITE_NOMEM,
        ];
        for code in unavailable {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            let found = classify(Path::new("/data/transports.db"), &error);
            assert!(
                matches!(&found, DbError::Unavailable(text) if text.starts_with("/data/transports.db: ")),
                "{code}: {found:?}"
            );
        }
        let ours = [ffi::SQLITE_ERROR, ffi::SQLITE_CONSTRAINT, ffi::SQLITE_MISMATCH, ffi::SQLITE_TOOBIG];
        for code in ours {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            assert!(matches!(classify(Path::new("x"), &error), DbError::Statement(_)), "{code}");
        }
    }
}
