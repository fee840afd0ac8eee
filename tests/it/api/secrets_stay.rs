//! A stored password is never sent to a place for which it was not entered.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, Client};
use crate::support::leaks::canary;
use crate::support::smtp_server::{At, Script, SmtpServer, USER, good_password};

/// A tenant with a good account, and a second server that would like to have the password.
struct Pair {
    app: TestApp,
    good: SmtpServer,
    evil: SmtpServer,
    admin: Client,
}

async fn pair() -> Pair {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 0).await;
    app.names.set("localhost", &["127.0.0.1"]);
    app.names.set("mail.example.com", &["127.0.0.1"]);
    let (good, evil) =
        (SmtpServer::start(Script::starttls()).await, SmtpServer::start(Script::starttls()).await);
    let admin = app.admin("acme");
    admin.patch(&account(&good)).await.expect(204);
    Pair { app, good, evil, admin }
}

fn account(server: &SmtpServer) -> Value {
    json!({
        "serverAddress": "mail.example.com", "serverPort": server.port(), "securityType": "StartTLS",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
    })
}

impl Pair {
    async fn use_it(&self) {
        self.admin.verify().await;
        self.admin.send_test("bob@example.org").await;
    }

    async fn password_exists(&self) -> bool {
        self.admin.config().await["passwordExists"] == json!(true)
    }
}

/// Security cases B1, B2, B3, B4.
#[tokio::test]
async fn a_changed_destination_drops_the_password() {
    let pair = pair().await;
    let evil = pair.evil.port();
    let changes = [
        json!({"serverAddress": "localhost", "serverPort": evil}),
        json!({"serverPort": evil}),
        json!({"serverPort": evil, "securityType": "none"}),
        json!({"username": "grace@example.com", "serverPort": evil}),
    ];
    for change in changes {
        pair.admin.patch(&account(&pair.good)).await.expect(204);
        pair.admin.patch(&change).await.expect(204);
        let shown = pair.admin.config().await;
        assert_eq!((&shown["passwordExists"], &shown["isValid"]), (&json!(false), &json!(false)), "{change}");
        pair.use_it().await;
    }
    // Each of the four alone, towards the server that the password belongs to.
    for change in [
        json!({"serverAddress": "localhost"}),
        json!({"serverPort": evil}),
        json!({"securityType": "none"}),
        json!({"username": "grace@example.com"}),
    ] {
        pair.admin.patch(&account(&pair.good)).await.expect(204);
        pair.admin.patch(&change).await.expect(204);
        assert!(!pair.password_exists().await, "{change}");
        pair.use_it().await;
    }
    assert!(pair.evil.sign_ins().is_empty() && pair.good.sign_ins().is_empty());
}

/// Security cases B5, B7, B8.
#[tokio::test]
async fn the_password_is_kept_or_replaced_by_field() {
    let pair = pair().await;
    for same in [
        json!({"serverAddress": "MAIL.Example.com."}),
        json!({"serverPort": pair.good.port().to_string()}),
        json!({"securityType": "SSL/TLS"}),
        json!({"senderName": "Ada", "emailAddress": "grace@example.com"}),
    ] {
        pair.admin.patch(&same).await.expect(204);
        assert!(pair.password_exists().await, "{same}");
    }
    for mask in [json!("*****"), json!("•••"), json!(""), Value::Null] {
        pair.admin.patch(&json!({"emailPassword": mask})).await.expect(400);
    }
    pair.admin.patch(&json!({"securityType": "StartTLS"})).await.expect(204);
    for order in [["serverPort", "emailPassword"], ["emailPassword", "serverPort"]] {
        let value = |field: &str| {
            if field == "serverPort" { json!(pair.evil.port()) } else { json!(canary("for the other ")) }
        };
        let document: Value = order
            .iter()
            .map(|field| json!({"op": "replace", "path": format!("/{field}"), "value": value(field)}))
            .collect();
        pair.admin.patch(&account(&pair.good)).await.expect(204);
        pair.admin.json("PATCH", CONFIG, &document).await.expect(204);
        pair.admin.verify().await;
    }
    let secrets: Vec<String> = pair.evil.sign_ins().into_iter().map(|sign_in| sign_in.secret).collect();
    assert_eq!(secrets, [canary("for the other "), canary("for the other ")]);
}

