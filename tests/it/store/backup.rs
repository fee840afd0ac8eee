//! `transports backup`: a copy that is made while others write, and what is not in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::leaks;
use crate::support::ledger::{Ledger, Told};
use crate::support::load::{Listener, Writer, check, trusting_server};
use crate::support::process::{Process, run, unlimited, variables};
use crate::support::random::Random;

const WRITERS: usize = 4;
const WRITES_EACH: usize = 40;
/// How many answers come before the backup begins.
const BEFORE: usize = 40;

/// A writer, the place of an operation in its history, and what it was told.
type Event = (usize, usize, Option<Told>);

/// What one writer hears, in the order in which all of them hear it.
#[derive(Clone)]
struct Heard {
    writer: usize,
    all: Arc<Mutex<Vec<Event>>>,
}

impl Listener for Heard {
    fn hears(&self, operation: usize, told: Option<Told>) {
        self.all.lock().expect("not poisoned").push((self.writer, operation, told));
    }
}

fn backup(database: &Database, arguments: &[&str]) -> (Option<i32>, String, String) {
    backup_with(&variables(database), arguments)
}

fn backup_with(settings: &[(String, String)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["backup"];
    all.extend_from_slice(arguments);
    run(&all, settings)
}

/// Security case K17.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_writing_holds_all_that_was_acknowledged_before_it() {
    let database = Database::create(Engine::Sqlite).await;
    let server = trusting_server().await;
    let mut random = Random::announced();
    drop(database.open().await);
    // So much that it is copied in several steps, with writes between them.
    database
        .execute(
            "create table ballast (bytes blob);
             with recursive row (number) as (select 1 union all select number + 1 from row where number < 2000)
             insert into ballast select randomblob(8000) from row",
        )
        .await;
    let process = Process::serve(&unlimited(&database));
    let (address, port) = (process.address, server.port());
    let heard = Heard { writer: 0, all: Arc::default() };
    let writing: Vec<_> = (0..WRITERS)
        .map(|name| {
            let mut writer = Writer::new(name, 2, 0, random.split());
            let heard = Heard { writer: name, ..heard.clone() };
            tokio::spawn(async move {
                writer.write(address, port, WRITES_EACH, &heard).await;
                writer
            })
        })
        .collect();
    let events = || heard.all.lock().expect("not poisoned").len();
    eventually("the writers write", async || {
        tokio::time::sleep(Duration::from_millis(1)).await;
        events() >= 2 * BEFORE
    })
    .await;

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copy.db");
    let (begun, settings, target) = (events(), variables(&database), file.display().to_string());
    let (code, out, err) =
        tokio::task::spawn_blocking(move || backup_with(&settings, &[&target])).await.expect("runs");
    let ended = events();
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains(" % copied ("), "{err}");
    assert!(err.contains("copy.db: ") && err.contains("Keep the keys"), "{err}");
    assert!(ended > begun, "the writers wrote meanwhile");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");

    let mut writers = Vec::new();
    for writing in writing {
        writers.push(writing.await.expect("a writer"));
    }
    process.kill();
    let heard = heard.all.lock().expect("not poisoned").clone();
    let mut ledgers = possible(&writers, &heard[..begun], &heard[begun..ended]);

    // On a clean host, with the keys.
    let restored = Database::create(Engine::Sqlite).await;
    fs::copy(&file, restored.file()).expect("a free disk");
    let process = Process::serve(&unlimited(&restored));
    check(&process, &restored, &server, &mut ledgers)
        .await
        .expect("all of it is there, and the secrets open");
    assert_eq!(process.stop().0, Some(0));
}

/// What a copy may hold: what had been acknowledged, and of what came until its end any first part.
fn possible(writers: &[Writer], before: &[Event], meanwhile: &[Event]) -> Vec<Ledger> {
    let ledger = |writer: &Writer, tenant: usize| Ledger::new(&writer.ledgers[tenant].tenant);
    let mut ledgers: Vec<Vec<_>> = writers
        .iter()
        .map(|writer| (0..writer.ledgers.len()).map(|tenant| ledger(writer, tenant)).collect())
        .collect();
    let mut under_way = vec![None; writers.len()];
    for (writer, operation, told) in before {
        let (tenant, op) = &writers[*writer].history[*operation];
        under_way[*writer] = told.is_none().then_some((*tenant, op));
        if let Some(told) = told {
            ledgers[*writer][*tenant].answered(op, *told);
        }
    }
    for (writer, under_way) in under_way.into_iter().enumerate() {
        if let Some((tenant, op)) = under_way {
            ledgers[writer][tenant].follow(op);
        }
    }
    for (writer, operation, _) in meanwhile.iter().filter(|(_, _, told)| told.is_none()) {
        let (tenant, op) = &writers[*writer].history[*operation];
        ledgers[*writer][*tenant].follow(op);
    }
    ledgers.into_iter().flatten().collect()
}

