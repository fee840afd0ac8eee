//! Reads and writes mean the same on both engines.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use transports::store::{Db, DbError, Statement, Value, Write, WriteOutcome, sql};

use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;

const TABLE: &str = "create table things (
    id text not null primary key, number bigint, truth boolean, bytes bytea, note text)";
const ADD: &str = "insert into things (id, number) values ($1, $2)";
const ADD_WHERE_NEW: &str = "insert into things (id, number) values ($1, $2) on conflict (id) do nothing";
const STEP: &str = "update things set number = $2 where id = $1 and number = $3";
const NUMBER: &str = "select number from things where id = $1";
const COUNT: &str = "select count(*) from things";

async fn with_table(engine: Engine) -> (Database, Db) {
    let database = Database::create(engine).await;
    let db = database.open().await;
    database.execute(TABLE).await;
    (database, db)
}

fn add(id: impl Into<Value>, number: i64) -> Statement {
    sql(ADD).bind(id).bind(number)
}

fn one(statement: Statement) -> Write {
    Write::default().then(statement)
}

async fn count(db: &Db) -> i64 {
    db.optional(sql(COUNT)).await.unwrap().unwrap().columns().integer().unwrap()
}

async fn number(db: &Db, id: &str) -> Option<i64> {
    let row = db.optional(sql(NUMBER).bind(id)).await.unwrap()?;
    row.columns().optional_integer().unwrap()
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_was_bound() {
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        let bytes: Vec<u8> = (0..=255).collect();
        let filled = sql("insert into things (id, number, truth, bytes, note) values ($1, $2, $3, $4, $5)")
            .bind("filled")
            .bind(i64::MIN)
            .bind(true)
            .bind(bytes.as_slice())
            .bind("");
        let empty = sql("insert into things (id, number, truth, bytes, note) values ($5, $4, $3, $2, $1)")
            .bind(None::<&str>)
            .bind(None::<&[u8]>)
            .bind(None::<bool>)
            .bind(None::<i64>)
            .bind("empty".to_owned());
        let outcome = db.write(Write::default().then(filled).then(empty)).await.unwrap();
        assert_eq!(outcome, WriteOutcome::Committed);

        let read = sql("select id, number, truth, bytes, note from things order by id");
        let mut rows = db.all(read).await.unwrap().into_iter();
        let mut columns = rows.next().unwrap().columns();
        assert_eq!(columns.text().unwrap(), "empty", "{engine:?}");
        assert_eq!(columns.optional_integer().unwrap(), None);
        assert_eq!(columns.optional_integer().unwrap(), None);
        assert_eq!(columns.optional_bytes().unwrap(), None);
        assert_eq!(columns.optional_text().unwrap(), None);
        let mut columns = rows.next().unwrap().columns();
        assert_eq!(columns.text().unwrap(), "filled");
        assert_eq!(columns.integer().unwrap(), i64::MIN);
        assert!(columns.boolean().unwrap());
        assert_eq!(columns.bytes().unwrap(), bytes);
        assert_eq!(columns.text().unwrap(), "");
    }
}

/// Security case C14.
#[tokio::test]
async fn whatever_a_text_holds_is_stored_literally() {
    let large = "'; -- \u{1F4E7}".repeat(100_000);
    let texts = [
        "'; drop table things; --",
        "\" or 1=1 --",
        "$1 ?1 :id @id %s %00 \\' \\x00 {{7*7}} ${x}",
        "a\r\nb\tc\u{7f}\u{85}\u{2028}\u{202e}",
        "{\"$ne\": null}",
        "Ünïcödé e\u{301} é \u{10ffff}",
        " leading and trailing ",
        large.as_str(),
    ];
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        for (index, text) in (0..).zip(texts) {
            let add = "insert into things (id, number, note) values ($1, $2, $3)";
            // An index of PostgreSQL takes no text beyond 8 kB.
            let id = if text.len() < 8000 { text } else { "large" };
            let _ = db.write(one(sql(add).bind(id).bind(index).bind(text))).await.unwrap();
            let row =
                db.optional(sql("select number, note from things where id = $1").bind(id)).await.unwrap();
            let mut columns = row.unwrap().columns();
            assert_eq!(columns.integer().unwrap(), index, "{engine:?}: {text:.60?}");
            let stored = columns.text().unwrap();
            assert!(stored == text, "{engine:?}: {text:.60?} became {stored:.60?}");
        }
        assert_eq!(count(&db).await, 8, "{engine:?}");
    }
}

#[tokio::test]
async fn a_nul_is_stored_literally_or_refused_and_never_cuts_a_text_off() {
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        match (engine, db.write(one(add("a\0b", 1))).await) {
            (Engine::Sqlite, Ok(WriteOutcome::Committed)) => assert_eq!(number(&db, "a\0b").await, Some(1)),
            (Engine::Postgres, Err(DbError::Statement(_))) => assert_eq!(count(&db).await, 0),
            (_, other) => panic!("{engine:?}: {other:?}"),
        }
        assert_eq!(number(&db, "a").await, None);
    }
}

