//! When an account stops and goes on again.

use serde_json::json;

use super::{EMAILS, Post, account, states, status, to};
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, good_password};

const ACCOUNT: &str = "/api/v1/transports/account";

/// After refused credentials three sign-ins are made in all, then none until the configuration changes.
#[tokio::test]
async fn refused_credentials_hold_the_mail_until_they_are_right() {
    let post = Post::open(Script::starttls()).await;
    post.server.play(Script::starttls().account("ada", "another password"));
    let before = post.server.sign_ins().len();
    let mut ids = Vec::new();
    for number in 0..3 {
        let email =
            post.admin().json("POST", EMAILS, &to(&[&format!("r{number}@example.net")])).await.expect(202);
        ids.push(email.json()["id"].as_str().expect("an id").to_owned());
    }
    for id in &ids {
        post.until(id, |email| status(email) == "held").await;
    }
    let shown = post.admin().get(ACCOUNT).await.expect(200).json();
    assert_eq!((&shown["state"], &shown["waiting"]["emails"]), (&json!("stopped"), &json!(3)), "{shown}");
    // The mail that met the failure has the whole diagnosis.
    let mut steps = 0;
    for id in &ids {
        let diagnosis = &post.get(id).await["recipients"][0]["last"]["diagnosis"];
        steps += diagnosis["steps"].as_array().map_or(0, Vec::len);
    }
    assert!(steps > 0, "what to do is said");
    let config = post.admin().config().await;
    assert_eq!(config["errorCode"], json!("INVALID_CREDENTIALS"), "health follows delivery");
    let attempts = async |expected: usize| {
        eventually("the next sign-in", async || post.server.sign_ins().len() - before >= expected).await;
        post.until(&ids[0], |email| status(email) == "held").await;
        post.at_rest().await;
    };
    for expected in [2, 3] {
        post.pass_seconds(31 * 60);
        attempts(expected).await;
    }
    post.pass_seconds(24 * 3_600);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(post.server.sign_ins().len() - before, 3, "no further sign-in");

    post.server.play(Script::starttls());
    let mut right = account(&post.server);
    right["emailPassword"] = json!(good_password());
    post.admin().put(&right).await.expect(204);
    for id in &ids {
        post.until(id, |email| status(email) == "accepted").await;
    }
    assert_eq!(post.server.mails().len(), 3);
}

/// What the last attempt met has passed: the account waits for another reason now.
#[tokio::test]
async fn mail_that_is_held_has_the_accounts_diagnosis_and_its_next_attempt() {
    // The server ends the idle session, so that the next mail signs in.
    let later = Script::starttls().without("PIPELINING").on(At::Rcpt, "451 4.3.0 Later");
    let post = Post::open(later.on(At::Rset, Act::Close)).await;
    let held = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    post.until(&held, |email| states(email) == ["deferred"]).await;
    post.server.play(Script::starttls().account("ada", "another password"));
    let other = post.admin().json("POST", EMAILS, &to(&["carol@example.net"])).await.expect(202).json();
    post.until(other["id"].as_str().expect("an id"), |email| status(email) == "held").await;
    post.pass_seconds(90);
    let email = post.until(&held, |email| states(email) == ["held"]).await;
    let recipient = &email["recipients"][0];
    let diagnosis = &recipient["last"]["diagnosis"];
    assert_eq!(
        (&diagnosis["code"], &diagnosis["owner"]),
        (&json!("AUTH_REJECTED"), &json!("tenant_admin")),
        "{email}"
    );
    assert!(recipient["next_attempt_at"].is_string(), "one mail tries the account again: {email}");
    assert_eq!(recipient["last"]["smtp_code"], json!(451), "what the server said to this one");
}

