//! Keeps a second `transports dev` from the data folder of one that runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Beside the data: locked while a process runs with it, which writes its own number and address into it.
const LOCK_FILE: &str = "running";

/// The lock ends with the process.
pub struct RunningLock {
    file: File,
}

/// What is known of the other process.
#[derive(PartialEq, Eq, Debug)]
pub struct Other {
    pub process: Option<u32>,
    /// None while it starts.
    pub address: Option<String>,
}

/// Why the folder is not locked.
#[derive(Debug)]
pub enum LockError {
    Taken(Other),
    Io(PathBuf, io::Error),
}

impl RunningLock {
    /// # Errors
    /// Another process has the folder, or the file cannot be locked.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(LOCK_FILE);
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let locked = opened.map_err(TryLockError::Error).and_then(|file| file.try_lock().map(|()| file));
        match locked {
            Ok(file) => {
                let lock = Self { file };
                lock.write("").map_err(|error| LockError::Io(path, error))?;
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => {
                Err(LockError::Taken(Other::read(&fs::read_to_string(path).unwrap_or_default())))
            }
            Err(TryLockError::Error(error)) => Err(LockError::Io(path, error)),
        }
    }

    /// Says to a second process where this one answers.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_address(&self, address: &str) -> io::Result<()> {
        self.write(address)
    }

    fn write(&self, address: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        let mut file = &self.file;
        io::Seek::seek(&mut file, io::SeekFrom::Start(0))?;
        write!(file, "{}\n{address}\n", std::process::id())
    }
}

impl Other {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let process = lines.next().and_then(|line| line.parse().ok());
        Self { process, address: lines.next().filter(|line| !line.is_empty()).map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_runs_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunningLock::acquire(folder.path()).unwrap();
        let own = Some(std::process::id());
        let taken = || match RunningLock::acquire(folder.path()) {
            Err(LockError::Taken(other)) => other,
            other => panic!("{:?}", other.map(|_| ())),
        };
        assert_eq!(taken(), Other { process: own, address: None });
        first.set_address("http://127.0.0.1:8080").unwrap();
        assert_eq!(taken(), Other { process: own, address: Some("http://127.0.0.1:8080".to_owned()) });
        drop(first);
        RunningLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_damaged_file_names_nobody() {
        assert_eq!(Other::read(""), Other { process: None, address: None });
        assert_eq!(Other::read("x\n\n"), Other { process: None, address: None });
    }
}
