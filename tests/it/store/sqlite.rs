//! SQLite's file: who may read it, what is refused, what is left in it, and trouble with it.

use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::task::{Context, Waker};

use rusqlite::Connection;
use transports::store::{Db, DbError, Row, Value, Write, WriteOutcome, sql};

use crate::support::child::{child_with_small_files, told};
use crate::support::database::{Database, Engine, settings, tls};
use crate::support::eventually::eventually;

const TABLE: &str = "create table things (id text not null primary key, note text)";
const ADD: &str = "insert into things (id, note) values ($1, $2)";
const COUNT: &str = "select count(*) from things";

fn add(id: &str, note: &str) -> Write {
    Write::default().then(sql(ADD).bind(id).bind(note))
}

async fn count(db: &Db) -> i64 {
    db.optional(sql(COUNT)).await.unwrap().unwrap().columns().integer().unwrap()
}

async fn refusal(url: &str) -> String {
    match Db::open(&settings(url), &tls()).await {
        Ok(_) => panic!("it opens"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn a_file_that_another_process_writes_to_is_told_with_a_remedy() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    let other = Connection::open(database.file()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let remedy = "another process writes to the database, and has not ended in time: try again";
    let opening = refusal(&database.url()).await;
    assert!(opening.contains(&format!("transports.db: {remedy}: database is locked")), "{opening}");
    let writing = db.write(add("a", "")).await;
    assert!(matches!(&writing, Err(DbError::Unavailable(text)) if text.contains(remedy)), "{writing:?}");
}

#[tokio::test]
async fn the_file_and_its_log_are_for_their_owner_alone() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    let _ = db.write(add("a", "")).await.unwrap();
    let mut names = Vec::new();
    for file in fs::read_dir(database.file().parent().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?} has mode {mode:o}", file.file_name());
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["transports.db", "transports.db-shm", "transports.db-wal"]);
}

/// Security case M16.
#[tokio::test]
async fn a_database_that_everybody_can_write_is_refused() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    let log = database.file().with_file_name("transports.db-wal");
    let set = |file: &Path, mode| fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    for file in [database.file(), log] {
        for mode in [0o666, 0o602, 0o662] {
            set(&file, mode);
            let error = refusal(&database.url()).await;
            let remedy = format!("every user of this host may write to it (mode {mode:04o})");
            assert!(
                error.contains(&remedy) && error.contains(&format!("chmod o= {}", file.display())),
                "{error}"
            );
        }
        for mode in [0o644, 0o660] {
            set(&file, mode);
            Db::open(&settings(&database.url()), &tls()).await.expect("it opens");
        }
    }
    drop(db);
}

#[tokio::test]
async fn a_close_leaves_one_file_without_a_log() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    db.close().await;
    let files = fs::read_dir(database.file().parent().unwrap()).unwrap().count();
    assert_eq!(files, 1);
}

#[tokio::test]
async fn a_close_empties_the_log_also_where_somebody_else_has_the_file_open() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    let other = database.connect();
    let count: i64 = other.query_row("select count(*) from audit", [], |row| row.get(0)).unwrap();
    database.execute(TABLE).await;
    let _ = db.write(add("a", "")).await.unwrap();
    let log = database.file().with_extension("db-wal");
    assert!(count == 0 && fs::metadata(&log).unwrap().len() > 0);
    db.close().await;
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
}

/// Security case K2.
#[tokio::test]
async fn commits_survive_a_loss_of_power_and_what_is_deleted_is_overwritten() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    // `full` is 2. One function opens the connections that read and the one that writes.
    let settings = [
        ("pragma synchronous", Value::Integer(2)),
        ("pragma journal_mode", Value::from("wal")),
        ("pragma foreign_keys", Value::Integer(1)),
        ("pragma secure_delete", Value::Integer(1)),
    ];
    for (text, expected) in settings {
        assert_eq!(db.all(sql(text)).await.unwrap(), [Row(vec![expected])], "{text}");
    }
}

