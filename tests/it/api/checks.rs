//! verify-connection, send-test-email and PUT against a mail server: outcomes, health, rights, places.

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, Client, SEND_TEST, VALIDATE, VERIFY};
use crate::support::leaks::canary;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password, reply};

fn account(server: &SmtpServer, security: &str) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": security,
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com", "senderName": "Ada Löv",
    })
}

async fn started(script: Script) -> (TestApp, SmtpServer, Client) {
    let app = TestApp::with(|config| {
        config.rate_limit.tier2_per_minute = 0;
        config.egress.timeout_seconds = 3;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(script).await;
    let admin = app.admin("acme");
    (app, server, admin)
}

#[tokio::test]
async fn put_checks_and_stores() {
    for (security, script) in
        [("none", Script::plain()), ("StartTLS", Script::starttls()), ("SSL/TLS", Script::implicit_tls())]
    {
        let (_app, server, admin) = started(script).await;
        let answer = admin.put(&account(&server, security)).await.expect(204);
        assert!(answer.body.is_empty());
        assert_eq!(admin.get(CONFIG).await.header("etag"), answer.header("etag"));
        let shown = admin.config().await;
        assert_eq!((&shown["errorCode"], &shown["passwordExists"]), (&json!("OK"), &json!(true)));
        assert_eq!(shown["providerConfig"]["senderName"], json!("Ada Löv"));
        server.ended().await;
        assert_eq!(server.sign_ins().len(), 1, "{security}");
        assert!(server.verbs().contains(&"MAIL".to_owned()), "PUT asks for the sender");
        assert!(!server.verbs().contains(&"RCPT".to_owned()), "{security}");
    }
}

#[tokio::test]
async fn a_put_that_fails_its_check_stores_only_an_audit_row() {
    let (app, server, admin) = started(Script::starttls()).await;
    admin.put(&account(&server, "StartTLS")).await.expect(204);
    let (before, tag) = (admin.config().await, admin.get(CONFIG).await.header("etag").map(str::to_owned));
    let mut wrong = account(&server, "StartTLS");
    wrong["emailPassword"] = json!(canary("not it "));
    let refused = admin.put(&wrong).await.expect(400);
    assert_eq!(refused.error(), ("CONNECTIONCHECK-1".to_owned(), "The connection check failed".to_owned()));
    let error = &refused.json()["errors"][0];
    assert_eq!(error["meta"]["diagnosis"]["code"], json!("AUTH_REJECTED"));
    assert!(error["detail"].as_str().is_some_and(|detail| detail.contains("535")), "{error}");
    assert_eq!(admin.config().await, before);
    assert_eq!(admin.get(CONFIG).await.header("etag").map(str::to_owned), tag);
    let rows = app.database.audit("acme").await;
    let told: Vec<(&str, &str)> =
        rows.iter().map(|row| (row.action.as_str(), row.outcome.as_str())).collect();
    assert_eq!(told, [("put", "OK"), ("put", "AUTH_REJECTED")]);
    assert!(!app.admin("other").put(&wrong).await.expect(400).json().to_string().contains("not it"));
    assert_eq!(app.admin("other").config().await, json!({"isValid": false, "passwordExists": false}));
}

#[tokio::test]
async fn put_keeps_the_password_for_its_server_and_requires_it_for_another() {
    let (_app, server, admin) = started(Script::starttls()).await;
    admin.put(&account(&server, "StartTLS")).await.expect(204);
    let mut same = account(&server, "StartTLS");
    same.as_object_mut().expect("an object").remove("emailPassword");
    same["emailAddress"] = json!("grace@example.com");
    admin.put(&same).await.expect(204);
    assert_eq!(server.sign_ins().len(), 2, "checked with the stored password");
    assert!(server.sign_ins().iter().all(|sign_in| sign_in.secret == good_password()));

    let other = SmtpServer::start(Script::starttls()).await;
    same["serverPort"] = json!(other.port());
    let (code, title) = admin.put(&same).await.expect(400).error();
    assert_eq!(code, "INPUTCHECK-1");
    assert!(title.starts_with("emailPassword must be entered again"), "{title}");
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_put_without_sign_in_makes_a_relay_and_erases_the_password() {
    let (_app, server, admin) = started(Script::plain()).await;
    admin.put(&account(&server, "none")).await.expect(204);
    let mut relay = account(&server, "none");
    for field in ["username", "emailPassword", "senderName"] {
        relay.as_object_mut().expect("an object").remove(field);
    }
    admin.put(&relay).await.expect(204);
    let shown = admin.config().await;
    assert_eq!((&shown["passwordExists"], &shown["isValid"]), (&json!(false), &json!(true)));
    assert_eq!(shown["providerConfig"].get("senderName"), None);
    assert_eq!(shown.get("username"), None);
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true));
    assert_eq!(server.sign_ins().len(), 1, "only the first one signed in");
}

#[tokio::test]
async fn verify_tries_the_sender_and_lists_what_it_did_not_verify() {
    let (app, server, admin) = started(Script::starttls()).await;
    admin.patch(&account(&server, "StartTLS")).await.expect(204);
    let answer = admin.verify().await;
    assert_eq!(
        (&answer["success"], &answer["connectionFailed"], &answer["smtpResponseCode"], &answer["unproved"]),
        (&json!(true), &json!(false), &json!(250), &json!(["delivery"])),
        "{answer}"
    );
    assert_eq!(answer.get("diagnosis"), None);
    server.ended().await;
    assert!(server.lines().contains(&"MAIL FROM:<ada@example.com>".to_owned()));
    assert!(server.mails().is_empty());

    server.play(Script::starttls().on(At::Mail, "451 4.3.0 try later"));
    let answer = admin.verify().await;
    assert_eq!(answer["success"], json!(true), "a 4yz proves nothing: {answer}");
    assert_eq!(answer["unproved"], json!(["sender_address", "delivery"]));

    server.play(Script::starttls().on(At::Mail, "550 5.7.1 not you"));
    let answer = admin.verify().await;
    assert_eq!((&answer["success"], &answer["smtpResponseCode"]), (&json!(false), &json!(550)), "{answer}");
    let shown = admin.config().await;
    assert_eq!((&shown["errorCode"], &shown["authFailures"]), (&json!("PROVIDER_ERROR"), &json!(0)));
    assert_eq!(app.database.audit("acme").await.len(), 4);
}

#[tokio::test]
async fn a_test_mail_arrives_as_it_was_written() {
    let (_app, server, admin) = started(Script::starttls()).await;
    admin.patch(&account(&server, "StartTLS")).await.expect(204);
    let mail = json!({"recipient": "bob@example.org", "subject": "Grüße", "body": "Hallo\r\n.\r\nTschüß\n"});
    let answer = admin.json("POST", SEND_TEST, &mail).await.expect(200).json();
    assert_eq!((&answer["success"], &answer["smtpResponseCode"]), (&json!(true), &json!(250)));
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(["bob@example.org"]), &json!([])));
    server.ended().await;
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].from.as_str()), (1, "ada@example.com"));
    assert_eq!(mails[0].to, ["bob@example.org"]);
    let text = String::from_utf8(mails[0].bytes()).expect("ASCII");
    for header in ["From: ", "To: bob@example.org", "Subject: ", "Date: Thu, 01 Jan 2026", "Message-ID: <"] {
        assert!(text.to_ascii_lowercase().contains(&header.to_ascii_lowercase()), "{header} in {text}");
    }
    let mail = mail_parser::MessageParser::default().parse(&text).expect("a mail");
    let from = mail.from().and_then(|from| from.first()).expect("a sender");
    assert_eq!((from.name(), from.address()), (Some("Ada Löv"), Some("ada@example.com")));

    server.play(Script::starttls().on(At::Rcpt, "550 5.1.1 no such user"));
    let answer = admin.send_test("nobody@example.org").await;
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!([]), &json!(["nobody@example.org"])));
    assert_eq!(admin.config().await["errorCode"], json!("OK"), "a refused recipient changes nothing");

    server.play(Script::starttls().on(At::Greeting, Act::Close));
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!([]), &json!([])));
    assert_eq!(answer["connectionFailed"], json!(true));
    assert_eq!(answer.get("smtpResponseCode"), None);
}

