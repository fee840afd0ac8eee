//! Copies the database file as of one moment, while others write.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connection::open_reading;
use super::error::explain;

/// Pages copied at a time: 4 MiB. After each step progress is reported, and an interruption is noticed.
const PAGES_PER_STEP: i32 = 1024;

/// The progress of a backup, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub pages: usize,
    pub of: usize,
}

/// Copies the database at `source` to `target`, with its mode for its owner alone; gives the number of bytes.
///
/// The copy is a snapshot with every write that was acknowledged before the call. No writer waits for it. It appears at
/// `target` as a whole or not at all: it is written to a file beside it, checked and synced first. `stop` ends it
/// early, and leaves nothing behind.
///
/// # Errors
/// A text for the operator: there is something at `target` and `force` is false, the copy cannot be made there, or
/// what was copied is damaged.
pub fn backup(
    source: &Path,
    target: &Path,
    force: bool,
    stop: &AtomicBool,
    tell: impl FnMut(Progress),
) -> anyhow::Result<u64> {
    let refused = |error: anyhow::Error| error.context(format!("database.url: {}", source.display()));
    if !source.is_file() {
        return Err(refused(anyhow::anyhow!("there is no such file")));
    }
    refuse_target(source, target, force)?;
    let partial = PartialCopy::create(target)?;
    let bytes = copy(source, &partial.0, stop, tell)?;
    partial.publish(target, force)?;
    Ok(bytes)
}

fn refuse_target(source: &Path, target: &Path, force: bool) -> anyhow::Result<()> {
    if target.is_dir() {
        bail!("{}: is a folder: name the file that the backup is to become", target.display());
    }
    let folder = folder_of(target);
    if !folder.is_dir() {
        bail!("{}: there is no folder {}: make it first", target.display(), folder.display());
    }
    // The log and the shared memory are in the folder of their file.
    let folders = (fs::canonicalize(folder)?, fs::canonicalize(source)?);
    let place = target.file_name().map(|name| folders.0.join(name)).unwrap_or_default();
    let same = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) == folders.1;
    let beside = ["-wal", "-shm", "-journal"].iter().any(|end| {
        let mut path = folders.1.clone().into_os_string();
        path.push(end);
        path == place.as_os_str()
    });
    if same(&place) || beside {
        bail!("{}: is the database itself: name another file", target.display());
    }
    if target.exists() && !force {
        bail!("{}: is there already: name another file, or replace it with --force", target.display());
    }
    Ok(())
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The copy while it is made. Removed when dropped.
struct PartialCopy(PathBuf);

impl PartialCopy {
    fn create(target: &Path) -> anyhow::Result<Self> {
        let mut path = target.as_os_str().to_owned();
        path.push(format!(".partial-{}", std::process::id()));
        let path = PathBuf::from(path);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.with_context(|| format!("{}: cannot be made", path.display()))?;
        Ok(Self(path))
    }

    /// Syncs the copy, gives it its name, and syncs the folder.
    fn publish(self, target: &Path, force: bool) -> anyhow::Result<()> {
        File::open(&self.0)?.sync_all().with_context(|| format!("{}: cannot be synced", self.0.display()))?;
        if force {
            fs::rename(&self.0, target)
                .with_context(|| format!("{}: cannot be replaced", target.display()))?;
        } else {
            // A link, unlike a rename, never replaces a file that has appeared meanwhile.
            match fs::hard_link(&self.0, target) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    bail!("{}: was created in the meantime: replace it with --force", target.display());
                }
                linked => linked.with_context(|| format!("{}: cannot be made", target.display()))?,
            }
        }
        File::open(folder_of(target))?.sync_all()?;
        Ok(())
    }
}

impl Drop for PartialCopy {
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = fs::remove_file(&self.0);
    }
}

fn copy(
    source: &Path,
    copy: &Path,
    stop: &AtomicBool,
    mut tell: impl FnMut(Progress),
) -> anyhow::Result<u64> {
    const PAUSE: Duration = Duration::from_millis(20);
    let from = open_reading(source).map_err(explain)?;
    let mut to = Connection::open(copy)?;
    // It is synced as a whole at the end, and worth nothing before.
    to.execute_batch("pragma journal_mode = off; pragma synchronous = off")?;
    // A transaction that reads holds the moment: without it the copy would begin again with every write.
    from.execute_batch("begin")?;
    from.query_row("select count(*) from sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(explain)?;
    {
        let backup = Backup::new(&from, &mut to)?;
        loop {
            if stop.load(Ordering::Relaxed) {
                bail!("interrupted: no backup was made");
            }
            let outcome = backup.step(PAGES_PER_STEP).map_err(explain)?;
            let (left, all) = (backup.progress().remaining, backup.progress().pagecount);
            tell(Progress { pages: count(all - left), of: count(all) });
            match outcome {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => thread::sleep(PAUSE),
                _ => {}
            }
        }
    }
    from.execute_batch("commit")?;
    let found: String = to.query_row("pragma integrity_check(1)", [], |row| row.get(0)).map_err(explain)?;
    if found != "ok" {
        bail!("the copy is damaged, as the database is: {found}");
    }
    to.close().map_err(|(_, error)| error)?;
    Ok(fs::metadata(copy)?.len())
}

fn count(pages: i32) -> usize {
    usize::try_from(pages).unwrap_or_default()
}
