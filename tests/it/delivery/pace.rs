//! How fast an account sends, and what its provider's throttling changes.

use std::time::Duration;

use serde_json::{Value, json};
use transports::dev::fake_microsoft365::ScriptedResponse;

use super::{EMAILS, Post, status, to};
use crate::support::eventually::eventually;
use crate::support::microsoft365::{Microsoft, put};
use crate::support::smtp_server::{Act, At, Script, reply};

const ACCOUNT: &str = "/api/v1/transports/account";

async fn enqueue(post: &Post, recipients: &[&str]) -> String {
    let taken = post.admin().json("POST", EMAILS, &to(recipients)).await.expect(202).json();
    taken["id"].as_str().expect("an id").to_owned()
}

async fn pace(post: &Post) -> Value {
    let rows = post.app.database.query("select pace from delivery_accounts").await;
    serde_json::from_str(rows[0][0].as_deref().unwrap_or("{}")).expect("JSON")
}

/// The operator's bound for the host: the mail that would pass it is held until its first hour is a day ago.
#[tokio::test]
async fn the_recipients_of_a_day_end_and_the_account_goes_on_the_day_after() {
    let post = Post::with(Script::starttls(), |config| {
        config.delivery.pace = vec!["local* per_day=3".parse().expect("a pace")];
        config.delivery.lease_seconds = 3;
    })
    .await;
    let first = enqueue(&post, &["a@example.net", "b@example.net", "c@example.net"]).await;
    post.until(&first, |email| status(email) == "accepted").await;
    let second = enqueue(&post, &["d@example.net"]).await;
    post.until(&second, |email| status(email) == "held").await;
    let shown = post.admin().get(ACCOUNT).await.expect(200).json();
    assert_eq!((&shown["state"], &shown["code"]), (&json!("stopped"), &json!("QUOTA_DAILY")), "{shown}");
    assert_eq!(pace(&post).await["hours"][0][1], json!(3));
    post.pass_seconds(23 * 3_600);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!((status(&post.get(&second).await), post.server.mails().len()), ("held", 1));
    post.pass_seconds(2 * 3_600);
    post.until(&second, |email| status(email) == "accepted").await;
    assert_eq!(post.admin().get(ACCOUNT).await.json()["state"], json!("open"));
}

/// A throttling reply halves the rate of the account, and stops nothing.
#[tokio::test]
async fn a_throttled_account_sends_half_as_fast() {
    let throttling = reply("454 Throttling failure: Maximum sending rate exceeded.");
    let throttled = Script::starttls().on(At::Mail, [throttling, Act::Close]);
    let post = Post::with(Script::starttls(), |config| {
        config.delivery.pace = vec!["localhost per_minute=120 connections=1".parse().expect("a pace")];
        config.delivery.lease_seconds = 3;
    })
    .await;
    post.server.play(throttled);
    let id = enqueue(&post, &["a@example.net"]).await;
    let recipient = |email: &Value| email["recipients"][0].clone();
    let email = post.until(&id, |email| recipient(email)["state"] == json!("deferred")).await;
    assert_eq!(recipient(&email)["last"]["diagnosis"]["code"], json!("SES_THROTTLED"));
    assert_eq!(pace(&post).await["rate"]["per_hour"], json!(3_600));
    assert_eq!(post.admin().get(ACCOUNT).await.json()["state"], json!("open"));
    post.server.play(Script::starttls());
    post.pass_seconds(80);
    post.until(&id, |email| status(email) == "accepted").await;
    post.pass_seconds(3_600);
    let next = enqueue(&post, &["b@example.net"]).await;
    post.until(&next, |email| status(email) == "accepted").await;
    assert_eq!(pace(&post).await["rate"], Value::Null, "after quiet minutes it has the rate of before");
}

/// Graph says how long to wait: nothing is sent before.
#[tokio::test]
async fn a_pause_that_graph_asks_for_is_kept() {
    let microsoft = Microsoft::start().await;
    let app = microsoft
        .service_with(|config| {
            config.delivery.enabled = true;
            config.delivery.lease_seconds = 3;
        })
        .await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    microsoft.fake.script_mail(ScriptedResponse::Respond {
        status: 429,
        headers: vec![("Retry-After", "120".to_owned())],
        body: String::new(),
    });
    let id = admin.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202).json()["id"].clone();
    let path = format!("{EMAILS}/{}", id.as_str().expect("an id"));
    let until = async |wanted: &str| {
        eventually("an email comes into a state", async || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let email = app.admin("acme").get(&path).await.expect(200).json();
            email["recipients"][0]["state"] == json!(wanted)
        })
        .await;
    };
    until("deferred").await;
    let due = app.database.query("select pace_at from delivery_accounts").await[0][0].clone();
    let due: i64 = due.expect("a time").parse().expect("a number");
    assert!(due >= app.clock.now().0 + 120_000, "{due}");
    assert_eq!(microsoft.fake.mail_requests(), 1);
    app.clock.advance(160_000);
    until("accepted").await;
    assert_eq!(microsoft.fake.mail_requests(), 2);
}