/// Security case E10.
#[tokio::test]
async fn refused_sign_ins_are_counted_until_one_works() {
    let refusing = Script::starttls().on(At::Auth, "535 5.7.8 no");
    let (app, server, admin) = started(refusing).await;
    admin.patch(&account(&server, "StartTLS")).await.expect(204);
    let created = admin.config().await;
    for count in 1..=3 {
        app.clock.advance(1_000);
        let answer = admin.verify().await;
        assert_eq!(answer["smtpResponseCode"], json!(535));
        let shown = admin.config().await;
        assert_eq!(
            (&shown["errorCode"], &shown["authFailures"]),
            (&json!("INVALID_CREDENTIALS"), &json!(count))
        );
        assert_eq!((&shown["isValid"], &shown["status"]["statusCode"]), (&json!(false), &json!(3)));
        assert_eq!(shown["modificationTime"], created["modificationTime"]);
        assert_eq!(shown["lastUpdated"], json!(format!("2026-01-01T00:00:0{count}.000Z")));
    }
    assert_eq!(
        admin.post(VALIDATE).await.json(),
        json!({"isValid": false, "errorCode": "INVALID_CREDENTIALS"})
    );
    server.play(Script::starttls().on(At::Auth, "454 4.7.0 Temporary authentication failure"));
    admin.verify().await;
    let shown = admin.config().await;
    assert_eq!((&shown["errorCode"], &shown["authFailures"]), (&json!("PROVIDER_ERROR"), &json!(3)));
    server.play(Script::starttls());
    admin.verify().await;
    let shown = admin.config().await;
    assert_eq!((&shown["errorCode"], &shown["authFailures"]), (&json!("OK"), &json!(0)));
}

