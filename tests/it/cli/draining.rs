//! SIGTERM under load: what was read is answered, what was acknowledged is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::{CONFIG, Client, VERIFY};
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::{Process, variables};
use crate::support::raw::size;
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

/// One request on a connection of its own: its status, or none where no byte of an answer came.
#[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
async fn attempt(client: &Client, method: &str, path: &str, body: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(client.address).await.ok()?;
    let token = client.token.as_ref().expect("a token");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        return None;
    }
    ended.expect("an answer that has begun comes to its end");
    let text = String::from_utf8(answer).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    assert_eq!(body.len(), length.unwrap_or(0), "a whole body: {text}");
    head.split(' ').nth(1).and_then(|code| code.parse().ok())
}

/// The requests that the log tells of, by method and status.
fn logged(log: &str, method: &str, status: u16) -> usize {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| {
            line["message"] == json!("request")
                && line["method"] == json!(method)
                && line["status"] == json!(status)
        })
        .count()
}

fn relay(server: &SmtpServer) -> Value {
    json!({
        "serverAddress": "127.0.0.1", "serverPort": server.port(), "securityType": "none",
        "emailAddress": "ada@example.com",
    })
}

fn with_limits_off(database: &Database) -> Vec<(String, String)> {
    let mut settings = variables(database);
    settings.push(("TRANSPORTS_RATE_LIMIT__TIER2_PER_MINUTE".to_owned(), "0".to_owned()));
    settings
}

/// Security case K13.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_answers_every_request_that_was_read() {
    let server = SmtpServer::start(
        Script::plain().on(At::Greeting, [Act::Pause(Duration::from_millis(60)), Act::Usual]),
    )
    .await;
    for _ in 0..size("TEST_DRAIN_ROUNDS", 2) {
        let database = Database::create(Engine::chosen()).await;
        let settings = with_limits_off(&database);
        let process = Process::serve(&settings);
        let answered = Arc::new(AtomicUsize::new(0));
        let mut writers = Vec::new();
        let mut verifiers = Vec::new();
        for number in 0..8 {
            let client = process.admin(&format!("writer-{number}"), &settings);
            let answered = Arc::clone(&answered);
            writers.push(tokio::spawn(async move {
                let mut acknowledged = 0;
                loop {
                    let name = format!("number {}", acknowledged + 1);
                    let body = json!([{"op": "replace", "path": "/senderName", "value": name}]).to_string();
                    let Some(status) = attempt(&client, "PATCH", CONFIG, &body).await else {
                        return (client, acknowledged);
                    };
                    assert_eq!(status, 204);
                    acknowledged += 1;
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        for number in 0..8 {
            let client = process.admin(&format!("verifier-{number}"), &settings);
            client.patch(&relay(&server)).await.expect(204);
            verifiers.push(tokio::spawn(async move {
                let mut checked = 0;
                while let Some(status) = attempt(&client, "POST", VERIFY, "").await {
                    assert_eq!(status, 200);
                    checked += 1;
                }
                checked
            }));
        }
        eventually("there is load", async || answered.load(Ordering::SeqCst) > 100).await;
        process.terminate();
        let (mut acknowledged, mut checks) = (Vec::new(), 0);
        for writer in writers {
            acknowledged.push(writer.await.expect("a writer"));
        }
        for verifier in verifiers {
            checks += verifier.await.expect("a verifier");
        }
        let (code, log) = tokio::task::spawn_blocking(move || process.wait()).await.expect("it ends");
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("still in progress"), "all of it was finished: {log}");
        let written: usize = acknowledged.iter().map(|(_, count)| count).sum();
        assert_eq!(logged(&log, "PATCH", 204), written + 8, "whatever was read was answered");
        assert_eq!(logged(&log, "POST", 200), checks, "whatever was read was answered");
        assert_eq!(database.count("audit").await, written + 8 + checks);

        let again = Process::serve(&settings);
        for (client, count) in acknowledged {
            let client = Client { address: again.address, ..client };
            let name = &client.config().await["providerConfig"]["senderName"];
            assert_eq!(name, &json!(format!("number {count}")), "the last one that was acknowledged");
        }
        assert_eq!(again.stop().0, Some(0));
    }
}

/// The end of the process is no reason to let a client wait for an event, nor to break its request off.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_an_event_is_answered_when_the_process_stops() {
    let database = Database::create(Engine::chosen()).await;
    let mut settings = with_limits_off(&database);
    settings.push(("TRANSPORTS_SERVER__SHUTDOWN_SECONDS".to_owned(), "2".to_owned()));
    let process = Process::serve_beside(&settings).await;
    let client = process.admin("acme", &settings);
    let waiting =
        tokio::spawn(async move { attempt(&client, "GET", "/api/v1/transports/events?wait=30", "").await });
    // Long enough for it to be read; nothing says when it is.
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.terminate();
    // None where it was not read.
    assert!(matches!(waiting.await.expect("an end"), Some(200) | None));
    let (code, log) = tokio::task::spawn_blocking(move || process.wait()).await.expect("it ends");
    assert!(code == Some(0) && !log.contains("still in progress"), "{log}");
}

/// Security case K13.
#[tokio::test]
async fn shutdown_completes_checks_of_disconnected_clients() {
    let database = Database::create(Engine::chosen()).await;
    let settings = with_limits_off(&database);
    let slow = [Act::Pause(Duration::from_millis(400)), Act::Usual];
    let server = SmtpServer::start(Script::plain().on(At::Greeting, slow)).await;
    let process = Process::serve(&settings);
    let admin = process.admin("acme", &settings);
    admin.patch(&relay(&server)).await.expect(204);
    let gone = tokio::spawn(async move { attempt(&admin, "POST", VERIFY, "").await });
    eventually("it is dialled", async || server.connections() == 1).await;
    gone.abort();
    let _ = gone.await;
    let (code, log) = tokio::task::spawn_blocking(move || process.stop()).await.expect("it ends");
    assert_eq!(code, Some(0), "{log}");
    let row = database.audit("acme").await.pop().expect("a row");
    assert_eq!((row.action.as_str(), row.outcome.as_str()), ("verify-connection", "OK"), "{log}");
}

/// Security case K13.
#[tokio::test]
async fn idle_clients_do_not_delay_shutdown() {
    let database = Database::create(Engine::chosen()).await;
    let mut settings = variables(&database);
    settings.push(("TRANSPORTS_SERVER__HEADER_TIMEOUT_SECONDS".to_owned(), "300".to_owned()));
    settings.push(("TRANSPORTS_SERVER__SHUTDOWN_SECONDS".to_owned(), "5".to_owned()));
    // Waited for, they would outlast the time for the end, which is then told.
    let process = Process::serve(&settings);
    let mut streams = Vec::new();
    for begun in [
        &b""[..],
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut stream = crate::support::raw::connect(process.address).await;
        stream.write_all(begun).await.expect("writes");
        streams.push(stream);
    }
    process.admin("acme", &settings).get(CONFIG).await.expect(200);
    let (code, log) = tokio::task::spawn_blocking(move || process.stop()).await.expect("it ends");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("still in progress"), "{log}");
}
