//! PostgreSQL: how it is reached, and trouble with it. Without a server (see `support/database.rs`) the tests
//! that need one have nothing to do.

mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::config::Host;
use tokio_rustls::TlsAcceptor;
use transports::store::{Db, DbError, Write, WriteOutcome, sql};

use crate::support::database::{Database, Engine, settings, tls, tls_trusting};
use crate::support::eventually::eventually;
use crate::support::proxy::{Proxy, Way};

const TABLE: &str = "create table things (id text not null primary key, number bigint)";
const ADD: &str = "insert into things (id, number) values ($1, $2)";
const COUNT: &str = "select count(*) from things";

fn add(id: &str) -> Write {
    Write::default().then(sql(ADD).bind(id).bind(0))
}

async fn count(db: &Db) -> Result<i64, DbError> {
    db.optional(sql(COUNT)).await?.unwrap().columns().integer()
}

async fn fresh() -> Option<Database> {
    Some(Database::create(Engine::postgres()?).await)
}

async fn refusal(url: &str) -> String {
    match Db::open(&settings(url), &tls()).await {
        Ok(_) => panic!("it opens"),
        Err(error) => format!("{error:#}"),
    }
}

/// The server's address, and the URL of a database by way of another address.
fn by_way_of(database: &Database, address: SocketAddr, parameters: &str) -> String {
    let name = database.url().rsplit_once('/').unwrap().1.split('?').next().unwrap().to_owned();
    format!("postgres://postgres@{address}/{name}?{parameters}")
}

fn server_address(database: &Database) -> SocketAddr {
    let config: tokio_postgres::Config = database.url().parse().unwrap();
    let [Host::Tcp(host)] = config.get_hosts() else { panic!("TEST_POSTGRES_URL leads over TCP") };
    format!("{host}:{}", config.get_ports()[0]).parse().expect("TEST_POSTGRES_URL has an address")
}

async fn behind_a_proxy() -> Option<(Database, Proxy, Db)> {
    let database = fresh().await?;
    let proxy = Proxy::to(server_address(&database)).await;
    let url = by_way_of(&database, proxy.address, "sslmode=disable");
    let db = Db::open(&settings(&url), &tls()).await.expect("the database opens");
    database.execute(TABLE).await;
    Some((database, proxy, db))
}

/// Security case K9.
#[tokio::test]
async fn a_server_that_goes_away_is_unavailable_until_it_is_back() {
    let Some((_database, proxy, db)) = behind_a_proxy().await else { return };
    for round in 0..3 {
        let _ = db.write(add(&format!("before {round}"))).await.unwrap();
        proxy.set(Way::Cut);
        for _ in 0..5 {
            assert!(matches!(count(&db).await, Err(DbError::Unavailable(_))));
            assert!(matches!(db.ping().await, Err(DbError::Unavailable(_))));
            let written = db.write(add("lost")).await;
            assert!(matches!(written, Err(DbError::Unavailable(_))), "{written:?}");
        }
        proxy.set(Way::Open);
        assert_eq!(count(&db).await.unwrap(), 2 * round + 1);
        let written = db.write(add(&format!("after {round}"))).await;
        assert_eq!(written.unwrap(), WriteOutcome::Committed);
    }
}

/// Security case K9.
#[tokio::test]
async fn connections_that_the_server_ended_are_replaced_unseen() {
    let Some(database) = fresh().await else { return };
    let db = database.open().await;
    database.execute(TABLE).await;
    for round in 0..5 {
        let id = round.to_string();
        assert_eq!(db.write(add(&id)).await.unwrap(), WriteOutcome::Committed);
        for _ in 0..8 {
            assert_eq!(count(&db).await.unwrap(), round + 1);
        }
        end_connections(&database).await;
    }
}

