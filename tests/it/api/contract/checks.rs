//! Validate, verify-connection and send-test-email: bodies and refusals.

use super::*;

#[tokio::test]
async fn validate_answers_exactly_two_fields() {
    let (app, _admin) = configured().await;
    let validation = app.member("acme").post(VALIDATE).await.expect(200).json();
    assert_eq!(validation, json!({"isValid": true, "errorCode": "OK"}));
}

#[tokio::test]
async fn checking_an_incomplete_configuration_names_the_fields_without_connecting() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin.patch(&json!({"serverAddress": "smtp.example.com"})).await.expect(204);
    let before = admin.config().await;
    for answer in [admin.verify().await, admin.send_test("bob@example.com").await] {
        assert_eq!(answer["success"], json!(false));
        assert_eq!(answer["connectionFailed"], json!(false));
        assert_eq!(answer["diagnosis"]["code"], json!("CONFIG_INCOMPLETE"));
        let text = answer["diagnosis"].to_string();
        for field in ["serverPort", "securityType", "emailAddress"] {
            assert!(text.contains(field), "{field} in {text}");
        }
        assert_eq!(answer.get("smtpResponseCode"), None);
    }
    assert_eq!(app.names.asked(), 0);
    assert_eq!(admin.config().await, before, "health is untouched");
}

#[tokio::test]
async fn send_test_email_reads_its_body_strictly() {
    let (_app, admin) = configured().await;
    let send = |body: Value| {
        let admin = admin.clone();
        async move { admin.json("POST", SEND_TEST, &body).await.expect(400).json() }
    };
    let titles = |body: &Value| -> Vec<String> {
        let errors = body["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["title"].as_str().expect("a title").to_owned()).collect()
    };
    assert_eq!(titles(&send(json!({})).await), ["recipient is required"]);
    assert_eq!(titles(&send(json!([])).await), ["The body is not an object"]);
    assert_eq!(
        titles(&send(json!({"recipient": 1, "subject": 2, "body": null, "to": "x"})).await),
        [
            "recipient is not a string",
            "subject is not a string",
            "body is not a string",
            "to is not a known field"
        ]
    );
    let injected = send(json!({"recipient": "a@example.com", "subject": "hi\r\nBcc: e@example.com"})).await;
    assert!(titles(&injected)[0].starts_with("subject contains a line break"), "{injected}");
    admin.post(SEND_TEST).await.expect(400);
    admin.send("POST", SEND_TEST, &[("content-type", "application/json")], Vec::new()).await.expect(400);
}

/// Security cases C1, C2, C3.
#[tokio::test]
async fn a_recipient_is_exactly_one_plain_address() {
    let (app, admin) = configured().await;
    let recipients = [
        "b@x.org>\r\nRCPT TO:<evil@y.org",
        "b@x.org\r",
        "b@x.org\n",
        "b\0@x.org",
        "b\u{2028}@x.org",
        "b\u{85}c@x.org",
        "a@x.org,b@y.org",
        "a@x.org;b@y.org",
        "a@x.org b@y.org",
        "a@x.org\tb@y.org",
        "group:a@x.org;",
        "\"evil@x.org x\"@y.org",
        "<a@x.org>b@y.org",
        "=?utf-8?q?a?=@x.org",
        "a(comment)@x.org",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "",
        "a",
        "@x.org",
        "a@",
        "a@localhost",
        "a@x_y.org",
        "a@@x.org",
    ];
    for recipient in recipients {
        let answer = admin.json("POST", SEND_TEST, &json!({ "recipient": recipient })).await;
        let error = answer.expect(400).error();
        assert!(error.0 == "INPUTCHECK-1" && error.1.starts_with("recipient "), "{recipient:?}: {error:?}");
    }
    assert_eq!(app.names.asked(), 0, "nothing was dialled");
}
