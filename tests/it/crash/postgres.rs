//! PostgreSQL killed, stalled and held up under the real binary: 503 while it lasts, and then on as before. These
//! run where the tests are for PostgreSQL.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::CONFIG;
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::figures::{rounds, tell};
use crate::support::load::{Writer, check, trusting_server};
use crate::support::postgres_server::PostgresServer;
use crate::support::process::{Process, unlimited};
use crate::support::random::Random;

async fn answers(process: &Process, tenant: &str, status: u16) -> bool {
    process.known_admin(tenant).get(CONFIG).await.status == status
}

async fn eventually_answers(process: &Process, tenant: &str) {
    eventually("the service answers again", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        answers(process, tenant, 200).await
    })
    .await;
}

/// Security case K9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_acknowledged_write() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let kills = rounds("TEST_SERVER_KILLS", 3);
    let mut random = Random::announced();
    let server = PostgresServer::start("killed");
    let database = Database::on(&server.url).await;
    let mail = trusting_server().await;
    let process = Process::serve(&unlimited(&database));
    let mut writer = Writer::new(0, 3, 0, random.split());
    process.anybody().get("/health/ready").await.expect(200);
    for kill in 0..kills {
        let before = writer.acknowledged;
        let writing = {
            let (address, port) = (process.address, mail.port());
            tokio::spawn(async move {
                writer.write(address, port, 60, &()).await;
                writer
            })
        };
        tokio::time::sleep(Duration::from_millis(random.below(400) as u64)).await;
        server.kill();
        writer = writing.await.expect("a writer");
        // All that is asked of it now is 503 at once, and the process lives.
        let at_the_kill = writer.acknowledged;
        writer.write(process.address, mail.port(), 5, &()).await;
        assert_eq!(writer.acknowledged, at_the_kill, "nothing is acknowledged without a database");
        assert!(answers(&process, &writer.ledgers[0].tenant, 503).await);
        process.anybody().get("/health/ready").await.expect(503);
        process.anybody().get("/health/live").await.expect(200);
        server.restart();
        eventually_answers(&process, &writer.ledgers[0].tenant).await;
        writer.write(process.address, mail.port(), 10, &()).await;
        assert!(writer.acknowledged >= before + 5, "kill {kill}: it goes on");
        check(&process, &database, &mail, &mut writer.ledgers).await.unwrap_or_else(|loss| {
            panic!("kill {kill}: {loss}");
        });
    }
    tell(&format!(
        "PostgreSQL: {kills} kills of the server, {} acknowledged writes, 0 losses",
        writer.acknowledged
    ));
}

/// Security case K9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_is_503_and_used_again_afterwards() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let stall = Duration::from_secs(rounds("TEST_STALL_SECONDS", 1) as u64);
    let server = PostgresServer::start("stalled");
    let database = Database::on(&server.url).await;
    let mail = trusting_server().await;
    let process = Process::serve(&unlimited(&database));
    let mut random = Random::announced();
    let mut writers: Vec<_> = (0..6).map(|name| Writer::new(name, 1, 0, random.split())).collect();
    let (address, port) = (process.address, mail.port());
    for writer in &mut writers {
        writer.write(address, port, 3, &()).await;
    }
    server.stall();
    let (begun, mut slowest, mut asked) = (Instant::now(), Duration::ZERO, 0);
    while asked == 0 || begun.elapsed() < stall {
        let round = Instant::now();
        let writing: Vec<_> = writers
            .drain(..)
            .map(|mut writer| {
                let client = process.known_admin(&writer.ledgers[0].tenant);
                tokio::spawn(async move {
                    let acknowledged = writer.acknowledged;
                    // These are answered while nothing of the server runs: it is the service that gives up.
                    let ((), read) = tokio::join!(writer.write(address, port, 1, &()), client.get(CONFIG));
                    assert_eq!(writer.acknowledged, acknowledged, "nothing is acknowledged");
                    read.expect(503);
                    writer
                })
            })
            .collect();
        for writing in writing {
            writers.push(writing.await.expect("a writer"));
            asked += 2;
        }
        slowest = slowest.max(round.elapsed());
    }
    server.go_on();
    for writer in &mut writers {
        eventually_answers(&process, &writer.ledgers[0].tenant).await;
        let before = writer.acknowledged;
        writer.write(address, port, 5, &()).await;
        assert!(writer.acknowledged > before, "it goes on");
    }
    let ledgers = writers.iter_mut().flat_map(|writer| &mut writer.ledgers);
    check(&process, &database, &mail, ledgers).await.expect("nothing is lost");
    tell(&format!(
        "a stall of {} s: {asked} requests are 503, the slowest within {slowest:.1?}",
        stall.as_secs()
    ));
}

/// Security case K9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_pool_is_503_and_recovers() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let database = Database::create(Engine::Postgres).await;
    let process = Process::serve(&unlimited(&database));
    let admin = process.known_admin("acme");
    admin.patch(&json!({ "senderName": "before" })).await.expect(204);
    let (holder, connection) =
        tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.expect("a superuser");
    tokio::spawn(connection);
    // Reads pass this lock, and writes wait for it, each with a connection of the pool.
    holder.batch_execute("begin; lock table email_configs in exclusive mode").await.expect("a lock");
    let writes: Vec<_> = (0..12)
        .map(|number| {
            let admin = admin.clone();
            tokio::spawn(async move { admin.patch(&json!({ "senderName": format!("{number}") })).await })
        })
        .collect();
    for write in writes {
        let answer = write.await.expect("a write").expect(503);
        assert_eq!(answer.error().0, "HTTP-503");
        assert!(answer.header("retry-after").is_some(), "it says when to come again");
    }
    assert_eq!(admin.config().await["providerConfig"]["senderName"], json!("before"), "reads go on");
    holder.batch_execute("commit").await.expect("the end of the lock");
    admin.patch(&json!({ "senderName": "after" })).await.expect(204);
    assert_eq!(admin.config().await["providerConfig"]["senderName"], json!("after"));
    assert_eq!(database.audit("acme").await.len(), 2, "what was refused left nothing");
}
