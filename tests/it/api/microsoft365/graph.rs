//! Sending through Graph, and its refusals.

use super::*;

#[tokio::test]
async fn a_test_mail_goes_through_graph_byte_by_byte() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let mail = json!({"recipient": "bob@example.org", "subject": "Grüße", "body": "Hallo\n.\nTschüß"});
    let answer = admin.json("POST", SEND_TEST, &mail).await.expect(200).json();
    assert_eq!(answer["success"], json!(true), "{answer}");
    assert_eq!(answer.get("smtpResponseCode"), None, "an HTTP status is no SMTP reply");
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(["bob@example.org"]), &json!([])));
    let mails = microsoft.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("To: bob@example.org\r\n") && mails[0].contains("From: "), "{}", mails[0]);
    assert!(mails[0].contains(&microsoft.registration.mailbox));
}

#[tokio::test]
async fn rows_83_to_90_are_told_by_graphs_codes() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let cases = [
        (403, "ErrorSendAsDenied", "", "GRAPH_SEND_AS_DENIED"),
        (403, "ErrorAccessDenied", "", "GRAPH_MAILBOX_OUT_OF_SCOPE"),
        (403, "ErrorAccessDenied", "Access to OData is disabled.", "GRAPH_MAILBOX_OUT_OF_SCOPE"),
        (404, "ErrorInvalidUser", "", "GRAPH_USER_NOT_FOUND"),
        (404, "MailboxNotEnabledForRESTAPI", "", "GRAPH_NO_CLOUD_MAILBOX"),
        (429, "ApplicationThrottled", "", "GRAPH_THROTTLED"),
        (503, "ErrorServerBusy", "", "GRAPH_THROTTLED"),
        (413, "RequestBodyTooLarge", "", "GRAPH_TOO_LARGE"),
        (400, "ErrorMimeContentInvalidBase64String", "", "GRAPH_MIME"),
        (500, "InternalServerError", "", "OUTCOME_UNKNOWN"),
        (504, "GatewayTimeout", "", "OUTCOME_UNKNOWN"),
        (400, "ErrorSomethingNew", "What is this?", "UNKNOWN_REPLY"),
    ];
    for (status, graph_code, message, code) in cases {
        microsoft.fake.refuse_mail(status, graph_code, message);
        let answer = admin.send_test("bob@example.org").await;
        assert_eq!(answer["diagnosis"]["code"], json!(code), "{graph_code}: {answer}");
        assert_eq!((&answer["success"], &answer["accepted"]), (&json!(false), &json!([])));
        let shown = admin.config().await;
        assert_eq!((&shown["errorCode"], &shown["authFailures"]), (&json!("PROVIDER_ERROR"), &json!(0)));
    }
    microsoft.fake.update(|registration| registration.roles.clear());
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("GRAPH_PERMISSION_MISSING"), "{answer}");
}

#[tokio::test]
async fn a_mail_without_a_response_may_have_been_sent() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    microsoft.fake.script_mail(ScriptedResponse::Hang);
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("OUTCOME_UNKNOWN"), "{answer}");
    assert_eq!(answer["diagnosis"]["retryable"], json!(false));
}

#[tokio::test]
async fn a_request_to_wait_is_honoured() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    microsoft.fake.script_mail(answer(429, &[("retry-after", "1")], "{}"));
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true), "a short wait is waited");
    assert_eq!(microsoft.fake.mail_requests(), 2);
    microsoft.fake.script_mail(answer(429, &[("retry-after", "120")], "{}"));
    assert_eq!(admin.send_test("bob@example.org").await["diagnosis"]["code"], json!("GRAPH_THROTTLED"));
    let held = admin.send_test("bob@example.org").await;
    assert_eq!(held["diagnosis"]["code"], json!("GRAPH_THROTTLED"), "{held}");
    assert_eq!(microsoft.fake.mail_requests(), 3, "not called again before the time is over");
    app.clock.advance(120_000);
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true));
}
