//! Which processes send mail from this database: each holds a lock on a file beside it, which ends with the process.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The lock of a sending process. It is shared with the others, once it is known whether there are any.
pub struct SenderLock {
    /// None where the file system has no such locks: then no process is ever taken for the only one.
    file: Option<File>,
    is_alone: bool,
}

impl SenderLock {
    /// # Errors
    /// The file beside the database cannot be opened or locked.
    pub(super) fn acquire(database: &Path) -> io::Result<Self> {
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).to_owned();
        let file = options.open(lock_file(database)?)?;
        match file.try_lock() {
            Ok(()) => return Ok(Self { file: Some(file), is_alone: true }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                return Ok(Self { file: None, is_alone: false });
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever is alone shares it in a moment.
        file.lock_shared()?;
        Ok(Self { file: Some(file), is_alone: false })
    }

    /// Whether no other process sends, nor begins to before [`Self::share`].
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Lets other processes send as well.
    ///
    /// # Errors
    /// The lock was not changed.
    pub fn share(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| self.is_alone) {
            // Another process may be alone for a moment in between. It ends leases, and none has been taken yet.
            file.lock_shared()?;
        }
        self.is_alone = false;
        Ok(())
    }
}

/// Beside the file itself, and not beside a link to it. A file of its own: closing the database's would end the locks of
/// SQLite.
fn lock_file(database: &Path) -> io::Result<PathBuf> {
    let mut path = OsString::from(fs::canonicalize(database)?);
    path.push("-senders");
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_alone_until_it_shares_and_again_when_all_others_have_gone() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let database = folder.path().join("transports.db");
        fs::write(&database, b"").expect("a file");
        let acquire = || SenderLock::acquire(&database).expect("a lock");
        let mut first = acquire();
        assert!(first.is_alone());
        first.share().expect("it is shared");
        assert!(!first.is_alone());
        let (second, third) = (acquire(), acquire());
        assert!(!second.is_alone() && !third.is_alone());
        drop((first, second));
        assert!(!acquire().is_alone(), "the third still sends");
        drop(third);
        assert!(acquire().is_alone());
    }
}
