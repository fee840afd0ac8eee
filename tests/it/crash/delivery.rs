//! `kill -9` while mail is taken and handed over: nothing is lost, and a copy arises only where the whole message may
//! have left, at most one.

mod commits;
mod full_disk;
mod locked;
mod microsoft365;
mod poison;
mod random_kills;
mod stopped;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::delivery::{EMAILS, account, status};
use crate::support::client::Client;
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::{Process, unlimited, with_all};
use crate::support::smtp_server::{Act, At, Script, SmtpServer, reply};

/// The least that may be set: what a killed process owned is free again after so long.
pub const LEASE: Duration = Duration::from_secs(3);

/// Longer than the wait for unknown outcomes: what may still follow has followed.
pub const NOTHING_FOLLOWS: Duration = Duration::from_millis(1_500);

/// A service that is killed, and its database.
pub struct Site {
    pub database: Database,
    pub settings: Vec<(String, String)>,
}

impl Site {
    pub async fn new() -> Self {
        let database = Database::create(Engine::chosen()).await;
        let settings = settings(&database);
        Self { database, settings }
    }

    pub async fn start(&self) -> Process {
        start(&self.settings).await
    }
}

/// Settings with which leases and the wait for unknown outcomes are soon over.
pub fn settings(database: &Database) -> Vec<(String, String)> {
    with_all(
        &unlimited(database),
        &[
            ("TRANSPORTS_DELIVERY__LEASE_SECONDS", "3"),
            ("TRANSPORTS_DELIVERY__UNKNOWN_WAIT_SECONDS", "1"),
            ("TRANSPORTS_DATABASE__CONNECTIONS", "3"),
            ("TRANSPORTS_RATE_LIMIT__SEND_PER_MINUTE", "0"),
        ],
    )
}

pub async fn start(settings: &[(String, String)]) -> Process {
    let process = Process::serve_beside(settings).await;
    process.anybody().get("/health/ready").await.expect(200);
    process
}

/// A tenant with a mail server of its own.
pub struct Tenant {
    pub name: String,
    pub server: SmtpServer,
}

impl Tenant {
    pub async fn create(process: &Process, name: &str) -> Self {
        let server = SmtpServer::start(script()).await;
        process.known_admin(name).put(&account(&server)).await.expect(204);
        // The connection that checked the account.
        server.forget().await;
        Self { name: name.to_owned(), server }
    }

    pub fn admin(&self, process: &Process) -> Client {
        process.known_admin(&self.name)
    }

    /// Enqueues a mail; its id.
    pub async fn enqueue(&self, process: &Process, email: &Value) -> String {
        id_of(&self.admin(process).json("POST", EMAILS, email).await.expect(202).json())
    }

    /// How many copies of this mail came whole, and its status, once it is decided.
    pub async fn outcome(&self, process: &Process, id: &str) -> (usize, String) {
        let email = settled(&self.admin(process), id).await;
        (self.copies(&email), status(&email).to_owned())
    }

    /// How many copies of this mail came whole for its recipients, by the message's own Message-ID.
    pub fn copies(&self, email: &Value) -> usize {
        let line = format!("Message-ID: {}", email["message_id"].as_str().expect("an id"));
        let is_copy = |wire: &[u8]| String::from_utf8_lossy(wire).contains(&line);
        self.server.mails().iter().filter(|mail| mail.to == TO && is_copy(&mail.wire)).count()
    }
}

/// Every command has an answer of its own, so that a place is met exactly.
pub fn script() -> Script {
    Script::starttls().without("PIPELINING")
}

pub const TO: [&str; 2] = ["a@example.net", "b@example.net"];

pub const POLICIES: [&str; 2] = ["retry_once", "hold"];

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
        tokio::time::sleep(Duration::from_millis(50)).await;
        email = get(client, id).await;
        let is_due = email["recipients"].as_array().expect("recipients").iter();
        let is_due = is_due.clone().any(|recipient| !recipient["next_attempt_at"].is_null());
        !["queued", "sending", "held", "scheduled"].contains(&status(&email)) && !is_due
    })
    .await;
    email
}

