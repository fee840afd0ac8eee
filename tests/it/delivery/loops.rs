//! Mail that goes round in a loop ends: too many mails to one recipient are held, and the own gateway is no destination.

use serde_json::{Value, json};

use super::{EMAILS, Post, account, states, status, to};
use crate::support::app::TestApp;
use crate::support::smtp_server::{Script, SmtpServer};

const ACCOUNT: &str = "/api/v1/transports/account";

async fn limited() -> Post {
    Post::with(Script::starttls(), |config| config.delivery.mails_per_recipient_per_hour = 3).await
}

fn next_attempt_at(email: &Value) -> &Value {
    &email["recipients"][0]["next_attempt_at"]
}

#[tokio::test]
async fn more_mails_in_an_hour_to_one_recipient_are_held_until_the_hour_allows_them() {
    let post = limited().await;
    for _ in 0..3 {
        assert_eq!(status(&post.send(&to(&["bob@example.net"])).await), "accepted");
        post.pass_seconds(1);
    }
    let held = post.send(&to(&["bob@example.net"])).await;
    assert_eq!(status(&held), "held");
    let last = &held["recipients"][0]["last"]["diagnosis"];
    assert_eq!((&last["code"], &last["owner"]), (&json!("RECIPIENT_FLOOD"), &json!("tenant_admin")));
    assert!(last["title"].as_str().is_some_and(|title| title.contains("bob@example.net")), "{last}");
    assert_eq!(held["recipients"][0]["attempts"], json!(0));
    assert_eq!(next_attempt_at(&held), &json!("2026-01-01T01:00:00.000Z"), "an hour after the first");
    let id = held["id"].as_str().expect("an id");
    assert_eq!(post.events(id).await, ["email.queued", "email.held"]);
    // Others are not concerned, and neither is the account.
    let both = post.send(&to(&["bob@example.net", "carol@example.net"])).await;
    assert_eq!(states(&both), ["held", "accepted"]);
    assert_eq!(post.admin().get(ACCOUNT).await.expect(200).json()["state"], json!("open"));
    assert_eq!(post.admin().config().await["errorCode"], json!("OK"));
    // What opens an account does not let it go.
    post.admin().post(&format!("{ACCOUNT}/pause")).await.expect(200);
    post.admin().post(&format!("{ACCOUNT}/resume")).await.expect(200);
    assert_eq!(status(&post.send(&to(&["dan@example.net"])).await), "accepted");
    assert_eq!(status(&post.get(id).await), "held");

    post.pass_seconds(3_600);
    post.until(id, |email| status(email) == "accepted").await;
    post.until(both["id"].as_str().expect("an id"), |email| status(email) == "accepted").await;
    assert_eq!(post.server.mails().len(), 7);
}

#[tokio::test]
async fn a_person_who_tries_a_held_mail_again_lets_it_go() {
    let post = limited().await;
    for _ in 0..3 {
        post.send(&to(&["bob@example.net"])).await;
    }
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(status(&post.get(&id).await), "held");
    post.post(&id, "retry").await.expect(200);
    let email = post.until(&id, |email| status(email) == "accepted").await;
    assert_eq!(email["recipients"][0]["copies"], json!(0));
    assert_eq!(status(&post.send(&to(&["bob@example.net"])).await), "held", "the next one is not meant");
}

#[tokio::test]
async fn the_gateway_of_the_service_is_no_mail_server_of_a_tenant() {
    let app = TestApp::with(|config| config.delivery.enabled = true).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::starttls()).await;
    let post = Post::over(app, server);
    post.admin().patch(&account(&post.server)).await.expect(204);
    post.app.app.egress_policy().add_gateway_listener(([0, 0, 0, 0], post.server.port()).into());

    for host in ["localhost", "127.0.0.1"] {
        let mut account = account(&post.server);
        account["serverAddress"] = json!(host);
        let refused = post.admin().put(&account).await.expect(400).json();
        let diagnosis = &refused["errors"][0]["meta"]["diagnosis"];
        assert_eq!(
            (&diagnosis["code"], &diagnosis["stage"]),
            (&json!("OWN_GATEWAY"), &json!("policy")),
            "{host}"
        );
    }
    post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);
    let code = async || post.admin().get(ACCOUNT).await.expect(200).json()["code"].clone();
    crate::support::eventually::eventually("it stops", async || code().await == json!("OWN_GATEWAY")).await;
    assert_eq!(post.server.connections(), 0, "nothing is dialled");
}
