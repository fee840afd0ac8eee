//! Delivery through Graph: one call for all recipients, and no copy where the outcome is not known.

use serde_json::{Value, json};
use transports::dev::fake_microsoft365::ScriptedResponse;

use super::{EMAILS, status};
use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::eventually::eventually;
use crate::support::microsoft365::{Microsoft, put};

async fn started() -> (Microsoft, TestApp, Client) {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service_with(|config| config.delivery.enabled = true).await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    (microsoft, app, admin)
}

fn email() -> Value {
    json!({
        "to": ["Bob <bob@example.net>"], "cc": "carol@example.net", "bcc": "dora@example.net", "subject": "Hello",
        "text": "Hello",
    })
}

fn leave_the_next_outcome_unknown(microsoft: &Microsoft) {
    let timeout = ScriptedResponse::Respond { status: 504, headers: Vec::new(), body: String::new() };
    microsoft.fake.script_mail(timeout);
}

async fn until(admin: &Client, id: &Value, wanted: &str) -> Value {
    let path = format!("{EMAILS}/{}", id.as_str().expect("an id"));
    let mut email = Value::Null;
    eventually("an email comes into a state", async || {
        email = admin.get(&path).await.expect(200).json();
        status(&email) == wanted
    })
    .await;
    email
}

#[tokio::test]
async fn all_recipients_go_in_one_call_hidden_ones_too() {
    let (microsoft, _app, admin) = started().await;
    let id = admin.json("POST", EMAILS, &email()).await.expect(202).json()["id"].clone();
    let email = until(&admin, &id, "accepted").await;
    assert_eq!(email["recipients"][0]["last"]["stage"], json!("graph"));
    assert_eq!(microsoft.fake.mail_requests(), 1);
    let mails = microsoft.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("Bcc: dora@example.net\r\n"), "{}", mails[0]);
    assert!(mails[0].contains("From: "), "{}", mails[0]);
}

#[tokio::test]
async fn an_unknown_outcome_makes_no_copy() {
    let (microsoft, app, admin) = started().await;
    leave_the_next_outcome_unknown(&microsoft);
    let id = admin.json("POST", EMAILS, &email()).await.expect(202).json()["id"].clone();
    let unknown = until(&admin, &id, "unknown").await;
    assert_eq!(unknown["on_unknown"], json!("hold"));
    app.clock.advance(2 * 3_600 * 1_000);
    let admin = app.admin("acme");
    let next = admin.json("POST", EMAILS, &email()).await.expect(202).json()["id"].clone();
    until(&admin, &next, "accepted").await;
    assert_eq!(until(&admin, &id, "unknown").await["recipients"][0]["copies"], json!(0));
    assert_eq!(microsoft.fake.mail_requests(), 2);
}

#[tokio::test]
async fn an_envelope_of_its_own_and_a_large_message_are_refused_at_the_door() {
    let (_microsoft, _app, admin) = started().await;
    // "From: …", "To: …" and an empty line in base64.
    let raw = json!({
        "raw": "RnJvbTogYUBleGFtcGxlLmNvbQ0KVG86IGJAZXhhbXBsZS5jb20NCg0KaGkNCg==",
        "envelope": {"to": ["bob@example.net"]},
    });
    let refused = admin.json("POST", EMAILS, &raw).await.expect(422).json();
    assert_eq!(refused["errors"][0]["source"], json!({"pointer": "/envelope"}), "{refused}");
    let mut large = email();
    large["text"] = json!("x".repeat(3 * 1024 * 1024));
    let refused = admin.json("POST", EMAILS, &large).await.expect(413).json();
    assert_eq!(refused["name"], json!("message_too_large"));
}

/// Graph sends to those whom the header names: a retry of some names these alone.
#[tokio::test]
async fn a_retry_of_some_recipients_reaches_no_other_one() {
    let (microsoft, app, admin) = started().await;
    leave_the_next_outcome_unknown(&microsoft);
    let id = admin.json("POST", EMAILS, &email()).await.expect(202).json()["id"].clone();
    let first = until(&admin, &id, "unknown").await;
    let path = format!("{EMAILS}/{}", id.as_str().expect("an id"));
    let states = |email: &Value| -> Vec<String> {
        let recipients = email["recipients"].as_array().expect("recipients").iter();
        recipients.map(|recipient| recipient["state"].as_str().expect("a state").to_owned()).collect()
    };
    let mail_after = async |count: usize| {
        eventually("Graph gets another mail", async || microsoft.mails().len() == count).await;
        microsoft.mails().pop().expect("a mail")
    };

    admin
        .json("POST", &format!("{path}/retry"), &json!({"recipients": ["carol@example.net"]}))
        .await
        .expect(200);
    let mail = mail_after(1).await;
    assert!(mail.contains("Cc: carol@example.net\r\n"), "{mail}");
    assert!(!mail.contains("bob@example.net") && !mail.contains("dora@example.net"), "{mail}");
    assert!(!mail.contains("\r\nTo:") && !mail.starts_with("To:"), "{mail}");
    let message_id = first["message_id"].as_str().expect("an id");
    assert!(mail.contains(message_id), "the same Message-ID");
    eventually("carol alone is accepted", async || {
        states(&admin.get(&path).await.expect(200).json()) == ["unknown", "accepted", "unknown"]
    })
    .await;

    // Those who are left, without a name. The account's pace takes the third mail some seconds later.
    app.clock.advance(5_000);
    admin
        .json("POST", &format!("{path}/settle"), &json!({"recipients": ["dora@example.net"]}))
        .await
        .expect(200);
    admin.post(&format!("{path}/retry")).await.expect(200);
    let mail = mail_after(2).await;
    assert!(mail.contains("To: Bob <bob@example.net>\r\n"), "with the name: {mail}");
    assert!(!mail.contains("carol@example.net") && !mail.contains("dora@example.net"), "{mail}");
    until(&admin, &id, "accepted").await;
}