/// Security case K9.
#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let Some((database, proxy, db)) = behind_a_proxy().await else { return };
    // A connection of the pool is there, and readers.
    let _ = db.write(add("a")).await.unwrap();
    assert_eq!(count(&db).await.unwrap(), 1);
    proxy.set(Way::Silent);
    let (read, written, again) = tokio::join!(count(&db), db.write(add("b")), db.ping());
    assert!(matches!(&read, Err(DbError::Unavailable(text)) if text.contains("did not answer")), "{read:?}");
    assert!(matches!(&written, Err(DbError::Unavailable(_))), "{written:?}");
    assert!(matches!(&again, Err(DbError::Unavailable(_))), "{again:?}");
    proxy.set(Way::Open);
    assert!(count(&db).await.is_ok());
    assert_eq!(db.write(add("c")).await.unwrap(), WriteOutcome::Committed);
    // `b` may have happened or not, as it was told; `a` and `c` have.
    let kept = database.query("select count(*) from things where id in ('a', 'c')").await;
    assert_eq!(kept, [[Some("2".to_owned())]]);
}

/// Security case K9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_without_a_free_connection_is_unavailable_and_recovers() {
    let Some(database) = fresh().await else { return };
    let db = database.open().await;
    database.execute(TABLE).await;
    database.execute("insert into things values ('locked', 0)").await;
    let (holder, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    holder.batch_execute("begin; update things set number = 1 where id = 'locked'").await.unwrap();
    let writes: Vec<_> = (0..12)
        .map(|_| {
            let db = db.clone();
            let step = sql("update things set number = $1 where id = 'locked'").bind(2);
            tokio::spawn(async move { db.write(Write::default().then(step)).await })
        })
        .collect();
    for write in writes {
        let outcome = write.await.unwrap();
        assert!(matches!(outcome, Err(DbError::Unavailable(_))), "{outcome:?}");
    }
    assert_eq!(count(&db).await.unwrap(), 1);
    // Nor does the server wait for the lock on behalf of those who are gone.
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let none = [[Some("0".to_owned())]];
    eventually("the server gives up as well", async || database.query(waiting).await == none).await;
    holder.batch_execute("commit").await.unwrap();
    assert_eq!(db.write(add("after")).await.unwrap(), WriteOutcome::Committed);
}

/// Security case K9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_not_acknowledged() {
    let Some((database, proxy, db)) = behind_a_proxy().await else { return };
    // The commit itself waits for a lock that the test holds.
    database
        .execute(
            "create function wait() returns trigger language plpgsql as
                 $$ begin perform pg_advisory_xact_lock(7); return null; end $$;
             create constraint trigger waits after insert on things deferrable initially deferred
                 for each row execute function wait()",
        )
        .await;
    let (holder, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    holder.batch_execute("select pg_advisory_lock(7)").await.unwrap();
    let write = tokio::spawn({
        let db = db.clone();
        async move { db.write(add("a")).await }
    });
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())";
    let one = [[Some("1".to_owned())]];
    eventually("the commit waits", async || database.query(waiting).await == one).await;
    proxy.set(Way::Cut);
    let outcome = write.await.unwrap();
    assert!(matches!(outcome, Err(DbError::Unavailable(_))), "{outcome:?}");
    holder.batch_execute("select pg_advisory_unlock(7)").await.unwrap();
    // It happened, although nobody was told.
    eventually("the commit is done", async || database.query(COUNT).await == one).await;
}

/// Security case K9.
#[tokio::test]
async fn acknowledged_commits_are_on_disk_whatever_the_server_is_set_to() {
    let Some(database) = fresh().await else { return };
    let (_, name) = database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    database.execute(&format!("alter database {name} set synchronous_commit = off")).await;
    let by_url = format!("{}?options=-c%20synchronous_commit%3Doff", database.url());
    for url in [database.url(), by_url] {
        let db = Db::open(&settings(&url), &tls()).await.unwrap();
        let row = db.optional(sql("show synchronous_commit")).await.unwrap().unwrap();
        assert_eq!(row.columns().text().unwrap(), "on");
    }
}