#[tokio::test]
async fn a_write_happens_as_a_whole_or_not_at_all() {
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        let _ = db.write(one(add("a", 1))).await.unwrap();

        let misses = Write::default()
            .then(add("b", 1))
            .then(sql(STEP).bind("a").bind(2).bind(7).require_affected())
            .then(add("c", 1));
        assert_eq!(db.write(misses).await.unwrap(), WriteOutcome::NoRowsAffected, "{engine:?}");
        assert_eq!(count(&db).await, 1, "{engine:?}");

        let breaks = Write::default().then(add("b", 1)).then(add("a", 1));
        assert!(matches!(db.write(breaks).await, Err(DbError::Statement(_))), "{engine:?}");
        assert_eq!(count(&db).await, 1, "{engine:?}");

        let may_miss = Write::default().then(sql(STEP).bind("a").bind(2).bind(7)).then(add("b", 1));
        assert_eq!(db.write(may_miss).await.unwrap(), WriteOutcome::Committed, "{engine:?}");
        assert_eq!(count(&db).await, 2, "{engine:?}");

        let exists = one(sql(ADD_WHERE_NEW).bind("a").bind(9).require_affected());
        assert_eq!(db.write(exists).await.unwrap(), WriteOutcome::NoRowsAffected, "{engine:?}");
        assert_eq!(number(&db, "a").await, Some(1), "{engine:?}");
    }
}

#[tokio::test]
async fn a_wrong_statement_is_a_fault_of_ours_and_harms_nothing() {
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        let wrong = [
            sql("select nonsense from things"),
            sql(NUMBER),
            sql(NUMBER).bind("a").bind("b"),
            sql("insert into nowhere (id) values ($1)").bind("a"),
        ];
        for statement in wrong {
            let text = statement.text;
            let read = db.all(statement.clone()).await;
            assert!(matches!(read, Err(DbError::Statement(_))), "{engine:?} {text}: {:?}", read.err());
            let written = db.write(one(statement)).await;
            assert!(matches!(written, Err(DbError::Statement(_))), "{engine:?} {text}: {written:?}");
        }
        assert_eq!(db.write(one(add("a", 1))).await.unwrap(), WriteOutcome::Committed);
        assert_eq!(count(&db).await, 1, "{engine:?}");
    }
}

/// Security case G8.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_version_serialises_a_hundred_writers() {
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        let _ = db.write(one(add("a", 0))).await.unwrap();
        let writers: Vec<_> = (0..100)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    loop {
                        let seen = number(&db, "a").await.unwrap();
                        let step = sql(STEP).bind("a").bind(seen + 1).bind(seen).require_affected();
                        if db.write(one(step)).await.unwrap() == WriteOutcome::Committed {
                            return;
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(number(&db, "a").await, Some(100), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_create_the_same_row_one_does() {
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        let creators: Vec<_> = (0..50)
            .map(|n| {
                let db = db.clone();
                let create = sql(ADD_WHERE_NEW).bind("a").bind(n).require_affected();
                tokio::spawn(async move { db.write(one(create).then(add(n.to_string(), n))).await.unwrap() })
            })
            .collect();
        let mut created = 0;
        for creator in creators {
            created += usize::from(creator.await.unwrap() == WriteOutcome::Committed);
        }
        assert_eq!((created, count(&db).await), (1, 2), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_goes_on_where_nobody_waits_for_it_any_more() {
    for engine in Engine::all() {
        let (_database, db) = with_table(engine).await;
        for n in 0..20 {
            let write = db.write(one(add(n.to_string(), n)));
            // Begun, and then dropped: it has been done already only where the writer was quicker than this line.
            let _ = pin!(write).poll(&mut Context::from_waker(Waker::noop()));
        }
        // What was begun first is done first on SQLite; PostgreSQL is asked until it is there.
        let _ = db.write(one(add("last", 0))).await.unwrap();
        if engine == Engine::Postgres {
            eventually("all writes are done", async || count(&db).await == 21).await;
        }
        assert_eq!(count(&db).await, 21, "{engine:?}");
    }
}

/// Security case K1.
#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_drop_and_after_a_close() {
    for engine in Engine::all() {
        let (database, db) = with_table(engine).await;
        let _ = db.write(one(add("dropped", 1))).await.unwrap();
        drop(db);
        let db = database.open().await;
        assert_eq!(number(&db, "dropped").await, Some(1), "{engine:?}");
        let _ = db.write(one(add("closed", 2))).await.unwrap();
        db.close().await;
        let after = db.write(one(add("late", 3))).await;
        assert!(matches!(after, Err(DbError::Unavailable(_))), "{engine:?}: {after:?}");
        assert!(matches!(db.ping().await, Err(DbError::Unavailable(_))), "{engine:?}");
        let db = database.open().await;
        assert_eq!((number(&db, "closed").await, count(&db).await), (Some(2), 2), "{engine:?}");
    }
}

#[tokio::test]
async fn connections_are_counted_and_the_database_answers() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        db.ping().await.unwrap();
        let counts = db.connections();
        assert_eq!(counts, [("idle", 4), ("in_use", 0)], "{engine:?}");
    }
}
