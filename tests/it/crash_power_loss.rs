//! Loss of power: whatever the disk did with what was not synced, what was acknowledged is there, and the sync
//! comes before the answer. The disk is that of `support/disk.rs`.

use super::support::database::{Database, Engine};
use super::support::disk::Disk;
use super::support::eventually::eventually;
use super::support::figures::{progress, rounds, tell};
use super::support::journal::{Journal, Kind, Marks, Record, read_mark};
use super::support::ledger::{Ledger, Told};
use super::support::load::{Writer, check, trusting_server};
use super::support::process::{Process, unlimited};
use super::support::random::Random;
use super::support::smtp_server::SmtpServer;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k2_a_loss_of_power_at_any_moment_loses_nothing_that_was_acknowledged() {
    let cuts = rounds("TEST_POWER_CUTS", 30);
    let Some(figures) = lose_power(cuts, &[]).await else { return };
    let losses = figures.losses.len();
    tell(&format!("{} losses of power, {} acknowledged writes, {losses} losses", figures.cuts, figures.acknowledged));
    assert!(figures.losses.is_empty(), "{:#?}", figures.losses);
    assert!(figures.acknowledged > figures.cuts, "the load has to be one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k2_a_log_that_is_not_synced_at_each_commit_loses_writes_in_the_same_test() {
    let normal = [("DISK_SHIM_LAZY_LOG".to_owned(), "1".to_owned())];
    let Some(figures) = lose_power(rounds("TEST_POWER_CUTS", 10), &normal).await else { return };
    let losses = figures.losses.len();
    tell(&format!("with what `synchronous = normal` does: {} losses of power, {losses} losses", figures.cuts));
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
        let records = journal.records();
        let mut moments: Vec<_> = (0..CUTS_EACH_RUN).map(|_| moment(&mut random, &records)).collect();
        moments.sort_unstable();
        let (mut disk, mut applied) = (before, 0);
        let mut last = None;
        for moment in moments {
            records[applied..moment].iter().for_each(|record| disk.apply(record));
            applied = moment;
            let image = Database::create(Engine::Sqlite).await;
            disk.lose_power(&mut random, image.file().parent().expect("a folder"));
            let mut told = told_by(start.clone(), &writers, &records[..moment]);
            figures.cuts += 1;
            match held_against(&image, &server, &mut told).await {
                Ok(()) => last = Some((image, told)),
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
    write(&process, server, writers, journal).await;
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
            write(&process, server, writers, journal).await;
            process.kill();
        }
        _ => assert_eq!(process.stop().0, Some(0)),
    }
}

async fn write(process: &Process, server: &SmtpServer, writers: &mut [Writer], journal: &Journal) {
    let (address, port) = (process.address, server.port());
    let writing = writers.iter_mut().enumerate().map(|(number, writer)| async move {
        writer.write(address, port, WRITES_EACH, &Marks { journal, writer: number }).await;
    });
    let [first, second]: [_; WRITERS] = writing.collect::<Vec<_>>().try_into().ok().expect("as many");
    tokio::join!(first, second);
}

/// Half of the time the worst of all: just when a client was told that its write is safe.
fn moment(random: &mut Random, records: &[Record]) -> usize {
    let told = |record: &Record| record.kind == Kind::Mark && read_mark(record).2 == Some(Told::Done);
    let worst: Vec<_> = (0..records.len()).filter(|place| told(&records[*place])).collect();
    if random.coin() { random.pick(&worst) + 1 } else { random.below(records.len() + 1) }
}

/// What the tenants had been told when so much of the journal was written.
fn told_by(mut ledgers: Vec<Vec<Ledger>>, writers: &[Writer], records: &[Record]) -> Vec<Vec<Ledger>> {
    let mut begun = vec![None; writers.len()];
    for record in records.iter().filter(|record| record.kind == Kind::Mark) {
        let (writer, operation, told) = read_mark(record);
        begun[writer] = Some(operation);
        if let Some(told) = told {
            let (tenant, op) = &writers[writer].history[operation];
            ledgers[writer][*tenant].answered(op, told);
            begun[writer] = None;
        }
    }
    for (writer, operation) in begun.into_iter().enumerate() {
        if let Some(operation) = operation {
            let (tenant, op) = &writers[writer].history[operation];
            ledgers[writer][*tenant].begin(op);
        }
    }
    ledgers
}

/// Starts the service on what is left, without any help.
async fn held_against(
    database: &Database,
    server: &SmtpServer,
    ledgers: &mut [Vec<Ledger>],
) -> Result<(), String> {
    let process = Process::try_serve(&unlimited(database))?;
    check(&process, database, server, ledgers.iter_mut().flatten()).await?;
    let found = database.query("pragma integrity_check").await;
    process.kill();
    if found == [[Some("ok".to_owned())]] { Ok(()) } else { Err(format!("{found:?}")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k3_the_log_is_synced_before_the_answer_leaves() {
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

    let (mut committed, mut synced, mut syncing, mut answers) = (false, false, false, 0);
    for record in journal.records() {
        match record.kind {
            Kind::Write if record.name.ends_with("-wal") => {
                (synced, syncing) = (false, false);
                committed |= is_commit_frame(&record);
            }
            Kind::SyncBegun if record.name.ends_with("-wal") => syncing = true,
            Kind::Synced if record.name.ends_with("-wal") => synced = syncing,
            Kind::Answer if record.bytes.starts_with(b"HTTP/1.1 204") => {
                answers += 1;
                assert!(committed, "answer {answers}: nothing was committed for it");
                assert!(synced, "answer {answers}: the log was written and not synced when it left");
                committed = false;
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
