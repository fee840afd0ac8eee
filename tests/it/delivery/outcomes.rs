//! What a server says decides about each recipient.

use serde_json::{Value, json};

use super::{EMAILS, Post, account, states, status, to};
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::{Process, variables};
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

fn next_attempt(email: &Value) -> &Value {
    &email["recipients"][0]["next_attempt_at"]
}

/// RCPT × DATA and RCPT × BDAT: every combination of replies, with the states that follow.
#[tokio::test]
async fn replies_to_recipients_and_message_decide_for_each_recipient() {
    let rcpt = [
        ("250 OK", None),
        ("450 4.7.1 Later", Some("deferred")),
        ("550 5.1.1 No such user", Some("refused")),
    ];
    let data = [
        ("250 2.0.0 Queued", "accepted"),
        ("451 4.3.0 Try later", "deferred"),
        ("554 5.6.0 Message refused", "refused"),
    ];
    let mut post = Post::open(Script::starttls()).await;
    for (first, first_state) in rcpt {
        for (second, second_state) in rcpt {
            for (end, end_state) in data {
                let chunking = Script::starttls().with("CHUNKING");
                for script in [
                    Script::starttls(),
                    Script::starttls().without("PIPELINING"),
                    chunking.clone(),
                    chunking.without("PIPELINING"),
                ] {
                    // Each tenant has a session of its own, which plays its script from the start.
                    post.next_tenant(
                        script
                            .on(At::RcptTo("a@example.net"), first)
                            .on(At::RcptTo("b@example.net"), second)
                            .on(At::Message, end),
                    )
                    .await;
                    let email = post.send(&to(&["a@example.net", "b@example.net"])).await;
                    let expected = [first_state.unwrap_or(end_state), second_state.unwrap_or(end_state)];
                    assert_eq!(states(&email), expected, "{first} {second} {end}: {email}");
                }
            }
        }
    }
}

/// The server offers CHUNKING and does not know BDAT: the message goes by DATA, and no attempt is lost.
#[tokio::test]
async fn a_server_that_does_not_know_the_bdat_it_offers_gets_data() {
    let broken = Script::starttls().with("CHUNKING").on(At::Bdat, "502 5.5.2 command not recognized");
    let post = Post::open(broken).await;
    for _ in 0..2 {
        let email = post.send(&to(&["bob@example.net"])).await;
        assert_eq!((status(&email), &email["recipients"][0]["attempts"]), ("accepted", &json!(1)), "{email}");
    }
    assert_eq!(post.server.mails().len(), 2);
    assert_eq!(post.server.verbs().iter().filter(|verb| *verb == "BDAT").count(), 1, "it is tried once");
}

/// The message left with its envelope, and no reply came: it may have been taken.
#[tokio::test]
async fn a_connection_that_ends_after_one_flight_leaves_the_outcome_unknown() {
    let script = Script::starttls().with("CHUNKING");
    let post = Post::open(script.clone()).await;
    post.server.play(script.on(At::Mail, Act::Close));
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    let email = post.until(&id, |email| status(email) == "unknown").await;
    assert_eq!(email["recipients"][0]["last"]["diagnosis"]["code"], json!("OUTCOME_UNKNOWN"));
}

#[tokio::test]
async fn a_refusal_carries_its_diagnosis_in_the_readers_language() {
    let post = Post::open(Script::starttls().on(At::Rcpt, "550 5.1.1 No such user")).await;
    let email = post.send(&to(&["bob@example.net"])).await;
    assert_eq!((status(&email), email["last_event"].as_str()), ("failed", Some("bounced")));
    let last = &email["recipients"][0]["last"];
    assert_eq!((&last["stage"], &last["smtp_code"]), (&json!("rcpt_to"), &json!(550)));
    assert_eq!(
        (&last["enhanced_code"], &last["diagnosis"]["code"]),
        (&json!("5.1.1"), &json!("RECIPIENT_UNKNOWN"))
    );
    let id = email["id"].as_str().expect("an id");
    let path = format!("{EMAILS}/{id}");
    let german =
        post.admin().send("GET", &path, &[("Accept-Language", "de")], Vec::new()).await.expect(200).json();
    let title = german["recipients"][0]["last"]["diagnosis"]["title"].as_str().expect("a title");
    assert!(title.contains("gibt es nicht") || title.contains("existiert nicht"), "{title}");
    assert_eq!(post.events(id).await, ["email.queued", "email.bounced"]);
    let config = post.admin().config().await;
    assert_eq!(config["errorCode"], json!("OK"), "a refused recipient says nothing about the account");
}

