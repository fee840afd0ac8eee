//! Loss of power: whatever the disk did with what was not synced, what was acknowledged is there, and the sync
//! comes before the answer. The disk is that of `support/disk.rs`.

use crate::support::database::{Database, Engine};
use crate::support::disk::Disk;
use crate::support::eventually::eventually;
use crate::support::figures::{progress, rounds, tell};
use crate::support::journal::{Journal, Kind, Record};
use crate::support::ledger::Ledger;
use crate::support::load::{Writer, trusting_server};
use crate::support::power::{Power, write};
use crate::support::process::{Process, unlimited};
use crate::support::random::Random;
use crate::support::smtp_server::SmtpServer;

const WRITERS: usize = 2;
const TENANTS_EACH: usize = 2;
const WRITES_EACH: usize = 20;
const CUTS_EACH_RUN: usize = 10;

/// How a run ends, so that every kind of moment comes up: amid writes, and in the steps of an orderly end.
const KILLED: usize = 0;
const PAUSED: usize = 1;

struct Figures {
    cuts: usize,
    acknowledged: usize,
    losses: Vec<String>,
}

/// Security case K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_loss_loses_no_acknowledged_write() {
    let cuts = rounds("TEST_POWER_CUTS", 30);
    let Some(figures) = lose_power(cuts, &[]).await else { return };
    let losses = figures.losses.len();
    tell(&format!(
        "{} losses of power, {} acknowledged writes, {losses} losses",
        figures.cuts, figures.acknowledged
    ));
    assert!(figures.losses.is_empty(), "{:#?}", figures.losses);
    assert!(figures.acknowledged > figures.cuts, "the load has to be one");
}

/// Security case K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsynced_log_loses_writes_in_the_same_test() {
    let normal = [("DISK_SHIM_LAZY_LOG".to_owned(), "1".to_owned())];
    let Some(figures) = lose_power(rounds("TEST_POWER_CUTS", 10), &normal).await else { return };
    let losses = figures.losses.len();
    tell(&format!(
        "with what `synchronous = normal` does: {} losses of power, {losses} losses",
        figures.cuts
    ));
    assert!(losses > 0, "a test that cannot fail shows nothing");
}

/// Runs of the service under load, each of which loses its power at several moments; the next goes on from the
/// disk of the last of them. None where there is no C compiler, or this run is for PostgreSQL.
async fn lose_power(cuts: usize, more: &[(String, String)]) -> Option<Figures> {
    if Engine::chosen() != Engine::Sqlite {
        return None;
    }
    let mut random = Random::announced();
    let server = trusting_server().await;
    let mut figures = Figures { cuts: 0, acknowledged: 0, losses: Vec::new() };
    let mut database = Database::create(Engine::Sqlite).await;
    let mut ledgers = None;
    for run in 0..cuts.div_ceil(CUTS_EACH_RUN) {
        progress("losses of power", figures.cuts, cuts);
        let journal = Journal::new();
        let folder = database.file().parent().expect("a folder").to_owned();
        let before = Disk::of(&folder);
        let mut settings = unlimited(&database);
        settings.extend(journal.variables(&folder)?);
        settings.extend_from_slice(more);
        let mut writers: Vec<_> =
            (0..WRITERS).map(|name| Writer::new(name, TENANTS_EACH, 1000 * run, random.split())).collect();
        if let Some(found) = ledgers {
            for (writer, found) in writers.iter_mut().zip(found) {
                writer.ledgers = found;
            }
        }
        let start: Vec<Vec<Ledger>> = writers.iter().map(|writer| writer.ledgers.clone()).collect();
        load(&settings, run % 3, &database, &server, &mut writers, &journal).await;
        figures.acknowledged += writers.iter().map(|writer| writer.acknowledged).sum::<usize>();
        let mut power = Power { disk: before, applied: 0, records: journal.records(), start, writers };
        let mut moments: Vec<_> = (0..CUTS_EACH_RUN).map(|_| power.moment(&mut random, 0)).collect();
        moments.sort_unstable();
        let mut last = None;
        for moment in moments {
            figures.cuts += 1;
            match power.cut(moment, &mut random, &server).await {
                Ok(left) => last = Some(left),
                Err(loss) => figures.losses.push(format!("run {run}, record {moment}: {loss}")),
            }
        }
        let Some((image, told)) = last else { break };
        (database, ledgers) = (image, Some(told));
    }
    Some(figures)
}

async fn load(
    settings: &[(String, String)],
    end: usize,
    database: &Database,
    server: &SmtpServer,
    writers: &mut [Writer],
    journal: &Journal,
) {
    let process = Process::serve(settings);
    write(&process, server, writers, journal, WRITES_EACH).await;
    match end {
        KILLED => process.kill(),
        PAUSED => {
            // Idle, it empties its log; then it begins it anew.
            let log = database.file().with_extension("db-wal");
            eventually("the log is emptied", async || {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                std::fs::metadata(&log).is_ok_and(|log| log.len() == 0)
            })
            .await;
            write(&process, server, writers, journal, WRITES_EACH).await;
            process.kill();
        }
        _ => assert_eq!(process.stop().0, Some(0)),
    }
}

/// Security case K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_synced_before_the_response_is_sent() {
    if Engine::chosen() != Engine::Sqlite {
        return;
    }
    let journal = Journal::new();
    let database = Database::create(Engine::Sqlite).await;
    let server = trusting_server().await;
    let mut settings = unlimited(&database);
    let Some(shim) = journal.variables(database.file().parent().expect("a folder")) else { return };
    settings.extend(shim);
    let process = Process::serve(&settings);
    let mut writer = Writer::new(0, 3, 0, Random::announced());
    writer.write(process.address, server.port(), 60, &()).await;
    process.kill();

    // The writer waits for each answer, so the first commit after one answer is the next one's. The service may
    // commit something of its own beside it, such as the look for old entries of the audit at the start.
    let (mut committed, mut syncing, mut synced, mut answers) = (false, false, false, 0);
    for record in journal.records() {
        match record.kind {
            Kind::Write if record.name.ends_with("-wal") => committed |= is_commit_frame(&record),
            Kind::SyncBegun if record.name.ends_with("-wal") => syncing = committed,
            Kind::Synced if record.name.ends_with("-wal") => synced |= syncing,
            Kind::Answer if record.bytes.starts_with(b"HTTP/1.1 204") => {
                answers += 1;
                assert!(committed, "answer {answers}: nothing was committed for it");
                assert!(synced, "answer {answers}: its commit was not synced when it left");
                (committed, syncing, synced) = (false, false, false);
            }
            _ => {}
        }
    }
    tell(&format!("{answers} answers, each after the sync of its commit"));
    assert_eq!(answers, writer.acknowledged);
    assert!(answers > 30, "the load has to be one");
}

/// The head of a frame whose fifth to eighth byte, the size of the database after a commit, is not 0
/// (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).
fn is_commit_frame(record: &Record) -> bool {
    record.bytes.len() == 24 && record.offset > 0 && record.bytes[4..8] != [0; 4]
}
