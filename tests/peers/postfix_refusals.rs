//! What Postfix refuses, and what the service makes of it.

use serde_json::{Value, json};

use crate::client::CONFIG;
use crate::mail_server::{IMPLICIT_TLS, RELAY, STARTTLS, alice, with, without};
use crate::service::Service;

fn health(config: &Value) -> (&str, i64) {
    let code = config["errorCode"].as_str().expect("a code");
    (code, config["authFailures"].as_i64().expect("a count"))
}

/// What a refused recipient leaves as it is.
fn without_last_check(mut config: Value) -> Value {
    let members = config.as_object_mut().expect("an object");
    members.retain(|name, _| !["lastCheck", "lastUpdated"].contains(&name.as_str()));
    config
}

/// Reply code, enhanced code, and the code of the diagnosis.
fn refusal(answer: &Value) -> (i64, &str, &str) {
    assert_eq!(answer["success"], json!(false), "{answer}");
    (
        answer["smtpResponseCode"].as_i64().unwrap_or_default(),
        answer["enhancedStatusCode"].as_str().unwrap_or_default(),
        answer["diagnosis"]["code"].as_str().unwrap_or_default(),
    )
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn put_with_a_wrong_password_stores_nothing() {
    let service = Service::start();
    let admin = service.admin("acme");
    for (port, security) in [(STARTTLS, "StartTLS"), (IMPLICIT_TLS, "SSL/TLS")] {
        let answer = admin.put(&with(alice(port, security), "emailPassword", "hunter2")).await.expect(400);
        assert_eq!(answer.error().0, "CONNECTIONCHECK-1");
        let diagnosis = &answer.json()["errors"][0]["meta"]["diagnosis"];
        assert_eq!((&diagnosis["code"], &diagnosis["stage"]), (&json!("AUTH_REJECTED"), &json!("auth")));
        let text = String::from_utf8_lossy(&answer.body);
        assert!(
            text.contains("535 5.7.8") && !text.contains("hunter2"),
            "the server's own reply, no secret: {text}"
        );
        assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
    }

    admin.put(&alice(STARTTLS, "StartTLS")).await.expect(204);
    let (before, tag) = (admin.config().await, admin.get(CONFIG).await.header("etag").map(str::to_owned));
    admin.put(&with(alice(IMPLICIT_TLS, "SSL/TLS"), "emailPassword", "hunter2")).await.expect(400);
    assert_eq!(admin.config().await, before, "what was stored stays");
    assert_eq!(admin.get(CONFIG).await.header("etag").map(str::to_owned), tag);
    assert_eq!(admin.verify().await["success"], json!(true), "with the old password");
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_wrong_password_that_was_patched_is_counted_until_it_is_mended() {
    let service = Service::start();
    let admin = service.admin("acme");
    admin.patch(&with(alice(STARTTLS, "StartTLS"), "emailPassword", "hunter2")).await.expect(204);
    assert_eq!(health(&admin.config().await), ("OK", 0), "not known to fail yet");
    for failures in 1..=2 {
        let answer = admin.verify().await;
        assert_eq!(refusal(&answer), (535, "5.7.8", "AUTH_REJECTED"));
        assert_eq!(answer["connectionFailed"], json!(false));
        let config = admin.config().await;
        assert_eq!(health(&config), ("INVALID_CREDENTIALS", failures));
        assert_eq!((&config["isValid"], &config["status"]["statusCode"]), (&json!(false), &json!(3)));
    }
    let sent = admin.send_test("starttls@example.com").await;
    assert_eq!(refusal(&sent), (535, "5.7.8", "AUTH_REJECTED"));
    assert_eq!((&sent["accepted"], &sent["rejected"]), (&json!([]), &json!([])));
    assert_eq!(health(&admin.config().await), ("INVALID_CREDENTIALS", 3));
    admin.patch(&json!({"emailPassword": "secret"})).await.expect(204);
    assert_eq!(health(&admin.config().await), ("OK", 0));
    assert_eq!(admin.verify().await["success"], json!(true));
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_refused_recipient_says_nothing_about_the_configuration() {
    let service = Service::start();
    let admin = service.admin("acme");
    admin.put(&alice(STARTTLS, "StartTLS")).await.expect(204);
    let before = without_last_check(admin.config().await);
    for (recipient, expected) in [
        ("nobody@example.com", (550, "5.1.1", "RECIPIENT_UNKNOWN")),
        ("grey@example.com", (450, "4.7.1", "GREYLISTED")),
    ] {
        let answer = admin.send_test(recipient).await;
        assert_eq!(refusal(&answer), expected, "{answer}");
        assert_eq!(answer["connectionFailed"], json!(false));
        assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!([]), &json!([recipient])));
        assert_eq!(answer["diagnosis"]["retryable"], json!(expected.0 < 500), "{answer}");
        let config = admin.config().await;
        assert_eq!(config["lastCheck"]["diagnosis"]["code"], json!(expected.2));
        assert!(!config["lastCheck"].to_string().contains(recipient), "{config}");
        assert_eq!(without_last_check(config), before, "health is unchanged");
    }
    let answer = admin.send_test("full@example.com").await;
    assert_eq!(
        (answer["smtpResponseCode"].as_i64(), &answer["rejected"]),
        (Some(552), &json!(["full@example.com"]))
    );
    assert_eq!(without_last_check(admin.config().await), before, "health is unchanged");
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_sender_that_is_not_the_users_is_told_by_put_and_verify() {
    let service = Service::start();
    let admin = service.admin("acme");
    let boss = with(alice(STARTTLS, "StartTLS"), "emailAddress", "boss@example.com");
    let refused = admin.put(&boss).await.expect(400).json();
    assert_eq!(refused["errors"][0]["meta"]["diagnosis"]["code"], json!("SENDER_NOT_OWNED"), "{refused}");
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
    admin.patch(&boss).await.expect(204);
    let answer = admin.verify().await;
    assert_eq!(refusal(&answer), (553, "5.7.1", "SENDER_NOT_OWNED"));
    assert_eq!((&answer["connectionFailed"], &answer["unproved"]), (&json!(false), &json!(["delivery"])));
    let config = admin.config().await;
    assert_eq!(health(&config), ("PROVIDER_ERROR", 0), "the sign-in worked");
    assert_eq!(config["lastCheck"]["diagnosis"], answer["diagnosis"]);
    admin.patch(&json!({"emailAddress": "alice@example.com"})).await.expect(204);
    assert_eq!(health(&admin.config().await), ("OK", 0));
    assert_eq!(admin.verify().await["success"], json!(true));
}

/// By default Postfix judges the sender only when it has seen a recipient.
#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_sender_that_is_refused_late_is_told_by_a_test_mail() {
    let service = Service::start();
    let admin = service.admin("acme");
    admin.put(&with(alice(IMPLICIT_TLS, "SSL/TLS"), "emailAddress", "boss@example.com")).await.expect(204);
    assert_eq!(admin.verify().await["success"], json!(true));
    let answer = admin.send_test("implicit@example.com").await;
    assert_eq!(refusal(&answer), (553, "5.7.1", "SENDER_NOT_OWNED"));
    assert_eq!(
        (&answer["accepted"], &answer["rejected"]),
        (&json!([]), &json!([])),
        "it was not the recipient"
    );
    assert_eq!(health(&admin.config().await), ("PROVIDER_ERROR", 0));
}

/// What an administrator may choose wrongly in the form, at a real server: nothing is stored, and it is told.
#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_wrong_choice_in_the_form_is_named() {
    let service = Service::start();
    let admin = service.admin("acme");
    let relay = |port, security| without(alice(port, security), &["username", "emailPassword"]);
    let cases = [
        (alice(STARTTLS, "SSL/TLS"), "TLS_MODE_MISMATCH_USE_STARTTLS"),
        (alice(IMPLICIT_TLS, "StartTLS"), "TLS_MODE_MISMATCH_USE_IMPLICIT"),
        (alice(RELAY, "StartTLS"), "STARTTLS_MISSING"),
        (alice(STARTTLS, "none"), "AUTH_NEEDS_TLS"),
        (relay(RELAY, "SSL/TLS"), "TLS_MODE_MISMATCH_USE_STARTTLS"),
        (with(alice(STARTTLS, "StartTLS"), "serverAddress", "127.0.0.1"), "TLS_CERT_NAME"),
        (alice(587, "StartTLS"), "CONNECT_REFUSED"),
    ];
    for (settings, code) in cases {
        let answer = admin.put(&settings).await.expect(400);
        let diagnosis = &answer.json()["errors"][0]["meta"]["diagnosis"];
        assert_eq!(diagnosis["code"], json!(code), "{settings}: {diagnosis}");
    }
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_relay_that_wants_encryption_first_is_told_by_put_and_verify() {
    let service = Service::start();
    let admin = service.admin("acme");
    let relay = without(alice(STARTTLS, "none"), &["username", "emailPassword"]);
    let refused = admin.put(&relay).await.expect(400).json();
    assert_eq!(refused["errors"][0]["meta"]["diagnosis"]["code"], json!("STARTTLS_REQUIRED"), "{refused}");
    admin.patch(&relay).await.expect(204);
    let answer = admin.verify().await;
    assert_eq!(refusal(&answer), (530, "5.7.0", "STARTTLS_REQUIRED"));
    assert_eq!(health(&admin.config().await), ("PROVIDER_ERROR", 0));
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_certificate_of_an_unknown_authority_is_refused_before_the_password_is_sent() {
    let service = Service::with(&[]);
    let admin = service.admin("acme");
    for (port, security) in [(STARTTLS, "StartTLS"), (IMPLICIT_TLS, "SSL/TLS")] {
        admin.patch(&alice(port, security)).await.expect(204);
        let answer = admin.verify().await;
        assert_eq!(refusal(&answer), (0, "", "TLS_CERT_UNTRUSTED"));
        assert_eq!(answer["connectionFailed"], json!(true));
        assert!(!answer["diagnosis"]["transcript"].to_string().contains("\"auth\""), "{answer}");
        assert_eq!(health(&admin.config().await), ("PROVIDER_ERROR", 0));
    }
}
