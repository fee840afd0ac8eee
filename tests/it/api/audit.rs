//! The audit as administrators read it, what is in it, how long it is kept, and how a tenant is taken off.

mod retention;

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::support::app::{START, TestApp, token_secret};
use crate::support::client::{CONFIG, Client, SEND_TEST, VERIFY};
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::{Process, run, variables};
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password};
use crate::support::tokens;

const AUDIT: &str = "/api/v1/transports/email-config/audit";

fn account(server: &SmtpServer) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
    })
}

async fn started(script: Script) -> (TestApp, SmtpServer, Client) {
    let app = TestApp::with(|config| config.egress.timeout_seconds = 3).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(script).await;
    let admin = app.admin("acme");
    (app, server, admin)
}

/// Changes the sender name so often, and so leaves as many rows.
async fn change(app: &TestApp, client: &Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        // Some rows share a millisecond.
        app.clock.advance(i64::try_from(number % 2).expect("is small"));
        client.patch(&json!({"senderName": format!("number {number}")})).await.expect(204);
    }
}

fn ids(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().expect("an array");
    data.iter().map(|entry| entry["id"].as_str().expect("a text").to_owned()).collect()
}

/// All pages from this path on; `between` happens after each.
async fn pages(client: &Client, path: &str, mut between: impl AsyncFnMut()) -> Vec<Value> {
    let mut pages: Vec<Value> = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = client.get(&path).await.expect(200).json();
        next = page["links"]["next"]["href"].as_str().map(str::to_owned);
        pages.push(page);
        between().await;
    }
    pages
}

/// Security case I9.
#[tokio::test]
async fn an_administrator_lists_actor_action_time_and_address() {
    let (app, server, admin) = started(Script::starttls()).await;
    admin.patch(&account(&server)).await.expect(204);
    app.clock.advance(1_500);
    app.member("acme").verify().await;
    let page = admin.get(AUDIT).await.expect(200).json();
    assert_eq!(page["links"], json!({}), "one page");
    let (newest, oldest) = (&page["data"][0], &page["data"][1]);
    let rows = app.database.audit("acme").await;
    let expected = json!({
        "id": newest["id"], "at": "2026-01-01T00:00:01.500Z", "userId": "member", "action": "verify-connection",
        "outcome": "OK", "changed": [], "remoteAddress": "127.0.0.1", "traceId": rows[1].trace_id, "count": 1,
    });
    assert_eq!(newest, &expected);
    assert_eq!((&oldest["userId"], &oldest["action"]), (&json!("admin"), &json!("patch")));
    let changed =
        ["serverAddress", "serverPort", "securityType", "username", "emailAddress", "emailPassword"];
    let told: HashSet<&str> =
        oldest["changed"].as_array().expect("an array").iter().filter_map(Value::as_str).collect();
    assert_eq!(told, HashSet::from(changed));
    assert!(!page.to_string().contains(good_password()));
    let other_prefix = admin.get(&AUDIT.replace("/api", "")).await.expect(200).json();
    assert_eq!(other_prefix, page);
}

/// Security case I9.
#[tokio::test]
async fn only_a_trusted_proxy_names_the_clients_address() {
    let trusting = TestApp::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let strict = TestApp::start().await;
    for (app, expected) in [(&trusting, "2001:db8::7"), (&strict, "127.0.0.1")] {
        let document = json!([{"op": "replace", "path": "/username", "value": "ann"}]);
        let said = [("x-forwarded-for", "192.0.2.1, 2001:db8::7")];
        app.admin("acme").json_with("PATCH", CONFIG, &said, &document).await.expect(204);
        let page = app.admin("acme").get(AUDIT).await.expect(200).json();
        assert_eq!(page["data"][0]["remoteAddress"], json!(expected));
    }
}

