//! Keys that are changed while the service runs under load, by the commands that an operator uses.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::keys::commands::{Place, Ran};
use crate::support::client::{Answer, CONFIG, Client, VERIFY};
use crate::support::database::Engine;
use crate::support::eventually::eventually;
use crate::support::key_file::line;
use crate::support::leaks;
use crate::support::process::{Process, command, with_all};
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};

/// A number of rounds from the environment; small by default.
fn number(name: &str, default: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
    let set = std::env::var(name).ok();
    set.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Tells a figure, for `scripts/soak-parts/rotation`.
#[expect(clippy::print_stdout, reason = "what is read with --nocapture")]
fn tell(figure: &str) {
    println!("rotation: {figure}");
}

/// Users of several replicas, each with a tenant of its own, who never pause.
struct Load {
    stop: Arc<AtomicBool>,
    /// Requests that were answered as they should be.
    done: Arc<AtomicUsize>,
    wrong: Arc<Mutex<Vec<String>>>,
    users: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Clone)]
struct User {
    /// The same tenant at each replica.
    replicas: Vec<Client>,
    account: Value,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Load {
    fn start(tenants: &[Vec<Client>], server: &SmtpServer) -> Self {
        let (stop, done, wrong) = (Arc::default(), Arc::default(), Arc::default());
        let account = json!({
            "serverAddress": "localhost", "serverPort": server.port(), "securityType": "none",
            "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
        });
        let users = tenants
            .iter()
            .map(|replicas| {
                let user = User {
                    replicas: replicas.clone(),
                    account: account.clone(),
                    stop: Arc::clone(&stop),
                    done: Arc::clone(&done),
                    wrong: Arc::clone(&wrong),
                };
                tokio::spawn(user.work())
            })
            .collect();
        Self { stop, done, wrong, users }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits for this many more requests.
    async fn go_on(&self, more: usize) {
        let until = self.done() + more;
        eventually("the load goes on", async || {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.done() >= until || !self.wrong.lock().unwrap().is_empty()
        })
        .await;
        self.assert_no_error();
    }

    fn assert_no_error(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} of {} requests failed: {:#?}", wrong.len(), self.done(), wrong.first());
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for user in self.users {
            user.await.expect("a user");
        }
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} requests failed: {:#?}", wrong.len(), wrong.first());
        drop(wrong);
        self.done.load(Ordering::SeqCst)
    }
}

impl User {
    /// A new secret, a change that keeps it, a look, two sign-ins: at each replica in turn.
    async fn work(self) {
        for turn in 0.. {
            let replica = |step: usize| &self.replicas[(turn + step) % self.replicas.len()];
            let name = json!({"senderName": format!("Ada {turn}")});
            self.expect(204, &replica(0).patch(&self.account).await);
            self.expect(204, &replica(1).patch(&name).await);
            self.expect(200, &replica(2).get(CONFIG).await);
            for step in 0..2 {
                let verified = replica(step).post(VERIFY).await;
                if verified.status == 200 && verified.json()["success"] != json!(true) {
                    self.wrong.lock().unwrap().push(verified.json().to_string());
                }
                self.expect(200, &verified);
            }
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn expect(&self, status: u16, answer: &Answer) {
        if answer.status == status {
            self.done.fetch_add(1, Ordering::SeqCst);
        } else {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            self.wrong.lock().unwrap().push(format!("{} instead of {status}: {text}", answer.status));
        }
    }
}

/// The whole of it: rows that nobody touches, users who do, several replicas, and rotation after rotation.
/// Security case L6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_fails_no_request_and_rewraps_every_row() {
    let rotations = number("TEST_ROTATIONS", 2);
    let (users, idle) = (number("TEST_ROTATION_USERS", 4), number("TEST_ROTATION_ROWS", 300));
    let place = Place::with(&line("k0", 1), idle).await;
    let settings = with_all(
        &place.settings,
        &[("TRANSPORTS_RATE_LIMIT__TIER1_PER_MINUTE", "0"), ("TRANSPORTS_RATE_LIMIT__TIER2_PER_MINUTE", "0")],
    );
    let replicas = if Engine::chosen() == Engine::Postgres { 3 } else { 1 };
    let mut processes = Vec::new();
    for _ in 0..replicas {
        processes.push(Process::serve_beside(&settings).await);
    }
    let server = SmtpServer::start(Script::plain()).await;
    let tenants: Vec<Vec<Client>> = (0..users)
        .map(|user| {
            let name = format!("user{user}");
            let first = processes[0].admin(&name, &settings);
            processes.iter().map(|process| Client { address: process.address, ..first.clone() }).collect()
        })
        .collect();
    let began = Instant::now();
    let load = Load::start(&tenants, &server);
    load.go_on(users * 5).await;
    for rotation in 1..=rotations {
        let (old, new) = (format!("k{}", rotation - 1), format!("k{rotation}"));
        let ran = place.run(&["keys", "rotate", "--id", &new, "--wait", "1"]).await;
        assert_eq!((ran.code, ran.out), (Some(0), format!("{new}\n")), "{}", ran.err);
        let status = place.status().await;
        assert_eq!(status["rowsOnOtherKeys"], json!(0), "{status}");
        let ran = place.run(&["keys", "remove", &old]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        load.go_on(users * 5).await;
    }
    let requests = load.end().await;
    tell(&format!(
        "{rotations} rotations of {} rows, {replicas} replicas, {requests} requests in {} s, 0 errors",
        idle + users,
        began.elapsed().as_secs()
    ));
    let last = format!("k{rotations}");
    assert_eq!(place.rows().await, [(last.clone(), idle + users)]);
    assert_eq!(place.file.ids(), std::slice::from_ref(&last));
    assert_eq!(place.database.query("select key_id from key_canaries").await, [[Some(last)]]);
    // Also for a process that never knew another key.
    let fresh = Process::serve_beside(&settings).await;
    for clients in &tenants {
        let client = Client { address: fresh.address, ..clients[0].clone() };
        assert_eq!(client.verify().await["success"], json!(true));
    }
    for process in processes.into_iter().chain([fresh]) {
        let (code, log) = process.stop();
        assert_eq!(code, Some(0));
        let error = log.lines().find(|line| line.contains("\"level\":\"ERROR\""));
        assert_eq!(error, None);
    }
    let untouched = "delete from email_configs where tenant_id like 'user%'";
    place.database.execute(untouched).await;
    place.assert_all_open().await;
}

/// Killed by `kill -9` while rows are on both keys, again and again; then it goes on.
/// Security case L6.
#[tokio::test]
async fn a_killed_rewrapping_resumes() {
    let (kills, rows) = (number("TEST_ROTATION_KILLS", 3), number("TEST_ROTATION_KILL_ROWS", 1000));
    let place = Place::with(&line("k0", 1), rows).await;
    let mut first = 0;
    for kill in 0..kills {
        let mut half_way = false;
        // One that was too fast to be met is no failure: the next one is tried.
        for _ in 0..20 {
            let old = first;
            first += 1;
            let (old, new) = (format!("k{old}"), format!("k{first}"));
            let mut child = command(&["keys", "rotate", "--id", &new, "--wait", "0"], &place.settings)
                .stderr(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("the binary is built");
            let count = async |key: &str| {
                place.rows().await.into_iter().find(|(id, _)| id == key).map_or(0, |(_, count)| count)
            };
            while count(&new).await == 0 && child.try_wait().expect("a child").is_none() {
                tokio::task::yield_now().await;
            }
            child.kill().expect("kills");
            child.wait().expect("a child");
            let (on_old, on_new) = (count(&old).await, count(&new).await);
            assert_eq!(on_old + on_new, rows, "kill {kill}: every row is on one of both keys");
            assert_eq!(place.file.ids()[..2], [new.clone(), old.clone()]);
            place.assert_all_open().await;
            half_way = on_old > 0 && on_new > 0;
            // Needed by some: refused. The same command finishes what it began.
            if on_old > 0 {
                let ran = place.run(&["keys", "remove", &old]).await;
                assert!(ran.code == Some(1) && ran.err.contains(&format!("need {old}")), "{ran:?}");
            }
            let ran = place.run(&["keys", "rotate", "--id", &new, "--wait", "0"]).await;
            assert_eq!((ran.code, ran.out.as_str()), (Some(0), format!("{new}\n").as_str()), "{}", ran.err);
            assert_eq!(place.rows().await, [(new, rows)]);
            assert_eq!(place.run(&["keys", "remove", &old]).await.code, Some(0));
            if half_way {
                break;
            }
        }
        assert!(half_way, "it was never met half-way");
    }
    place.assert_all_open().await;
    tell(&format!("{kills} kills half-way through {rows} rows, every row opens, 0 rows left behind"));
}

/// A process with other settings than everybody else, that seals with the old key again and again.
/// Security case L6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_under_an_old_key_that_reappear_are_reported() {
    let place = Place::with(&line("k1", 1), 0).await;
    let (k1, k2) = (line("k1", 1).trim().to_owned(), line("k2", 2).trim().to_owned());
    let stale = with_all(
        &place.settings,
        &[
            ("TRANSPORTS_ENCRYPTION__KEYS", &format!("{k1},{k2}")),
            ("TRANSPORTS_ENCRYPTION__KEYS_FILE", ""),
            ("TRANSPORTS_RATE_LIMIT__TIER1_PER_MINUTE", "0"),
            ("TRANSPORTS_RATE_LIMIT__TIER2_PER_MINUTE", "0"),
        ],
    );
    let process = Process::serve_beside(&stale).await;
    let server = SmtpServer::start(Script::plain()).await;
    let tenants = [vec![process.admin("acme", &stale)]];
    let load = Load::start(&tenants, &server);
    load.go_on(5).await;
    place.file.replace(&format!("{k2}\n{k1}\n"));
    let Ran { code, err, .. } = place.run(&["keys", "rewrap", "--wait", "1"]).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("rows keep coming back under another key (1 row of k1)"), "{err}");
    let ran = place.run(&["keys", "remove", "k1"]).await;
    assert!(ran.code == Some(1) || place.rows().await.iter().all(|(id, _)| id != "k1"), "{ran:?}");
    load.end().await;
    process.stop();
}

/// A process that still seals with a key which has been removed: it must not write what nobody could open.
/// Security case L7.
#[tokio::test]
async fn a_process_with_a_removed_key_writes_nothing_and_logs_why() {
    let place = Place::with(&line("k1", 1), 0).await;
    let (k1, k2) = (line("k1", 1).trim().to_owned(), line("k2", 2).trim().to_owned());
    let stale = with_all(
        &place.settings,
        &[("TRANSPORTS_ENCRYPTION__KEYS", &format!("{k1},{k2}")), ("TRANSPORTS_ENCRYPTION__KEYS_FILE", "")],
    );
    let process = Process::serve_beside(&stale).await;
    let admin = process.admin("acme", &stale);
    let account = json!({
        "serverAddress": "localhost", "serverPort": 2525, "securityType": "none", "username": USER,
        "emailPassword": good_password(), "emailAddress": "ada@example.com",
    });
    admin.patch(&account).await.expect(204);
    place.file.replace(&format!("{k2}\n{k1}\n"));
    assert_eq!(place.run(&["keys", "rewrap", "--wait", "0"]).await.code, Some(0));
    assert_eq!(place.run(&["keys", "remove", "k1"]).await.code, Some(0));
    let before = admin.config().await;
    admin.patch(&json!({"emailPassword": leaks::canary("another ")})).await.expect(503);
    assert_eq!(admin.config().await, before);
    assert_eq!(place.rows().await, [("k2".to_owned(), 1)]);
    // What keeps the secret as it is needs no key.
    admin.patch(&json!({"senderName": "Ada"})).await.expect(204);
    let (_, log) = process.stop();
    assert!(log.contains("this process seals with a removed key"), "{log}");
}
