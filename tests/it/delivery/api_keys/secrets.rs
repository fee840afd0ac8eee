//! A key stands nowhere but in the one answer that shows it.

use serde_json::{Value, json};

use super::{API_KEYS, EMAILS, to};
use crate::delivery::account;
use crate::support::database::{Database, Engine};
use crate::support::leaks;
use crate::support::process::{Process, unlimited};
use crate::support::smtp_server::{Script, SmtpServer};

/// At the most talkative level of the log: made, used, refused and revoked.
///
/// Security case F24.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_neither_in_the_database_nor_in_the_log() {
    let database = Database::create(Engine::chosen()).await;
    let process = Process::serve(&unlimited(&database));
    let server = SmtpServer::start(Script::starttls()).await;
    let admin = process.known_admin("acme");
    admin.put(&account(&server)).await.expect(204);
    let made: Value = admin.json("POST", API_KEYS, &json!({"name": "x"})).await.expect(201).json();
    let token = made["token"].as_str().expect("a token").to_owned();
    let key = crate::support::client::Client { address: admin.address, token: Some(token.clone()) };
    key.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);
    key.get("/api/v1/transports/email-config").await.expect(403);
    let cut = crate::support::client::Client { address: admin.address, token: Some(token[..80].to_owned()) };
    cut.get(EMAILS).await.expect(401);
    let path = format!("{API_KEYS}/{}", made["id"].as_str().expect("an id"));
    key.send("DELETE", &path, &[], Vec::new()).await.expect(200);
    key.get(EMAILS).await.expect(401);
    let secret = &token["tsk_".len() + 32 + "_".len()..];
    let bytes = database.bytes().await;
    let log = process.log();
    for (name, form) in leaks::forms(&secret[..40]) {
        let is_in = |place: &[u8]| place.windows(form.len()).any(|window| window == form);
        assert!(!is_in(&bytes), "in the database: {name}");
        assert!(!is_in(log.as_bytes()), "in the log: {name}");
    }
    assert!(log.contains("api-key") || log.contains("request"), "it is the log");
}
