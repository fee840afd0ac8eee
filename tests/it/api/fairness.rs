//! One tenant's dead servers take nothing from another, and nothing can be told from how a request is handled.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use transports::config::{Config, RateLimitStore};

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, SEND_TEST, VALIDATE, VERIFY};
use crate::support::eventually::eventually;
use crate::support::leaks;
use crate::support::raw::size;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password};

/// Security case E14.
#[tokio::test(flavor = "multi_thread")]
async fn tarpits_of_many_tenants_are_bounded_and_delay_no_other_tenant() {
    let tarpits = size("TEST_TARPITS", 60);
    let app = TestApp::with(|config| {
        config.egress.max_connections = tarpits + 1;
        // So that none of them ends while the test looks.
        config.egress.timeout_seconds = 60;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let tarpit = SmtpServer::start(Script::plain().on(At::Greeting, Act::Silence)).await;
    let good_server = SmtpServer::start(Script::starttls()).await;
    let good = app.admin("good");
    let account = json!({
        "serverAddress": "localhost", "serverPort": good_server.port(), "securityType": "StartTLS",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
    });
    good.put(&account).await.expect(204);
    let stuck = json!({
        "serverAddress": "127.0.0.1", "serverPort": tarpit.port(), "securityType": "none",
        "emailAddress": "ada@example.com",
    });
    for number in 0..=tarpits {
        app.admin(&format!("tenant-{number}")).patch(&stuck).await.expect(204);
    }
    let mut hanging = Vec::new();
    let hang = |number: usize| {
        let client = app.admin(&format!("tenant-{number}"));
        tokio::spawn(async move { client.post(VERIFY).await.status })
    };
    hanging.extend((0..tarpits).map(hang));
    eventually("all of them hang", async || tarpit.connections() == tarpits).await;

    for _ in 0..10 {
        assert_eq!(good.verify().await["success"], json!(true));
        assert_eq!(good.config().await["errorCode"], json!("OK"));
        assert_eq!(good.send_test("bob@example.org").await["success"], json!(true));
    }
    assert_eq!(app.app.accounts.connections.in_use(), tarpits);
    assert_eq!(app.app.checks.len(), tarpits, "a task for each, and none besides");
    assert_eq!(tarpit.connections(), tarpits, "a connection for each, and none besides");

    // A tenant that hangs gets no second one.
    let again = app.admin("tenant-0").post(VERIFY).await.expect(429);
    assert_eq!(again.header("retry-after"), Some("1"));
    // The last place of all; beyond it nobody dials, whoever it is, and reading goes on.
    hanging.push(hang(tarpits));
    eventually("the last one hangs", async || tarpit.connections() == tarpits + 1).await;
    let before = good_server.connections();
    let answer = good.post(VERIFY).await.expect(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let mail = json!({"recipient": "bob@example.org"});
    good.json("POST", SEND_TEST, &mail).await.expect(503);
    good.put(&account).await.expect(503);
    assert_eq!(good_server.connections(), before);
    assert_eq!(
        good.config().await["errorCode"],
        json!("OK"),
        "our own trouble says nothing about the account"
    );
    assert_eq!(app.app.accounts.connections.in_use(), tarpits + 1);
    assert!(hanging.iter().all(|request| !request.is_finished()), "they hung all the time");
}

/// Security case E14.
#[test]
fn the_defaults_withstand_500_tarpits() {
    let config = Config::default();
    assert!(config.egress.max_connections > 500);
    assert!(config.egress.max_connections >= 2 * 500 + config.egress.max_connections_per_tenant);
    assert!(config.egress.max_connections_per_tenant < config.egress.max_connections / 100);
    assert!(config.server.max_connections > 5_000 + 500);
}

/// The SQL texts that were run for requests, as the log tells them at level `trace`.
///
/// The service's own work (looking for due mail, removing what is too old) runs on the same thread.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<u8>>>);

impl Write for Statements {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Statements {
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
        let text = String::from_utf8(bytes).expect("text");
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let of_requests = lines.filter(|line| {
            let spans = line["spans"].as_array();
            spans.is_some_and(|spans| spans.iter().any(|span| span["name"] == "request"))
        });
        of_requests.filter_map(|line| line["fields"]["statement"].as_str().map(str::to_owned)).collect()
    }
}

/// Security case I7.
#[tokio::test]
async fn present_and_absent_rows_take_the_same_statements() {
    // Counting a request in the database is the same whoever asks, and would only stand between.
    let app = TestApp::with(|config| config.rate_limit.store = Some(RateLimitStore::Memory)).await;
    for tenant in ["there", "also-there"] {
        app.admin(tenant)
            .patch(&json!({"username": "ann", "emailPassword": leaks::canary("secret ")}))
            .await
            .expect(204);
    }
    let statements = Statements::default();
    let writer = statements.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // The service of this test runs on the test's own thread.
    let _guard = tracing::subscriber::set_default(subscriber);

    for (method, path) in [("GET", CONFIG), ("POST", VALIDATE)] {
        let mut seen = Vec::new();
        for tenant in ["there", "missing"] {
            app.admin(tenant).send(method, path, &[], Vec::new()).await.expect(200);
            seen.push(statements.take());
        }
        assert_eq!(seen[0], seen[1], "{method} {path}");
        assert_eq!(seen[0].len(), 1, "{method} {path}: {seen:?}");
    }
    // Another tenant that is named, whether it is there or not.
    let mut seen = Vec::new();
    for named in ["also-there", "missing"] {
        let headers = [("x-tenant-id", named)];
        let path = format!("{CONFIG}?tenantId={named}");
        app.admin("there").send("GET", &path, &headers, Vec::new()).await.expect(200);
        seen.push(statements.take());
    }
    assert_eq!((&seen[0], seen[0].len()), (&seen[1], 1));
    // Without the right, nothing is looked up at all.
    for tenant in ["there", "missing"] {
        app.member(tenant).get(CONFIG).await.expect(403);
        let mut token = app.admin(tenant).token.expect("a token");
        token.pop();
        app.bearer(&token).get(CONFIG).await.expect(401);
        app.bearer(&token).post(VERIFY).await.expect(401);
        assert_eq!(statements.take(), Vec::<String>::new(), "{tenant}");
    }
}
