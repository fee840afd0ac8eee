//! A mail goes out: the octets, the answers and the events.

use base64::Engine as _;
use serde_json::json;

use super::{EMAILS, Post, states, status, to};
use crate::support::app::TestApp;
use crate::support::smtp_server::Script;

#[tokio::test]
async fn a_mail_is_handed_over_once_and_its_content_is_gone() {
    let post = Post::open(Script::starttls()).await;
    let email = post
        .send(&json!({
            "to": ["Bob <bob@example.net>"], "cc": "carol@example.net", "bcc": "dora@example.net",
            "subject": "Grüße", "text": "Hello", "html": "<p>Hello</p>",
            "attachments": [{"filename": "a.txt", "content": "aGVsbG8="}],
            "tags": [{"name": "kind", "value": "test"}], "metadata": {"invoice": "8841"},
        }))
        .await;
    assert_eq!((status(&email), email["last_event"].as_str()), ("accepted", Some("sent")), "{email}");
    assert_eq!(states(&email), ["accepted"; 3]);
    assert_eq!(email["from"], json!("Ada Löv <ada@example.com>"));
    assert_eq!(email["to"], json!(["Bob <bob@example.net>"]));
    assert_eq!(email["metadata"], json!({"invoice": "8841"}));
    assert_eq!(email["tags"], json!([{"name": "kind", "value": "test"}]));
    assert_eq!((&email["content"], &email["text"]), (&json!("erased"), &json!(null)));
    let id = email["id"].as_str().expect("an id");
    assert_eq!(post.events(id).await, ["email.queued", "email.sent"]);

    let mails = post.server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].from, "ada@example.com");
    assert_eq!(mails[0].to, ["bob@example.net", "carol@example.net", "dora@example.net"]);
    let text = String::from_utf8(mails[0].bytes()).expect("ASCII");
    assert!(text.starts_with("From: "), "{text}");
    assert!(
        text.contains(&format!("Message-ID: {}\r\n", email["message_id"].as_str().expect("an id"))),
        "{text}"
    );
    assert!(!text.contains("dora@example.net"), "a hidden recipient is named: {text}");
}

#[tokio::test]
async fn a_raw_message_arrives_as_it_was_given() {
    let post = Post::open(Script::starttls()).await;
    let message = "From: ada@example.com\r\nTo: bob@example.net\r\nSubject: As it is\r\nMessage-ID: <1@example.com>\r\n\
                   Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n.a line with a dot\r\n  two blanks\r\n";
    let raw = base64::engine::general_purpose::STANDARD.encode(message);
    let email = post.send(&json!({"raw": raw, "envelope": {"to": ["bob@example.net"]}})).await;
    assert_eq!(status(&email), "accepted", "{email}");
    assert_eq!(email["message_id"], json!("<1@example.com>"));
    assert_eq!(post.server.mails()[0].bytes(), message.as_bytes());
}

#[tokio::test]
async fn an_answer_can_wait_for_the_outcome() {
    let post = Post::open(Script::starttls()).await;
    let answer = post
        .admin()
        .json_with("POST", EMAILS, &[("Prefer", "respond-async, wait=30")], &to(&["bob@example.net"]))
        .await
        .expect(200);
    assert_eq!(status(&answer.json()), "accepted");
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.header("location"), Some(format!("{EMAILS}/{id}").as_str()));
    let wrong = [("Prefer", "wait=31")];
    let refused = post.admin().json_with("POST", EMAILS, &wrong, &to(&["bob@example.net"])).await.expect(422);
    assert_eq!(refused.json()["errors"][0]["source"], json!({"header": "Prefer"}));
}