#[tokio::test]
async fn a_read_changes_nothing() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    let _ = db.write(add("a", "")).await.unwrap();
    assert!(db.all(sql("delete from things")).await.is_err());
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn what_cannot_be_a_database_is_refused_by_its_name_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("text"), "this is a shopping list, and not at all a database".repeat(100)).unwrap();
    fs::write(path("file"), "").unwrap();
    let cases = [
        (path("missing/transports.db"), "there is no folder "),
        (path("file/transports.db"), "there is no folder "),
        (path("folder"), "is a folder"),
        (path("text"), "the file is not an SQLite database: check the path"),
        (":memory:".to_owned(), "the database has to be a file"),
        (String::new(), "the database has to be a file"),
    ];
    for (path, expected) in cases {
        let error = refusal(&format!("sqlite://{path}")).await;
        assert!(error.starts_with(&format!("database.url: {path}: ")), "{error}");
        assert!(error.contains(expected), "{path}: {error}");
    }
}

#[tokio::test]
async fn an_empty_file_is_filled() {
    let database = Database::create(Engine::Sqlite).await;
    fs::write(database.file(), "").unwrap();
    database.open().await.ping().await.unwrap();
}

/// Security case K11.
#[tokio::test]
async fn a_damaged_page_is_found_and_the_file_named() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    for n in 0..200 {
        let _ = db.write(add(&n.to_string(), &"x".repeat(300))).await.unwrap();
    }
    db.close().await;
    let whole = fs::read(database.file()).unwrap();
    let page_size = 4096;
    // The head of a page says what the page is, and where its cells are.
    for page in 1..whole.len() / page_size {
        let mut damaged = whole.clone();
        for byte in &mut damaged[page * page_size..page * page_size + 8] {
            *byte ^= 0xff;
        }
        fs::write(database.file(), damaged).unwrap();
        let error = refusal(&database.url()).await;
        assert!(error.starts_with(&format!("database.url: {}: ", database.file().display())), "{error}");
        assert!(error.contains("the file is damaged: restore it from a backup"), "page {page}: {error}");
    }
}

/// Security case K11.
#[tokio::test]
async fn a_torn_end_of_the_log_is_left_out() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    for n in 0..10 {
        let _ = db.write(add(&n.to_string(), "")).await.unwrap();
    }
    let log = database.file().with_extension("db-wal");
    // As after a loss of power: the file and its log, and of the last write only a part.
    let copy = Database::create(Engine::Sqlite).await;
    fs::copy(database.file(), copy.file()).unwrap();
    let written = fs::read(log).unwrap();
    fs::write(copy.file().with_extension("db-wal"), &written[..written.len() - 1000]).unwrap();
    let db = copy.open().await;
    assert_eq!(count(&db).await, 9);
    assert_eq!(db.write(add("more", "")).await.unwrap(), WriteOutcome::Committed);
}

/// Security case L10.
#[tokio::test]
async fn nothing_of_what_was_replaced_or_deleted_is_left() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    for n in 0..50 {
        let _ =
            db.write(add(&n.to_string(), &format!("old ciphertext {n} {}", "o".repeat(200)))).await.unwrap();
    }
    let replace = sql("update things set note = $1 where id < $2").bind("new").bind("3");
    let delete = sql("delete from things where id >= $1").bind("3");
    let _ = db.write(Write::default().then(replace).then(delete)).await.unwrap();
    db.close().await;
    let bytes = database.bytes().await;
    assert!(!contains(&bytes, b"old ciphertext"));
    assert!(contains(&bytes, b"new"));
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn the_log_stays_short_and_is_emptied_when_nobody_writes() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    let log = database.file().with_extension("db-wal");
    let mut largest = 0;
    for n in 0..40 {
        let _ = db.write(add(&n.to_string(), &"x".repeat(500_000))).await.unwrap();
        largest = largest.max(fs::metadata(&log).unwrap().len());
    }
    assert!(largest < 10_000_000, "of 20 MB that were written, {largest} bytes were in the log at once");
    eventually("the log is emptied", async || fs::metadata(&log).unwrap().len() == 0).await;
    assert_eq!(count(&db).await, 40);
}

