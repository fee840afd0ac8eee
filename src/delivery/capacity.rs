//! Whether this installation has room for more mail: free disk space below the database, and octets of all tenants.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::store::{Db, DbError, emails};

/// How long a measurement holds.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Measures at most once a second.
pub(super) struct Capacity {
    /// Of the SQLite file; none where a server has the disk.
    folder: Option<PathBuf>,
    min_free_percent: u64,
    /// 0 is no limit.
    max_octets: u64,
    measured: Mutex<Option<Measured>>,
}

#[derive(Clone, Copy)]
struct Measured {
    at: Instant,
    has_disk: bool,
    /// Octets that wait, with those that this process has let in since.
    octets: u64,
}

impl Capacity {
    pub fn new(config: &Config) -> Self {
        let path = config.database.sqlite_path();
        let folder = path
            .and_then(Path::parent)
            .map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() });
        Self {
            folder,
            min_free_percent: config.delivery.min_free_disk_percent,
            max_octets: config.delivery.max_bytes,
            measured: Mutex::new(None),
        }
    }

    /// Whether so many octets more may be taken.
    pub async fn has_room(&self, db: &Db, size: u64) -> Result<bool, DbError> {
        let last = *self.lock();
        let now = match last.filter(|measured| measured.at.elapsed() < MAX_AGE) {
            Some(measured) => measured,
            None => self.measure(db, last).await?,
        };
        let octets = now.octets.saturating_add(size);
        let has_room = now.has_disk && (self.max_octets == 0 || octets <= self.max_octets);
        *self.lock() = Some(if has_room { Measured { octets, ..now } } else { now });
        Ok(has_room)
    }

    async fn measure(&self, db: &Db, last: Option<Measured>) -> Result<Measured, DbError> {
        let octets = if self.max_octets == 0 { 0 } else { emails::waiting_octets(db).await? };
        // A disk that cannot be asked is not what keeps mail out.
        let free_percent = self.folder.as_deref().and_then(free_percent);
        let has_disk = free_percent.is_none_or(|free| free >= self.min_free_percent);
        if last.is_none_or(|last| last.has_disk) && !has_disk {
            tracing::error!(
                free_percent,
                setting = "delivery.min_free_disk_percent",
                "the disk of the database is nearly full: no new email is accepted"
            );
        }
        Ok(Measured { at: Instant::now(), has_disk, octets: octets.unsigned_abs() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Measured>> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of the disk with this folder the service may still use, in whole percent.
fn free_percent(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.saturating_mul(100).checked_div(disk.f_blocks)
}
