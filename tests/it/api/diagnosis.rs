//! Every row of the diagnosis table that SMTP can show, played by a scripted server and read at the API.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::certificates;
use crate::support::client::Client;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password, reply};

/// A tenant whose mail server plays a script.
struct Stage {
    app: TestApp,
    server: SmtpServer,
    admin: Client,
}

/// The host name that resolves to the scripted server.
const HOST: &str = "mail.example.com";

impl Stage {
    async fn new(security: &str, script: Script) -> Self {
        Self::at(HOST, security, script).await
    }

    async fn at(host: &str, security: &str, script: Script) -> Self {
        let app = TestApp::with(|config| {
            config.rate_limit.tier2_per_minute = 0;
            config.egress.timeout_seconds = 2;
        })
        .await;
        let server = SmtpServer::start(script).await;
        app.names.set(host, &["127.0.0.1"]);
        let admin = app.admin("acme");
        admin.patch(&settings(host, server.address, security)).await.expect(204);
        Self { app, server, admin }
    }

    /// Sends a test mail and reads the configuration's health after it.
    async fn send(&self) -> (Value, Value) {
        (self.admin.send_test("bob@example.org").await, self.admin.config().await)
    }

    async fn verify(&self) -> (Value, Value) {
        (self.admin.verify().await, self.admin.config().await)
    }
}

fn settings(host: &str, server: SocketAddr, security: &str) -> Value {
    json!({
        "serverAddress": host, "serverPort": server.port(), "securityType": security, "username": USER,
        "emailPassword": good_password(), "emailAddress": "ada@example.com",
    })
}

