//! What an operator's quotas stop, and that nobody sends through another tenant's account.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Answer, Client, SEND_TEST, VERIFY};
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};

fn account(port: u16) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": port, "securityType": "StartTLS",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
    })
}

async fn send(client: &Client, recipient: &str) -> Answer {
    client.json("POST", SEND_TEST, &json!({ "recipient": recipient })).await
}

/// Asserts a refusal by a quota, and gives its `Retry-After`.
#[track_caller]
fn refused(answer: Answer, title: &str) -> u64 {
    let answer = answer.expect(429);
    assert_eq!(answer.error(), ("HTTP-429".to_owned(), title.to_owned()));
    let limit = answer.json()["errors"][0]["meta"]["limit"].clone();
    assert!(limit.as_str().is_some_and(|limit| !["requests", "running_check"].contains(&limit)), "{limit}");
    answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("seconds")
}

/// Security case H2.
#[tokio::test]
async fn test_mail_quotas_count_only_sent_mails() {
    let app = TestApp::with(|config| {
        config.rate_limit.tier2_per_minute = 0;
        config.quotas.test_mails_per_tenant_per_day = 6;
        config.quotas.test_mails_per_recipient_per_hour = 2;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::starttls()).await;
    let (acme, other) = (app.admin("acme"), app.admin("other"));
    // What sends nothing is not counted.
    for _ in 0..10 {
        send(&acme, "bob@example.org").await.expect(404);
        send(&acme, "no address").await.expect(400);
    }
    acme.patch(&json!({"serverAddress": "localhost"})).await.expect(204);
    for _ in 0..10 {
        send(&acme, "bob@example.org").await.expect(200);
    }
    for client in [&acme, &other] {
        client.patch(&account(server.port())).await.expect(204);
    }
    assert_eq!(acme.send_test("bob@example.org").await["success"], json!(true));
    assert_eq!(other.send_test("Bob@Example.org").await["success"], json!(true));
    let title = "Quota of test emails for this recipient and hour reached";
    assert_eq!(refused(send(&acme, "bob@example.org").await, title), 3_600);
    let sent = {
        let mut sent = 0;
        for number in 0..50 {
            sent += usize::from(send(&acme, &format!("a{number}@example.org")).await.status == 200);
        }
        sent
    };
    assert_eq!(sent, 5, "six with the first one");
    let title = "Quota of test emails for this tenant and day reached";
    app.clock.advance(1_000);
    assert_eq!(refused(send(&acme, "z@example.org").await, title), 86_399);
    assert_eq!(other.send_test("z@example.org").await["success"], json!(true), "another tenant's is its own");
    server.ended().await;
    assert_eq!(server.mails().len(), 8, "nothing was sent beyond the quotas");
    assert_eq!(acme.verify().await["success"], json!(true), "a check is no mail");
    app.clock.advance(86_400_000);
    assert_eq!(app.admin("acme").send_test("z@example.org").await["success"], json!(true), "the next day");
    let metrics = app.anybody().get("/metrics").await.expect(200);
    let metrics = String::from_utf8(metrics.body.to_vec()).expect("text");
    assert!(
        metrics.contains("transports_rate_limit_refusals_total{limit=\"test_mails_per_tenant\"} 46"),
        "{metrics}"
    );
}

/// Security case H3.
#[tokio::test]
async fn the_quota_of_servers_covers_every_operation() {
    let app = TestApp::with(|config| {
        config.rate_limit.tier2_per_minute = 0;
        config.quotas.destinations_per_tenant_per_hour = 3;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let mut servers = Vec::new();
    for _ in 0..5 {
        servers.push(SmtpServer::start(Script::starttls()).await);
    }
    let acme = app.admin("acme");
    let title = "Quota of different mail servers for this tenant and hour reached";
    acme.patch(&account(servers[0].port())).await.expect(204);
    acme.verify().await;
    acme.put(&account(servers[1].port())).await.expect(204);
    acme.patch(&account(servers[2].port())).await.expect(204);
    acme.send_test("bob@example.org").await;
    // A fourth one, by each of the three ways.
    refused(acme.put(&account(servers[3].port())).await, title);
    acme.patch(&account(servers[4].port())).await.expect(204);
    refused(acme.post(VERIFY).await, title);
    refused(send(&acme, "bob@example.org").await, title);
    for (index, server) in servers.iter().enumerate() {
        assert_eq!(server.connections(), usize::from(index < 3), "server {index}");
    }
    assert_eq!(app.database.audit("acme").await.len(), 6, "what was not dialled has no row");
    for server in &servers[..3] {
        acme.put(&account(server.port())).await.expect(204);
    }
    app.admin("other").put(&account(servers[4].port())).await.expect(204);
    app.clock.advance(3_600_000);
    app.admin("acme").put(&account(servers[3].port())).await.expect(204);
}

/// Security case H6.
#[tokio::test]
async fn a_tenant_without_an_account_sends_nothing() {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 0).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::starttls()).await;
    let (acme, other) = (app.admin("acme"), app.admin("other"));
    acme.put(&account(server.port())).await.expect(204);
    let mine = server.connections();
    for _ in 0..3 {
        // Right after the owner's, so that anything kept from it would show.
        acme.send_test("bob@example.org").await;
        let dialled = server.connections();
        send(&other, "bob@example.org").await.expect(404);
        other.post(VERIFY).await.expect(404);
        app.member("other").post(VERIFY).await.expect(404);
        assert_eq!(server.connections(), dialled);
    }
    // With the same settings and no password, or with a part of them.
    let mut partial = account(server.port());
    partial.as_object_mut().expect("an object").remove("emailPassword");
    other.patch(&partial).await.expect(204);
    let answer = other.send_test("bob@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("CONFIG_INCOMPLETE"), "{answer}");
    let (code, _) = other.put(&partial).await.expect(400).error();
    assert_eq!(code, "INPUTCHECK-1");
    other.delete().await.expect(204);
    send(&other, "bob@example.org").await.expect(404);
    acme.delete().await.expect(204);
    send(&acme, "bob@example.org").await.expect(404);
    server.ended().await;
    assert_eq!(server.connections(), mine + 3, "the owner's alone");
    assert_eq!(server.mails().len(), 3);
    let rows = app.database.audit("other").await;
    assert!(rows.iter().all(|row| row.outcome != "OK" || row.action != "send-test-email"), "{rows:?}");
}
