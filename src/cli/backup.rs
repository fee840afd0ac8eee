//! `transports backup`: a copy of the database while the service runs.

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
/// The copy holds every change that was acknowledged before it began, is checked, and is for its owner alone. It
/// appears as a whole or not at all. Keep it apart from the keys: together they open every secret, and without the
/// keys a copy opens none. To restore: stop the service, remove the database file with its -wal and -shm, put the
/// copy in its place, and start with the same keys.
///
/// On PostgreSQL use `pg_dump`.
///
/// Example: transports --config /etc/transports.toml backup /backup/transports-2026-01-31.db
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// File that the copy becomes.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Replace FILE where there is one.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let Some(path) = config.database.url.expose().strip_prefix("sqlite://").map(PathBuf::from) else {
        let problem = Problem::new("database.url: is PostgreSQL, which this command does not copy").with_hint(
            "use pg_dump with this database, for instance: pg_dump --format=custom --file=transports.dump NAME; \
             restore it with pg_restore, and keep the keys apart from it",
        );
        return Err(Invalid::from(problem).into());
    };
    // What is half done is removed also where the command is stopped.
    let signals = StopSignals::install()?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let shown = arguments.file.clone();
    let copying = tokio::task::spawn_blocking(move || {
        let mut tenths = 0;
        let tell = |progress| tell(progress, &mut tenths);
        backup_sqlite(&path, &arguments.file, arguments.force, &told, tell)
    });
    let interrupted = tokio::spawn(async move {
        signals.recv().await;
        stop.store(true, Ordering::Relaxed);
    });
    let bytes = copying.await??;
    interrupted.abort();
    output::note(&done(&shown, bytes));
    Ok(())
}

/// A line for each tenth, so that a large database is seen to go on and a small one says little.
fn tell(progress: BackupProgress, tenths: &mut usize) {
    let now = progress.pages * 10 / progress.of.max(1);
    if now > *tenths && now < 10 {
        *tenths = now;
        output::note(&format!("{} % copied ({} of {} pages)", now * 10, progress.pages, progress.of));
    }
}

fn done(file: &Path, bytes: u64) -> String {
    format!("{}: {bytes} bytes, checked. Keep the keys, and keep them apart from it.", file.display())
}