/// Security case K10.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_writers_of_two_processes_all_succeed() {
    let database = Database::create(Engine::Sqlite).await;
    let dbs = [database.open().await, database.open().await];
    database.execute(TABLE).await;
    let writers: Vec<_> = (0..200)
        .map(|writer| {
            let db = dbs[writer % 2].clone();
            tokio::spawn(async move {
                for n in 0..5 {
                    let outcome = db.write(add(&format!("{writer}-{n}"), "")).await;
                    assert_eq!(outcome.unwrap(), WriteOutcome::Committed);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(count(&dbs[0]).await, 1000);
}

/// Security case K10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_stays_locked_makes_writes_unavailable_and_reads_go_on() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    let other = database.connect();
    other.execute_batch("begin immediate").unwrap();
    let writing = tokio::spawn({
        let db = db.clone();
        async move { db.write(add("a", "")).await }
    });
    assert_eq!(count(&db).await, 0);
    let refused = writing.await.unwrap();
    assert!(
        matches!(&refused, Err(DbError::Unavailable(text)) if text.contains("transports.db: ")),
        "{refused:?}"
    );
    other.execute_batch("commit").unwrap();
    assert_eq!(db.write(add("a", "")).await.unwrap(), WriteOutcome::Committed);
}

#[tokio::test]
async fn writes_that_wait_together_fail_each_for_itself() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    let _ = db.write(add("first", "")).await.unwrap();
    let misses = || sql("delete from things where id = $1").bind("nobody").require_affected();
    let breaks = || sql(ADD).bind("first").bind("");
    // While another process writes, all of them gather: the first look puts each into the queue.
    let other = database.connect();
    other.execute_batch("begin immediate").unwrap();
    let mut writes = Vec::new();
    for n in 0..40 {
        let write = add(&n.to_string(), "");
        let write = match n % 4 {
            0 | 1 => write,
            2 => write.then(misses()),
            _ => write.then(breaks()),
        };
        let mut write = Box::pin(db.write(write));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        writes.push(write);
    }
    other.execute_batch("commit").unwrap();
    for (n, write) in writes.into_iter().enumerate() {
        match (n % 4, write.await) {
            (0 | 1, Ok(WriteOutcome::Committed))
            | (2, Ok(WriteOutcome::NoRowsAffected))
            | (3, Err(DbError::Statement(_))) => {}
            (_, outcome) => panic!("{n}: {outcome:?}"),
        }
    }
    assert_eq!(count(&db).await, 21);
}

/// Security case K8.
#[tokio::test]
async fn a_disk_that_takes_no_more_loses_nothing_and_is_used_again_when_it_does() {
    let database = Database::create(Engine::Sqlite).await;
    drop(database.open().await);
    database.execute(TABLE).await;
    let mut command = child_with_small_files(400, "store::sqlite::child_fills_the_disk", &database.url());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    let acknowledged = text.lines().find_map(|line| line.split("acknowledged ").nth(1)).unwrap();
    let connection = Connection::open(database.file()).unwrap();
    let stored: i64 = connection.query_row(COUNT, [], |row| row.get(0)).unwrap();
    assert_eq!(stored.to_string(), acknowledged.trim());
    let check: String = connection.query_row("pragma integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
#[ignore = "a part of a_disk_that_takes_no_more_loses_nothing_and_is_used_again_when_it_does"]
#[expect(clippy::print_stdout, reason = "how a child answers its parent")]
async fn child_fills_the_disk() {
    let db = Db::open(&settings(&told()), &tls()).await.unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match db.write(add(&acknowledged.to_string(), &"x".repeat(20_000))).await {
            Ok(outcome) => assert_eq!(outcome, WriteOutcome::Committed),
            Err(error) => break error,
        }
        acknowledged += 1;
        assert!(acknowledged < 1000, "files have a limit here");
    };
    assert!(matches!(&error, DbError::Unavailable(text) if text.contains("transports.db")), "{error:?}");
    assert!(acknowledged > 0);
    // Reads go on, and further writes are told the same.
    assert_eq!(count(&db).await, acknowledged);
    let again = db.write(add("again", &"x".repeat(400_000))).await;
    assert!(matches!(again, Err(DbError::Unavailable(_))), "{again:?}");

    let me = std::process::id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &me, "--fsize=unlimited"]).status().unwrap();
    assert!(lifted.success());
    assert_eq!(db.write(add("after", "")).await.unwrap(), WriteOutcome::Committed);
    acknowledged += 1;
    assert_eq!(count(&db).await, acknowledged);
    println!("acknowledged {acknowledged}");
    db.close().await;
}
