//! Mail of a test key is never sent: its outcome is played.

use serde_json::{Value, json};

use super::{API_KEYS, EMAILS, Post, taken, to};
use crate::delivery::{states, status};
use crate::support::smtp_server::{At, Script};

async fn test_key(post: &Post) -> crate::support::client::Client {
    post.key(&json!({"name": "tests", "test": true})).await.0
}

fn code(email: &Value) -> &str {
    email["recipients"][0]["last"]["diagnosis"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn outcomes_are_played_by_the_recipients_name_and_nothing_is_sent() {
    let post = Post::open(Script::starttls()).await;
    let before = post.server.connections();
    let key = test_key(&post).await;
    let email = to(&["ada@example.org", "nouser@example.org", "later@example.org", "lost@example.org"]);
    let id = taken(&key, &email).await;
    let shown =
        post.until(&id, |email| states(email) == ["accepted", "refused", "deferred", "unknown"]).await;
    assert_eq!(shown["test"], json!(true));
    assert_eq!(shown["recipients"][0]["last"]["reply"], json!("250 2.0.0 Played: nothing was sent"));
    assert_eq!(shown["recipients"][1]["last"]["diagnosis"]["code"], json!("RECIPIENT_UNKNOWN"));
    for attempts in [2, 3] {
        post.pass_seconds(1_000);
        post.until(&id, |email| email["recipients"][2]["attempts"] == json!(attempts)).await;
    }
    post.until(&id, |email| states(email) == ["accepted", "refused", "accepted", "unknown"]).await;
    let events = post.events(&id).await;
    for event in ["email.sent", "email.bounced", "email.delivery_delayed", "email.unknown"] {
        assert!(events.iter().any(|known| known == event), "{event}: {events:?}");
    }
    assert_eq!((post.server.mails().len(), post.server.connections()), (0, before));
}

/// Whatever the account does: it may be stopped or paused, and test mail tells nothing about it.
#[tokio::test]
async fn a_stopped_account_neither_keeps_test_mail_nor_opens_by_it() {
    let post = Post::open(Script::starttls()).await;
    let key = test_key(&post).await;
    post.server.play(Script::starttls().on(At::Auth, "535 5.7.8 no"));
    let real = taken(&post.admin(), &to(&["bob@example.net"])).await;
    post.until(&real, |email| status(email) == "held").await;
    let played = taken(&key, &to(&["bob@example.net"])).await;
    post.until(&played, |email| status(email) == "accepted").await;
    let account = post.admin().get("/api/v1/transports/account").await.expect(200).json();
    assert_eq!(account["state"], json!("stopped"));
    assert_eq!(status(&post.get(&real).await), "held");
    assert_eq!(post.server.mails().len(), 0);
}

#[tokio::test]
async fn test_mail_takes_nothing_of_the_pace() {
    let post = Post::open(Script::starttls()).await;
    post.admin().json("PATCH", "/api/v1/transports/account", &json!({"max_per_minute": 1})).await.expect(200);
    let key = test_key(&post).await;
    let ids = [taken(&key, &to(&["a@example.net"])).await, taken(&key, &to(&["b@example.net"])).await];
    for id in &ids {
        post.until(id, |email| status(email) == "accepted").await;
    }
    post.send(&to(&["bob@example.net"])).await;
    assert_eq!(post.server.mails().len(), 1);
}

/// What a test key has brought is never sent, whoever tries it again, and it sends nothing that others have brought.
#[tokio::test]
async fn test_mail_stays_test_mail_and_a_test_key_changes_no_other() {
    let post = Post::with(Script::starttls(), |_| {}).await;
    let (key, id) = post.key(&json!({"name": "tests", "test": true})).await;
    let mut later = to(&["bob@example.net"]);
    later["scheduled_at"] = json!("2026-01-01T01:00:00Z");
    let test_mail = taken(&key, &later).await;
    let real = taken(&post.admin(), &later).await;
    for action in ["cancel", "retry", "settle"] {
        let refused = key.post(&format!("{EMAILS}/{real}/{action}")).await.expect(403).json();
        assert_eq!(refused["errors"][0]["code"], json!("APIKEY-2"), "{action}");
    }
    key.send("DELETE", &format!("{EMAILS}/{real}"), &[], Vec::new()).await.expect(403);
    post.admin().send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
    post.pass_seconds(3_601);
    let held = post.until(&test_mail, |email| status(email) == "held").await;
    assert_eq!(code(&held), "API_KEY_REFUSED");
    post.until(&real, |email| status(email) == "accepted").await;
    post.post(&test_mail, "retry").await.expect(200);
    post.until(&test_mail, |email| status(email) == "accepted").await;
    assert_eq!(post.server.mails().len(), 1, "the real one");
}

/// A request that a test key has made is not the same as that of another credential: nothing of it was sent.
#[tokio::test]
async fn an_idempotency_key_tells_test_mail_from_other_mail() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let (real, _) = post.key(&json!({"name": "real"})).await;
    let key = test_key(&post).await;
    let header = [("idempotency-key", "invoice-8841")];
    let email = to(&["bob@example.net"]);
    key.json_with("POST", EMAILS, &header, &email).await.expect(202);
    key.json_with("POST", EMAILS, &header, &email).await.expect(200);
    let refused = real.json_with("POST", EMAILS, &header, &email).await.expect(409).json();
    assert_eq!(refused["name"], json!("invalid_idempotent_request"));
}

/// It takes five seconds, and keeps no other mail waiting.
#[tokio::test]
async fn a_slow_outcome_keeps_no_other_mail_waiting() {
    let post = Post::open(Script::starttls()).await;
    let key = test_key(&post).await;
    let slow = taken(&key, &to(&["slow@example.org"])).await;
    post.until(&slow, |email| status(email) == "sending").await;
    let real = post.send(&to(&["bob@example.net"])).await;
    assert_eq!(status(&real), "accepted");
    assert_eq!(status(&post.get(&slow).await), "sending", "it is still under way");
}