/// Security case K9.
#[tokio::test]
async fn a_session_that_does_not_sync_is_refused() {
    let Some(database) = fresh().await else { return };
    let cases = [
        (("synchronous_commit='on'", "synchronous_commit='no'"), "synchronous_commit is off"),
        (("statement_timeout='4s'", "statement_timeout='0s'"), "statement_timeout is 0"),
        (("session_timeout='8s'", "session_timeout='9s'"), "idle_in_transaction_session_timeout is 9s"),
    ];
    for (replaced, expected) in cases {
        let proxy = Proxy::replacing(replaced, server_address(&database)).await;
        let error = refusal(&by_way_of(&database, proxy.address, "sslmode=disable")).await;
        assert!(error.contains(expected) && error.contains("alter role"), "{error}");
    }
}

/// All connections are made anew, and lead to what the database is set to by then.
async fn make_read_only(database: &Database, read_only: &str) {
    let (_, name) = database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    database
        .execute(&format!(
            "begin read write; alter database {name} set default_transaction_read_only = {read_only}; commit"
        ))
        .await;
}

async fn end_connections(database: &Database) {
    let ended = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    database.query(ended).await;
}

/// Security case K9.
#[tokio::test]
async fn a_server_that_only_reads_is_left_as_soon_as_another_is_there() {
    let Some(database) = fresh().await else { return };
    drop(database.open().await);
    database.execute(TABLE).await;
    for parameters in ["", "?target_session_attrs=any"] {
        let url = format!("{}{parameters}", database.url());
        let db = Db::open(&settings(&url), &tls()).await.unwrap();
        make_read_only(&database, "on").await;
        end_connections(&database).await;
        for _ in 0..6 {
            let written = db.write(add(parameters)).await;
            assert!(matches!(written, Err(DbError::Unavailable(_))), "{parameters}: {written:?}");
            assert!(db.fails_to_write());
            assert_eq!(db.ping().await.is_ok(), !parameters.is_empty(), "{parameters}: as the URL has it");
        }
        make_read_only(&database, "off").await;
        assert_eq!(db.write(add(parameters)).await.unwrap(), WriteOutcome::Committed, "{parameters}");
        assert!(!db.fails_to_write());
        db.ping().await.unwrap();
    }
}