/// Waits for something that another process or server does.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        is_so()
    })
    .await;
}

/// A place at which the process is killed, as the mail server sees it.
struct Place {
    name: &'static str,
    script: Script,
    text_bytes: usize,
    is_reached: fn(&SmtpServer) -> bool,
    /// MAIL was sent: the start is on disk.
    is_begun: bool,
    /// The final dot was sent.
    is_whole: bool,
}

fn has(server: &SmtpServer, verb: &str, times: usize) -> bool {
    server.verbs().iter().filter(|seen| *seen == verb).count() == times
}

/// Connected, after MAIL, after some RCPT, half of the body, the body without its dot, the dot without a reply. Where the
/// connection is not signed in yet, the account is taken and the window read, and the start is not committed.
fn places() -> [Place; 7] {
    let place = |name, script, is_reached| Place {
        name,
        script,
        text_bytes: 10,
        is_reached,
        is_begun: true,
        is_whole: false,
    };
    [
        Place {
            is_begun: false,
            ..place("connected", script().on(At::Greeting, Act::Silence), |server| server.connections() > 0)
        },
        place("after MAIL", script().on(At::Mail, Act::Silence), |server| has(server, "MAIL", 1)),
        place("after some RCPT", script().on(At::RcptTo(TO[1]), Act::Silence), |server| {
            has(server, "RCPT", 2)
        }),
        place("after DATA", script().on(At::Data, Act::Silence), |server| has(server, "DATA", 1)),
        Place {
            // Far more than all buffers between the two hold.
            text_bytes: 7_000_000,
            ..place("half of the body", script().on(At::Data, [reply("354 go on"), Act::Freeze]), |server| {
                has(server, "DATA", 1)
            })
        },
        place("the body without its dot", script().on(At::Dot, Act::Silence), |server| {
            server.lost_dots() == 1
        }),
        Place {
            is_whole: true,
            ..place("the dot without a reply", script().on(At::Message, Act::Silence), |server| {
                server.mails().len() == 1
            })
        },
    ]
}

