//! What is refused at the door, with its name, place and reason; and idempotency.

use serde_json::json;

use super::{EMAILS, Post, status, to};
use crate::support::app::TestApp;
use crate::support::client::in_a_crowd;
use crate::support::smtp_server::Script;

#[tokio::test]
async fn what_can_never_be_sent_is_refused_at_once() {
    let post = Post::with(Script::starttls(), |config| config.delivery.max_message_bytes = 2_048).await;
    let cases = [
        (json!({"to": "bob@example.net", "subject": "x"}), 422, "missing_required_field"),
        (json!({"to": "nobody", "subject": "x", "text": "y"}), 422, "validation_error"),
        (json!({"to": "bob@example.net", "subject": "x", "text": "y", "colour": 1}), 422, "validation_error"),
        (
            json!({"to": "bob@example.net", "subject": "x", "text": "y", "template": {}}),
            422,
            "validation_error",
        ),
        (
            json!({"to": "bob@example.net", "from": "eve@example.org", "subject": "x", "text": "y"}),
            422,
            "invalid_from_address",
        ),
        (
            json!({"to": "bob@example.net", "subject": "x", "text": "y".repeat(3_000)}),
            413,
            "message_too_large",
        ),
    ];
    for (email, code, name) in cases {
        let refused = post.admin().json("POST", EMAILS, &email).await.expect(code).json();
        assert_eq!((&refused["statusCode"], &refused["name"]), (&json!(code), &json!(name)), "{refused}");
        assert!(refused["message"].as_str().is_some_and(|message| !message.is_empty()), "{refused}");
        assert!(refused["traceId"].is_string(), "{refused}");
    }
    for characters in [3_000, 100_000] {
        let large = json!({"to": "bob@example.net", "subject": "x", "text": "y".repeat(characters)});
        let refused = post.admin().json("POST", EMAILS, &large).await.expect(413).json();
        let message = refused["message"].as_str().expect("a message");
        for part in ["2048", "delivery.max_message_bytes", "the operator of this service"] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert_eq!(post.admin().get(EMAILS).await.json()["data"], json!([]));
}

#[tokio::test]
async fn without_an_account_nothing_is_taken() {
    let app = TestApp::start().await;
    let refused = app.admin("acme").json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(409).json();
    assert_eq!(
        (&refused["name"], &refused["errors"][0]["code"]),
        (&json!("not_configured"), &json!("SEND-2"))
    );
}

#[tokio::test]
async fn only_administrators_and_senders_may_call_and_only_for_their_tenant() {
    let post = Post::open(Script::starttls()).await;
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    for (client, code) in
        [(post.app.member("acme"), 403), (post.app.anybody(), 401), (post.app.admin("other"), 404)]
    {
        let refused = client.get(&format!("{EMAILS}/{id}")).await.expect(code).json();
        assert!(refused["name"].is_string(), "{refused}");
        for action in ["cancel", "retry", "settle"] {
            client.post(&format!("{EMAILS}/{id}/{action}")).await.expect(code);
        }
    }
    let sender = post.app.sender("acme");
    sender.get(&format!("{EMAILS}/{id}")).await.expect(200);
    sender.json("POST", EMAILS, &to(&["carol@example.net"])).await.expect(202);
    sender.post("/api/v1/transports/account/pause").await.expect(403);
}

#[tokio::test]
async fn what_a_mail_says_is_for_administrators() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let id =
        post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202).json()["id"].clone();
    let path = format!("{EMAILS}/{}", id.as_str().expect("an id"));
    assert_eq!(post.admin().get(&path).await.expect(200).json()["text"], json!("Thank you."));
    let seen = post.app.sender("acme").get(&path).await.expect(200).json();
    assert_eq!((&seen["text"], &seen["subject"]), (&json!(null), &json!("Invoice 8841")));
}

#[tokio::test]
async fn the_same_key_is_the_same_mail() {
    let post = Post::open(Script::starttls()).await;
    let key = [("Idempotency-Key", "order-17")];
    let first = post.admin().json_with("POST", EMAILS, &key, &to(&["bob@example.net"])).await.expect(202);
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    let email = post.settled(&id).await;
    let again = post.admin().json_with("POST", EMAILS, &key, &to(&["bob@example.net"])).await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((&again.json()["id"], status(&again.json())), (&email["id"], "accepted"));
    let other = post.admin().json_with("POST", EMAILS, &key, &to(&["eve@example.net"])).await.expect(409);
    assert_eq!(other.json()["name"], json!("invalid_idempotent_request"));
    let elsewhere = post.app.admin("other");
    elsewhere.json_with("POST", EMAILS, &key, &to(&["bob@example.net"])).await.expect(409);
    assert_eq!(post.server.mails().len(), 1);
}

#[tokio::test]
async fn of_many_requests_with_one_key_at_once_one_mail_is_made() {
    let post = Post::open(Script::starttls()).await;
    let requests = (0..100).map(async |_| {
        let key = [("Idempotency-Key", "at-once")];
        post.admin().json_with("POST", EMAILS, &key, &to(&["bob@example.net"])).await
    });
    let mut ids = std::collections::HashSet::new();
    let mut taken = 0;
    for answer in in_a_crowd(requests).await {
        assert!([200, 202].contains(&answer.status), "{}", answer.status);
        taken += usize::from(answer.status == 202);
        ids.insert(answer.json()["id"].as_str().expect("an id").to_owned());
    }
    assert_eq!((ids.len(), taken), (1, 1));
    post.settled(ids.iter().next().expect("an id")).await;
    assert_eq!(post.server.mails().len(), 1);
}

#[tokio::test]
async fn a_full_queue_takes_no_more() {
    let post = Post::with(Script::starttls(), |config| {
        config.delivery.enabled = false;
        config.delivery.max_waiting_per_tenant = 2;
    })
    .await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let taken = post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);
        ids.push(taken.json()["id"].as_str().expect("an id").to_owned());
    }
    let full = post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(429);
    assert_eq!(full.json()["name"], json!("queue_full"));
    assert!(full.header("retry-after").is_some());
    // Nothing is refused because of an older count.
    post.admin().post(&format!("{EMAILS}/{}/cancel", ids[0])).await.expect(200);
    post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);
    post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(429);
}

/// The message ends each line with CRLF; what is shown is what was given.
#[tokio::test]
async fn text_and_html_come_back_as_they_were_given() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let long = format!("{}\n", "Grüße und 😀, ".repeat(100));
    for text in [
        "Hi",
        "Hi\n",
        "Hi\r\n",
        "one\ntwo\n\n",
        "one\r\ntwo\n",
        " spaces  \n\tand tabs\t\n",
        "",
        "=3D .\n.\n",
        &long,
    ] {
        let html = format!("<p>{text}</p>\n");
        let both = json!({"to": "bob@example.net", "subject": "x", "text": text, "html": html});
        let alone = json!({"to": "bob@example.net", "subject": "x", "text": text});
        let other = json!({"to": "bob@example.net", "subject": "x", "html": html});
        for email in [both, alone, other] {
            let id = post.admin().json("POST", EMAILS, &email).await.expect(202).json()["id"].clone();
            let shown = post.get(id.as_str().expect("an id")).await;
            // An empty text beside HTML stands for none.
            let is_none = text.is_empty() && email.get("html").is_some();
            let expected = if is_none { &json!(null) } else { &email["text"] };
            assert_eq!((&shown["text"], &shown["html"]), (expected, &email["html"]), "{email}");
        }
    }
}
