//! What a mail says stands nowhere but in the message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{EMAILS, account};
use crate::support::client::Client;
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::leaks::{self, canary};
use crate::support::process::{Process, unlimited, with};
use crate::support::raw::{exchange, statuses};
use crate::support::smtp_server::{Script, SmtpServer};

/// A request whose answer is not searched.
async fn post(client: &Client, email: &Value) -> Vec<u8> {
    let (body, token) = (email.to_string(), client.token.as_deref().expect("a token"));
    let request = format!(
        "POST {EMAILS} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    exchange(client.address, request.as_bytes()).await
}

/// At the most talkative level of the log; while the mail waits, and when it was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_and_subject_are_neither_in_the_database_nor_its_journal_nor_the_log() {
    let database = Database::create(Engine::chosen()).await;
    let settings = unlimited(&database);
    let process = Process::serve(&with(&settings, "DELIVERY__ENABLED", "false"));
    let server = SmtpServer::start(Script::starttls()).await;
    let admin = process.known_admin("acme");
    admin.put(&account(&server)).await.expect(204);
    let email = json!({
        "to": "bob@example.net", "subject": canary("subject "), "text": canary("a body "),
        "html": format!("<p>{}</p>", canary("a page ")), "metadata": {"order": canary("an order ")},
        "tags": [{"name": "kind", "value": "test"}],
        "attachments": [{"filename": "a.txt", "content": STANDARD.encode(canary("attached "))}],
    });
    // Its answer shows the mail, as it should.
    assert_eq!(statuses(&post(&admin, &email).await), [202]);
    leaks::assert_absent("the database with its journal", &database.bytes().await);
    leaks::assert_absent("the log", process.log().as_bytes());
    process.kill();
    let process = Process::serve(&settings);
    eventually("it is sent", async || server.mails().len() == 1).await;
    let sent = String::from_utf8(server.mails()[0].bytes()).expect("ASCII");
    assert!(sent.contains("bob@example.net"), "it is the mail: {sent}");
    assert_eq!(process.stop().0, Some(0), "log and database are searched when they are dropped");
}