/// Ten mails are due at once, and the account may have several sessions: one sign-in at a time, three in all.
#[tokio::test]
async fn a_storm_of_refused_sign_ins_is_three_in_all() {
    let post = Post::with(Script::starttls(), |config| config.delivery.lease_seconds = 3).await;
    post.server.play(Script::starttls().account("ada", "another password"));
    let before = post.server.sign_ins().len();
    post.admin().post(&format!("{ACCOUNT}/pause")).await.expect(200);
    let mut ids = Vec::new();
    for number in 0..10 {
        let email = to(&[&format!("r{number}@example.net")]);
        let taken = post.admin().json("POST", EMAILS, &email).await.expect(202).json();
        ids.push(taken["id"].as_str().expect("an id").to_owned());
    }
    post.admin().post(&format!("{ACCOUNT}/resume")).await.expect(200);
    let refused = |email: &serde_json::Value| {
        status(email) == "held" && !email["recipients"][0]["last"]["diagnosis"].is_null()
    };
    let all_held = async || {
        let mut refusals = 0;
        for id in &ids {
            refusals += usize::from(refused(&post.until(id, |email| status(email) == "held").await));
        }
        refusals
    };
    eventually("a sign-in is refused", async || post.server.sign_ins().len() > before).await;
    assert_eq!((all_held().await, post.server.sign_ins().len() - before), (1, 1));
    post.at_rest().await;
    for (minutes, expected) in [(6, 2), (31, 3), (24 * 60, 3), (24 * 60, 3)] {
        post.pass_seconds(minutes * 60);
        eventually("the next sign-in", async || post.server.sign_ins().len() - before >= expected).await;
        post.at_rest().await;
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        assert_eq!(post.server.sign_ins().len() - before, expected, "after {minutes} minutes");
    }
}

/// A shared address is not banned because many tenants have a wrong password.
#[tokio::test]
async fn over_all_tenants_six_sign_ins_at_an_address_are_refused_in_ten_minutes() {
    let post = Post::with(Script::starttls(), |config| {
        config.quotas.refused_sign_ins_per_destination_per_ten_minutes = 6;
    })
    .await;
    let tenants: Vec<_> = (0..8).map(|number| format!("tenant{number}")).collect();
    for tenant in &tenants {
        post.app.admin(tenant).put(&account(&post.server)).await.expect(204);
    }
    post.server.play(Script::starttls().account("ada", "another password"));
    let before = post.server.sign_ins().len();
    for (number, tenant) in tenants.iter().enumerate() {
        post.app.admin(tenant).json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);
        let expected = (number + 1).min(6);
        eventually("its sign-in", async || post.server.sign_ins().len() - before >= expected).await;
        let state = async || post.app.admin(tenant).get(ACCOUNT).await.expect(200).json()["state"].clone();
        if number < 6 {
            eventually("it stops", async || state().await == json!("stopped")).await;
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(post.server.sign_ins().len() - before, 6);
    for tenant in &tenants[6..] {
        let state = post.app.admin(tenant).get(ACCOUNT).await.expect(200).json()["state"].clone();
        assert_eq!(state, json!("open"), "{tenant}: nothing is known about it");
    }
}

/// A session stays open for a while after a mail; a changed configuration ends it.
#[tokio::test]
async fn the_next_mail_goes_through_the_account_of_now() {
    let post = Post::open(Script::starttls()).await;
    post.send(&to(&["bob@example.net"])).await;
    let other = SmtpServer::start(Script::starttls()).await;
    let mut changed = account(&other);
    changed["emailAddress"] = json!("eve@example.com");
    post.admin().put(&changed).await.expect(204);
    let email = post.send(&to(&["carol@example.net"])).await;
    assert_eq!(status(&email), "accepted");
    assert_eq!((post.server.mails().len(), other.mails().len()), (1, 1));
    let mail = &other.mails()[0];
    assert_eq!(mail.from, "eve@example.com");
    assert!(String::from_utf8_lossy(&mail.bytes()).contains("<eve@example.com>"));

    post.admin().delete().await.expect(204);
    post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(409);
}

#[tokio::test]
async fn a_server_that_is_away_gets_its_mail_when_it_is_back() {
    let post = Post::open(Script::starttls()).await;
    post.server.play(Script::starttls().on(At::Greeting, "554 5.3.2 Not now"));
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    let held = post.until(&id, |email| status(email) == "held").await;
    assert_eq!(held["recipients"][0]["attempts"], json!(0), "no attempt was consumed");
    assert_eq!(held["recipients"][0]["last"]["stage"], json!("greeting"));
    post.server.play(Script::starttls());
    post.pass_seconds(31);
    post.until(&id, |email| status(email) == "accepted").await;
    assert_eq!(post.admin().get(ACCOUNT).await.json()["state"], json!("open"));
    assert_eq!(post.events(&id).await, ["email.queued", "email.held", "email.queued", "email.sent"]);
}

#[tokio::test]
async fn a_person_pauses_and_resumes() {
    let post = Post::open(Script::starttls()).await;
    let paused = post.admin().post(&format!("{ACCOUNT}/pause")).await.expect(200).json();
    assert_eq!(paused["state"], json!("paused"));
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    post.until(&id, |email| status(email) == "held").await;
    assert_eq!(post.server.mails().len(), 0);
    let resumed = post.admin().post(&format!("{ACCOUNT}/resume")).await.expect(200).json();
    assert_eq!(resumed["state"], json!("open"));
    post.until(&id, |email| status(email) == "accepted").await;
}

#[tokio::test]
async fn mail_of_a_deleted_account_waits_for_the_next_one() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = true).await;
    post.admin().post(&format!("{ACCOUNT}/pause")).await.expect(200);
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    post.admin().delete().await.expect(204);
    post.admin().post(&format!("{ACCOUNT}/resume")).await.expect(200);
    let held = post
        .until(&id, |email| email["recipients"][0]["last"]["diagnosis"]["code"] == json!("CONFIG_NOT_SET"))
        .await;
    assert_eq!(status(&held), "held");
    post.admin().put(&account(&post.server)).await.expect(204);
    post.until(&id, |email| status(email) == "accepted").await;
}

