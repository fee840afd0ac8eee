//! Mail of a key that was revoked or has expired is held, and goes when it is tried again.

use serde_json::{Value, json};

use super::{API_KEYS, EMAILS, Post, taken, to};
use crate::delivery::{states, status};
use crate::support::app::TestApp;
use crate::support::smtp_server::{At, Script};

fn code(email: &Value) -> &Value {
    &email["recipients"][0]["last"]["diagnosis"]["code"]
}

/// Mail that waits for a later time.
fn scheduled() -> Value {
    let mut email = to(&["bob@example.net"]);
    email["scheduled_at"] = json!("2026-01-01T01:00:00Z");
    email
}

#[tokio::test]
async fn waiting_mail_of_a_revoked_key_is_held_until_an_administrator_tries_it_again() {
    let post = Post::open(Script::starttls()).await;
    let (key, id) = post.key(&json!({"name": "x", "permission": "sending_access"})).await;
    let held = taken(&key, &scheduled()).await;
    let canceled = taken(&key, &scheduled()).await;
    post.admin().send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
    post.pass_seconds(3_601);
    for id in [&held, &canceled] {
        let email = post.until(id, |email| status(email) == "held").await;
        assert_eq!(code(&email), &json!("API_KEY_REFUSED"));
        assert_eq!(email["recipients"][0]["attempts"], json!(0), "no attempt is consumed");
    }
    // Other mail goes, and what is held stays so.
    post.send(&to(&["carol@example.net"])).await;
    assert_eq!((post.server.mails().len(), status(&post.get(&held).await)), (1, "held"));

    post.post(&held, "retry").await.expect(200);
    post.until(&held, |email| status(email) == "accepted").await;
    post.post(&canceled, "cancel").await.expect(200);
    assert_eq!(states(&post.get(&canceled).await), ["canceled"]);
    assert_eq!(post.server.mails().len(), 2);
    assert_eq!(post.events(&held).await, ["email.scheduled", "email.held", "email.queued", "email.sent"]);
}

/// Its account was closed when the key was revoked: what keeps it afterwards is the key.
#[tokio::test]
async fn mail_that_was_held_before_its_key_was_revoked_says_so_when_the_account_opens() {
    let post = Post::open(Script::starttls()).await;
    let (key, id) = post.key(&json!({"name": "x", "permission": "sending_access"})).await;
    post.admin().post("/api/v1/transports/account/pause").await.expect(200);
    let held = taken(&key, &to(&["bob@example.net"])).await;
    post.until(&held, |email| status(email) == "held").await;
    post.admin().send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
    post.admin().post("/api/v1/transports/account/resume").await.expect(200);
    let email = post.until(&held, |email| code(email) == &json!("API_KEY_REFUSED")).await;
    assert_eq!(status(&email), "held");
    assert_eq!(post.events(&held).await, ["email.queued", "email.held", "email.held"]);
    assert_eq!(post.server.mails().len(), 0);
}

/// After a key was replaced, programs repeat with the new one what had no answer: with 200 the mail goes.
#[tokio::test]
async fn a_repetition_with_another_key_lets_the_mail_of_a_revoked_key_go() {
    let post = Post::open(Script::starttls()).await;
    let (first, first_id) = post.key(&json!({"name": "first"})).await;
    let (second, _) = post.key(&json!({"name": "second"})).await;
    let send = async |client: &crate::support::client::Client| {
        client.json_with("POST", EMAILS, &[("Idempotency-Key", "once")], &scheduled()).await
    };
    let id = send(&first).await.expect(202).json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(send(&second).await.expect(200).json()["id"], json!(id), "the first key still answers for it");
    post.admin().send("DELETE", &format!("{API_KEYS}/{first_id}"), &[], Vec::new()).await.expect(200);
    send(&second).await.expect(200);
    post.pass_seconds(3_601);
    post.until(&id, |email| status(email) == "accepted").await;
}