#[tokio::test]
async fn a_row_without_an_address_is_listed_without_one() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    change(&app, &admin, 0..1).await;
    app.database.execute("update audit set remote_address = null").await;
    let page = admin.get(AUDIT).await.expect(200).json();
    assert_eq!(page["data"][0].get("remoteAddress"), None);
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_rows_arrive() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    change(&app, &admin, 0..25).await;
    change(&app, &app.admin("other"), 0..5).await;
    let before: Vec<String> =
        pages(&admin, &format!("{AUDIT}?limit=100"), async || {}).await.iter().flat_map(ids).collect();
    assert_eq!(before.len(), 25);
    for limit in [1, 4, 5, 24, 25] {
        let mut number = 100;
        let path = format!("{AUDIT}?limit={limit}");
        let read = pages(&admin, &path, async || {
            number += 1;
            admin.patch(&json!({"senderName": format!("{limit}-{number}")})).await.expect(204);
        })
        .await;
        let found: Vec<String> = read.iter().flat_map(ids).collect();
        let known: Vec<String> = found.iter().filter(|id| before.contains(id)).cloned().collect();
        assert_eq!(known, before, "limit {limit}: each once, in order");
        assert!(read.iter().all(|page| page["data"].as_array().is_some_and(|data| data.len() <= limit)));
        let distinct: HashSet<&String> = found.iter().collect();
        assert_eq!(distinct.len(), found.len());
        let kept: Vec<String> = before.iter().map(|id| format!("'{id}'")).collect();
        app.database
            .execute(&format!(
                "delete from audit where tenant_id = 'acme' and id not in ({})",
                kept.join(",")
            ))
            .await;
    }
    let default = admin.get(AUDIT).await.expect(200).json();
    assert_eq!(ids(&default), before[..20]);
    let next = default["links"]["next"]["href"].as_str().expect("a link");
    assert!(next.starts_with(&format!("{AUDIT}?limit=20&cursor=")), "{next}");
}

/// Security case F12.
#[tokio::test]
async fn a_cursor_never_reaches_another_tenants_audit() {
    let app = TestApp::start().await;
    let (acme, other) = (app.admin("acme"), app.admin("other"));
    change(&app, &other, 0..3).await;
    change(&app, &acme, 0..6).await;
    let page = acme.get(&format!("{AUDIT}?limit=2")).await.expect(200).json();
    let link = page["links"]["next"]["href"].as_str().expect("a link").to_owned();
    let read: Vec<String> = pages(&other, &link, async || {}).await.iter().flat_map(ids).collect();
    let own: Vec<String> = pages(&other, AUDIT, async || {}).await.iter().flat_map(ids).collect();
    assert_eq!(read, own, "a position in time and nothing else");
    assert_eq!(own.len(), 3);
    for garbage in ["x", "", "AAAA", "%00", "..%2f", "MS4nOyBkcm9wIHRhYmxlIGF1ZGl0OyAtLQ"] {
        let refused = other.get(&format!("{AUDIT}?cursor={garbage}")).await.expect(400);
        let expected = "cursor is not one of this service; take it from links.next.href";
        assert_eq!(refused.error(), ("INPUTCHECK-1".to_owned(), expected.to_owned()), "{garbage:?}");
    }
    for (query, title) in [
        ("limit=0", "limit is not an integer from 1 to 100"),
        ("limit=101", "limit is not an integer from 1 to 100"),
        ("tenantId=acme", "tenantId is not a known parameter; limit and cursor are"),
        ("limit=1&limit=2", "limit stands twice"),
    ] {
        assert_eq!(other.get(&format!("{AUDIT}?{query}")).await.expect(400).error().1, title);
    }
}

/// An administrator whose token names this user, which our own `transports token` would refuse to.
fn token_of(app: &TestApp, user: &str) -> Client {
    let claims = json!({
        "sub": user, "tenantId": "acme", "roles": ["TenantAdmin"], "exp": app.clock.now().seconds() + 60,
        "iss": "https://issuer.test", "aud": "transports",
    });
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    app.bearer(&tokens::hs256_text(token_secret().as_bytes(), header, &claims.to_string()))
}

