//! A disk that is full, read-only or broken: what cannot be stored is 503, reads go on, and it all ends with the
//! trouble. A sync that failed is never trusted afterwards.

use crate::support::client::CONFIG;
use crate::support::database::{Database, Engine};
use crate::support::disk::Disk;
use crate::support::journal::{Journal, Kind, Marks};
use crate::support::load::{Writer, check, trusting_server};
use crate::support::power::{Power, write};
use crate::support::process::{Process, unlimited};
use crate::support::random::Random;

/// The service over a shim. None where there is no C compiler, or this run is for PostgreSQL.
struct Watched {
    database: Database,
    journal: Journal,
    settings: Vec<(String, String)>,
}

impl Watched {
    async fn new() -> Option<Self> {
        if Engine::chosen() != Engine::Sqlite {
            return None;
        }
        let (database, journal) = (Database::create(Engine::Sqlite).await, Journal::new());
        let mut settings = unlimited(&database);
        settings.extend(journal.variables(database.file().parent().expect("a folder"))?);
        Some(Self { database, journal, settings })
    }
}

/// Security case K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_disk_is_503_for_writes_until_it_is_fixed() {
    let Some(Watched { database, journal, settings }) = Watched::new().await else { return };
    let server = trusting_server().await;
    let mut writer = Writer::new(0, 2, 0, Random::announced());
    let process = Process::serve(&settings);
    for trouble in ["write ENOSPC", "write EROFS", "write EIO", "sync EIO"] {
        writer.write(process.address, server.port(), 5, &()).await;
        journal.trouble(trouble);
        let acknowledged = writer.acknowledged;
        let first = writer.history.len();
        let listener = Marks { journal: &journal, writer: 0 };
        writer.write(process.address, server.port(), 8, &listener).await;
        assert_eq!(writer.history.len(), first + 8, "{trouble}: each was answered");
        assert_eq!(writer.acknowledged, acknowledged, "{trouble}: what cannot be stored is not acknowledged");
        for ledger in &writer.ledgers {
            process.known_admin(&ledger.tenant).get(CONFIG).await.expect(200);
        }
        process.anybody().get("/health/live").await.expect(200);
        journal.trouble("");
        writer.write(process.address, server.port(), 5, &()).await;
        assert!(writer.acknowledged >= acknowledged + 3, "{trouble}: it recovers by itself");
        check(&process, &database, &server, &mut writer.ledgers).await.expect(trouble);
    }
    process.kill();
    let process = Process::serve(&unlimited(&database));
    check(&process, &database, &server, &mut writer.ledgers).await.expect("after another start");
    assert_eq!(process.stop().0, Some(0));
}

/// Writes while no sync succeeds; then a new process, or the same one, goes on with a disk that is well again, and
/// loses its power.
async fn after_failed_syncs(restart: bool) {
    let Some(Watched { database, journal, settings }) = Watched::new().await else { return };
    let server = trusting_server().await;
    let mut random = Random::announced();
    let disk = Disk::of(database.file().parent().expect("a folder"));
    let mut writers = vec![Writer::new(0, 3, 0, random.split()), Writer::new(1, 3, 0, random.split())];
    let start = writers.iter().map(|writer| writer.ledgers.clone()).collect();
    let mut process = Process::serve(&settings);
    write(&process, &server, &mut writers, &journal, 5).await;
    let acknowledged = |writers: &[Writer]| writers.iter().map(|writer| writer.acknowledged).sum::<usize>();
    let before = acknowledged(&writers);
    journal.trouble("sync EIO -wal");
    write(&process, &server, &mut writers, &journal, 5).await;
    assert_eq!(acknowledged(&writers), before, "without a sync nothing is acknowledged");
    if restart {
        process.kill();
        journal.trouble("");
        process = Process::serve(&settings);
    }
    journal.trouble("");
    write(&process, &server, &mut writers, &journal, 10).await;
    process.kill();
    assert!(acknowledged(&writers) > before, "it recovers");

    let records = journal.records();
    let failed = records.iter().rposition(|record| record.kind == Kind::SyncFailed).expect("a sync failed");
    let mut power = Power { disk, applied: 0, records, start, writers };
    let mut moments: Vec<_> = (0..8).map(|_| power.moment(&mut random, failed)).collect();
    moments.sort_unstable();
    for moment in moments {
        if let Err(loss) = power.cut(moment, &mut random, &server).await {
            panic!("the power was lost at record {moment} of {}: {loss}", power.records.len());
        }
    }
}

/// Security case K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_follows_a_failed_sync() {
    after_failed_syncs(false).await;
}

/// Security case K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_follows_an_earlier_processs_failed_sync() {
    after_failed_syncs(true).await;
}