#[tokio::test]
async fn a_check_never_makes_a_write_fail() {
    let (_app, server, admin) = started(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    let created = admin.patch(&account(&server, "StartTLS")).await.expect(204);
    let tag = created.header("etag").expect("a tag").to_owned();
    admin.verify().await;
    assert_ne!(admin.get(CONFIG).await.header("etag"), Some(tag.as_str()), "the health is in the tag");
    let document = json!([{"op": "replace", "path": "/senderName", "value": "Grace"}]);
    admin.json_with("PATCH", CONFIG, &[("if-match", &tag)], &document).await.expect(204);
}

/// Security case B10.
#[tokio::test]
async fn a_check_outcome_after_a_change_is_discarded() {
    let (go, held) = watch::channel(false);
    let slow = Script::starttls().on(At::Auth, [Act::Wait(held), reply("535 5.7.8 no")]);
    let (app, server, admin) = started(slow).await;
    admin.patch(&account(&server, "StartTLS")).await.expect(204);
    let checking = {
        let admin = admin.clone();
        tokio::spawn(async move { admin.verify().await })
    };
    while server.sign_ins().is_empty() {
        tokio::task::yield_now().await;
    }
    let elsewhere = SmtpServer::start(Script::starttls()).await;
    admin.patch(&json!({"serverPort": elsewhere.port()})).await.expect(204);
    go.send_replace(true);
    assert_eq!(checking.await.expect("a check")["success"], json!(false));
    let shown = admin.config().await;
    assert_eq!((&shown["authFailures"], &shown["errorCode"]), (&json!(0), &json!("INCOMPLETE_CONFIG")));
    assert_eq!(app.database.audit("acme").await.len(), 3, "what happened is in the audit all the same");
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_plain_user_reads_a_general_outcome() {
    let (app, server, admin) = started(Script::starttls()).await;
    admin.patch(&account(&server, "StartTLS")).await.expect(204);
    let member = app.member("acme");
    let answer = member.verify().await;
    let members: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["connectionFailed", "message", "smtpResponseCode", "success"]);
    assert!(!answer.to_string().contains("ada@example.com"), "{answer}");

    server.play(Script::starttls().on(At::Auth, "535 5.7.8 details for administrators"));
    let answer = member.verify().await;
    assert_eq!(answer["success"], json!(false));
    let shown: Vec<&String> = answer["diagnosis"].as_object().expect("a diagnosis").keys().collect();
    assert_eq!(shown, ["code", "owner", "title"]);
    assert!(!answer.to_string().contains("details"), "{answer}");
    assert_eq!(answer.get("unproved"), None);
    assert_eq!(answer.get("enhancedStatusCode"), None);
}

#[tokio::test]
async fn only_an_administrator_can_lock_the_mailbox() {
    let (app, server, admin) = started(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    admin.patch(&account(&server, "StartTLS")).await.expect(204);
    let member = app.member("acme");
    for _ in 0..3 {
        member.verify().await;
    }
    assert_eq!(server.connections(), 3);
    let repeated = member.verify().await;
    assert_eq!(server.connections(), 3, "the stored verdict is repeated");
    assert_eq!(repeated["success"], json!(false));
    assert_eq!(repeated["diagnosis"]["code"], json!("AUTH_REJECTED"));
    admin.verify().await;
    assert_eq!(server.connections(), 4, "an administrator always dials");
    admin.patch(&json!({"emailPassword": canary("another ")})).await.expect(204);
    member.verify().await;
    assert_eq!(server.connections(), 5, "a changed configuration is judged afresh");
}

#[tokio::test]
async fn a_tenant_has_one_check_at_a_time() {
    let (app, server, admin) = started(Script::plain().on(At::Greeting, Act::Silence)).await;
    admin.patch(&account(&server, "none")).await.expect(204);
    let first = {
        let admin = admin.clone();
        tokio::spawn(async move { admin.verify().await })
    };
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = admin.post(VERIFY).await.expect(429);
    assert_eq!((refused.header("retry-after"), refused.error().0.as_str()), (Some("1"), "HTTP-429"));
    let put = admin.put(&account(&server, "none")).await.expect(429);
    assert_eq!(put.header("retry-after"), Some("1"));
    let other = app.admin("other");
    other.patch(&account(&SmtpServer::start(Script::plain()).await, "none")).await.expect(204);
    assert_eq!(other.verify().await["success"], json!(true), "another tenant is not touched");
    assert_eq!(first.await.expect("a check")["diagnosis"]["code"], json!("REPLY_TIMEOUT"));
    server.play(Script::plain());
    assert_eq!(admin.verify().await["success"], json!(true), "the place is free again");
}

#[tokio::test]
async fn exhausted_connections_are_503() {
    let app = TestApp::with(|config| {
        config.egress.max_connections = 1;
        config.egress.max_connections_per_tenant = 1;
        config.egress.timeout_seconds = 2;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::plain().on(At::Greeting, Act::Silence)).await;
    let (first, second) = (app.admin("first"), app.admin("second"));
    for admin in [&first, &second] {
        admin.patch(&account(&server, "none")).await.expect(204);
    }
    let checking = tokio::spawn(async move { first.verify().await });
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = second.post(VERIFY).await.expect(503);
    assert_eq!((refused.header("retry-after"), refused.error().0.as_str()), (Some("1"), "HTTP-503"));
    checking.await.expect("a check");
}

#[tokio::test]
async fn put_evaluates_preconditions_before_the_check_and_at_the_write() {
    let (_app, server, admin) = started(Script::starttls()).await;
    let body = json!({"serviceProvider": "BasicAuth", "providerConfig": account(&server, "StartTLS")});
    admin.json_with("PUT", CONFIG, &[("if-match", "*")], &body).await.expect(412);
    assert_eq!(server.connections(), 0, "nothing is dialled for a write that cannot be");
    let created = admin.json_with("PUT", CONFIG, &[("if-none-match", "*")], &body).await.expect(204);
    admin.json_with("PUT", CONFIG, &[("if-none-match", "*")], &body).await.expect(412);
    let tag = created.header("etag").expect("a tag").to_owned();

    let (go, held) = watch::channel(false);
    server.play(Script::starttls().on(At::Auth, [Act::Wait(held), Act::Usual]));
    let putting = {
        let (admin, body, tag) = (admin.clone(), body.clone(), tag.clone());
        tokio::spawn(async move { admin.json_with("PUT", CONFIG, &[("if-match", &tag)], &body).await.status })
    };
    while server.sign_ins().len() < 2 {
        tokio::task::yield_now().await;
    }
    admin.patch(&json!({"senderName": "Somebody else"})).await.expect(204);
    go.send_replace(true);
    assert_eq!(putting.await.expect("a put"), 412, "the configuration changed while it was checked");
    assert_eq!(admin.config().await["providerConfig"]["senderName"], json!("Somebody else"));
}

#[tokio::test]
async fn a_put_without_changes_keeps_the_version_and_restores_the_health() {
    let (app, server, admin) = started(Script::starttls()).await;
    admin.put(&account(&server, "StartTLS")).await.expect(204);
    let modified = admin.config().await["modificationTime"].clone();
    server.play(Script::starttls().on(At::Auth, "535 5.7.8 no"));
    app.clock.advance(1_000);
    admin.verify().await;
    assert_eq!(admin.config().await["errorCode"], json!("INVALID_CREDENTIALS"));
    server.play(Script::starttls());
    let mut same = account(&server, "StartTLS");
    same.as_object_mut().expect("an object").remove("emailPassword");
    let answer = admin.put(&same).await.expect(204);
    let shown = admin.get(CONFIG).await.expect(200);
    assert_eq!(shown.header("etag"), answer.header("etag"));
    let shown = shown.json();
    assert_eq!((&shown["errorCode"], &shown["modificationTime"]), (&json!("OK"), &modified));
}

#[tokio::test]
async fn put_reports_every_fault_at_once() {
    let app = TestApp::start().await;
    let config = json!({"serverPort": 0, "securityType": "tls", "emailAddress": "x", "emailPassword": "****", "colour": 1});
    let body = app.admin("acme").put(&config).await.expect(400).json();
    let titles: Vec<&str> = body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["title"].as_str().expect("a title"))
        .collect();
    assert_eq!(titles.len(), 6, "{titles:?}");
    let starts = [
        "serverAddress is required",
        "serverPort ",
        "securityType ",
        "emailAddress ",
        "emailPassword is a mask",
        "providerConfig.colour is not a known field",
    ];
    for (title, start) in titles.iter().zip(starts) {
        assert!(title.starts_with(start), "{title} / {start}");
    }
}
