//! Where a configuration may lead, as a tenant sees it.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, Client, SEND_TEST, VERIFY};
use crate::support::smtp_server::{At, Script, SmtpServer};

/// The service as it is for a stranger: nothing is opened.
async fn closed() -> TestApp {
    TestApp::with(|config| {
        config.egress.allow = Vec::new();
        config.egress.allow_hosts = Vec::new();
        config.egress.ports = vec![25, 465, 587, 2465, 2525, 2587];
        config.egress.timeout_seconds = 2;
        config.rate_limit.tier2_per_minute = 0;
    })
    .await
}

fn relay(host: &str, port: u16) -> Value {
    json!({"serverAddress": host, "serverPort": port, "securityType": "none", "emailAddress": "ada@example.com"})
}

/// Security cases A1, A2, A3, A4, A5, A7, A21, A22.
#[tokio::test]
async fn denied_destinations_are_refused_on_write() {
    let app = closed().await;
    let admin = app.admin("acme");
    let hosts = [
        "127.0.0.1",
        "10.0.0.5",
        "169.254.169.254",
        "192.168.1.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "0x7f.1",
        "127.0.0.01",
        "2852039166",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2606:4700::5efe:10.0.0.1",
        "fd00:ec2::254",
        "fe80::1%1",
        "168.63.129.16",
        "100.100.100.200",
        "localhost",
        "localhost.",
        "foo.local",
        "a.b.svc.cluster.local",
        "metadata",
        "mail",
        "xn--",
        "a..b",
        "-a.example.com",
        "user@example.com",
        "example.com:25",
        "http://example.com",
        "exam ple.com",
        "%00.example.com",
        "①②⑦.⓪.⓪.①",
    ];
    for host in hosts {
        let (code, title) = admin.patch(&json!({"serverAddress": host})).await.expect(400).error();
        assert!(code == "INPUTCHECK-1" && title.starts_with("serverAddress "), "{host}: {title}");
        let put = admin.put(&relay(host, 587)).await.expect(400).error();
        assert!(put.0 == "INPUTCHECK-1" && put.1.starts_with("serverAddress "), "{host}: {put:?}");
    }
    assert_eq!(app.names.asked(), 0, "no name was looked up");
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
    for host in ["smtp.example.com", "例え.jp", "ｅxample.com", "192.0.43.7", "2606:2800:220:1::1"] {
        admin.patch(&json!({"serverAddress": host})).await.expect(204);
    }
    assert_eq!(app.names.asked(), 0, "a write resolves nothing");
}

/// Security case A13.
#[tokio::test]
async fn only_mail_ports_are_accepted() {
    let app = closed().await;
    let admin = app.admin("acme");
    let ports = [
        json!(22),
        json!(80),
        json!(443),
        json!(3306),
        json!(6379),
        json!(9200),
        json!(0),
        json!(65536),
        json!(-1),
        json!(587.5),
        json!("587 "),
        json!("+587"),
        json!("0x24b"),
        json!(""),
        json!([587]),
        json!(true),
    ];
    for port in ports {
        let (code, title) = admin.patch(&json!({"serverPort": port})).await.expect(400).error();
        assert!(code == "INPUTCHECK-1" && title.starts_with("serverPort "), "{port}: {title}");
    }
    for port in [json!(587), json!("2525"), json!(465)] {
        admin.patch(&json!({"serverPort": port})).await.expect(204);
    }
}

/// What a client can tell of a refusal.
async fn outcome(admin: &Client) -> (u16, Value) {
    let answer = admin.post(VERIFY).await;
    let mut body = answer.json();
    for entry in body["diagnosis"]["transcript"].as_array_mut().into_iter().flatten() {
        entry["ms"] = json!(0);
    }
    (answer.status, body)
}

/// Security cases A8, A15.
#[tokio::test]
async fn a_name_with_a_denied_address_is_never_connected_to() {
    let app = closed().await;
    let server = SmtpServer::start(Script::plain()).await;
    let admin = app.admin("acme");
    let mut seen = Vec::new();
    // An open mail server, a closed port, and addresses where nothing answers: all denied, all alike.
    for address in ["127.0.0.1", "10.255.255.1", "169.254.169.254", "::1", "fd00::1"] {
        app.names.set("evil.example.com", &[address]);
        admin.patch(&relay("evil.example.com", 2525)).await.expect(204);
        app.database.execute(&format!("update email_configs set server_port = {}", 2525)).await;
        let asked = app.names.asked();
        seen.push(outcome(&admin).await);
        assert_eq!(app.names.asked(), asked + 1, "one look-up for a dial");
        let sent =
            admin.json("POST", SEND_TEST, &json!({"recipient": "bob@example.org"})).await.expect(200).json();
        assert_eq!(sent["diagnosis"]["code"], json!("DEST_BLOCKED"), "{sent}");
        assert!(!seen.last().expect("one").1.to_string().contains(address), "no address is told");
    }
    assert_eq!(server.connections(), 0);
    let first = seen[0].clone();
    assert_eq!(
        (first.0, &first.1["diagnosis"]["code"], &first.1["connectionFailed"]),
        (200, &json!("DEST_BLOCKED"), &json!(true))
    );
    assert!(seen.iter().all(|outcome| *outcome == first), "{seen:#?}");
}