#[tokio::test]
async fn a_deferred_mail_is_tried_again_when_it_is_due_until_it_expires() {
    // The server ends the idle session each time, so that what it plays next is met.
    let later =
        Script::starttls().without("PIPELINING").on(At::Rcpt, "450 4.2.0 Later").on(At::Rset, Act::Close);
    let post = Post::open(later).await;
    let mut email = to(&["bob@example.net"]);
    email["ttl_seconds"] = json!(600);
    let id = post.send(&email).await["id"].as_str().expect("an id").to_owned();
    let recipient = |email: &serde_json::Value| email["recipients"][0].clone();
    let deferred = recipient(&post.get(&id).await);
    assert_eq!((&deferred["state"], &deferred["attempts"]), (&json!("deferred"), &json!(1)));
    let turn = deferred["last"]["diagnosis"]["steps"][0].as_str();
    assert!(turn.is_some_and(|step| step.starts_with("This service tries the email again")), "{deferred}");
    post.pass_seconds(90);
    let again =
        post.until(&id, |email| recipient(email)["attempts"] == json!(2) && status(email) == "queued").await;
    assert_eq!(recipient(&again)["state"], json!("deferred"));
    post.pass_seconds(600);
    let expired = post.until(&id, |email| status(email) == "expired").await;
    assert_eq!(recipient(&expired)["state"], json!("expired"));
    assert!(!recipient(&expired).to_string().contains("tries the email again"), "{expired}");
    let events = post.events(&id).await;
    assert_eq!(events.last().map(String::as_str), Some("email.expired"), "{events:?}");

    post.server.play(Script::starttls());
    post.post(&id, "retry").await.expect(200);
    let email = post.settled(&id).await;
    assert_eq!(status(&email), "accepted", "{email}");
    assert_eq!(post.server.mails().len(), 1);
    let message_id = post.get(&id).await["message_id"].clone();
    let text = String::from_utf8(post.server.mails()[0].bytes()).expect("ASCII");
    assert!(text.contains(message_id.as_str().expect("an id")), "the same Message-ID");
    let gone = post.post(&id, "retry").await.expect(410).json();
    let expected = "The email was accepted for every recipient, and its content was removed";
    assert_eq!(gone["message"], json!(expected), "{gone}");
}

