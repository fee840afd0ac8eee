//! `kill -9` while mail is taken and handed over: nothing is lost, and a copy arises only where the whole message may
//! have left, at most one.

mod locked;
mod stopped;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::delivery::{EMAILS, account, status};
use crate::support::client::Client;
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::{Process, unlimited, with_all};
use crate::support::smtp_server::{Act, At, Script, SmtpServer, reply};

/// A service that is killed, its database and the mail server of its tenant `acme`.
pub struct Site {
    pub database: Database,
    pub server: SmtpServer,
    pub settings: Vec<(String, String)>,
}

impl Site {
    pub async fn open() -> (Self, Process) {
        let database = Database::create(Engine::chosen()).await;
        let settings = with_all(
            &unlimited(&database),
            &[
                ("TRANSPORTS_DELIVERY__LEASE_SECONDS", "3"),
                ("TRANSPORTS_DELIVERY__UNKNOWN_WAIT_SECONDS", "1"),
                ("TRANSPORTS_DATABASE__CONNECTIONS", "3"),
            ],
        );
        let site = Self { database, server: SmtpServer::start(script()).await, settings };
        let process = site.start().await;
        process.known_admin("acme").put(&account(&site.server)).await.expect(204);
        (site, process)
    }

    pub async fn start(&self) -> Process {
        let process = Process::serve(&self.settings);
        process.anybody().get("/health/ready").await.expect(200);
        process
    }

    /// How many mails came whole for these recipients, by the message's own Message-ID.
    pub fn copies(&self, message_id: &str, to: &[&str]) -> usize {
        let line = format!("Message-ID: {message_id}");
        let is_copy = |wire: &[u8]| String::from_utf8_lossy(wire).contains(&line);
        self.server.mails().iter().filter(|mail| mail.to == to && is_copy(&mail.wire)).count()
    }
}

/// Every command has an answer of its own, so that a place is met exactly.
pub fn script() -> Script {
    Script::starttls().without("PIPELINING")
}

pub const TO: [&str; 2] = ["a@example.net", "b@example.net"];

pub fn mail(on_unknown: &str) -> Value {
    json!({"to": TO, "subject": "Invoice 8841", "text": "Thank you.", "on_unknown": on_unknown})
}

pub fn id_of(answer: &Value) -> String {
    answer["id"].as_str().expect("an id").to_owned()
}

pub async fn get(client: &Client, id: &str) -> Value {
    client.get(&format!("{EMAILS}/{id}")).await.expect(200).json()
}

/// Waits until nothing of the email is under way or due any more.
pub async fn settled(client: &Client, id: &str) -> Value {
    let mut email = Value::Null;
    eventually("an email is decided", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        email = get(client, id).await;
        let is_due = email["recipients"].as_array().expect("recipients").iter();
        let is_due = is_due.clone().any(|recipient| !recipient["next_attempt_at"].is_null());
        !["queued", "sending", "held", "scheduled"].contains(&status(&email)) && !is_due
    })
    .await;
    email
}

/// A place at which the process is killed, as the mail server sees it.
struct Place {
    name: &'static str,
    script: Script,
    text_bytes: usize,
    is_reached: fn(&SmtpServer) -> bool,
    /// The final dot was sent.
    is_whole: bool,
}

/// Whether a verb has come in a session that was opened for mail.
fn has(server: &SmtpServer, verb: &str, times: usize) -> bool {
    server.verbs().iter().filter(|seen| *seen == verb).count() == times
}

/// Connected, after MAIL, after some RCPT, half of the body, the dot without a reply. Where the connection is not signed
/// in yet, the account is taken and the window read, and the start is not committed.
fn places() -> [Place; 6] {
    let place =
        |name, script, is_reached, is_whole| Place { name, script, text_bytes: 10, is_reached, is_whole };
    [
        place("connected", script().on(At::Greeting, Act::Silence), |server| server.connections() > 0, false),
        place("after MAIL", script().on(At::Mail, Act::Silence), |server| has(server, "MAIL", 1), false),
        place(
            "after some RCPT",
            script().on(At::RcptTo(TO[1]), Act::Silence),
            |server| has(server, "RCPT", 2),
            false,
        ),
        place("after DATA", script().on(At::Data, Act::Silence), |server| has(server, "DATA", 1), false),
        Place {
            // Far more than all buffers between the two hold.
            text_bytes: 7_000_000,
            ..place(
                "half of the body",
                script().on(At::Data, [reply("354 go on"), Act::Freeze]),
                |server| has(server, "DATA", 1),
                false,
            )
        },
        place(
            "the dot without a reply",
            script().on(At::Message, Act::Silence),
            |server| server.mails().len() == 1,
            true,
        ),
    ]
}