/// The events of the account, each with the account's state.
async fn changes(post: &Post) -> Vec<(String, String)> {
    post.app.database.all_events_are_shown().await;
    let list = post.admin().get("/api/v1/transports/events").await.expect(200).json();
    let events = list["data"].as_array().expect("a list").iter();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    events
        .filter(|event| text(&event["type"]).starts_with("account."))
        .map(|event| (text(&event["type"]), text(&event["data"]["state"])))
        .collect()
}

fn paused(state: &str) -> (String, String) {
    ("account.paused".to_owned(), state.to_owned())
}

fn resumed() -> (String, String) {
    ("account.resumed".to_owned(), "open".to_owned())
}

#[tokio::test]
async fn an_account_has_one_event_for_each_change_by_a_person() {
    let post = Post::open(Script::starttls()).await;
    let at_once = async |action: &str| {
        let requests = (0..8).map(|_| {
            let (admin, path) = (post.admin(), format!("{ACCOUNT}/{action}"));
            tokio::spawn(async move { admin.post(&path).await.expect(200) })
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.expect("an answer");
        }
    };
    at_once("resume").await;
    assert_eq!(changes(&post).await, [], "it was open");
    at_once("pause").await;
    at_once("resume").await;
    at_once("pause").await;
    assert_eq!(changes(&post).await, [paused("paused"), resumed(), paused("paused")]);
    post.admin().put(&account(&post.server)).await.expect(204);
    assert_eq!(changes(&post).await.len(), 3, "only a person resumes what a person has paused");
    let audit = post.admin().get("/api/v1/transports/email-config/audit?limit=10").await.expect(200).json();
    assert_eq!(audit["data"][1]["action"], json!("pause-account"), "{audit}");
}

#[tokio::test]
async fn an_account_has_one_event_for_each_change_by_a_failure() {
    let post = Post::open(Script::starttls()).await;
    post.server.play(Script::starttls().on(At::Greeting, "554 5.3.2 Not now"));
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    eventually("the account stops", async || changes(&post).await == [paused("stopped")]).await;
    let feed = post.admin().get("/api/v1/transports/events").await.expect(200).json();
    let event =
        feed["data"].as_array().expect("a list").iter().find(|event| event["type"] == "account.paused");
    let data = &event.expect("the event")["data"];
    assert_eq!(data["diagnosis"]["code"], json!("GREETING_REFUSED"), "{data}");
    assert!(data["diagnosis"]["title"].is_string() && data["next_attempt_at"].is_string(), "{data}");
    assert_eq!((&data["email_id"], &data["to"]), (&json!(null), &json!([])));

    let stopped = post.admin().get(ACCOUNT).await.expect(200).json();
    post.pass_seconds(31);
    eventually("a probe fails", async || {
        post.admin().get(ACCOUNT).await.expect(200).json()["next_attempt_at"] != stopped["next_attempt_at"]
    })
    .await;
    assert_eq!(changes(&post).await, [paused("stopped")], "a probe that fails is no change");
    post.server.play(Script::starttls());
    post.pass_seconds(61);
    post.until(&id, |email| status(email) == "accepted").await;
    assert_eq!(changes(&post).await, [paused("stopped"), resumed()]);
}

#[tokio::test]
async fn a_changed_configuration_resumes_a_stopped_account_with_one_event() {
    let post = Post::open(Script::starttls()).await;
    post.server.play(Script::starttls().on(At::Greeting, "554 5.3.2 Not now"));
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    eventually("the account stops", async || changes(&post).await == [paused("stopped")]).await;
    post.server.play(Script::starttls());
    let mut changed = account(&post.server);
    changed["senderName"] = json!("Ada");
    post.admin().put(&changed).await.expect(204);
    post.until(&id, |email| status(email) == "accepted").await;
    assert_eq!(changes(&post).await, [paused("stopped"), resumed()]);
}
