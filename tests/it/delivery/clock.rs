//! A wall clock that is set forward and back by an hour: mail goes on, and none goes twice.

use serde_json::json;
use tokio::sync::watch;

use super::{EMAILS, Post, status, to};
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script};

const HOUR: i64 = 3_600_000;

/// Security case K12.
#[tokio::test]
async fn mail_goes_out_once_whatever_the_clock_is_set_to() {
    let post = Post::open(Script::starttls()).await;
    let mut later = to(&["later@example.net"]);
    later["scheduled_at"] = json!("2026-01-01T01:30:00Z");
    let later = post.admin().json("POST", EMAILS, &later).await.expect(202).json();
    let mut sent = 0;
    for jump in [HOUR, -HOUR, -HOUR, HOUR] {
        // One mail at rest, and one that meets the jump in the hands of the server.
        let (go, held) = watch::channel(false);
        post.server.play(Script::starttls().on(At::Message, [Act::Wait(held), Act::Usual]));
        let mail = to(&[&format!("r{sent}@example.net")]);
        let id = post.admin().json("POST", EMAILS, &mail).await.expect(202).json();
        sent += 1;
        eventually("the server has it", async || post.server.mails().len() == sent).await;
        post.app.clock.set_by(jump);
        go.send_replace(true);
        let id = id["id"].as_str().expect("an id").to_owned();
        post.until(&id, |email| status(email) == "accepted").await;
        let after = post.send(&to(&[&format!("r{sent}@example.net")])).await;
        sent += 1;
        assert_eq!(status(&after), "accepted", "after {jump} ms");
    }
    assert_eq!(post.server.mails().len(), sent);
    post.pass_seconds(3 * 3_600);
    let later = later["id"].as_str().expect("an id").to_owned();
    post.until(&later, |email| status(email) == "accepted").await;
    assert_eq!(post.server.mails().len(), sent + 1);
}