/// Security case B5.
#[tokio::test]
async fn a_password_set_first_is_bound_to_each_part_set_later() {
    let pair = pair().await;
    let admin = pair.app.admin("piece by piece");
    let mut account = account(&pair.good);
    let parts = account.as_object_mut().expect("an object");
    let password = parts.remove("emailPassword").expect("a password");
    admin.patch(&json!({"emailPassword": password, "securityType": "none"})).await.expect(204);
    for (field, value) in parts.iter() {
        admin.patch(&json!({field: value})).await.expect(204);
        assert_eq!(admin.config().await["passwordExists"], json!(true), "{field}");
    }
    assert_eq!(admin.verify().await["success"], json!(true));
    assert_eq!(pair.good.sign_ins().len(), 1);
}

/// Security case B6.
#[tokio::test]
async fn a_reverted_change_keeps_the_password_only_within_one_document() {
    let pair = pair().await;
    let port = |port: u16| json!({"op": "replace", "path": "/serverPort", "value": port});
    let document = json!([port(pair.evil.port()), port(pair.good.port())]);
    pair.admin.json("PATCH", CONFIG, &document).await.expect(204);
    assert!(pair.password_exists().await);
    assert_eq!(pair.admin.verify().await["success"], json!(true));
    for to in [pair.evil.port(), pair.good.port()] {
        pair.admin.json("PATCH", CONFIG, &json!([port(to)])).await.expect(204);
    }
    assert!(!pair.password_exists().await);
}

/// Security case B9.
#[tokio::test]
async fn a_row_edited_in_the_database_sends_no_password() {
    let edits = [
        "update email_configs set server_port = {evil}",
        "update email_configs set server_address = 'localhost', server_port = {evil}",
        "update email_configs set username = 'grace@example.com'",
        "update email_configs set security_type = 'none'",
        "update email_configs set tenant_id = 'other'",
    ];
    for edit in edits {
        let pair = pair().await;
        pair.app.database.execute(&edit.replace("{evil}", &pair.evil.port().to_string())).await;
        let admin = if edit.contains("tenant_id") { pair.app.admin("other") } else { pair.admin.clone() };
        let answer = admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!("SECRET_UNREADABLE"), "{edit}: {answer}");
        assert_eq!(pair.evil.connections() + pair.good.connections(), 0, "{edit}");
    }
}

/// Security case B10.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changing_the_server_during_checks_leaks_no_password() {
    let pair = pair().await;
    for _ in 0..25 {
        pair.admin.patch(&account(&pair.good)).await.expect(204);
        let tasks = [
            json!({"serverPort": pair.evil.port()}),
            json!({"serverPort": pair.evil.port(), "username": "grace@example.com"}),
        ]
        .map(|change| {
            let (changing, using) = (pair.admin.clone(), pair.admin.clone());
            tokio::spawn(async move {
                let (changed, _) =
                    tokio::join!(changing.patch(&change), using.post(crate::support::client::VERIFY));
                changed.expect(204);
            })
        });
        for task in tasks {
            task.await.expect("a task");
        }
        pair.use_it().await;
    }
    assert!(pair.evil.sign_ins().is_empty(), "{:?}", pair.evil.sign_ins());
}

/// Security case B12.
#[tokio::test]
async fn a_servers_referral_is_not_followed() {
    let pair = pair().await;
    let elsewhere = format!("421 4.3.0 please use 127.0.0.1:{} instead", pair.evil.port());
    for at in [At::Greeting, At::Ehlo, At::Auth, At::Mail] {
        pair.good.play(Script::starttls().on(at, elsewhere.as_str()));
        pair.use_it().await;
    }
    pair.good.play(
        Script::starttls()
            .on(At::Rcpt, format!("551 5.1.6 try <bob@localhost:{}>", pair.evil.port()).as_str()),
    );
    pair.use_it().await;
    assert_eq!(pair.evil.connections(), 0);
}