/// Security case I9.
#[tokio::test]
async fn a_hostile_user_name_is_refused_or_listed_unchanged() {
    let app = TestApp::start().await;
    for hostile in
        ["x".repeat(10_240), "ann\r\nX-Admin: yes".to_owned(), "a\0b".to_owned(), "\u{85}".to_owned()]
    {
        token_of(&app, &hostile).patch(&json!({"username": "ann"})).await.expect(401);
    }
    assert_eq!(app.database.count("audit").await, 0);
    let names = [
        "<script>alert(1)</script>",
        "'; drop table audit; --",
        "\u{202e}nimda",
        "a,b\"c\\",
        &"é".repeat(127),
    ];
    for (number, name) in names.iter().enumerate() {
        token_of(&app, name).patch(&json!({"username": format!("{number}")})).await.expect(204);
        app.clock.advance(1);
    }
    let answer = app.admin("acme").get(AUDIT).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let page = answer.json();
    let shown: Vec<&str> = page["data"]
        .as_array()
        .expect("an array")
        .iter()
        .rev()
        .filter_map(|entry| entry["userId"].as_str())
        .collect();
    assert_eq!(shown, names);
    assert!(
        page["data"]
            .as_array()
            .expect("an array")
            .iter()
            .all(|entry| entry["changed"] == json!(["username"]))
    );
}

/// Security case I9.
#[tokio::test]
async fn every_use_of_the_secret_is_audited_even_a_failed_one() {
    let (_app, server, admin) = started(Script::starttls()).await;
    admin.put(&account(&server)).await.expect(204);
    admin.verify().await;
    admin.send_test("bob@example.org").await;
    server.play(Script::starttls().on(At::Auth, "535 5.7.8 no").on(At::AuthResponse, "535 5.7.8 no"));
    admin.put(&account(&server)).await.expect(400);
    admin.verify().await;
    admin.send_test("bob@example.org").await;
    admin.delete().await.expect(204);
    admin.post(VERIFY).await.expect(404);
    let page = admin.get(AUDIT).await.expect(200).json();
    let told: Vec<(&str, &str)> = page["data"]
        .as_array()
        .expect("an array")
        .iter()
        .rev()
        .map(|entry| (entry["action"].as_str().expect("a text"), entry["outcome"].as_str().expect("a text")))
        .collect();
    let expected = [
        ("put", "OK"),
        ("verify-connection", "OK"),
        ("send-test-email", "OK"),
        ("put", "AUTH_REJECTED"),
        ("verify-connection", "AUTH_REJECTED"),
        ("send-test-email", "AUTH_REJECTED"),
        ("delete", "OK"),
    ];
    // Rows of one millisecond stand in the order of their ids, which is the order in which they were made.
    assert_eq!(told, expected, "also after the configuration is gone");
    assert_eq!(server.sign_ins().len(), 6, "a row for each sign-in");
}

#[tokio::test]
async fn a_failed_check_is_listed_with_its_diagnosis_in_the_readers_language() {
    let (_app, server, admin) = started(Script::starttls()).await;
    server.play(Script::starttls().on(At::Auth, "535 5.7.8 no").on(At::AuthResponse, "535 5.7.8 no"));
    admin.put(&account(&server)).await.expect(400);
    server.play(Script::starttls());
    admin.put(&account(&server)).await.expect(204);
    let entries = async |language: &str| {
        let answer = admin.send("GET", AUDIT, &[("accept-language", language)], Vec::new()).await;
        answer.expect(200).json()["data"].clone()
    };
    let english = entries("en").await;
    assert_eq!(english[0]["diagnosis"], Value::Null, "a success has none: {english}");
    let diagnosis = &english[1]["diagnosis"];
    assert_eq!((&diagnosis["code"], &diagnosis["owner"]), (&json!("AUTH_REJECTED"), &json!("tenant_admin")));
    assert_eq!(diagnosis["title"], "localhost refused the sign-in");
    assert!(!diagnosis["steps"].as_array().expect("steps").is_empty(), "{diagnosis}");
    assert_eq!(diagnosis["transcript"], json!([]), "the steps of the session stay with the last check");
    assert_eq!(entries("de").await[1]["diagnosis"]["title"], "localhost hat die Anmeldung abgelehnt");
}