/// One process, killed while each of its tenants is at another place.
async fn kill_at_each_place(on_unknown: &str) {
    let site = Site::new().await;
    let process = site.start().await;
    let begun = places().map(async |place| {
        let tenant = Tenant::create(&process, &place.name.replace(' ', "-")).await;
        tenant.server.play(place.script.clone());
        let mut email = mail(on_unknown);
        email["text"] = json!(
            "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
                .repeat(place.text_bytes / 72 + 1)
        );
        let id = tenant.enqueue(&process, &email).await;
        until(place.name, || (place.is_reached)(&tenant.server)).await;
        (place, tenant, id)
    });
    let begun = join_all(begun).await;
    // What is under way between the two arrives.
    tokio::time::sleep(Duration::from_millis(100)).await;
    process.kill();
    for (_, tenant, _) in &begun {
        tenant.server.play(script());
    }
    let process = site.start().await;
    join_all(begun.iter().map(|(_, tenant, id)| tenant.outcome(&process, id))).await;
    tokio::time::sleep(NOTHING_FOLLOWS).await;
    for (place, tenant, id) in &begun {
        let expected = match (place.is_begun, on_unknown) {
            (true, "hold") => (usize::from(place.is_whole), "unknown"),
            _ => (1 + usize::from(place.is_whole), "accepted"),
        };
        let (copies, status) = tenant.outcome(&process, id).await;
        assert_eq!((copies, &*status), expected, "{} with {on_unknown}", place.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_mail_is_handed_over_loses_nothing_and_copies_only_after_the_dot() {
    kill_at_each_place("retry_once").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_mail_is_handed_over_never_copies_what_is_held_on_unknown() {
    kill_at_each_place("hold").await;
}

/// Kills after the answer, and after the result was written: then nothing is sent any more, and the content is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_the_answer_or_the_result_leaves_one_copy() {
    let site = Site::new().await;
    let process = site.start().await;
    let [decided, taken] = ["decided", "taken"].map(async |name| {
        let tenant = Tenant::create(&process, name).await;
        let id = tenant.enqueue(&process, &mail("retry_once")).await;
        (tenant, id)
    });
    let decided = decided.await;
    decided.0.outcome(&process, &decided.1).await;
    let taken = taken.await;
    process.kill();
    assert_eq!(decided.0.server.mails().len(), 1);
    let process = site.start().await;
    let (copies, status) = taken.0.outcome(&process, &taken.1).await;
    tokio::time::sleep(NOTHING_FOLLOWS).await;
    // The kill may have come at any place.
    assert!((1..=2).contains(&copies) && status == "accepted", "{copies} {status}");
    assert_eq!(decided.0.outcome(&process, &decided.1).await, (1, "accepted".to_owned()));
    assert_eq!(site.database.count("email_bodies").await, 0, "the content goes with the last acceptance");
    assert_eq!(site.database.count("email_queue").await, 0);
}

pub fn headers(key: &str) -> [(&str, &str); 2] {
    [("content-type", "application/json"), ("idempotency-key", key)]
}

/// The answer to the first request never came: the same request with its key finds the one mail, or makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_answer_leaves_one_mail_for_the_retry_with_its_key() {
    let site = Site::new().await;
    let mut process = site.start().await;
    let tenant = Tenant::create(&process, "acme").await;
    let mut ids = Vec::new();
    for (round, pause) in [0, 1, 2, 4, 8, 16].into_iter().enumerate() {
        let key = format!("key-{round}");
        let body = mail("retry_once").to_string().into_bytes();
        let request = {
            let (client, key, body) = (tenant.admin(&process), key.clone(), body.clone());
            tokio::spawn(async move { client.try_send("POST", EMAILS, &headers(&key), body).await })
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        process.kill();
        let first = request.await.expect("a client").ok().map(|answer| id_of(&answer.expect(202).json()));
        process = site.start().await;
        let again = tenant.admin(&process).send("POST", EMAILS, &headers(&key), body).await;
        assert!([200, 202].contains(&again.status), "{again:?}");
        let id = id_of(&again.json());
        assert!(first.is_none_or(|first| first == id), "round {round}: another mail for the same key");
        assert_eq!(site.database.count("emails").await, round + 1, "round {round}: one mail for each key");
        ids.push(id);
    }
    for id in ids {
        let (copies, status) = tenant.outcome(&process, &id).await;
        assert!((1..=2).contains(&copies) && status == "accepted", "{copies} {status}");
    }
}

/// A process that starts after the other was killed begins when the lease is over, and not later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_sends_as_soon_as_the_lease_is_over() {
    let site = Site::new().await;
    let process = site.start().await;
    let tenant = Tenant::create(&process, "acme").await;
    tenant.server.play(script().on(At::Greeting, Act::Silence));
    let id = tenant.enqueue(&process, &mail("hold")).await;
    until("it connects", || tenant.server.connections() > 0).await;
    process.kill();
    let killed = Instant::now();
    tenant.server.play(script());
    let process = site.start().await;
    assert_eq!(tenant.outcome(&process, &id).await, (1, "accepted".to_owned()));
    // The next look at accounts that are due without a time would come after a minute.
    assert!(killed.elapsed() < Duration::from_secs(45), "{:?}", killed.elapsed());
}

/// The one process that SQLite serves has no need to wait: the lease would outlast this test by minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_restart_waits_for_no_lease_of_the_process_before() {
    if Engine::chosen() != Engine::Sqlite {
        return;
    }
    let mut site = Site::new().await;
    site.settings = with_all(&site.settings, &[("TRANSPORTS_DELIVERY__LEASE_SECONDS", "300")]);
    let process = site.start().await;
    let tenant = Tenant::create(&process, "acme").await;
    tenant.server.play(script().on(At::Greeting, Act::Silence));
    let id = tenant.enqueue(&process, &mail("hold")).await;
    until("it connects", || tenant.server.connections() > 0).await;
    process.kill();
    tenant.server.play(script());
    let process = site.start().await;
    assert_eq!(tenant.outcome(&process, &id).await, (1, "accepted".to_owned()));
}
