//! Sending by SMTP with a token.

use super::*;

/// A service that hands mail to Microsoft's submission server, which a script plays.
async fn by_smtp(script: Script) -> (Microsoft, crate::support::app::TestApp, SmtpServer, Client) {
    let microsoft = Microsoft::start().await;
    let certificate = certificates::valid_for(&["smtp.office365.com"]);
    let server = SmtpServer::start(script.certificate(&certificate)).await;
    let address = format!("smtp.office365.com:{}", server.port());
    let app = microsoft
        .service_with(|config| {
            config.microsoft365.transport = MicrosoftTransport::Smtp;
            config.microsoft365.smtp_server = Some(address);
        })
        .await;
    app.names.set("smtp.office365.com", &["127.0.0.1"]);
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    (microsoft, app, server, admin)
}

/// Security case J7.
#[tokio::test]
async fn smtp_reads_the_whole_reply_to_a_refused_token() {
    let refusing =
        Script::starttls().with("AUTH LOGIN XOAUTH2").no_token("535 5.7.3 Authentication unsuccessful");
    let (microsoft, _app, server, admin) = by_smtp(refusing).await;
    let answer = admin.verify().await;
    assert_eq!(answer["diagnosis"]["code"], json!("M365_APP_NOT_REGISTERED_IN_EXCHANGE"), "{answer}");
    assert!(answer["diagnosis"]["steps"].to_string().contains("New-ServicePrincipal"), "{answer}");
    server.ended().await;
    let lines = server.lines();
    assert!(lines.iter().any(|line| line.starts_with("AUTH XOAUTH2")), "{lines:?}");
    let shown = admin.config().await;
    assert_eq!((&shown["errorCode"], &shown["authFailures"]), (&json!("PROVIDER_ERROR"), &json!(0)));
    assert!(microsoft.mails().is_empty());
}

#[tokio::test]
async fn smtp_sends_a_mail_with_a_token() {
    let accepting = Script::starttls().with("AUTH LOGIN XOAUTH2").any_token();
    let (microsoft, _app, server, admin) = by_smtp(accepting).await;
    let answer = admin.verify().await;
    assert_eq!((&answer["success"], &answer["unproved"]), (&json!(true), &json!(["delivery"])), "{answer}");
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!((&answer["success"], &answer["smtpResponseCode"]), (&json!(true), &json!(250)), "{answer}");
    server.ended().await;
    assert_eq!(server.mails().len(), 1);
    assert_eq!(server.mails()[0].from, microsoft.registration.mailbox);
    assert!(microsoft.mails().is_empty(), "not through Graph");
}

#[tokio::test]
async fn a_plain_user_reads_a_general_microsoft365_outcome() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    put(&app.admin("acme"), &microsoft.provider_config()).await.expect(204);
    microsoft.fake.refuse_token(7_000_215, "invalid_client");
    let answer = app.member("acme").post(VERIFY).await.expect(200).json();
    let shown: Vec<&String> = answer["diagnosis"].as_object().expect("a diagnosis").keys().collect();
    assert_eq!(shown, ["code", "owner", "title"]);
    assert!(!answer.to_string().contains(&microsoft.registration.client_id));
}
