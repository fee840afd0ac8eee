//! Kills while the database holds a write back: the moment before a commit, exactly.

use std::time::Duration;

use super::{EMAILS, Site, TO, id_of, mail, script, settled};
use crate::delivery::status;
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At};

/// Keeps every write to the table waiting until it is dropped.
pub enum Lock {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Lock {
    pub async fn new(database: &Database, table: &str) -> Self {
        match Engine::chosen() {
            Engine::Sqlite => {
                let connection = database.connect();
                connection.busy_timeout(Duration::from_secs(10)).expect("a timeout");
                connection.execute_batch("begin immediate").expect("nobody else writes for long");
                Self::Sqlite(connection)
            }
            Engine::Postgres => {
                let connected = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("PostgreSQL answers");
                tokio::spawn(connection);
                let lock = format!("begin; lock table {table} in exclusive mode");
                client.batch_execute(&lock).await.expect("a superuser");
                Self::Postgres(client)
            }
        }
    }

    pub async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("rollback").expect("a transaction"),
            Self::Postgres(client) => client.batch_execute("rollback").await.expect("a transaction"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_enqueue_commits_leaves_nothing_and_the_retry_makes_one_mail() {
    let (site, process) = Site::open().await;
    // The key of the day is made with the first mail, in a write of its own.
    let client = process.known_admin("acme");
    let first = client.json("POST", EMAILS, &mail("hold")).await.expect(202).json();
    settled(&client, &id_of(&first)).await;
    let lock = Lock::new(&site.database, "emails").await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "the-key")];
    let body = mail("hold").to_string().into_bytes();
    let request = {
        let (client, body) = (client.clone(), body.clone());
        tokio::spawn(async move { client.try_send("POST", EMAILS, &headers, body).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.kill();
    request.await.expect("a client").expect_err("it was not answered");
    lock.release().await;
    let process = site.start().await;
    assert_eq!(site.database.count("emails").await, 1, "nothing of it exists");
    let client = process.known_admin("acme");
    let answer = client.send("POST", EMAILS, &headers, body).await.expect(202).json();
    let email = settled(&client, &id_of(&answer)).await;
    assert_eq!(status(&email), "accepted");
    assert_eq!(site.copies(email["message_id"].as_str().expect("an id"), &TO), 1);
}

/// The server's reply was read, and its result is not on disk: one of the two places where a copy may arise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_reply_and_its_commit_copies_once_or_holds() {
    for (on_unknown, expected) in [("retry_once", (2, "accepted")), ("hold", (1, "unknown"))] {
        let (site, process) = Site::open().await;
        let late = [Act::Pause(Duration::from_secs(1)), Act::Usual];
        site.server.play(script().on(At::Message, late));
        let client = process.known_admin("acme");
        let id = id_of(&client.json("POST", EMAILS, &mail(on_unknown)).await.expect(202).json());
        eventually("the dot came", async || site.server.mails().len() == 1).await;
        let lock = Lock::new(&site.database, "emails").await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        process.kill();
        lock.release().await;
        site.server.play(script());
        let process = site.start().await;
        let email = settled(&process.known_admin("acme"), &id).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let copies = site.copies(email["message_id"].as_str().expect("an id"), &TO);
        assert_eq!((copies, status(&email)), expected, "{email}");
    }
}

/// The account is open, and the start of its mail waits for its commit: nothing was sent, nothing is copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_start_commits_sends_once() {
    for on_unknown in ["retry_once", "hold"] {
        let (site, process) = Site::open().await;
        site.server.play(script().on(At::Auth, [Act::Pause(Duration::from_secs(1)), Act::Usual]));
        let client = process.known_admin("acme");
        let id = id_of(&client.json("POST", EMAILS, &mail(on_unknown)).await.expect(202).json());
        eventually("it signs in", async || site.server.sign_ins().len() == 1).await;
        let lock = Lock::new(&site.database, "emails").await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        process.kill();
        assert!(
            !site.server.verbs().contains(&"MAIL".to_owned()),
            "nothing is sent before the start is on disk"
        );
        lock.release().await;
        site.server.play(script());
        let process = site.start().await;
        let email = settled(&process.known_admin("acme"), &id).await;
        let copies = site.copies(email["message_id"].as_str().expect("an id"), &TO);
        assert_eq!((copies, status(&email)), (1, "accepted"), "{email}");
    }
}