#[tokio::test]
async fn mail_of_an_expired_key_goes_when_the_key_may_be_used_again() {
    let post = Post::open(Script::starttls()).await;
    let (key, id) = post.key(&json!({"name": "x", "expires_at": "2026-01-01T00:30:00Z"})).await;
    let email = taken(&key, &scheduled()).await;
    post.pass_seconds(3_601);
    post.until(&email, |email| status(email) == "held").await;
    let refused = key.get(EMAILS).await.expect(401).json();
    assert_eq!(refused["errors"][0]["detail"], json!("This API key has expired."));
    post.admin()
        .json("PATCH", &format!("{API_KEYS}/{id}"), &json!({"expires_at": "2026-02-01T00:00:00Z"}))
        .await
        .expect(200);
    post.until(&email, |email| status(email) == "accepted").await;
    key.get(EMAILS).await.expect(200);
}

/// The key that tries a mail again answers for it from then on.
#[tokio::test]
async fn a_key_that_tries_a_mail_again_has_to_be_usable_itself() {
    let post = Post::open(Script::starttls()).await;
    let (first, first_id) = post.key(&json!({"name": "a"})).await;
    let (second, second_id) = post.key(&json!({"name": "b"})).await;
    let email = taken(&first, &scheduled()).await;
    let revoke = async |id: &str| {
        post.admin().send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
    };
    revoke(&first_id).await;
    post.pass_seconds(3_601);
    post.until(&email, |email| status(email) == "held").await;
    post.admin().post("/api/v1/transports/account/pause").await.expect(200);
    second.post(&format!("{EMAILS}/{email}/retry")).await.expect(200);
    revoke(&second_id).await;
    post.admin().post("/api/v1/transports/account/resume").await.expect(200);
    let email =
        post.until(&email, |email| code(email) == &json!("API_KEY_REFUSED") && status(email) == "held").await;
    assert_eq!(email["api_key_id"], json!(first_id), "it was sent with the first one");
    assert_eq!(post.server.mails().len(), 0);
}

/// What waits for another attempt counts as well.
#[tokio::test]
async fn deferred_mail_of_a_revoked_key_is_held() {
    let post = Post::open(Script::starttls().on(At::Rcpt, "450 4.2.1 busy")).await;
    let (key, id) = post.key(&json!({"name": "x"})).await;
    let email = taken(&key, &to(&["bob@example.net"])).await;
    post.until(&email, |email| states(email) == ["deferred"]).await;
    post.admin().send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
    post.pass_seconds(120);
    let email = post.until(&email, |email| status(email) == "held").await;
    assert_eq!(email["recipients"][0]["attempts"], json!(1));
    assert_eq!(post.server.mails().len(), 0);
}

/// Security case F22.
#[tokio::test]
async fn a_revoked_key_is_refused_at_once_on_every_replica() {
    let post = Post::open(Script::starttls()).await;
    let second = TestApp::with_database(post.app.database.clone(), |config| {
        config.delivery.enabled = false;
        config.rate_limit.send_per_minute = 0;
        config.rate_limit.unauthenticated_per_minute = 0;
    })
    .await;
    for number in 0..5 {
        let (here, id) = post.key(&json!({"name": format!("key {number}")})).await;
        let there = second.bearer(here.token.as_deref().expect("a token"));
        there.get(EMAILS).await.expect(200);
        here.get(EMAILS).await.expect(200);
        let (revoking, other) = if number % 2 == 0 { (&post.app, &there) } else { (&second, &here) };
        let revoking = revoking.admin("acme");
        revoking.send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
        other.get(EMAILS).await.expect(401);
        other.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(401);
    }
    assert_eq!(post.server.mails().len(), 0);
}

