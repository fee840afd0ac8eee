//! The rows of the diagnosis table that name a provider, or what a server says of sender, recipient and content:
//! each reply played by a scripted server under the provider's name, and the whole diagnosis held.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::certificates;
use crate::support::smtp_server::{At, Script, SmtpServer, good_password};

const ANY_HOST: &str = "mail.example.com";
const MICROSOFT: &str = "smtp.office365.com";
const MX: &str = "example-com.mail.protection.outlook.com";
const GMAIL: &str = "smtp.gmail.com";
const GMAIL_RELAY: &str = "smtp-relay.gmail.com";
const SES: &str = "email-smtp.eu-west-1.amazonaws.com";
const SENDGRID: &str = "smtp.sendgrid.net";
const BREVO: &str = "smtp-relay.brevo.com";

/// The row, the server's name, the place and the reply.
type Row = (&'static str, &'static str, At, &'static str);

async fn played(rows: Vec<Row>) -> String {
    played_as("ada@example.com", rows).await
}

/// Sends a test mail for each row, and gives all that an administrator reads.
async fn played_as(username: &str, rows: Vec<Row>) -> String {
    let app = TestApp::start().await;
    let mut page = String::new();
    for (number, (row, host, at, reply)) in rows.into_iter().enumerate() {
        let certificate = certificates::valid_for(&[host]);
        let script =
            Script::starttls().certificate(&certificate).account(username, good_password()).on(at, reply);
        let server = SmtpServer::start(script).await;
        app.names.set(host, &["127.0.0.1"]);
        let admin = app.admin(&format!("tenant {number}"));
        let fields = json!({
            "serverAddress": host, "serverPort": server.port(), "securityType": "StartTLS", "username": username,
            "emailPassword": good_password(), "emailAddress": "ada@example.com",
        });
        admin.patch(&fields).await.expect(204);
        let answer = admin.send_test("bob@example.org").await;
        let config = admin.config().await;
        write(&mut page, row, &answer, &config);
    }
    page
}

fn write(page: &mut String, row: &str, answer: &Value, config: &Value) {
    let diagnosis = &answer["diagnosis"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let last = diagnosis["transcript"].as_array().and_then(|entries| entries.last());
    let lines = [
        format!("## {row}: {}", text(&diagnosis["code"])),
        text(&answer["message"]),
        text(&diagnosis["meaning"]),
        format!(
            "{} · stage {} · {} · retryable {} · connectionFailed {} · {} · authFailures {}",
            text(&diagnosis["owner"]),
            text(&diagnosis["stage"]),
            text(&diagnosis["confidence"]),
            diagnosis["retryable"],
            answer["connectionFailed"],
            text(&config["errorCode"]),
            config["authFailures"],
        ),
        format!("last: {}", last.map(|entry| text(&entry["detail"])).unwrap_or_default()),
    ];
    let _ = writeln!(page, "{}", lines.join("\n"));
    for member in ["steps", "links"] {
        for line in diagnosis[member].as_array().into_iter().flatten() {
            let _ = writeln!(page, "- {}", text(line));
        }
    }
    page.push('\n');
}

#[tokio::test]
async fn part_c_google() {
    let page = played(vec![
        ("24", GMAIL, At::Auth, "535 5.7.8 Username and Password not accepted. https://support.google.com/mail/?p=BadCredentials x"),
        ("25", GMAIL, At::Auth, "534 5.7.9 Application-specific password required. https://support.google.com/mail/?p=InvalidSecondFactor"),
        ("26", GMAIL, At::Auth, "534 5.7.14 <https://accounts.google.com/signin> Please log in via your web browser"),
        ("27", GMAIL, At::Auth, "454 4.7.0 Too many login attempts, please try again later."),
        ("27", ANY_HOST, At::Auth, "454 4.7.0 temporary authentication failure"),
        ("29", GMAIL_RELAY, At::Mail, "550 5.7.1 Invalid credentials for relay [192.0.2.1]"),
        ("29", GMAIL_RELAY, At::Rcpt, "550 5.7.0 Mail relay denied [192.0.2.1]"),
    ])
    .await;
    insta::assert_snapshot!(page);
}

#[tokio::test]
async fn part_d_microsoft_365_by_smtp() {
    let page = played(vec![
        ("30", MICROSOFT, At::Auth, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."),
        ("31", MICROSOFT, At::Auth, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."),
        ("32", "smtp-mail.outlook.com", At::Auth, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."),
        ("33", MICROSOFT, At::Auth, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."),
        ("34", MICROSOFT, At::Auth, "550 5.7.30 Basic authentication is not supported for Client Submission."),
        ("35", MICROSOFT, At::Auth, "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy."),
        ("36", MICROSOFT, At::Auth, "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully."),
        ("37", MICROSOFT, At::Auth, "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect."),
        ("38", MICROSOFT, At::Auth, "535 5.7.3 Authentication unsuccessful"),
        ("41", MICROSOFT, At::Mail, "530 5.7.57 Client not authenticated to send mail."),
        ("42", MICROSOFT, At::Message, "432 4.3.2 Concurrent connections limit exceeded."),
    ])
    .await;
    insta::assert_snapshot!(page);
}

#[tokio::test]
async fn part_d_a_personal_mailbox() {
    let reply =
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.";
    let page = played_as("anna@hotmail.com", vec![("32", MICROSOFT, At::Auth, reply)]).await;
    insta::assert_snapshot!(page);
}

#[tokio::test]
async fn part_e_sender_and_recipient() {
    let page = played(vec![
        ("43", MICROSOFT, At::Mail, "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
        ("44", MICROSOFT, At::Message, "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example; STOREDRV.Submission"),
        ("46", SES, At::Message, "554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: ada@example.com"),
        ("46", SES, At::Message, "554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: bob@example.org"),
        ("47", SENDGRID, At::Message, "550 The from address does not match a verified Sender Identity."),
        ("48", SES, At::Auth, "535 Authentication Credentials Invalid"),
        ("49", SENDGRID, At::Auth, "535 Authentication failed: Bad username / password"),
        ("50", BREVO, At::Auth, "502 5.7.0 Your SMTP account is not yet activated."),
        ("50", BREVO, At::Auth, "525 5.7.1 Unauthorized IP address"),
        ("51", MICROSOFT, At::Message, "550 5.1.8 Access denied, bad outbound sender AS(42004)"),
        ("53", MX, At::Rcpt, "550 5.7.64 TenantAttribution; Relay Access Denied"),
        ("55", ANY_HOST, At::Rcpt, "451 4.7.1 Greylisting in action, please come back later"),
        ("56", ANY_HOST, At::Rcpt, "452 4.5.3 Too many recipients"),
    ])
    .await;
    insta::assert_snapshot!(page);
}

#[tokio::test]
async fn part_f_content_quota_and_reputation() {
    let page = played(vec![
        ("58", GMAIL, At::Message, "552 5.2.3 Your message exceeded Google's message size limits"),
        ("59", GMAIL, At::Message, "550 5.4.5 Daily user sending limit exceeded"),
        (
            "60",
            MICROSOFT,
            At::Message,
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
        ),
        ("61", MICROSOFT, At::Message, "550 5.7.233 tenant external recipient rate limit"),
        ("62", GMAIL, At::Message, "421 4.7.28 Our system has detected an unusual rate of unsolicited mail"),
        ("63", SES, At::Message, "454 Throttling failure: Maximum sending rate exceeded."),
        ("64", MICROSOFT, At::Mail, "451 4.7.0 Temporary server error. Please try again later."),
        ("65", MICROSOFT, At::Message, "451 4.7.651 AS843 traffic paused"),
        ("66", GMAIL, At::Message, "550 5.7.26 Unauthenticated email from example.com is not accepted"),
        (
            "67",
            MICROSOFT,
            At::Message,
            "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP",
        ),
        ("69", ANY_HOST, At::Message, "554 5.7.1 Virus found"),
    ])
    .await;
    insta::assert_snapshot!(page);
}
