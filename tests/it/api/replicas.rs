//! Three replicas on one PostgreSQL behind a plain TCP balancer: restarted in turn, killed, without a database, started
//! together, and beside a newer version. These run where the tests are for PostgreSQL.

mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use crate::support::balancer::Balancer;
use crate::support::client::{CONFIG, Client};
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::figures::{progress, rounds, tell};
use crate::support::keep_alive::KeepAlive;
use crate::support::ledger::{Ledger, Op, Told};
use crate::support::load::{check, trusting_server};
use crate::support::postgres_server::PostgresServer;
use crate::support::process::{Process, admin_token, unlimited, with};
use crate::support::random::Random;
use crate::support::smtp_server::SmtpServer;

const REPLICAS: usize = 3;
const READERS: usize = 6;
const WRITERS: usize = 3;

/// What a reader has to find.
const NO_CONFIGURATION: &str = r#"{"passwordExists":false,"isValid":false}"#;

/// A write that breaks off is sent again so many times.
const ATTEMPTS: usize = 4;

/// The replicas, and what stands before them.
struct Cluster {
    settings: Vec<(String, String)>,
    replicas: Vec<Option<Process>>,
    balancer: Balancer,
}

impl Cluster {
    async fn start(database: &Database) -> Self {
        let settings = with(&unlimited(database), "LOG__FILTER", "warn,transports::cli=info");
        let replicas: Vec<_> = (0..REPLICAS).map(|_| Process::serve(&settings)).collect();
        let balancer = Balancer::over(replicas.iter().map(|replica| replica.address).collect()).await;
        let cluster = Self { settings, replicas: replicas.into_iter().map(Some).collect(), balancer };
        for index in 0..REPLICAS {
            cluster.replica(index).anybody().get("/health/ready").await.expect(200);
        }
        cluster
    }

    fn replica(&self, index: usize) -> &Process {
        self.replicas[index].as_ref().expect("it runs")
    }

    fn take(&mut self, index: usize) -> Process {
        self.replicas[index].take().expect("it runs")
    }

    /// Starts a replica again, and tells the balancer when it is ready.
    async fn restart(&mut self, index: usize) {
        let replica = Process::serve_beside(&self.settings).await;
        replica.anybody().get("/health/ready").await.expect(200);
        self.balancer.replace(index, replica.address);
        self.replicas[index] = Some(replica);
    }
}

/// What the clients have seen so far.
#[derive(Default)]
struct Seen {
    answered: AtomicUsize,
    failed: AtomicUsize,
    /// Connections that ended while an answer was waited for.
    broken: AtomicUsize,
    ends: AtomicBool,
}

impl Seen {
    fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::SeqCst)
    }

    /// So many more requests are answered.
    async fn more(&self, requests: usize) {
        let enough = self.answered() + requests;
        eventually("requests are answered", async || self.answered() >= enough).await;
    }
}

/// Clients that read and write without a pause, through the balancer. What fails is told when they end.
struct Load {
    seen: Arc<Seen>,
    readers: Vec<JoinHandle<Vec<String>>>,
    writers: Vec<JoinHandle<(Ledger, Vec<String>)>>,
}

impl Load {
    fn start(balancer: &Balancer, mail: &SmtpServer, ledgers: Vec<Ledger>, random: &mut Random) -> Self {
        let seen = Arc::new(Seen::default());
        let readers = (0..READERS).map(|_| {
            tokio::spawn(read(KeepAlive::new(balancer.address, admin_token("reader")), Arc::clone(&seen)))
        });
        let readers = readers.collect();
        let writers = ledgers
            .into_iter()
            .map(|ledger| {
                let client = Client { address: balancer.address, token: Some(admin_token(&ledger.tenant)) };
                tokio::spawn(write(client, ledger, mail.port(), random.split(), Arc::clone(&seen)))
            })
            .collect();
        Self { seen, readers, writers }
    }

    /// Ends it; gives what may be stored, and what has failed.
    async fn end(self) -> (Vec<Ledger>, Vec<String>) {
        self.seen.ends.store(true, Ordering::SeqCst);
        let (mut ledgers, mut failures) = (Vec::new(), Vec::new());
        for reader in self.readers {
            failures.extend(reader.await.expect("a reader"));
        }
        for writer in self.writers {
            let (ledger, failed) = writer.await.expect("a writer");
            ledgers.push(ledger);
            failures.extend(failed);
        }
        (ledgers, failures)
    }
}

/// Reads on a connection that it keeps.
async fn read(mut client: KeepAlive, seen: Arc<Seen>) -> Vec<String> {
    let mut failures = Vec::new();
    let mut broken = 0;
    while seen.goes_on() {
        match client.get(CONFIG).await {
            Ok((200, body)) if body == NO_CONFIGURATION => {
                seen.answered.fetch_add(1, Ordering::SeqCst);
            }
            other => note(&mut failures, &seen, format!("GET: {other:?}")),
        }
        seen.broken.fetch_add(client.broken - broken, Ordering::SeqCst);
        broken = client.broken;
    }
    failures
}

/// Writes with methods that may be sent again where no answer came: PUT and DELETE, on a connection for each.
async fn write(
    client: Client,
    mut ledger: Ledger,
    smtp_port: u16,
    mut random: Random,
    seen: Arc<Seen>,
) -> (Ledger, Vec<String>) {
    let mut failures = Vec::new();
    let mut number = 0;
    while seen.goes_on() {
        let tenant = ledger.tenant.clone();
        let op = loop {
            // In one go with the numbers of other runs no value comes twice.
            number += 1;
            let unique = number + 1_000_000 * random.below(1_000_000);
            match Op::random(&mut random, &tenant, unique, smtp_port) {
                Op::Patch(_) => {}
                op => break op,
            }
        };
        let mut told = Told::Nothing;
        for _ in 0..ATTEMPTS {
            told = op.send(&client).await;
            ledger.answered(&op, told);
            if told != Told::Nothing {
                break;
            }
            seen.broken.fetch_add(1, Ordering::SeqCst);
        }
        match told {
            Told::Done | Told::NothingThere => {
                seen.answered.fetch_add(1, Ordering::SeqCst);
            }
            Told::Unavailable | Told::Nothing => note(&mut failures, &seen, format!("{op:?}: {told:?}")),
        }
    }
    (ledger, failures)
}

