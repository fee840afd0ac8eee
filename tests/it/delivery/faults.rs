//! Mail goes on after faults of the moment: nothing stays in the queue for good.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::{EMAILS, Post, account, status, to};
use crate::support::app::TestApp;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script, good_password, reply};

async fn enqueue(post: &Post, number: usize) -> String {
    let email = to(&[&format!("r{number}@example.net")]);
    let answer = post.admin().json("POST", EMAILS, &email).await.expect(202).json();
    answer["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn all_that_was_held_goes_out_after_one_mail_has_opened_the_account() {
    let post = Post::open(Script::starttls()).await;
    post.server.play(Script::starttls().on(At::Greeting, "554 5.3.2 Not now"));
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(enqueue(&post, number).await);
    }
    for id in &ids {
        post.until(id, |email| status(email) == "held").await;
    }
    post.server.play(Script::starttls());
    post.pass_seconds(31);
    for id in &ids {
        post.until(id, |email| status(email) == "accepted").await;
    }
    assert_eq!(post.server.mails().len(), ids.len());
}

/// The session is gone, and the server does not take another one for now: that stops nothing, and holds the mail.
#[tokio::test]
async fn a_mail_without_a_second_session_is_not_held_for_good() {
    let post = Post::open(Script::starttls().on(At::Message, [Act::Usual, Act::Close])).await;
    post.send(&to(&["first@example.net"])).await;
    let busy = "421 4.7.0 Too many connections from your address";
    post.server.play(Script::starttls().on(At::Greeting, busy));
    let id = enqueue(&post, 2).await;
    post.until(&id, |email| status(email) == "held").await;
    post.server.play(Script::starttls());
    post.pass_seconds(31);
    post.until(&id, |email| status(email) == "accepted").await;
    assert!(post.server.mails().iter().filter(|mail| mail.to == ["r2@example.net"]).count() == 1);
}

#[tokio::test]
async fn a_mail_that_cannot_be_read_lets_the_others_go_on() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(enqueue(&post, number).await);
    }
    let Post { app, server, .. } = post;
    let database = app.stop().await;
    database.execute(&format!("update emails set on_unknown = 'nonsense' where id = '{}'", ids[0])).await;
    database.execute(&format!("delete from emails where id = '{}'", ids[1])).await;
    let app = TestApp::with_database(database, |config| config.delivery.enabled = true).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let post = Post::over(app, server);
    for id in &ids[2..] {
        post.until(id, |email| status(email) == "accepted").await;
    }
    assert_eq!(post.server.mails().len(), 2);
}

/// The old configuration fails while the new one is stored: the new one is tried at once.
#[tokio::test]
async fn a_configuration_that_comes_while_the_old_one_fails_is_tried() {
    let post = Post::open(Script::starttls()).await;
    let disabled =
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.";
    let (go, held) = watch::channel(false);
    let slow = [Act::Wait(held), reply(disabled)];
    post.server.play(Script::starttls().on(At::Auth, slow));
    let sign_ins = post.server.sign_ins().len();
    let id = enqueue(&post, 1).await;
    eventually("it signs in", async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        post.server.sign_ins().len() > sign_ins
    })
    .await;
    post.server.play(Script::starttls());
    let mut right = account(&post.server);
    right["emailPassword"] = json!(good_password());
    right["senderName"] = json!("Ada");
    post.admin().put(&right).await.expect(204);
    go.send_replace(true);
    post.until(&id, |email| status(email) == "accepted").await;
}
