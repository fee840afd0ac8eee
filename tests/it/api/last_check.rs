//! `lastCheck`: how the last attempt to use the settings as they stand ended.

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, Client, VERIFY};
use crate::support::leaks::canary;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password};

const GERMAN: (&str, &str) = ("accept-language", "de");

async fn started(script: Script) -> (TestApp, SmtpServer, Client) {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 0).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(script).await;
    let admin = app.admin("acme");
    (app, server, admin)
}

fn account(server: &SmtpServer) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS", "username": USER,
        "emailPassword": good_password(), "emailAddress": "ada@example.com",
    })
}

async fn last_check(admin: &Client) -> Value {
    admin.config().await["lastCheck"].take()
}

fn succeeded(seconds: i64, operation: &str, unproved: &[&str]) -> Value {
    let at = format!("2026-01-01T00:00:0{seconds}.000Z");
    json!({"at": at, "operation": operation, "success": true, "unproved": unproved})
}

#[tokio::test]
async fn it_is_that_of_the_settings_as_they_stand() {
    let (app, server, admin) = started(Script::starttls()).await;
    admin.patch(&account(&server)).await.expect(204);
    assert_eq!(admin.config().await.get("lastCheck"), None, "nothing was tried yet");
    let tag = async || admin.get(CONFIG).await.header("etag").map(str::to_owned);
    for second in [1, 2] {
        let before = tag().await;
        app.clock.advance(1_000);
        admin.verify().await;
        let shown = admin.config().await;
        assert_eq!(shown["lastCheck"], succeeded(second, "verify-connection", &["delivery"]));
        assert_eq!(shown["lastUpdated"], shown["lastCheck"]["at"]);
        assert_ne!(shown["modificationTime"], shown["lastUpdated"]);
        assert_ne!(tag().await, before, "the representation is another one");
    }
    app.clock.advance(1_000);
    admin.send_test("bob@example.org").await;
    assert_eq!(last_check(&admin).await, succeeded(3, "send-test-email", &[]));

    admin.patch(&json!({"senderName": "Ada"})).await.expect(204);
    assert_eq!(admin.config().await.get("lastCheck"), None, "these settings were not tried");
    admin.put(&account(&server)).await.expect(204);
    assert_eq!(last_check(&admin).await, succeeded(3, "put", &["delivery"]));
    let mut wrong = account(&server);
    wrong["emailPassword"] = json!(canary("not it "));
    app.clock.advance(1_000);
    admin.put(&wrong).await.expect(400);
    assert_eq!(last_check(&admin).await, succeeded(3, "put", &["delivery"]), "other settings were tried");

    let mut same = account(&server);
    same.as_object_mut().expect("an object").remove("emailPassword");
    let answer = admin.put(&same).await.expect(204);
    assert_eq!(last_check(&admin).await, succeeded(4, "put", &["delivery"]), "the same ones were tried");
    assert_eq!(tag().await.as_deref(), answer.header("etag"));
    admin.delete().await.expect(204);
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
}

#[tokio::test]
async fn a_failure_has_its_whole_diagnosis_in_the_language_of_the_reader() {
    let (app, server, admin) = started(Script::starttls().on(At::Auth, "535 5.7.8 No way")).await;
    admin.patch(&account(&server)).await.expect(204);
    // Who is no administrator causes it, and reads less of it.
    let summary = app.member("acme").verify().await;
    assert_eq!(summary["diagnosis"].get("transcript"), None);
    let shown = last_check(&admin).await;
    assert_eq!((&shown["success"], &shown["diagnosis"]["code"]), (&json!(false), &json!("AUTH_REJECTED")));
    assert_eq!(shown["unproved"], json!(["sender_address", "delivery"]));
    assert_eq!(shown["diagnosis"]["transcript"].as_array().map(Vec::is_empty), Some(false), "{shown}");

    for language in ["en", "de"] {
        let headers = [("accept-language", language)];
        let told = admin.send("POST", VERIFY, &headers, Vec::new()).await.expect(200).json();
        let shown = admin.send("GET", CONFIG, &headers, Vec::new()).await.expect(200).json();
        assert_eq!(shown["lastCheck"]["diagnosis"], told["diagnosis"], "{language}");
    }
    let german = admin.send("GET", CONFIG, &[GERMAN], Vec::new()).await.expect(200).json();
    let title = german["lastCheck"]["diagnosis"]["title"].as_str().expect("a title");
    assert!(title.contains("hat die Anmeldung abgelehnt"), "{title}");
}