/// What an answer and the configuration after it say, in short.
#[track_caller]
fn expect(row: &str, answer: &Value, config: &Value, code: &str, failed: bool, error_code: &str) {
    assert_eq!(answer["success"], json!(false), "row {row}: {answer}");
    let diagnosis = &answer["diagnosis"];
    assert_eq!(diagnosis["code"], json!(code), "row {row}: {answer}");
    assert_eq!(answer["connectionFailed"], json!(failed), "row {row}: {answer}");
    assert_eq!(config["errorCode"], json!(error_code), "row {row}: {config}");
    let refused = i64::from(error_code == "INVALID_CREDENTIALS");
    assert_eq!(config["authFailures"], json!(refused), "row {row}: {config}");
    for text in ["title", "meaning"] {
        assert!(diagnosis[text].as_str().is_some_and(|text| !text.is_empty()), "row {row}: {diagnosis}");
    }
    assert!(diagnosis["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "row {row}: {diagnosis}");
    let shown = answer.to_string();
    assert!(!shown.contains(good_password()), "row {row}: {shown}");
}

#[tokio::test]
async fn rows_1_to_6_before_smtp_speaks() {
    let stage = Stage::new("StartTLS", Script::starttls()).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    stage.app.names.set("private.example.com", &["10.0.0.5"]);
    let cases = [
        ("1", "nowhere.example.com", stage.server.port(), "DNS_NOT_FOUND"),
        ("2", "servfail.example.com", stage.server.port(), "DNS_UNAVAILABLE"),
        ("3", "private.example.com", stage.server.port(), "DEST_BLOCKED"),
        ("5", HOST, closed.port(), "CONNECT_REFUSED"),
    ];
    for (row, host, port, code) in cases {
        let fields = json!({"serverAddress": host, "serverPort": port, "emailPassword": good_password()});
        stage.admin.patch(&fields).await.expect(204);
        let (answer, config) = stage.verify().await;
        expect(row, &answer, &config, code, true, "PROVIDER_ERROR");
        assert_eq!(answer.get("smtpResponseCode"), None);
    }
    assert_eq!(stage.server.connections(), 0);
}

#[tokio::test]
async fn row_4_a_port_that_is_not_allowed_any_more() {
    let first = TestApp::start().await;
    let admin = first.admin("acme");
    admin
        .patch(&settings("127.0.0.1", "127.0.0.1:2526".parse().expect("an address"), "none"))
        .await
        .expect(204);
    let app = TestApp::with_database(first.stop().await, |config| config.egress.ports = vec![587]).await;
    let admin = app.admin("acme");
    let (answer, config) = (admin.verify().await, admin.config().await);
    expect("4", &answer, &config, "PORT_BLOCKED", true, "PROVIDER_ERROR");
    assert_eq!(answer["diagnosis"]["stage"], json!("policy"));
}

#[tokio::test]
async fn row_7_a_dead_ipv6_path_is_told_where_ipv4_works() {
    let stage = Stage::new("none", Script::plain()).await;
    stage.app.names.set(HOST, &["::1", "127.0.0.1"]);
    let (answer, config) = stage.verify().await;
    assert_eq!(answer["success"], json!(true), "{answer}");
    let message = answer["message"].as_str().expect("a message");
    assert!(message.contains("IPv6"), "{message}");
    assert_eq!(config["errorCode"], json!("OK"));
}

/// Servers of one name need not agree: one may refuse the client, or be closing.
#[tokio::test]
async fn a_greeting_that_refuses_is_a_reason_to_try_the_next_address() {
    for refusal in [reply("554 5.7.1 you are not welcome here"), reply("421 4.3.2 closing"), Act::Close] {
        let stage = Stage::new("none", Script::plain().on(At::Greeting, refusal.clone())).await;
        let next = SocketAddr::from(([127, 0, 0, 2], stage.server.port()));
        let other = SmtpServer::start_at(next, Script::plain()).await;
        stage.app.names.set(HOST, &["127.0.0.1", "127.0.0.2"]);
        let (answer, config) = stage.verify().await;
        assert_eq!((&answer["success"], &config["errorCode"]), (&json!(true), &json!("OK")), "{answer}");
        assert_eq!((stage.server.connections(), other.connections()), (1, 1), "{refusal:?}");
        assert!(stage.server.sign_ins().is_empty());

        other.play(Script::plain().on(At::Greeting, refusal.clone()));
        let (answer, _) = stage.verify().await;
        assert_eq!(answer["diagnosis"]["stage"], json!("greeting"), "{answer}");
        assert_eq!((stage.server.connections(), other.connections()), (2, 2), "each is asked once");
    }
    // A refusal of the sign-in is no reason to try elsewhere: it would count twice.
    let stage = Stage::new("none", Script::plain().account(USER, "another one")).await;
    let next = SocketAddr::from(([127, 0, 0, 2], stage.server.port()));
    let other = SmtpServer::start_at(next, Script::plain()).await;
    stage.app.names.set(HOST, &["127.0.0.1", "127.0.0.2"]);
    let (answer, _) = stage.verify().await;
    assert_eq!((&answer["success"], other.connections()), (&json!(false), 0), "{answer}");
}

#[tokio::test]
async fn rows_8_and_9_the_other_way_to_encrypt_is_named() {
    let plain = Stage::new("SSL/TLS", Script::plain()).await;
    let (answer, config) = plain.verify().await;
    expect("8", &answer, &config, "TLS_MODE_MISMATCH_USE_STARTTLS", true, "PROVIDER_ERROR");
    assert!(answer["diagnosis"]["steps"].to_string().contains("StartTLS"));

    let implicit = Stage::new("StartTLS", Script::implicit_tls()).await;
    let (answer, config) = implicit.verify().await;
    expect("9", &answer, &config, "TLS_MODE_MISMATCH_USE_IMPLICIT", true, "PROVIDER_ERROR");
    assert!(answer["diagnosis"]["steps"].to_string().contains("SSL/TLS"));
    assert!(implicit.server.sign_ins().is_empty());
}

#[tokio::test]
async fn rows_10_to_12_certificates() {
    let cases = [
        ("10", certificates::of_unknown_authority(&[HOST]), "TLS_CERT_UNTRUSTED"),
        ("10", certificates::self_signed(&[HOST]), "TLS_CERT_UNTRUSTED"),
        ("11", certificates::valid_for(&["other.example.com"]), "TLS_CERT_NAME"),
        ("12", certificates::expired(&[HOST]), "TLS_CERT_EXPIRED"),
        ("12", certificates::not_yet_valid(&[HOST]), "TLS_CERT_EXPIRED"),
    ];
    for (row, certificate, code) in cases {
        let stage = Stage::new("SSL/TLS", Script::implicit_tls().certificate(&certificate)).await;
        let (answer, config) = stage.verify().await;
        expect(row, &answer, &config, code, true, "PROVIDER_ERROR");
        assert!(stage.server.sign_ins().is_empty(), "row {row}");
    }
}

/// A row, the security type, the script, and what is expected: code, `connectionFailed`, `errorCode`.
type Played = (&'static str, &'static str, Script, &'static str, bool, &'static str);

async fn play(cases: Vec<Played>) {
    for (row, security, script, code, failed, error_code) in cases {
        let stage = Stage::new(security, script).await;
        let (answer, config) = stage.send().await;
        expect(row, &answer, &config, code, failed, error_code);
    }
}

#[tokio::test]
async fn rows_13_to_18_greeting_and_encryption() {
    let no_handshake = |bytes: &[u8]| Script::implicit_tls().on(At::Handshake, bytes);
    let pe = "PROVIDER_ERROR";
    play(vec![
        // A fatal alert: protocol_version.
        ("13", "SSL/TLS", no_handshake(b"\x15\x03\x01\x00\x02\x02\x46"), "TLS_VERSION", true, pe),
        (
            "13",
            "StartTLS",
            Script::starttls().on(At::Ehlo, "421 4.7.66 TLS 1.0 and 1.1 are not supported."),
            "TLS_VERSION",
            true,
            pe,
        ),
        ("14", "none", Script::plain().on(At::Greeting, "* OK IMAP4rev1 ready"), "NOT_SMTP", true, pe),
        ("14", "none", Script::plain().on(At::Greeting, "SSH-2.0-OpenSSH_9.2"), "NOT_SMTP", true, pe),
        ("15", "none", Script::plain().on(At::Greeting, "554 5.7.1 Not you"), "GREETING_REFUSED", true, pe),
        (
            "15",
            "none",
            Script::plain().on(At::Greeting, "421 Too many connections"),
            "GREETING_REFUSED",
            true,
            pe,
        ),
        (
            "16",
            "none",
            Script::plain()
                .on(At::Ehlo, "501 5.5.4 Invalid domain name")
                .on(At::Helo, "501 5.5.4 Invalid domain name"),
            "EHLO_NAME_REJECTED",
            false,
            pe,
        ),
        ("17", "StartTLS", Script::starttls().without("STARTTLS"), "STARTTLS_MISSING", true, pe),
        (
            "18",
            "StartTLS",
            Script::starttls().on(At::StartTls, "454 4.7.0 TLS not available due to local problem"),
            "STARTTLS_TEMP",
            true,
            pe,
        ),
    ])
    .await;
}

#[tokio::test]
async fn rows_19_to_23_sign_in() {
    let pe = "PROVIDER_ERROR";
    play(vec![
        (
            "19",
            "none",
            Script::plain().on(At::Auth, "530 5.7.0 Must issue a STARTTLS command first"),
            "STARTTLS_REQUIRED",
            false,
            pe,
        ),
        (
            "19, StartTLS",
            "StartTLS",
            Script::starttls()
                .on(At::Ehlo, "500 unknown")
                .on(At::Helo, "530 5.7.0 Must issue a STARTTLS command first"),
            "STARTTLS_REQUIRED",
            false,
            pe,
        ),
        ("20", "none", Script::plain().without("AUTH"), "AUTH_NEEDS_TLS", false, pe),
        (
            "20",
            "none",
            Script::plain()
                .on(At::Auth, "538 5.7.11 Encryption required for requested authentication mechanism"),
            "AUTH_NEEDS_TLS",
            false,
            pe,
        ),
        ("21", "StartTLS", Script::starttls().without("AUTH"), "AUTH_NOT_OFFERED", false, pe),
        (
            "21",
            "StartTLS",
            Script::starttls().on(At::Auth, "503 5.5.1 Error: authentication not enabled"),
            "AUTH_NOT_OFFERED",
            false,
            pe,
        ),
        (
            "22",
            "StartTLS",
            Script::starttls().with("AUTH GSSAPI XOAUTH2"),
            "AUTH_MECHANISM_MISMATCH",
            false,
            pe,
        ),
        (
            "22",
            "StartTLS",
            Script::starttls().on(At::Auth, "504 5.7.4 Unrecognized authentication type"),
            "AUTH_MECHANISM_MISMATCH",
            false,
            pe,
        ),
        (
            "23",
            "StartTLS",
            Script::starttls().account("other", "other"),
            "AUTH_REJECTED",
            false,
            "INVALID_CREDENTIALS",
        ),
        (
            "23",
            "StartTLS",
            Script::starttls()
                .on(At::Auth, "535-5.7.8 Error: authentication failed:\n535 5.7.8 bad credentials"),
            "AUTH_REJECTED",
            false,
            "INVALID_CREDENTIALS",
        ),
    ])
    .await;
}

#[tokio::test]
async fn rows_45_52_54_58_and_68_sender_recipient_and_outcome() {
    let pe = "PROVIDER_ERROR";
    play(vec![
        (
            "45",
            "StartTLS",
            Script::starttls()
                .on(At::Mail, "553 5.7.1 <ada@example.com>: Sender address rejected: not owned by user x"),
            "SENDER_NOT_OWNED",
            false,
            pe,
        ),
        (
            "45 at RCPT",
            "StartTLS",
            Script::starttls()
                .on(At::Rcpt, "553 5.7.1 <ada@example.com>: Sender address rejected: not owned by user x"),
            "SENDER_NOT_OWNED",
            false,
            pe,
        ),
        (
            "52",
            "StartTLS",
            Script::starttls().on(At::Rcpt, "554 5.7.1 <bob@example.org>: Relay access denied"),
            "RELAY_DENIED",
            false,
            pe,
        ),
        (
            "54",
            "StartTLS",
            Script::starttls().on(At::Rcpt, "550 5.1.1 No such user"),
            "RECIPIENT_UNKNOWN",
            false,
            "OK",
        ),
        (
            "put off at RCPT",
            "StartTLS",
            Script::starttls().on(At::Rcpt, "450 4.2.0 Come back later"),
            "PROVIDER_TEMPORARY",
            false,
            "OK",
        ),
        ("58", "StartTLS", Script::starttls().with("SIZE 100"), "MESSAGE_TOO_LARGE", false, pe),
        (
            "58",
            "StartTLS",
            Script::starttls().on(At::Message, "552 5.3.4 Message too big for system"),
            "MESSAGE_TOO_LARGE",
            false,
            pe,
        ),
        ("68", "StartTLS", Script::starttls().on(At::Message, Act::Close), "OUTCOME_UNKNOWN", false, "OK"),
    ])
    .await;
}

#[tokio::test]
async fn the_codes_beyond_the_table() {
    let pe = "PROVIDER_ERROR";
    let injected = [Act::Send(b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n".to_vec())];
    play(vec![
        (
            "injection",
            "StartTLS",
            Script::starttls().on(At::StartTls, injected),
            "TLS_RESPONSE_INJECTION",
            true,
            pe,
        ),
        ("lost", "StartTLS", Script::starttls().on(At::Auth, Act::Close), "CONNECTION_LOST", true, pe),
        ("silent", "StartTLS", Script::starttls().on(At::Mail, Act::Silence), "REPLY_TIMEOUT", true, pe),
        ("protocol", "StartTLS", Script::starttls().on(At::Mail, "2506 what"), "PROTOCOL_ERROR", true, pe),
        (
            "sender refused without words",
            "StartTLS",
            Script::starttls().on(At::Mail, "550 5.7.999 Computer says no"),
            "SENDER_REFUSED",
            false,
            pe,
        ),
        (
            "unknown",
            "StartTLS",
            Script::starttls().on(At::Message, "550 5.7.999 Computer says no"),
            "UNKNOWN_REPLY",
            false,
            pe,
        ),
    ])
    .await;
}

/// Security case B13.
#[tokio::test]
async fn no_password_travels_in_the_clear_to_an_address_that_is_not_opened() {
    let app = TestApp::with(|config| {
        config.egress.allow = Vec::new();
        config.egress.allow_hosts = vec![HOST.to_owned()];
    })
    .await;
    let server = SmtpServer::start(Script::plain()).await;
    app.names.set(HOST, &["127.0.0.1"]);
    let admin = app.admin("acme");
    admin.patch(&settings(HOST, server.address, "none")).await.expect(204);
    let (answer, config) = (admin.verify().await, admin.config().await);
    expect("clear text", &answer, &config, "CLEARTEXT_SIGN_IN_REFUSED", false, "PROVIDER_ERROR");
    server.ended().await;
    assert!(!server.verbs().contains(&"AUTH".to_owned()), "{:?}", server.verbs());
}

#[tokio::test]
async fn an_international_address_needs_smtputf8() {
    let stage = Stage::new("StartTLS", Script::starttls().without("SMTPUTF8")).await;
    let answer = stage.admin.send_test("böb@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("SMTPUTF8_MISSING"), "{answer}");
    assert!(stage.server.mails().is_empty());
}

#[tokio::test]
async fn rows_96_and_97_our_own_side() {
    let stage = Stage::new("StartTLS", Script::starttls()).await;
    let before = stage.admin.config().await;
    stage.app.database.execute("update email_configs set server_address = 'elsewhere.example.com'").await;
    stage.app.names.set("elsewhere.example.com", &["127.0.0.1"]);
    for answer in [stage.admin.verify().await, stage.admin.send_test("bob@example.org").await] {
        assert_eq!(answer["diagnosis"]["code"], json!("SECRET_UNREADABLE"), "{answer}");
        assert_eq!(answer["diagnosis"]["owner"], json!("operator"));
    }
    assert_eq!(stage.server.connections(), 0);
    let after = stage.admin.config().await;
    assert_eq!(
        (&after["errorCode"], &after["authFailures"]),
        (&before["errorCode"], &before["authFailures"])
    );

    stage
        .admin
        .json("PATCH", crate::support::client::CONFIG, &json!([{"op": "remove", "path": "/emailAddress"}]))
        .await;
    let (answer, config) = stage.verify().await;
    expect("97", &answer, &config, "CONFIG_INCOMPLETE", false, "INCOMPLETE_CONFIG");
}

#[tokio::test]
async fn the_whole_diagnosis_of_a_refused_sign_in() {
    let stage =
        Stage::new("StartTLS", Script::starttls().on(At::Auth, "535 5.7.8 Error: authentication failed"))
            .await;
    let (answer, _) = stage.verify().await;
    assert_eq!((&answer["smtpResponseCode"], &answer["enhancedStatusCode"]), (&json!(535), &json!("5.7.8")));
    let message = answer["message"].as_str().expect("a message");
    assert!(message.contains("535 5.7.8 Error: authentication failed"), "{message}");
    let diagnosis = &answer["diagnosis"];
    for (member, expected) in [
        ("stage", json!("auth")),
        ("owner", json!("tenant_admin")),
        ("confidence", json!("generic")),
        ("retryable", json!(false)),
    ] {
        assert_eq!(diagnosis[member], expected, "{member}");
    }
    let stages: Vec<&str> = diagnosis["transcript"]
        .as_array()
        .expect("a transcript")
        .iter()
        .map(|entry| entry["stage"].as_str().expect("a stage"))
        .collect();
    assert_eq!(stages, ["dns", "connect", "greeting", "ehlo", "starttls", "tls", "ehlo", "auth"]);
    let last = diagnosis["transcript"].as_array().and_then(|entries| entries.last()).expect("entries");
    assert_eq!(last["detail"], json!("AUTH PLAIN <hidden>: 535 5.7.8 Error: authentication failed"));
}

/// Security cases I2, I3.
#[tokio::test]
async fn what_a_server_says_is_shown_short_plain_and_without_the_password() {
    let echo = format!(
        "535 5.7.8 <script>alert(1)</script> \u{1b}]0;x\u{7} {} is wrong {}",
        good_password(),
        "x".repeat(900)
    );
    let stage = Stage::new("StartTLS", Script::starttls().on(At::Auth, echo.as_str())).await;
    let answer = stage.admin.post(crate::support::client::VERIFY).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let text = String::from_utf8(answer.body.to_vec()).expect("text");
    assert!(
        !text.contains(good_password()) && !text.contains('\u{1b}') && !text.contains("\\u001b"),
        "{text}"
    );
    let message = answer.json()["message"].as_str().expect("a message").to_owned();
    assert!(message.len() < 700, "{message}");
    let mut config = stage.admin.config().await;
    let shown = config.as_object_mut().expect("an object").remove("lastCheck").expect("a check");
    assert_eq!(shown["diagnosis"], answer.json()["diagnosis"], "what is shown later is what was told");
    assert!(!config.to_string().contains("script"), "the state holds nothing of it");
    let stored = stage.app.database.query("select last_check from email_configs").await;
    assert!(!stored[0][0].as_deref().is_some_and(|check| check.contains(good_password())));
}

/// Security case J8.
#[tokio::test]
async fn microsoft_tells_to_leave_the_password_behind() {
    let cases = [
        (
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            "M365_BASIC_AUTH_RETIRED",
        ),
        (
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "M365_BASIC_AUTH_DISABLED",
        ),
    ];
    for (reply, code) in cases {
        let certificate = certificates::valid_for(&["smtp.office365.com"]);
        let script = Script::starttls().certificate(&certificate).on(At::Auth, reply);
        let stage = Stage::at("smtp.office365.com", "StartTLS", script).await;
        let (answer, config) = stage.verify().await;
        expect("J8", &answer, &config, code, false, "PROVIDER_ERROR");
        assert!(answer["diagnosis"]["steps"].to_string().contains("Microsoft 365"), "{answer}");
    }
}

#[tokio::test]
async fn the_issuer_of_a_certificate_that_is_not_trusted_is_named_by_the_service_itself() {
    let certificate = certificates::of_unknown_authority(&[HOST]);
    let stage = Stage::new("StartTLS", Script::starttls().certificate(&certificate)).await;
    let (answer, _) = stage.verify().await;
    let meaning = answer["diagnosis"]["meaning"].as_str().expect("a text");
    assert!(meaning.contains("CN=Nobody Knows This Authority"), "{meaning}");
    assert!(stage.server.sign_ins().is_empty());
}
