//! The outcomes that the inbox plays, as the send API tells them.

use serde_json::json;

use super::inbox::Running;
use crate::delivery::{Post, states, to};

/// A service whose tenant sends to the inbox.
async fn service(inbox: &Running) -> Post {
    let post = Post::open(crate::support::smtp_server::Script::starttls()).await;
    let account = json!({
        "serverAddress": "localhost", "serverPort": inbox.port, "securityType": "none",
        "emailAddress": "platform@example.com",
    });
    post.admin().put(&account).await.expect(204);
    post
}

#[tokio::test]
async fn a_recipient_without_a_mailbox_is_refused() {
    let inbox = Running::start().await;
    let email = service(&inbox).await.send(&to(&["nouser@example.org", "ada@example.org"])).await;
    assert_eq!(states(&email), ["refused", "accepted"]);
    assert_eq!(email["recipients"][0]["last"]["smtp_code"], 550);
    assert_eq!(email["recipients"][0]["last"]["diagnosis"]["code"], "RECIPIENT_UNKNOWN");
    assert_eq!(inbox.inbox.newest_first()[0].envelope.recipients, ["ada@example.org"]);
}

#[tokio::test]
async fn a_recipient_is_deferred_twice_and_then_accepted() {
    let inbox = Running::start().await;
    let post = service(&inbox).await;
    let mut email = post.send(&to(&["later@example.org"])).await;
    let id = email["id"].as_str().expect("an id").to_owned();
    for attempts in [1, 2] {
        assert_eq!(states(&email), ["deferred"]);
        assert_eq!(email["recipients"][0]["attempts"], attempts);
        assert_eq!(email["recipients"][0]["last"]["smtp_code"], 450);
        post.pass_seconds(6 * 60);
        email = post
            .until(&id, |email| {
                email["recipients"][0]["attempts"] == attempts + 1 && !states(email).contains(&"sending")
            })
            .await;
    }
    assert_eq!(states(&email), ["accepted"]);
    assert_eq!(inbox.inbox.newest_first().len(), 1);
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let inbox = Running::start().await;
    let begun = std::time::Instant::now();
    let email = service(&inbox).await.send(&to(&["slow@example.org"])).await;
    assert_eq!(states(&email), ["accepted"]);
    assert!(begun.elapsed().as_secs() >= 5, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn without_an_answer_the_outcome_is_unknown_and_one_more_copy_is_sent() {
    let inbox = Running::start().await;
    let post = service(&inbox).await;
    let email = post.send(&to(&["lost@example.org"])).await;
    let id = email["id"].as_str().expect("an id");
    assert_eq!(states(&email), ["unknown"]);
    assert_eq!(email["recipients"][0]["last"]["diagnosis"]["code"], "OUTCOME_UNKNOWN");
    for _ in 0..3 {
        post.pass_seconds(601);
        let email = post.until(id, |email| email["recipients"][0]["attempts"] == 2).await;
        assert_eq!(email["recipients"][0]["copies"], 1);
    }
    let email = post.until(id, |email| states(email) == ["unknown"]).await;
    assert_eq!(email["recipients"][0]["next_attempt_at"], json!(null));
    let mails = inbox.inbox.newest_first();
    assert_eq!(mails.len(), 2, "the server had caught it each time");
    let id_of = |mail: &transports::dev::mail::Mail| {
        let headers = &mail.content.headers;
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("message-id")).cloned()
    };
    assert_eq!(id_of(&mails[0]), id_of(&mails[1]));
}