/// Keeps a failure: enough of them to see what they are.
fn note(failures: &mut Vec<String>, seen: &Seen, failure: String) {
    seen.failed.fetch_add(1, Ordering::SeqCst);
    if failures.len() < 100 || !is_unavailable(&failure) {
        failures.push(failure);
    }
}

fn ledgers() -> Vec<Ledger> {
    (0..WRITERS).map(|number| Ledger::new(&format!("writer-{number}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_fails_no_request() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let restarts = rounds("TEST_ROLLING_RESTARTS", 1);
    let mut random = Random::announced();
    let database = Database::create(Engine::Postgres).await;
    let mail = trusting_server().await;
    let mut cluster = Cluster::start(&database).await;
    let load = Load::start(&cluster.balancer, &mail, ledgers(), &mut random);
    for restart in 0..restarts {
        progress("rolling restarts", restart, restarts);
        for index in 0..REPLICAS {
            load.seen.more(40).await;
            let replica = cluster.take(index);
            let stopping = tokio::task::spawn_blocking(move || replica.stop());
            let (code, log) = stopping.await.expect("it ends");
            assert_eq!(code, Some(0), "{log}");
            load.seen.more(20).await;
            cluster.restart(index).await;
        }
        load.seen.more(40).await;
    }
    let (answered, broken) = (load.seen.answered(), load.seen.broken.load(Ordering::SeqCst));
    let (mut ledgers, failures) = load.end().await;
    assert_eq!(failures, [""; 0]);
    check(cluster.replica(0), &database, &mail, &mut ledgers).await.expect("nothing is lost");
    tell(&format!(
        "{restarts} rolling restarts of {REPLICAS} replicas: {answered} requests answered, 0 failed, {broken} repeated \
         on another connection"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_replica_loses_only_its_requests_in_flight() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let kills = rounds("TEST_REPLICA_KILLS", 3);
    let mut random = Random::announced();
    let database = Database::create(Engine::Postgres).await;
    let mail = trusting_server().await;
    let mut cluster = Cluster::start(&database).await;
    let (mut answered, mut all_broken, mut known) = (0, 0, ledgers());
    for kill in 0..kills {
        progress("kills of a replica", kill, kills);
        let load = Load::start(&cluster.balancer, &mail, known, &mut random);
        load.seen.more(20 + random.below(20)).await;
        cluster.take(kill % REPLICAS).kill();
        load.seen.more(40).await;
        let broken = load.seen.broken.load(Ordering::SeqCst);
        assert!(broken <= READERS + WRITERS, "each client had one request under way at most: {broken}");
        cluster.restart(kill % REPLICAS).await;
        load.seen.more(20).await;
        answered += load.seen.answered();
        all_broken += broken;
        let (mut ledgers, failures) = load.end().await;
        assert_eq!(failures, [""; 0], "what broke off was answered by another");
        check(cluster.replica(random.below(REPLICAS)), &database, &mail, &mut ledgers)
            .await
            .expect("nothing is lost");
        known = ledgers;
    }
    assert!(all_broken > 0 || kills < 3, "the load has to be one");
    tell(&format!(
        "{kills} kills of one of {REPLICAS} replicas: {answered} requests answered, {all_broken} broken off and \
         repeated, 0 losses"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_outlive_their_database_and_lose_nothing() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let restarts = rounds("TEST_DATABASE_RESTARTS", 2);
    let mut random = Random::announced();
    let server = PostgresServer::start("replicas");
    let database = Database::on(&server.url).await;
    let mail = trusting_server().await;
    let cluster = Cluster::start(&database).await;
    let (mut refused, mut known) = (0, ledgers());
    for restart in 0..restarts {
        progress("restarts of the database", restart, restarts);
        let load = Load::start(&cluster.balancer, &mail, known, &mut random);
        load.seen.more(30).await;
        server.kill();
        for index in 0..REPLICAS {
            let replica = cluster.replica(index);
            eventually("it says so", async || replica.known_admin("reader").get(CONFIG).await.status == 503)
                .await;
            replica.anybody().get("/health/ready").await.expect(503);
            replica.anybody().get("/health/live").await.expect(200);
        }
        server.restart();
        for index in 0..REPLICAS {
            let replica = cluster.replica(index);
            eventually("it recovers", async || replica.known_admin("reader").get(CONFIG).await.status == 200)
                .await;
        }
        load.seen.more(30).await;
        let seen = Arc::clone(&load.seen);
        let (mut ledgers, failures) = load.end().await;
        assert!(failures.iter().all(|failure| is_unavailable(failure)), "503 and nothing else: {failures:?}");
        refused += seen.failed.load(Ordering::SeqCst);
        let replica = cluster.replica(restart % REPLICAS);
        check(replica, &database, &mail, &mut ledgers).await.expect("nothing is lost");
        known = ledgers;
    }
    tell(&format!(
        "{restarts} restarts of PostgreSQL under {REPLICAS} replicas: {refused} requests were 503, 0 losses"
    ));
}

fn is_unavailable(failure: &str) -> bool {
    failure.starts_with("GET: Ok((503,") || failure.ends_with(": Unavailable")
}