async fn kill_at(place: Place, on_unknown: &str) {
    let (site, process) = Site::open().await;
    site.server.play(place.script);
    let mut email = mail(on_unknown);
    email["text"] = json!(
        "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
            .repeat(place.text_bytes / 72 + 1)
    );
    let taken = process.known_admin("acme").json("POST", EMAILS, &email).await.expect(202).json();
    let id = id_of(&taken);
    eventually(place.name, async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        (place.is_reached)(&site.server)
    })
    .await;
    // What is under way between the two arrives.
    tokio::time::sleep(Duration::from_millis(100)).await;
    process.kill();
    site.server.play(script());
    let process = site.start().await;
    let client = process.known_admin("acme");
    let email = settled(&client, &id).await;
    // Nothing follows.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let copies = site.copies(email["message_id"].as_str().expect("an id"), &TO);
    let found = (copies, status(&email));
    let is_begun = place.name != "connected";
    let expected = match (is_begun, on_unknown, place.is_whole) {
        (true, "hold", _) => (usize::from(place.is_whole), "unknown"),
        (_, _, is_whole) => (1 + usize::from(is_whole), "accepted"),
    };
    assert_eq!(found, expected, "{} with {on_unknown}: {email}", place.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_mail_is_handed_over_loses_nothing_and_copies_only_after_the_dot() {
    for place in places() {
        kill_at(place, "retry_once").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_mail_is_handed_over_never_copies_what_is_held_on_unknown() {
    for place in places() {
        kill_at(place, "hold").await;
    }
}

/// Kills after the answer, and after the result was written: then nothing is sent any more, and the content is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_the_answer_or_the_result_leaves_one_copy() {
    for waits_for_result in [false, true] {
        let (site, process) = Site::open().await;
        let client = process.known_admin("acme");
        let id = id_of(&client.json("POST", EMAILS, &mail("retry_once")).await.expect(202).json());
        if waits_for_result {
            settled(&client, &id).await;
        }
        let before = site.server.mails().len();
        process.kill();
        let process = site.start().await;
        let email = settled(&process.known_admin("acme"), &id).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let copies = site.copies(email["message_id"].as_str().expect("an id"), &TO);
        assert_eq!(status(&email), "accepted");
        if waits_for_result {
            assert_eq!((before, copies), (1, 1));
        } else {
            // The kill may have come at any place.
            assert!((1..=2).contains(&copies), "{copies}");
        }
        assert_eq!(site.database.count("email_bodies").await, 0, "the content goes with the last acceptance");
        assert_eq!(site.database.count("email_queue").await, 0);
    }
}

fn headers(key: &str) -> [(&str, &str); 2] {
    [("content-type", "application/json"), ("idempotency-key", key)]
}

/// The answer to the first request never came: the same request with its key finds the one mail, or makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_answer_leaves_one_mail_for_the_retry_with_its_key() {
    let (site, mut process) = Site::open().await;
    for (round, pause) in [0, 1, 2, 4, 8, 16].into_iter().enumerate() {
        let key = format!("key-{round}");
        let client = process.known_admin("acme");
        let request = {
            let (client, key) = (client.clone(), key.clone());
            let body = mail("retry_once").to_string().into_bytes();
            tokio::spawn(async move { client.try_send("POST", EMAILS, &headers(&key), body).await })
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        process.kill();
        let first = request.await.expect("a client").ok().map(|answer| id_of(&answer.expect(202).json()));
        process = site.start().await;
        let client = process.known_admin("acme");
        let body = mail("retry_once").to_string().into_bytes();
        let again = client.send("POST", EMAILS, &headers(&key), body).await;
        assert!([200, 202].contains(&again.status), "{again:?}");
        let id = id_of(&again.json());
        assert!(first.is_none_or(|first| first == id), "round {round}: another mail for the same key");
        let email = settled(&client, &id).await;
        assert_eq!(status(&email), "accepted", "round {round}");
        let copies = site.copies(email["message_id"].as_str().expect("an id"), &TO);
        assert!((1..=2).contains(&copies), "round {round}: {copies}");
        assert_eq!(site.database.count("emails").await, round + 1, "round {round}: one mail for each key");
    }
}

/// A process that starts after the other was killed begins when the lease is over, and not later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_sends_as_soon_as_the_lease_is_over() {
    let (site, process) = Site::open().await;
    site.server.play(script().on(At::Greeting, Act::Silence));
    let client = process.known_admin("acme");
    let id = id_of(&client.json("POST", EMAILS, &mail("hold")).await.expect(202).json());
    eventually("it connects", async || site.server.connections() == 1).await;
    process.kill();
    let killed = Instant::now();
    site.server.play(script());
    let process = site.start().await;
    assert_eq!(status(&settled(&process.known_admin("acme"), &id).await), "accepted");
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
}

/// The one process that SQLite serves has no need to wait: the lease would outlast this test by minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_restart_waits_for_no_lease_of_the_process_before() {
    if Engine::chosen() != Engine::Sqlite {
        return;
    }
    let (mut site, process) = Site::open().await;
    process.kill();
    site.settings = with_all(&site.settings, &[("TRANSPORTS_DELIVERY__LEASE_SECONDS", "300")]);
    let process = site.start().await;
    let connections = site.server.connections();
    site.server.play(script().on(At::Greeting, Act::Silence));
    let id = id_of(&process.known_admin("acme").json("POST", EMAILS, &mail("hold")).await.expect(202).json());
    eventually("it connects", async || site.server.connections() > connections).await;
    process.kill();
    site.server.play(script());
    let process = site.start().await;
    assert_eq!(status(&settled(&process.known_admin("acme"), &id).await), "accepted");
}