/// Security case K9.
#[tokio::test]
async fn a_session_that_has_lost_its_statements_is_replaced() {
    let Some(database) = fresh().await else { return };
    let db = database.open().await;
    database.execute(TABLE).await;
    let _ = db.write(add("first")).await.unwrap();
    let everywhere = 0..4;
    for _ in everywhere.clone() {
        count(&db).await.unwrap();
    }
    for _ in everywhere.clone() {
        db.all(sql("deallocate all")).await.unwrap();
    }
    let _ = db.write(Write::default().then(sql("deallocate all"))).await.unwrap();
    for _ in everywhere {
        let read = count(&db).await;
        assert!(matches!(read, Err(DbError::Unavailable(_))), "{read:?}");
    }
    let written = db.write(add("second")).await;
    assert!(matches!(written, Err(DbError::Unavailable(_))), "{written:?}");
    assert_eq!(db.write(add("third")).await.unwrap(), WriteOutcome::Committed);
    for _ in 0..4 {
        assert_eq!(count(&db).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_database_that_does_not_hold_every_letter_is_refused() {
    let Some(database) = fresh().await else { return };
    let (server, name) = database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let other = format!("{name}_{}", encoding.to_lowercase());
        let locale = "lc_collate 'C' lc_ctype 'C' template template0";
        database.execute(&format!("create database {other} encoding '{encoding}' {locale}")).await;
        let error = refusal(&format!("{server}/{other}")).await;
        database.execute(&format!("drop database {other} with (force)")).await;
        assert!(error.contains(&format!("is {encoding}")) && error.contains("encoding 'UTF8'"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_isolation_that_the_database_is_set_to_makes_no_difference() {
    let Some(database) = fresh().await else { return };
    let (_, name) = database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    database
        .execute(&format!("alter database {name} set default_transaction_isolation = serializable"))
        .await;
    let db = database.open().await;
    database.execute(TABLE).await;
    let _ = db.write(add("a")).await.unwrap();
    let writers: Vec<_> = (0..40)
        .map(|_| {
            let db = db.clone();
            let step = sql("update things set number = number + 1 where id = $1").bind("a");
            tokio::spawn(async move { db.write(Write::default().then(step)).await.unwrap() })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap(), WriteOutcome::Committed);
    }
    let number = db.optional(sql("select number from things")).await.unwrap().unwrap();
    assert_eq!(number.columns().integer().unwrap(), 40);
}

#[tokio::test]
async fn a_socket_serves_as_well() {
    let Some(database) = fresh().await else { return };
    let folder = database.query("show unix_socket_directories").await[0][0].clone().unwrap();
    let port = server_address(&database).port();
    let (_, name) = database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for url in [
        format!("postgres://postgres@/{name}?host={folder}&port={port}"),
        format!("postgresql://postgres@{}:{port}/{name}", folder.replace('/', "%2F")),
    ] {
        Db::open(&settings(&url), &tls()).await.expect("it opens").ping().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_server_is_told_without_the_password() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut cases = vec![(
        format!("postgres://anna:hunter2@{closed}/mail"),
        format!("database.url: postgres://anna@{closed}/mail: check that the server runs there"),
    )];
    if let Some(database) = fresh().await {
        let server = server_address(&database);
        cases.push((
            format!("postgres://postgres:hunter2@{server}/nowhere"),
            format!("database.url: postgres://postgres@{server}/nowhere: the server refuses: check user"),
        ));
        cases.push((
            format!("postgres://nobody_here:hunter2@{server}/postgres"),
            format!(
                "database.url: postgres://nobody_here@{server}/postgres: the server says `role \"nobody_here\" does not exist`: \
                 correct the user"
            ),
        ));
        cases.push((
            format!("postgres://postgres:hunter2@{server}/nowhere?sslmode=require"),
            "server does not support TLS".to_owned(),
        ));
    }
    for (url, expected) in cases {
        let error = refusal(&url).await;
        assert!(error.contains(&expected) && !error.contains("hunter2"), "{error}");
    }
}

/// Security case K9.
#[tokio::test]
async fn a_user_who_may_not_make_tables_can_serve() {
    let Some(database) = fresh().await else { return };
    let user = format!("user_{}", uuid::Uuid::new_v4().simple());
    database.execute(&format!("create role {user} login")).await;
    let url = database.url().replace("//postgres@", &format!("//{user}@"));
    let error = refusal(&url).await;
    assert!(error.contains("`grant usage, create on schema"), "{error}");

    drop(database.open().await);
    let error = refusal(&url).await;
    assert!(error.contains("grant select, insert, update, delete"), "{error}");
    database.execute(&format!("grant select, insert, delete on all tables in schema public to {user}")).await;
    let error = refusal(&url).await;
    assert!(error.contains("(update on api_keys, update on audit, "), "{error}");
    database.execute(&format!("grant update on all tables in schema public to {user}")).await;
    let db = Db::open(&settings(&url), &tls()).await.expect("it opens");
    db.ping().await.unwrap();
    let known = database
        .query("select table_name from information_schema.tables where table_schema = 'public' order by 1")
        .await;
    let known: Vec<_> = known.iter().filter_map(|row| row[0].as_deref()).collect();
    let tables = [
        "api_keys",
        "audit",
        "background_tasks",
        "content_keys",
        "delivery_accounts",
        "email_bodies",
        "email_configs",
        "email_events",
        "email_queue",
        "email_recipients",
        "email_tags",
        "emails",
        "ended_sessions",
        "key_canaries",
        "lease_clock",
        "rate_limits",
        "schema_migrations",
    ];
    assert_eq!(known, tables, "each but the last is looked at");
    drop(db);
    database.execute(&format!("drop owned by {user}; drop role {user}")).await;
}