#[tokio::test]
async fn an_unknown_outcome_is_tried_once_more_with_the_same_octets() {
    let post = Post::open(Script::starttls().on(At::Message, Act::Close)).await;
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    let email = post.until(&id, |email| status(email) == "unknown").await;
    assert_eq!(email["recipients"][0]["last"]["diagnosis"]["code"], json!("OUTCOME_UNKNOWN"));
    assert_eq!((post.server.mails().len(), &email["recipients"][0]["copies"]), (1, &json!(0)));
    let turn = |email: &Value| email["recipients"][0]["last"]["diagnosis"]["steps"].to_string();
    assert!(turn(&email).contains("This service tries the email again automatically"), "{email}");
    assert!(!turn(&email).contains("send it again") && next_attempt(&email).is_string(), "{email}");
    post.pass_seconds(599);
    post.server.play(Script::starttls().on(At::Message, Act::Close));
    post.pass_seconds(2);
    let email = post
        .until(&id, |email| email["recipients"][0]["copies"] == json!(1) && status(email) == "unknown")
        .await;
    let mails = post.server.mails();
    assert_eq!(mails.len(), 2, "{email}");
    assert_eq!(mails[0].bytes(), mails[1].bytes(), "the same octets");
    assert!(turn(&email).contains("send it again") && next_attempt(&email).is_null(), "{email}");
    post.pass_seconds(24 * 3_600);
    assert_eq!(status(&post.get(&id).await), "unknown", "no third copy");
    post.post(&id, "settle").await.expect(200);
    let settled = post.get(&id).await;
    assert_eq!(status(&settled), "accepted");
    assert_eq!(settled["recipients"][0]["last"].get("diagnosis"), None, "nothing is left to do");
    assert_eq!(post.server.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_is_a_warning_in_the_log_without_an_address() {
    let database = Database::create(Engine::chosen()).await;
    let process = Process::serve(&variables(&database));
    let server = SmtpServer::start(Script::starttls().on(At::Message, Act::Close)).await;
    let admin = process.known_admin("acme");
    admin.put(&account(&server)).await.expect(204);
    let email = admin.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202).json();
    let id = email["id"].as_str().expect("an id");
    let path = format!("{EMAILS}/{id}");
    eventually("nobody knows", async || admin.get(&path).await.json()["status"] == "unknown").await;
    let (_, log) = process.stop();
    let warnings: Vec<_> =
        log.lines().filter(|line| line.contains("\"WARN\"") && line.contains(id)).collect();
    let [warning] = warnings[..] else { panic!("{warnings:?}") };
    let said = ["it is unknown whether an email has arrived", "acme"];
    assert!(said.iter().all(|said| warning.contains(said)) && !warning.contains("bob"), "{warning}");
}

#[tokio::test]
async fn an_unknown_outcome_with_hold_waits_for_a_person() {
    let post = Post::open(Script::starttls().on(At::Message, Act::Close)).await;
    let mut email = to(&["bob@example.net"]);
    email["on_unknown"] = json!("hold");
    let id = post.send(&email).await["id"].as_str().expect("an id").to_owned();
    post.until(&id, |email| status(email) == "unknown").await;
    post.server.play(Script::starttls());
    post.pass_seconds(24 * 3_600);
    assert_eq!(status(&post.send(&to(&["carol@example.net"])).await), "accepted", "others go on");
    assert_eq!(status(&post.get(&id).await), "unknown");
    let strangers = json!({"recipients": ["bob@example.org"]});
    for action in ["retry", "settle"] {
        let path = format!("{EMAILS}/{id}/{action}");
        let refused = post.admin().json("POST", &path, &strangers).await.expect(409).json();
        let detail = &refused["errors"][0]["detail"];
        assert_eq!(detail, &json!("This email has no recipient bob@example.org."), "{action}");
    }
    let bounced = json!({"outcome": "bounced"});
    let refused =
        post.admin().json("POST", &format!("{EMAILS}/{id}/settle"), &bounced).await.expect(422).json();
    assert_eq!(refused["message"], json!("outcome must be \"accepted\""));
    assert_eq!(status(&post.get(&id).await), "unknown");
    post.post(&id, "retry").await.expect(200);
    let email = post.settled(&id).await;
    assert_eq!((status(&email), &email["recipients"][0]["copies"]), ("accepted", &json!(1)));
}

#[tokio::test]
async fn a_connection_that_ends_before_the_message_is_whole_is_tried_again() {
    for place in [At::Mail, At::Rcpt, At::Data] {
        let post = Post::open(Script::starttls()).await;
        post.server.play(Script::starttls().on(place.clone(), Act::Close));
        let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
        assert_ne!(status(&post.get(&id).await), "unknown", "{place:?}");
        post.server.play(Script::starttls());
        post.pass_seconds(120);
        let email = post.until(&id, |email| status(email) == "accepted").await;
        assert_eq!(email["recipients"][0]["copies"], json!(0), "{place:?}");
        assert_eq!(post.server.mails().len(), 1, "{place:?}");
    }
}