/// The senders are judged at the door, and again when the mail is handed over.
#[tokio::test]
async fn a_sender_has_to_be_one_of_the_accounts_and_one_of_the_keys() {
    let post = Post::open(Script::starttls()).await;
    let settings = json!({"allowed_senders": ["billing@example.com", "eve@example.org"]});
    post.admin().json("PATCH", "/api/v1/transports/account", &settings).await.expect(200);
    let (key, id) = post.key(&json!({"name": "x", "allowed_senders": ["*@example.com"]})).await;
    let from = |sender: &str| {
        let mut email = to(&["bob@example.net"]);
        email["from"] = json!(sender);
        email
    };
    for (sender, whose) in [("eve@example.org", "The API key"), ("carol@example.com", "The account")] {
        let refused = key.json("POST", EMAILS, &from(sender)).await.expect(422).json();
        assert_eq!(refused["name"], json!("invalid_from_address"), "{sender}");
        assert_eq!(refused["errors"][0]["title"], format!("{whose} may not send from this address"));
        assert_eq!(refused["errors"][0]["source"]["pointer"], json!("/from"));
    }
    let raw = json!({"raw": base64(b"From: eve@example.org\r\nTo: bob@example.net\r\n\r\nx"), "envelope": {"from": "ada@example.com"}});
    key.json("POST", EMAILS, &raw).await.expect(422);
    let email = taken(&key, &from("Billing <billing@example.com>")).await;
    post.until(&email, |email| status(email) == "accepted").await;
    let email = taken(&key, &to(&["bob@example.net"])).await;
    post.until(&email, |email| status(email) == "accepted").await;

    let mut later = scheduled();
    later["from"] = json!("billing@example.com");
    let email = taken(&key, &later).await;
    let only = json!({"allowed_senders": ["ada@example.com"]});
    post.admin().json("PATCH", &format!("{API_KEYS}/{id}"), &only).await.expect(200);
    key.json("POST", EMAILS, &from("billing@example.com")).await.expect(422);
    post.pass_seconds(3_601);
    let email =
        post.until(&email, |email| !["scheduled", "queued", "sending"].contains(&status(email))).await;
    assert_eq!(states(&email), ["failed"], "as for a sender that the account has lost");
    assert_eq!(code(&email), &json!("SENDER_NOT_ALLOWED"));
    let meaning = email["recipients"][0]["last"]["diagnosis"]["meaning"].as_str();
    assert!(meaning.is_some_and(|text| text.contains("billing@example.com")), "{email}");
    assert_eq!(post.server.mails().len(), 2);
    // Without a sender the account's own address is meant.
    let only = json!({"allowed_senders": ["billing@example.com"]});
    post.admin().json("PATCH", &format!("{API_KEYS}/{id}"), &only).await.expect(200);
    key.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(422);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A stopped account probes with mail that may go.
#[tokio::test]
async fn mail_of_a_revoked_key_is_no_probe_of_a_stopped_account() {
    let post = Post::open(Script::starttls()).await;
    let (key, id) = post.key(&json!({"name": "x"})).await;
    let email = taken(&key, &scheduled()).await;
    post.admin().send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
    post.server.play(Script::starttls().on(At::Greeting, "421 4.3.2 not now"));
    let other = taken(&post.admin(), &to(&["carol@example.net"])).await;
    post.until(&other, |email| status(email) == "held").await;
    post.server.play(Script::starttls());
    post.pass_seconds(3_601);
    post.until(&other, |email| status(email) == "accepted").await;
    post.until(&email, |email| status(email) == "held").await;
    assert_eq!(post.server.mails().len(), 1);
}

/// It is held when it is read from the queue, however slow the account is.
#[tokio::test]
async fn mail_of_a_revoked_key_takes_nothing_of_the_pace() {
    let post = Post::open(Script::starttls()).await;
    post.admin().json("PATCH", "/api/v1/transports/account", &json!({"max_per_minute": 1})).await.expect(200);
    let (key, id) = post.key(&json!({"name": "x"})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(taken(&key, &scheduled()).await);
    }
    post.admin().send("DELETE", &format!("{API_KEYS}/{id}"), &[], Vec::new()).await.expect(200);
    post.pass_seconds(3_601);
    for id in &ids {
        post.until(id, |email| status(email) == "held").await;
    }
    post.send(&to(&["carol@example.net"])).await;
    assert_eq!(post.server.mails().len(), 1);
}