/// Security case A12.
#[tokio::test]
async fn dns_failures_share_status_and_fields() {
    let app = closed().await;
    let admin = app.admin("acme");
    for host in ["nowhere.example.com", "servfail.example.com"] {
        admin.patch(&relay(host, 587)).await.expect(204);
        let (status, body) = outcome(&admin).await;
        assert_eq!((status, &body["success"], &body["connectionFailed"]), (200, &json!(false), &json!(true)));
        let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["connectionFailed", "diagnosis", "message", "success", "unproved"]);
    }
}

/// Security case A14.
#[tokio::test]
async fn a_tightened_policy_applies_to_stored_configurations() {
    let open = TestApp::start().await;
    open.names.set("mail.example.com", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::plain()).await;
    let admin = open.admin("acme");
    admin.patch(&relay("mail.example.com", server.port())).await.expect(204);
    assert_eq!(admin.verify().await["success"], json!(true));
    let app = TestApp::with_database(open.stop().await, |config| config.egress.allow = Vec::new()).await;
    app.names.set("mail.example.com", &["127.0.0.1"]);
    let answer = app.admin("acme").verify().await;
    assert_eq!(answer["diagnosis"]["code"], json!("DEST_BLOCKED"), "{answer}");
    assert_eq!(server.connections(), 1, "only the first one");
    assert_eq!(
        app.admin("acme").config().await["serverAddress"],
        json!("mail.example.com"),
        "nothing is lost"
    );
}

/// Security case A16.
#[tokio::test]
async fn another_protocol_is_named_without_its_bytes() {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 0).await;
    let admin = app.admin("acme");
    for (greeting, word) in [
        (&b"SSH-2.0-secret-banner\r\n"[..], "SSH"),
        (b"* OK [CAPABILITY secret-banner] ready\r\n", "IMAP"),
        (b"+OK secret-banner\r\n", "POP3"),
        (b"HTTP/1.1 400 secret-banner\r\n\r\n", "HTTP"),
        (b"-DENIED secret-banner\r\n", "Redis"),
        (b"\x4a\0\0\0\x0a8.0.36-secret-banner\0", "MySQL"),
        (b"secret-banner of something else\r\n", "unknown"),
    ] {
        let server = SmtpServer::start(Script::plain().on(At::Greeting, greeting)).await;
        admin.patch(&relay("127.0.0.1", server.port())).await.expect(204);
        let answer = admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!("NOT_SMTP"), "{answer}");
        let text = answer.to_string();
        assert!(text.contains(word) && !text.contains("secret-banner"), "{text}");
        assert_eq!(answer.get("smtpResponseCode"), None);
    }
}

/// Security case A17.
#[tokio::test]
async fn the_services_own_listener_is_never_a_destination() {
    let app = TestApp::start().await;
    app.names.set("self.example.com", &["127.0.0.1"]);
    let admin = app.admin("acme");
    let own = app.address.port();
    admin.patch(&relay("self.example.com", own)).await.expect(204);
    assert_eq!(admin.verify().await["diagnosis"]["code"], json!("DEST_BLOCKED"));
    let (code, title) = admin.put(&relay("127.0.0.1", own)).await.expect(400).error();
    assert!(code == "INPUTCHECK-1" || code == "CONNECTIONCHECK-1", "{title}");
}

/// Security case A20.
#[tokio::test]
async fn a_tenant_cannot_change_the_policy() {
    let app = closed().await;
    app.names.set("evil.example.com", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::plain()).await;
    let admin = app.admin("acme");
    for path in ["/egressAllow", "/egress/allow", "/allowHosts", "/proxy"] {
        let document = json!([{"op": "add", "path": path, "value": "127.0.0.0/8"}]);
        admin.json("PATCH", CONFIG, &document).await.expect(400);
    }
    let mut config = relay("evil.example.com", 2525);
    config["egressAllow"] = json!(["127.0.0.0/8"]);
    admin.put(&config).await.expect(400);
    admin.patch(&relay("evil.example.com", 2525)).await.expect(204);
    let headers = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 localhost"),
    ];
    let answer = admin.send("POST", VERIFY, &headers, Vec::new()).await.expect(200).json();
    assert_eq!(answer["diagnosis"]["code"], json!("DEST_BLOCKED"));
    assert_eq!(server.connections(), 0);
}