#[tokio::test]
async fn mails_share_a_session_and_are_listed_newest_first() {
    let post = Post::open(Script::starttls()).await;
    let sign_ins = post.server.sign_ins().len();
    let mut ids = Vec::new();
    for number in 0..5 {
        let email = post.send(&to(&[&format!("r{number}@example.net")])).await;
        ids.insert(0, email["id"].clone());
    }
    assert_eq!(post.server.mails().len(), 5);
    assert!(post.server.sign_ins().len() - sign_ins <= 3, "at most one for each of the account's sessions");
    let list = post.admin().get(&format!("{EMAILS}?limit=2")).await.expect(200).json();
    let page = |list: &serde_json::Value| {
        list["data"].as_array().expect("emails").iter().map(|email| email["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((page(&list), &list["has_more"]), (ids[..2].to_vec(), &json!(true)));
    let after = ids[1].as_str().expect("an id");
    let list = post.admin().get(&format!("{EMAILS}?limit=3&after={after}")).await.expect(200).json();
    assert_eq!((page(&list), &list["has_more"]), (ids[2..].to_vec(), &json!(false)));
    let before = ids[3].as_str().expect("an id");
    let list = post.admin().get(&format!("{EMAILS}?limit=2&before={before}")).await.expect(200).json();
    assert_eq!((page(&list), &list["has_more"]), (ids[1..3].to_vec(), &json!(true)));
    let list =
        post.admin().get(&format!("{EMAILS}?recipient=r3@example.net&status=accepted")).await.expect(200);
    assert_eq!(page(&list.json()), ids[1..2].to_vec());
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_in_part() {
    let post = Post::open(Script::starttls()).await;
    let wrong = json!({"to": "nobody", "subject": "x", "text": "y"});
    let batch = json!([to(&["a@example.net"]), wrong, to(&["b@example.net"])]);
    let path = format!("{EMAILS}/batch");
    let refused = post.admin().json("POST", &path, &batch).await.expect(422).json();
    assert!(
        refused["errors"][0]["source"]["pointer"].as_str().is_some_and(|at| at.starts_with("/1/to")),
        "{refused}"
    );
    assert_eq!(refused["message"], json!("emails[1].to is not an email address: there is no @"));
    assert_eq!(post.admin().get(EMAILS).await.json()["data"], json!([]), "nothing was taken");
    let permissive = [("x-batch-validation", "permissive")];
    let mut foreign = to(&["c@example.net"]);
    foreign["from"] = json!("eve@example.org");
    let batch_of_others = json!([wrong, to(&["a@example.net"]), foreign]);
    let refused =
        post.admin().json_with("POST", &path, &permissive, &batch_of_others).await.expect(422).json();
    assert_eq!(refused["errors"][0]["source"]["pointer"], json!("/2/from"), "{refused}");
    assert!(
        refused["message"].as_str().is_some_and(|text| text.contains("This is emails[2]. ")),
        "{refused}"
    );
    let mut over = to(&["c@example.net"]);
    over["expires_at"] = json!("2020-01-01T00:00:00Z");
    let refused = post.admin().json("POST", &path, &json!([over])).await.expect(422).json();
    let message = "emails[0].expires_at is not after the time at which the email is due";
    assert_eq!(refused["message"], json!(message), "{refused}");
    let refused = post.admin().json("POST", EMAILS, &foreign).await.expect(422).json();
    assert_eq!(refused["errors"][0]["source"]["pointer"], json!("/from"), "{refused}");
    let taken = post.admin().json_with("POST", &path, &permissive, &batch).await.expect(202).json();
    assert_eq!(taken["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&taken["errors"][0]["index"], taken["errors"].as_array().map(Vec::len)),
        (&json!(1), Some(1))
    );
    for taken in taken["data"].as_array().expect("ids") {
        let email = post.settled(taken["id"].as_str().expect("an id")).await;
        assert_eq!(status(&email), "accepted");
    }
}

#[tokio::test]
async fn a_scheduled_mail_waits_can_be_moved_and_withdrawn() {
    let post = Post::open(Script::starttls()).await;
    let mut email = to(&["bob@example.net"]);
    email["scheduled_at"] = json!("2026-01-01T01:00:00Z");
    let id = post.admin().json("POST", EMAILS, &email).await.expect(202).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(status(&post.get(&id).await), "scheduled");
    let path = format!("{EMAILS}/{id}");
    post.admin().json("PATCH", &path, &json!({"scheduled_at": "2026-01-01T02:00:00Z"})).await.expect(200);
    let moved = post.get(&id).await;
    assert_eq!(moved["scheduled_at"], json!("2026-01-01T02:00:00.000Z"));
    assert_eq!(moved["expires_at"], json!("2026-01-04T02:00:00.000Z"), "72 hours after it is due");
    let early = post.admin().json("PATCH", &path, &json!({"expires_at": "2026-01-01T02:00:00Z"})).await;
    let early = early.expect(422).json();
    assert_eq!(early["errors"][0]["source"]["pointer"], json!("/expires_at"), "{early}");
    assert_eq!(post.get(&id).await["expires_at"], moved["expires_at"], "nothing was changed");
    post.pass_seconds(2 * 3_600);
    assert_eq!(status(&post.settled(&id).await), "accepted");
    post.post(&id, "cancel").await.expect(409);

    email["scheduled_at"] = json!("2026-01-02T00:00:00Z");
    let id = post.admin().json("POST", EMAILS, &email).await.expect(202).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    post.post(&id, "cancel").await.expect(200);
    assert_eq!(status(&post.get(&id).await), "canceled");
    assert_eq!(post.events(&id).await, ["email.scheduled", "email.canceled"]);
    assert_eq!(post.server.mails().len(), 1);
}

#[tokio::test]
async fn an_erased_mail_says_nothing_any_more() {
    let post = Post::open(Script::starttls()).await;
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    let erased =
        post.admin().send("DELETE", &format!("{EMAILS}/{id}"), &[], Vec::new()).await.expect(200).json();
    assert_eq!(erased, json!({"object": "email", "id": id, "deleted": true}));
    let email = post.get(&id).await;
    assert_eq!((&email["subject"], &email["from"], &email["to"]), (&json!(null), &json!(null), &json!([])));
    assert_eq!((&email["recipients"][0]["address"], states(&email)), (&json!(null), vec!["accepted"]));
}

#[tokio::test]
async fn the_feed_follows_every_change_and_waits_for_the_next() {
    let post = Post::open(Script::starttls()).await;
    let feed = "/api/v1/transports/events";
    let first = post.admin().get(feed).await.expect(200).json();
    assert_eq!(first["data"], json!([]));
    let cursor = first["next"].as_str().expect("a cursor").to_owned();
    let admin = post.admin();
    let waiting = format!("{feed}?after={cursor}&wait=30&limit=1");
    let next = tokio::spawn(async move { admin.get(&waiting).await.expect(200).json() });
    let id = post.send(&to(&["bob@example.net"])).await["id"].clone();
    let next = next.await.expect("an answer");
    assert_eq!(
        (&next["data"][0]["type"], &next["data"][0]["data"]["email_id"]),
        (&json!("email.queued"), &id)
    );
    let cursor = next["next"].as_str().expect("a cursor");
    post.app.database.all_events_are_shown().await;
    let rest = post.admin().get(&format!("{feed}?after={cursor}")).await.expect(200).json();
    assert_eq!(rest["data"][0]["type"], json!("email.sent"));
    assert_eq!(rest["data"][0]["data"]["to"], json!(["bob@example.net"]));
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(1));
    let other = post.app.admin("other").get(feed).await.expect(200).json();
    assert_eq!(other["data"], json!([]), "of another tenant");
}

/// Security case I8.
#[tokio::test]
async fn no_content_stands_in_the_database() {
    let database = {
        let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
        let email = json!({
            "to": "bob@example.net", "subject": "canary subject 7391", "text": "canary text 7391",
            "metadata": {"secret": "canary metadata 7391"}, "tags": [{"name": "canary", "value": "tag7391"}],
        });
        post.admin().json("POST", EMAILS, &email).await.expect(202);
        let Post { app, .. } = post;
        app.stop().await
    };
    let bytes = database.bytes().await;
    for canary in ["canary subject 7391", "canary text 7391", "canary metadata 7391", "tag7391"] {
        assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary}");
    }
    let app = TestApp::with_database(database, |config| {
        config.egress.ports = vec![0];
    })
    .await;
    let list = app.admin("acme").get(EMAILS).await.expect(200).json();
    assert_eq!(list["data"][0]["subject"], json!("canary subject 7391"), "it opens after a restart");
}
