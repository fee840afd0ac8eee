//! `kill -9` at random moments: what was acknowledged is there, and the next start needs no help.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::figures::{progress, rounds, tell};
use crate::support::ledger::Told;
use crate::support::load::{Listener, Writer, check, trusting_server};
use crate::support::process::{Process, command, unlimited};
use crate::support::random::Random;

const WRITERS: usize = 3;
const TENANTS_EACH: usize = 2;

/// Beyond what is written before the kill.
const ENDLESS: usize = 10_000;

/// Security case K1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_no_acknowledged_write() {
    let engine = Engine::chosen();
    let kills = rounds("TEST_KILLS", if engine == Engine::Sqlite { 50 } else { 20 });
    let mut random = Random::announced();
    let database = Database::create(engine).await;
    let settings = unlimited(&database);
    let server = trusting_server().await;
    let mut writers: Vec<_> =
        (0..WRITERS).map(|name| Writer::new(name, TENANTS_EACH, 0, random.split())).collect();
    let mut losses = 0;
    for kill in 0..kills {
        progress("kills", kill, kills);
        if random.below(5) == 0 {
            kill_while_starting(&settings, microseconds(&mut random, 30_000));
        }
        let process = Process::serve(&settings);
        let (address, port) = (process.address, server.port());
        process.anybody().get("/health/ready").await.expect(200);
        let answers = Arc::new(Answers::default());
        let writing: Vec<_> = writers
            .drain(..)
            .map(|mut writer| {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    writer.write(address, port, ENDLESS, &*answers).await;
                    writer
                })
            })
            .collect();
        let enough = random.below(12);
        eventually("some writes are answered", async || {
            tokio::time::sleep(Duration::from_millis(1)).await;
            answers.0.load(Ordering::SeqCst) >= enough
        })
        .await;
        thread::sleep(microseconds(&mut random, 20_000));
        process.kill();
        for writer in writing {
            writers.push(writer.await.expect("a writer"));
        }
        let process = Process::serve(&settings);
        let ledgers = writers.iter_mut().flat_map(|writer| &mut writer.ledgers);
        if let Err(loss) = check(&process, &database, &server, ledgers).await {
            losses += 1;
            tell(&format!("kill {kill}: {loss}"));
            break;
        }
        if engine == Engine::Sqlite {
            let found = database.query("pragma integrity_check").await;
            assert_eq!(found, [[Some("ok".to_owned())]], "kill {kill}");
        }
        process.kill();
    }
    let acknowledged: usize = writers.iter().map(|writer| writer.acknowledged).sum();
    tell(&format!("{engine:?}: {kills} kills, {acknowledged} acknowledged writes, {losses} losses"));
    assert_eq!(losses, 0);
    assert!(acknowledged > kills, "the load has to be one");
}

/// How many writes were answered since the start, so that a slow machine is not killed before the first.
#[derive(Default)]
struct Answers(AtomicUsize);

impl Listener for Answers {
    fn hears(&self, _: usize, told: Option<Told>) {
        self.0.fetch_add(usize::from(told.is_some()), Ordering::SeqCst);
    }
}

fn microseconds(random: &mut Random, below: usize) -> Duration {
    Duration::from_micros(random.below(below) as u64)
}

/// The first start migrates; every start opens the log that the one before left.
fn kill_while_starting(settings: &[(String, String)], after: Duration) {
    let mut child = command(&["serve"], settings)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary is built");
    thread::sleep(after);
    child.kill().expect("a child");
    child.wait().expect("a child");
}
