//! Three replicas, one of which is killed again and again, send through one Microsoft 365 account: what it publishes as its
//! limits is never exceeded, and no mail comes twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use serde_json::json;
use tokio::net::TcpListener;
use transports::clock::Clock;
use transports::config::Config;
use transports::dev::fake_microsoft365::{FakeMicrosoft365, Registration};
use transports::http::server;

use super::{EMAILS, LEASE, Site, get, id_of, settled, start};
use crate::delivery::status;
use crate::support::database::Engine;
use crate::support::figures::{rounds, tell};
use crate::support::leaks;
use crate::support::microsoft365::put;
use crate::support::process::with_all;

/// As Microsoft publishes them for one mailbox.
const MOST_AT_ONCE: usize = 4;
const MOST_IN_A_MINUTE: usize = 30;

/// What the fake has counted of the calls that send.
#[derive(Default)]
struct Counted {
    now: AtomicUsize,
    most: AtomicUsize,
    times: Mutex<Vec<Instant>>,
    mails: Mutex<Vec<String>>,
}

/// Ends with the call, also where its client has gone.
struct Call(Arc<Counted>);

impl Call {
    fn new(counted: &Arc<Counted>) -> Self {
        counted.times.lock().expect("not poisoned").push(Instant::now());
        let now = counted.now.fetch_add(1, Ordering::SeqCst) + 1;
        counted.most.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(counted))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Counted {
    /// The most calls in any minute.
    fn in_a_minute(&self) -> usize {
        let times = self.times.lock().expect("not poisoned");
        let within = |from: &Instant| {
            times
                .iter()
                .filter(|at| **at >= *from && at.duration_since(*from) < Duration::from_mins(1))
                .count()
        };
        times.iter().map(within).max().unwrap_or_default()
    }

    fn copies(&self, message_id: &str) -> usize {
        let line = format!("Message-ID: {message_id}");
        self.mails.lock().expect("not poisoned").iter().filter(|mail| mail.contains(&line)).count()
    }
}

/// The fake with a count before it; its address.
async fn start_fake(registration: Registration, counted: &Arc<Counted>) -> String {
    let caught = Arc::clone(counted);
    let fake = FakeMicrosoft365::new(registration, Clock::System, move |mail| {
        caught.mails.lock().expect("not poisoned").push(String::from_utf8_lossy(&mail).into_owned());
    });
    let counted = Arc::clone(counted);
    let router = fake.router().layer(from_fn(move |request: Request, next: Next| {
        let counted = Arc::clone(&counted);
        async move {
            if !request.uri().path().ends_with("/sendMail") {
                return next.run(request).await;
            }
            let _call = Call::new(&counted);
            // So that calls overlap where they may.
            tokio::time::sleep(Duration::from_millis(300)).await;
            next.run(request).await
        }
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        server::serve(listener, router, &Config::default().server, std::future::pending()).await
    });
    url
}

/// On PostgreSQL alone: SQLite has one process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_with_one_killed_again_and_again_keep_the_limits_of_one_account() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let (mails, kills) = (rounds("TEST_MICROSOFT365_MAILS", 8), rounds("TEST_MICROSOFT365_KILLS", 2));
    let counted = Arc::<Counted>::default();
    let roles = vec!["Mail.Send".to_owned(), leaks::MARK.to_owned()];
    let registration =
        Registration { client_secret: leaks::canary("dev~").to_owned(), roles, ..Registration::random() };
    let url = start_fake(registration.clone(), &counted).await;
    let mut site = Site::new().await;
    site.settings = with_all(
        &site.settings,
        &[("TRANSPORTS_MICROSOFT365__LOGIN_URL", &url), ("TRANSPORTS_MICROSOFT365__GRAPH_URL", &url)],
    );
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(start(&site.settings).await);
    }
    let account = json!({
        "clientId": registration.client_id, "clientSecret": registration.client_secret,
        "providerTenantId": registration.directory_id, "emailAddress": registration.mailbox,
    });
    put(&replicas[0].known_admin("acme"), &account).await.expect(204);
    let mut ids = Vec::new();
    for number in 0..mails {
        let mail =
            json!({"to": format!("r{number}@example.net"), "subject": "Invoice", "text": "Thank you."});
        let client = replicas[number % 3].known_admin("acme");
        ids.push(id_of(&client.json("POST", EMAILS, &mail).await.expect(202).json()));
    }
    for kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(500) + LEASE).await;
        // The owner is one of the three; the others stay, so that it moves.
        replicas.remove(kill % 3).kill();
        replicas.push(start(&site.settings).await);
    }
    let client = replicas[0].known_admin("acme");
    let mut unknown = 0;
    for id in &ids {
        while !["accepted", "unknown"].contains(&status(&get(&client, id).await)) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let email = settled(&client, id).await;
        let copies = counted.copies(email["message_id"].as_str().expect("an id"));
        let is_unknown = status(&email) == "unknown";
        unknown += usize::from(is_unknown);
        assert!(copies == 1 || (copies == 0 && is_unknown), "{copies} copies of {email}");
    }
    let (most, in_a_minute) = (counted.most.load(Ordering::SeqCst), counted.in_a_minute());
    tell(&format!(
        "{kills} kills, {mails} mails, {unknown} unknown: {most} at once, {in_a_minute} in a minute"
    ));
    assert!(
        most <= MOST_AT_ONCE && in_a_minute <= MOST_IN_A_MINUTE,
        "{most} at once, {in_a_minute} in a minute"
    );
}