/// Security case I9.
#[tokio::test]
async fn a_put_that_loses_the_race_after_its_check_is_audited() {
    let (go, held) = watch::channel(false);
    let slow = [Act::Wait(held), Act::Usual];
    let (app, server, admin) = started(Script::starttls().on(At::Greeting, slow)).await;
    let created = admin.patch(&json!({"senderName": "Ada"})).await.expect(204);
    let tag = created.header("etag").expect("a tag").to_owned();
    let body = json!({"serviceProvider": "BasicAuth", "providerConfig": account(&server)});
    let putting = {
        let admin = admin.clone();
        tokio::spawn(async move { admin.json_with("PUT", CONFIG, &[("if-match", &tag)], &body).await })
    };
    eventually("the check begins", async || server.connections() == 1).await;
    admin.patch(&json!({"senderName": "Grace"})).await.expect(204);
    go.send_replace(true);
    putting.await.expect("a request").expect(412);
    assert_eq!(server.sign_ins().len(), 1);
    let last = app.database.audit("acme").await.pop().expect("a row");
    assert_eq!((last.action.as_str(), last.outcome.as_str()), ("put", "NOT_STORED"));
}

/// Security case I9.
#[tokio::test]
async fn a_check_is_audited_when_its_client_disconnects() {
    let slow = [Act::Pause(Duration::from_millis(300)), Act::Usual];
    for path in [VERIFY, SEND_TEST, CONFIG] {
        let (app, server, admin) = started(Script::starttls().on(At::Greeting, slow.clone())).await;
        admin.patch(&account(&server)).await.expect(204);
        let (method, body) = match path {
            CONFIG => (
                "PUT",
                json!({"serviceProvider": "BasicAuth", "providerConfig": account(&server)}).to_string(),
            ),
            SEND_TEST => ("POST", json!({"recipient": "bob@example.org"}).to_string()),
            _ => ("POST", String::new()),
        };
        let token = admin.token.clone().expect("a token");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        #[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
        let mut stream = TcpStream::connect(app.address).await.expect("connects");
        stream.write_all(head.as_bytes()).await.expect("writes");
        eventually("it is dialled", async || server.connections() == 1).await;
        drop(stream);
        eventually("the row is there", async || app.database.count("audit").await == 2).await;
        let row = app.database.audit("acme").await.pop().expect("a row");
        assert_eq!(row.outcome, "OK", "{path}: the work came to its end");
        assert_eq!(server.sign_ins().len(), 1, "{path}");
    }
}

/// Security case I9.
#[tokio::test]
async fn a_failed_audit_write_after_a_check_records_nothing_else() {
    let refusing = || Script::starttls().on(At::Auth, "535 5.7.8 no").on(At::AuthResponse, "535 5.7.8 no");
    let (app, server, admin) = started(refusing()).await;
    admin.patch(&account(&server)).await.expect(204);
    let before = admin.config().await;
    app.database.execute("alter table audit rename to elsewhere").await;
    admin.post(VERIFY).await.expect(500);
    admin.json("POST", SEND_TEST, &json!({"recipient": "bob@example.org"})).await.expect(500);
    admin.put(&account(&server)).await.expect(500);
    assert_eq!(server.sign_ins().len(), 3, "they were carried out");
    assert_eq!(admin.config().await, before, "and nothing is known of them");
    app.database.execute("alter table elsewhere rename to audit").await;
    assert_eq!(app.database.count("audit").await, 1);

    let (go, held) = watch::channel(false);
    server.play(refusing().on(At::Greeting, [Act::Wait(held), Act::Usual]));
    let verifying = {
        let admin = admin.clone();
        tokio::spawn(async move { admin.post(VERIFY).await })
    };
    eventually("it is dialled", async || server.connections() == 4).await;
    app.app.db.close().await;
    go.send_replace(true);
    let answer = verifying.await.expect("a request").expect(503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(app.database.count("audit").await, 1);
    let health = app.database.query("select health_state, auth_failures from email_configs").await;
    assert_eq!(health, [[Some("OK".to_owned()), Some("0".to_owned())]]);
}
