//! `transports backup`: copies the database while the service runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::output;
use super::serve::StopSignals;
use crate::config::{Config, Invalid, Problem};
use crate::store::{BackupProgress, backup_sqlite};

/// Copy the SQLite database while the service runs.
///
/// The copy holds every change that was acknowledged before it began. It is checked, readable by its owner only, and
/// appears complete or not at all. Keep it apart from the keys: together they open every secret; without the keys the
/// copy opens none. To restore it: stop the service, remove the database file with its -wal and -shm, put the copy in
/// its place, and start with the same keys.
///
/// On PostgreSQL use `pg_dump`.
///
/// Example: transports --config /etc/transports/transports.toml backup /backup/transports-2026-01-31.db
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// File to write the copy to.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Replace FILE if it exists.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let Some(path) = config.database.sqlite_path().map(Path::to_owned) else {
        let problem = Problem::new("database.url: names PostgreSQL, which this command cannot copy").with_hint(
            "use pg_dump with this database, for instance: pg_dump --format=custom --file=transports.dump NAME; \
             restore it with pg_restore, and keep the keys apart from it",
        );
        return Err(Invalid::from(problem).into());
    };
    crate::app::require_database_file(config)?;
    // A signal stops the copy in order, so that the incomplete file is removed.
    let signals = StopSignals::install()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let file = arguments.file.clone();
    let copying = tokio::task::spawn_blocking(move || {
        let mut tenths = 0;
        let report = |progress| report_progress(progress, &mut tenths);
        backup_sqlite(&path, &arguments.file, arguments.force, &stopped, report)
    });
    let interrupted = tokio::spawn(async move {
        signals.recv().await;
        stop.store(true, Ordering::Relaxed);
    });
    let bytes = copying.await??;
    interrupted.abort();
    output::note(&summary(&file, bytes));
    Ok(())
}

/// Prints a line for each tenth: progress for a large database, little noise for a small one.
fn report_progress(progress: BackupProgress, tenths: &mut usize) {
    let now = progress.pages * 10 / progress.of.max(1);
    if now > *tenths && now < 10 {
        *tenths = now;
        output::note(&format!("{} % copied ({} of {} pages)", now * 10, progress.pages, progress.of));
    }
}

fn summary(file: &Path, bytes: u64) -> String {
    format!("{}: {bytes} bytes, checked. Keep the keys too, and keep them apart from it.", file.display())
}