#[tokio::test]
async fn a_refused_recipient_is_told_without_the_address_and_changes_no_health() {
    let refusing = Script::starttls().on(At::Rcpt, "550 5.1.1 <Nobody@example.org>: no such user");
    let (app, server, admin) = started(refusing).await;
    admin.patch(&account(&server)).await.expect(204);
    let told = admin.send_test("nobody@example.org").await;
    assert!(told["diagnosis"]["title"].to_string().contains("nobody@example.org"), "{told}");
    let shown = admin.config().await;
    assert_eq!((&shown["errorCode"], &shown["isValid"]), (&json!("OK"), &json!(true)));
    let check = &shown["lastCheck"];
    assert_eq!((&check["success"], &check["diagnosis"]["code"]), (&json!(false), &told["diagnosis"]["code"]));
    let stored = app.database.query("select last_check from email_configs").await;
    let stored = stored[0][0].clone().expect("a check").to_lowercase();
    assert!(!stored.contains("nobody@") && !check.to_string().to_lowercase().contains("nobody@"), "{check}");
}

#[tokio::test]
async fn what_is_not_tried_leaves_it_absent() {
    let (_app, server, admin) = started(Script::starttls()).await;
    admin.patch(&json!({"username": USER})).await.expect(204);
    assert_eq!(admin.verify().await["diagnosis"]["code"], json!("CONFIG_INCOMPLETE"));
    admin.send_test("bob@example.org").await;
    assert_eq!(admin.config().await.get("lastCheck"), None);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_outcome_that_arrives_after_a_change_writes_nothing() {
    for path in ["verify", "send", "put"] {
        let (go, held) = watch::channel(false);
        let (_app, server, admin) =
            started(Script::starttls().on(At::Auth, [Act::Wait(held), Act::Usual])).await;
        admin.patch(&account(&server)).await.expect(204);
        let using = {
            let (admin, mut same) = (admin.clone(), account(&server));
            same.as_object_mut().expect("an object").remove("emailPassword");
            tokio::spawn(async move {
                match path {
                    "verify" => assert_eq!(admin.verify().await["success"], json!(true)),
                    "send" => assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true)),
                    // It changes nothing.
                    _ => drop(admin.put(&same).await.expect(204)),
                }
            })
        };
        while server.sign_ins().is_empty() {
            tokio::task::yield_now().await;
        }
        admin.patch(&json!({"senderName": "Grace"})).await.expect(204);
        go.send_replace(true);
        using.await.expect("an answer");
        assert_eq!(admin.config().await.get("lastCheck"), None, "{path}");
    }
}

/// A version from before knows nothing of the column, and leaves it as it is when it changes the settings.
#[tokio::test]
async fn what_another_version_left_behind_is_not_shown() {
    let (app, server, admin) = started(Script::starttls()).await;
    admin.put(&account(&server)).await.expect(204);
    for change in ["config_version = 'another'", "last_check = '{\"from\": \"a newer version\"}'"] {
        app.database.execute(&format!("update email_configs set {change}")).await;
        assert_eq!(admin.config().await.get("lastCheck"), None, "{change}");
    }
}

#[tokio::test]
async fn put_asks_for_the_sender_as_verify_does() {
    let refusing = Script::starttls().on(At::Mail, "553 5.7.1 Sender address rejected: not owned by user");
    let (app, server, admin) = started(refusing).await;
    let refused = admin.put(&account(&server)).await.expect(400);
    assert_eq!(refused.error().0, "CONNECTIONCHECK-1");
    let diagnosis = &refused.json()["errors"][0]["meta"]["diagnosis"];
    assert_eq!((&diagnosis["code"], &diagnosis["stage"]), (&json!("SENDER_NOT_OWNED"), &json!("mail_from")));
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
    let last = app.database.audit("acme").await.pop().expect("a row");
    assert_eq!((last.action.as_str(), last.outcome.as_str()), ("put", "SENDER_NOT_OWNED"));

    server.play(Script::starttls().on(At::Mail, "451 4.3.0 Try again"));
    admin.put(&account(&server)).await.expect(204);
    assert_eq!(last_check(&admin).await, succeeded(0, "put", &["sender_address", "delivery"]));
    server.play(Script::starttls().on(At::Mail, Act::Close));
    let refused = admin.put(&account(&server)).await.expect(400);
    assert_eq!(refused.json()["errors"][0]["meta"]["diagnosis"]["code"], json!("CONNECTION_LOST"));
}
