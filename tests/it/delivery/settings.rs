//! What a tenant sets for its account as a sender: other senders than its address, and a slower pace.

use serde_json::{Value, json};

use super::{EMAILS, Post, account, status, to};
use crate::support::app::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::smtp_server::Script;

const ACCOUNT: &str = "/api/v1/transports/account";

async fn change(client: &Client, change: &Value) -> Answer {
    client.json("PATCH", ACCOUNT, change).await
}

fn from(sender: &str) -> Value {
    let mut email = to(&["bob@example.net"]);
    email["from"] = json!(sender);
    email
}

#[tokio::test]
async fn settings_are_shown_changed_and_removed_one_by_one() {
    let post = Post::open(Script::starttls()).await;
    let admin = post.admin();
    let shown = admin.get(ACCOUNT).await.expect(200).json();
    assert_eq!(shown["allowed_senders"], json!([]));
    assert_eq!((&shown["max_per_minute"], &shown["max_connections"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["waiting"], json!({"emails": 0, "bytes": 0}));
    let connections = shown["pace"]["connections"].as_u64().expect("a number");
    assert!(connections > 1, "{shown}");

    let senders = json!(["Billing@example.com", "*@mail.example.com", "*@mail.example.com"]);
    let all = json!({"allowed_senders": senders, "max_per_minute": 60, "max_connections": 1});
    let shown = change(&admin, &all).await.expect(200).json();
    assert_eq!(shown, admin.get(ACCOUNT).await.expect(200).json());
    assert_eq!(shown["allowed_senders"], json!(["Billing@example.com", "*@mail.example.com"]));
    assert_eq!(shown["pace"], json!({"per_minute": 60, "burst": 1, "connections": 1}));

    let shown = change(&admin, &json!({"max_connections": null})).await.expect(200).json();
    assert_eq!(shown["max_connections"], Value::Null);
    assert_eq!((&shown["max_per_minute"], &shown["pace"]["connections"]), (&json!(60), &json!(connections)));
    let shown =
        change(&admin, &json!({"allowed_senders": [], "max_per_minute": null})).await.expect(200).json();
    assert_eq!((&shown["allowed_senders"], &shown["max_per_minute"]), (&json!([]), &Value::Null));
    let other = post.app.admin("other").get(ACCOUNT).await.expect(200).json();
    assert_eq!((&other["configured"], &other["allowed_senders"]), (&json!(false), &json!([])));

    let audit = admin.get("/api/v1/transports/email-config/audit").await.expect(200).json();
    assert_eq!(
        (&audit["data"][0]["action"], &audit["data"][0]["userId"]),
        (&json!("change-account"), &json!("admin"))
    );
    assert_eq!(audit["data"][0]["changed"], json!(["allowed_senders", "max_per_minute"]));
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_by_place_and_reason() {
    let post = Post::open(Script::starttls()).await;
    let admin = post.admin();
    for (document, pointer, reason) in [
        (json!([]), "", "not_an_object"),
        (json!({}), "", "required"),
        (json!({"state": "open"}), "/state", "unknown_field"),
        (json!({"allowed_senders": "billing@example.com"}), "/allowed_senders", "not_an_array"),
        (json!({"allowed_senders": null}), "/allowed_senders", "not_an_array"),
        (json!({"allowed_senders": ["a@example.com", "*"]}), "/allowed_senders/1", "not_an_email_address"),
        (json!({"allowed_senders": ["*@*.example.com"]}), "/allowed_senders/0", "not_a_domain_name"),
        (json!({"allowed_senders": [7]}), "/allowed_senders/0", "not_a_string"),
        (json!({"allowed_senders": vec!["a@example.com"; 101]}), "/allowed_senders", "too_many"),
        (json!({"max_per_minute": 0}), "/max_per_minute", "out_of_range"),
        (json!({"max_per_minute": 1.5}), "/max_per_minute", "out_of_range"),
        (json!({"max_connections": -1}), "/max_connections", "out_of_range"),
        (json!({"max_connections": 4_294_967_296_u64}), "/max_connections", "out_of_range"),
        (json!({"max_connections": 1_000}), "/max_connections", "out_of_range"),
    ] {
        let refused = change(&admin, &document).await.expect(422).json();
        assert_eq!(refused["errors"][0]["source"], json!({"pointer": pointer}), "{document}: {refused}");
        assert_eq!(refused["errors"][0]["meta"]["reason"], json!(reason), "{document}: {refused}");
    }
    for client in [post.app.sender("acme"), post.app.member("acme"), post.app.platform()] {
        change(&client, &json!({"max_connections": 1})).await.expect(403);
    }
    assert_eq!(admin.get(ACCOUNT).await.expect(200).json()["allowed_senders"], json!([]));
}

/// An account at a provider with a bound: the tenant can only lower it.
#[tokio::test]
async fn a_bound_above_the_providers_is_refused() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin
        .patch(&json!({"serverAddress": "smtp.gmail.com", "serverPort": 587, "securityType": "StartTLS",
        "emailAddress": "ada@example.com"}))
        .await
        .expect(204);
    for (document, expected) in [
        (json!({"max_per_minute": 61, "max_connections": 3}), &["/max_per_minute", "/max_connections"][..]),
        (json!({"colour": 1, "max_connections": 3}), &["/colour", "/max_connections"]),
    ] {
        let refused = change(&admin, &document).await.expect(422).json();
        let errors = refused["errors"].as_array().expect("errors").iter();
        let pointers: Vec<_> = errors.filter_map(|error| error["source"]["pointer"].as_str()).collect();
        assert_eq!(pointers, expected, "{refused}");
    }
    let shown = change(&admin, &json!({"max_per_minute": 60, "max_connections": 2})).await.expect(200).json();
    assert_eq!(shown["pace"]["per_minute"], json!(60));
}

#[tokio::test]
async fn a_sender_has_to_be_the_accounts_or_an_allowed_one() {
    let post = Post::open(Script::starttls()).await;
    let admin = post.admin();
    let refused = admin.json("POST", EMAILS, &from("Billing <billing@example.com>")).await.expect(422).json();
    assert_eq!(refused["name"], json!("invalid_from_address"), "{refused}");
    assert_eq!(refused["errors"][0]["source"], json!({"pointer": "/from"}), "{refused}");
    assert_eq!(refused["errors"][0]["meta"]["reason"], json!("sender_not_allowed"), "{refused}");

    change(&admin, &json!({"allowed_senders": ["billing@example.com", "*@mail.example.com"]}))
        .await
        .expect(200);
    for (sender, address) in [
        ("Billing <billing@example.com>", "billing@example.com"),
        ("news@mail.example.com", "news@mail.example.com"),
        ("Ada <ada@example.com>", "ada@example.com"),
    ] {
        assert_eq!(status(&post.send(&from(sender)).await), "accepted", "{sender}");
        let mail = post.server.mails().pop().expect("a mail");
        assert_eq!(mail.from, address);
        assert!(String::from_utf8_lossy(&mail.bytes()).contains(&format!("From: {sender}\r\n")), "{sender}");
    }
    for sender in ["eve@example.com", "news@sub.mail.example.com"] {
        let refused = admin.json("POST", EMAILS, &from(sender)).await.expect(422).json();
        let detail = refused["errors"][0]["detail"].as_str().expect("a detail");
        assert!(detail.contains("ada@example.com, billing@example.com, *@mail.example.com"), "{detail}");
    }
    // "From: billing@example.com" and a body, in base64.
    let raw = "RnJvbTogYmlsbGluZ0BleGFtcGxlLmNvbQ0KDQpoaQ0K";
    for (envelope, code) in [("news@mail.example.com", 202), ("eve@example.com", 422)] {
        let email = json!({"raw": raw, "envelope": {"from": envelope, "to": ["bob@example.net"]}});
        let answer = admin.json("POST", EMAILS, &email).await.expect(code).json();
        if code == 422 {
            assert_eq!(answer["errors"][0]["source"], json!({"pointer": "/envelope/from"}), "{answer}");
        }
    }
    admin.json("POST", EMAILS, &from("billing@example.com")).await.expect(202);
    post.app.admin("other").put(&account(&post.server)).await.expect(204);
    post.app.admin("other").json("POST", EMAILS, &from("billing@example.com")).await.expect(422);
}

/// What waited while the sender was taken away does not leave in its name.
#[tokio::test]
async fn the_sender_is_judged_again_when_the_mail_is_handed_over() {
    let post = Post::open(Script::starttls()).await;
    let admin = post.admin();
    change(&admin, &json!({"allowed_senders": ["billing@example.com"]})).await.expect(200);
    admin.post(&format!("{ACCOUNT}/pause")).await.expect(200);
    let id = post.send(&from("billing@example.com")).await["id"].as_str().expect("an id").to_owned();
    change(&admin, &json!({"allowed_senders": ["other@example.com"]})).await.expect(200);
    admin.post(&format!("{ACCOUNT}/resume")).await.expect(200);
    post.until(&id, |email| status(email) == "failed").await;
    assert_eq!(post.server.mails().len(), 0);
}

/// A run that is under way with an open session goes on with the new settings.
#[tokio::test]
async fn a_slower_pace_takes_effect_at_once() {
    let post = Post::open(Script::starttls()).await;
    assert_eq!(status(&post.send(&to(&["bob@example.net"])).await), "accepted");
    change(&post.admin(), &json!({"max_per_minute": 1})).await.expect(200);
    assert_eq!(status(&post.send(&to(&["bob@example.net"])).await), "accepted");
    let next = post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202).json();
    let id = next["id"].as_str().expect("an id").to_owned();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(status(&post.get(&id).await), "queued");
    change(&post.admin(), &json!({"max_per_minute": null})).await.expect(200);
    post.pass_seconds(61);
    post.until(&id, |email| status(email) == "accepted").await;
}
