//! What the delivery shows about the account, as the last check of its settings.

use serde_json::{Value, json};

use super::{Post, status, to};
use crate::support::client::VERIFY;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{At, Script};

async fn last_check(post: &Post) -> Value {
    post.admin().config().await["lastCheck"].take()
}

#[tokio::test]
async fn a_delivery_is_the_last_check_of_the_account() {
    let post = Post::open(Script::starttls()).await;
    assert_eq!(last_check(&post).await["operation"], json!("put"));
    post.pass_seconds(1);
    post.send(&to(&["bob@example.net"])).await;
    let expected = |second: i64| {
        let at = format!("2026-01-01T00:{:02}:{:02}.000Z", second / 60, second % 60);
        json!({"at": at, "operation": "delivery", "success": true, "unproved": []})
    };
    eventually("the delivery is written", async || last_check(&post).await == expected(1)).await;
    // A row for each mail would be written again and again.
    post.pass_seconds(1);
    post.send(&to(&["carol@example.net"])).await;
    assert_eq!(last_check(&post).await, expected(1), "less than a minute ago");
    post.pass_seconds(60);
    post.send(&to(&["dan@example.net"])).await;
    eventually("it is written again", async || last_check(&post).await == expected(62)).await;
    // Another outcome stands between: the next delivery is newer.
    post.admin().post(VERIFY).await.expect(200);
    assert_eq!(last_check(&post).await["operation"], json!("verify-connection"));
    post.send(&to(&["eve@example.net"])).await;
    eventually("it is the last again", async || last_check(&post).await == expected(62)).await;
}

#[tokio::test]
async fn a_refused_recipient_says_nothing_about_the_account() {
    let post = Post::open(Script::starttls().on(At::Rcpt, "550 5.1.1 no such user")).await;
    let before = post.admin().config().await;
    let email = post.send(&to(&["nobody@example.net"])).await;
    assert_eq!(status(&email), "failed");
    assert_eq!(post.admin().config().await, before);
}

#[tokio::test]
async fn a_failure_of_the_account_is_told_without_its_recipients() {
    let post = Post::open(Script::starttls()).await;
    post.server
        .play(Script::starttls().on(At::Mail, "550 5.1.8 <bob@example.net> ada@example.com is blocked"));
    post.send(&to(&["bob@example.net"])).await;
    eventually("it fails", async || last_check(&post).await["success"] == json!(false)).await;
    let check = last_check(&post).await;
    assert_eq!(check["operation"], json!("delivery"));
    assert_eq!(check["diagnosis"]["transcript"], json!([]), "it may name others");
    assert!(check["diagnosis"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{check}");
    assert!(!check.to_string().contains("bob@"), "{check}");
    post.server.play(Script::starttls().account("ada", "another password"));
    post.pass_seconds(3_600);
    post.admin().json("POST", super::EMAILS, &to(&["carol@example.net"])).await.expect(202);
    let code = async || last_check(&post).await["diagnosis"]["code"].clone();
    eventually("the next attempt is written", async || code().await == json!("AUTH_REJECTED")).await;
}