/// Security case K17.
#[tokio::test]
async fn a_backup_replaces_nothing_unless_it_is_told_to() {
    let database = Database::create(Engine::Sqlite).await;
    drop(database.open().await);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("there"), "something of value").expect("a free disk");
    fs::create_dir(path("folder")).expect("a free disk");
    let own = database.file().display().to_string();
    let cases = [
        (path("there"), vec![], "is there already: name another file, or replace it with --force"),
        (path("folder"), vec!["--force"], "is a folder"),
        (path("nowhere/copy.db"), vec![], "there is no folder"),
        (own.clone(), vec!["--force"], "is the database itself"),
        (format!("{own}-wal"), vec!["--force"], "is the database itself"),
    ];
    for (target, mut arguments, expected) in cases {
        arguments.push(&target);
        let (code, _, err) = backup(&database, &arguments);
        assert!(code == Some(1) && err.contains(expected) && err.contains(&target), "{target}: {err}");
    }
    assert_eq!(fs::read_to_string(path("there")).expect("text"), "something of value");
    let (code, _, err) = backup(&database, &["--force", &path("there")]);
    assert_eq!(code, Some(0), "{err}");
    assert!(fs::read(path("there")).expect("a file").starts_with(b"SQLite format 3"));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}

/// Security case K17.
#[tokio::test]
async fn what_cannot_be_copied_whole_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("copy.db").display().to_string();
    let database = Database::create(Engine::Sqlite).await;
    let (code, _, err) = backup(&database, &[&target]);
    assert!(code == Some(1) && err.contains("there is no file"), "{err}");

    let db = database.open().await;
    db.close().await;
    let mut bytes = fs::read(database.file()).expect("a file");
    let last = bytes.len() - 4096;
    bytes[last..last + 8].fill(0xff);
    fs::write(database.file(), bytes).expect("a free disk");
    let (code, _, err) = backup(&database, &[&target]);
    assert!(code == Some(1) && err.contains("damaged"), "{err}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left");

    let mut settings = variables(&database);
    settings.retain(|(name, _)| name != "TRANSPORTS_DATABASE__URL");
    settings
        .push(("TRANSPORTS_DATABASE__URL".to_owned(), "postgres://anna:hunter2@127.0.0.1/mail".to_owned()));
    let (code, _, err) = run(&["backup", &target], &settings);
    assert!(code == Some(2) && err.contains("pg_dump") && !err.contains("hunter2"), "{err}");
}

/// Security case L10.
#[tokio::test]
async fn no_old_secret_is_left_in_the_file_its_log_or_a_backup() {
    let database = Database::create(Engine::Sqlite).await;
    let process = Process::serve(&unlimited(&database));
    let password = |tenant: usize, round: usize| leaks::canary(&format!("of {tenant} in round {round} "));
    let set = async |tenant: usize, round: usize| {
        let admin = process.known_admin(&format!("t{tenant}"));
        admin.patch(&json!({ "emailPassword": password(tenant, round) })).await.expect(204);
    };
    for tenant in 0..30 {
        set(tenant, 1).await;
    }
    let old = sealed(&database).await;
    for tenant in 0..15 {
        set(tenant, 2).await;
    }
    for tenant in 15..30 {
        process.known_admin(&format!("t{tenant}")).delete().await.expect(204);
    }
    let new = sealed(&database).await;
    assert_eq!((old.len(), new.len()), (60, 30));
    let log = database.file().with_extension("db-wal");
    eventually("the log is emptied", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        fs::metadata(&log).is_ok_and(|log| log.len() == 0)
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.db");
    assert_eq!(backup(&database, &[&copy.display().to_string()]).0, Some(0));
    for (place, bytes) in [("the database", database.bytes().await), ("the backup", read(&copy))] {
        for bytes_of_new in &new {
            assert!(holds(&bytes, bytes_of_new), "{place} holds what is stored, or this test sees nothing");
        }
        for bytes_of_old in &old {
            assert!(!holds(&bytes, bytes_of_old), "{place} still holds a sealed secret that was replaced");
        }
        for tenant in 0..30 {
            for round in [1, 2] {
                assert!(!holds(&bytes, password(tenant, round).as_bytes()), "{place} holds a password");
            }
        }
    }
}

/// Payload and wrapped key of every secret that is stored.
async fn sealed(database: &Database) -> Vec<Vec<u8>> {
    let stored =
        "select secret_payload, secret_wrapped_key from email_configs where secret_payload is not null";
    let bytes = |text: Option<String>| {
        let digits = text.expect("no null").trim_start_matches("\\x").to_owned();
        let byte = |place| u8::from_str_radix(&digits[place..place + 2], 16).expect("two digits");
        (0..digits.len()).step_by(2).map(byte).collect()
    };
    database.query(stored).await.into_iter().flatten().map(bytes).collect()
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file")
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
