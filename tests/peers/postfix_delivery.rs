//! From a configuration to the mail in the mailbox, on each of Postfix's ports.

use serde_json::{Value, json};

use crate::client::{Client, SEND_TEST};
use crate::mail_server::{
    IMPLICIT_TLS, Mailbox, RELAY, STARTTLS, alice, header, headers, read, text, with, without,
};
use crate::service::Service;

/// Everything that a line end, a dot or a letter could break on its way.
fn difficult_body() -> String {
    let long = "äöü und noch viel mehr ".repeat(200);
    format!(
        "Grüße aus Zürich – こんにちは 🎉\n.\n..\n.dot first\n\nFrom here on\n-- \n{long}\ntrailing space \n\ttab\n\
         =3D is no equals sign\n--boundary--\nRCPT TO:<bob@example.com>\nQUIT\n.\n\nthe last line\n"
    )
}

async fn send(admin: &Client, recipient: &str, subject: &str, body: &str) -> Value {
    let mail = json!({"recipient": recipient, "subject": subject, "body": body});
    admin.json("POST", SEND_TEST, &mail).await.expect(200).json()
}

#[track_caller]
fn assert_sent(answer: &Value, recipient: &str) {
    assert_eq!(answer["success"], json!(true), "{answer}");
    assert_eq!(answer["connectionFailed"], json!(false));
    assert_eq!(answer["smtpResponseCode"], json!(250));
    assert_eq!(answer["enhancedStatusCode"], json!("2.0.0"));
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!([recipient]), &json!([])));
    assert_eq!(answer.get("diagnosis"), None, "{answer}");
}

#[track_caller]
fn assert_healthy(config: &Value) {
    let health = (&config["isValid"], &config["errorCode"], &config["authFailures"]);
    assert_eq!(health, (&json!(true), &json!("OK"), &json!(0)), "{config}");
    assert_eq!(config["status"], json!({"statusCode": 0, "statusReason": "OK"}));
}

/// Checks the connection, sends, and reads what arrives.
async fn deliver(settings: &Value, name: &str, protocol: &str) {
    let service = Service::start();
    let admin = service.admin(name);
    let (recipient, subject) = (format!("{name}@example.com"), format!("Prüfung der Verbindung – {name} ✓"));
    let mut mailbox = Mailbox::open(name);

    admin.put(settings).await.expect(204);
    let verified = admin.verify().await;
    assert_eq!(verified["success"], json!(true), "{verified}");
    assert_eq!(verified["unproved"], json!(["delivery"]), "the sender was asked about");
    assert_eq!(verified.get("diagnosis"), None, "{verified}");
    assert_sent(&send(&admin, &recipient, &subject, &difficult_body()).await, &recipient);
    assert_healthy(&admin.config().await);

    let bytes = mailbox.next().await;
    assert!(bytes.is_ascii(), "nothing that a server without 8BITMIME could break");
    assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998), "RFC 5321 section 4.5.3.1.6");
    assert!(!bytes.contains(&b'\r') && !bytes.contains(&0), "no line end of another kind");
    assert_eq!(header(&bytes, "Return-Path"), "<alice@example.com>");
    assert_eq!(header(&bytes, "Delivered-To"), recipient);
    let received = header(&bytes, "Received");
    assert!(received.contains(&format!("(Postfix) with {protocol} id ")), "{received}");
    assert_eq!(header(&bytes, "To"), recipient);
    assert_eq!(header(&bytes, "MIME-Version"), "1.0");
    let names: Vec<String> = headers(&bytes).into_iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    assert!(!names.iter().any(|name| name == "bcc" || name == "sender"), "{names:?}");

    let mail = read(&bytes);
    assert_eq!(mail.subject(), Some(subject.as_str()));
    let from = mail.from().and_then(|from| from.first()).expect("one From");
    assert_eq!((from.name(), from.address()), (Some("Zoë Müller, Grüße & Söhne"), Some("alice@example.com")));
    assert_eq!(text(&mail).trim_end_matches('\n'), difficult_body().trim_end_matches('\n'));
    assert!(mail.date().is_some_and(mail_parser::DateTime::is_valid), "{}", header(&bytes, "Date"));
    let id = header(&bytes, "Message-ID");
    assert!(id.starts_with('<') && id.ends_with('>') && id.matches('@').count() == 1, "{id}");

    // A second one is another mail.
    assert_sent(&admin.send_test(&recipient).await, &recipient);
    let second = mailbox.next().await;
    assert_ne!(header(&second, "Message-ID"), id);
    assert!(!text(&read(&second)).trim().is_empty(), "a text of ours");
}

fn named(settings: Value) -> Value {
    with(settings, "senderName", "Zoë Müller, Grüße & Söhne")
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_mail_over_starttls_arrives_as_it_was_written() {
    deliver(&named(alice(STARTTLS, "StartTLS")), "starttls", "ESMTPSA").await;
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_mail_over_implicit_tls_arrives_as_it_was_written() {
    deliver(&named(alice(IMPLICIT_TLS, "SSL/TLS")), "implicit", "ESMTPSA").await;
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_mail_through_a_relay_without_sign_in_arrives_as_it_was_written() {
    let settings = without(alice(RELAY, "none"), &["username", "emailPassword"]);
    deliver(&named(settings), "relay", "ESMTP").await;
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_password_with_other_letters_signs_in() {
    let service = Service::start();
    let admin = service.admin("acme");
    let settings = with(alice(STARTTLS, "StartTLS"), "username", "bob");
    let settings =
        with(with(settings, "emailPassword", r#"Grüße & "10 %" \ {x}"#), "emailAddress", "bob@example.com");
    let mut mailbox = Mailbox::open("bob");
    admin.put(&settings).await.expect(204);
    assert_sent(&admin.send_test("bob@example.com").await, "bob@example.com");
    assert_eq!(header(&mailbox.next().await, "From"), "bob@example.com");
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn a_configuration_by_patch_signs_in_like_one_by_put() {
    let service = Service::start();
    let admin = service.admin("acme");
    admin.patch(&alice(IMPLICIT_TLS, "SSL/TLS")).await.expect(204);
    let verified = admin.verify().await;
    assert_eq!(verified["success"], json!(true), "{verified}");
    assert_healthy(&admin.config().await);
}
