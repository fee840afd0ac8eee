//! `transports serve` as a process: what it refuses to start with, how it ends, what a slow client gets.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::CONFIG;
use crate::support::database::{Database, Engine};
use crate::support::process::{Process, run, variables};
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

fn with(base: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = base.iter().filter(|(known, _)| known != name).cloned().collect();
    all.push((name.to_owned(), value.to_owned()));
    all
}

#[tokio::test]
async fn unusable_settings_prevent_the_start_and_are_named() {
    let database = Database::create(Engine::chosen()).await;
    let base = variables(&database);
    let cases = [
        ("TRANSPORTS_ENCRYPTION__KEYS", "", "encryption.keys"),
        ("TRANSPORTS_ENCRYPTION__KEYS", "k1:c2hvcnQ=", "encryption.keys"),
        ("TRANSPORTS_AUTH__HS256_SECRET", "short", "auth.hs256_secret"),
        ("TRANSPORTS_AUTH__ISSUER", "", "auth.issuer"),
        ("TRANSPORTS_EGRESS__ALLOW", "0.0.0.0/0", "0.0.0.0/0"),
        ("TRANSPORTS_EGRESS__ALLOW", "nonsense", "nonsense"),
        ("TRANSPORTS_EGRESS__EHLO_NAME", "a b\r\nQUIT", "egress.ehlo_name"),
        ("TRANSPORTS_TLS__CA_FILE", "/nowhere/ca.pem", "tls.ca_file"),
        ("TRANSPORTS_DATABASE__URL", "sqlite:///nowhere/at/all.db", "/nowhere/at/all.db"),
        ("TRANSPORTS_LOG__FILTER", "transports=loud", "log.filter"),
    ];
    for (name, value, named) in cases {
        let (code, out, err) = run(&["serve"], &with(&base, name, value));
        assert!(code.is_some_and(|code| code != 0), "{name}={value:?} started");
        assert!(err.contains(named), "{name}={value:?}: {err}");
        assert!(out.is_empty(), "{out}");
    }
}

#[tokio::test]
async fn it_says_that_it_listens_once_the_database_is_open() {
    let database = Database::create(Engine::chosen()).await;
    let settings = variables(&database);
    let (_, log) = Process::serve(&settings).stop();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text}: {log}"));
    assert!(at("starting, to listen on http://127.0.0.1:") < at(", database "), "{log}");
    assert!(at(", database ") < at("listening on http://127.0.0.1:"), "{log}");
    let without = with(&settings, "TRANSPORTS_DATABASE__URL", "sqlite:///nowhere/at/all.db");
    let (code, _, err) = run(&["serve"], &without);
    assert!(code == Some(1) && !err.contains("listening on http://"), "{err}");
}

#[tokio::test]
async fn a_process_that_sends_nothing_says_so_at_the_start() {
    let database = Database::create(Engine::chosen()).await;
    let said = "this process accepts emails and sends none, since delivery.enabled is false";
    for (enabled, is_said) in [("false", true), ("true", false)] {
        let settings = with(&variables(&database), "TRANSPORTS_DELIVERY__ENABLED", enabled);
        let (_, log) = Process::serve(&settings).stop();
        let line = log.lines().find(|line| line.contains(said));
        assert_eq!(line.is_some_and(|line| line.contains("INFO")), is_said, "{enabled}: {log}");
    }
}

#[tokio::test]
async fn a_faulty_line_of_the_key_file_is_to_be_corrected() {
    let database = Database::create(Engine::chosen()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys");
    let good = crate::support::app::encryption_key();
    let keys_file = |text: &str| {
        std::fs::write(&file, text).expect("a file");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("its owner");
        let mut settings = variables(&database);
        settings.retain(|(name, _)| name != "TRANSPORTS_ENCRYPTION__KEYS");
        with(&settings, "TRANSPORTS_ENCRYPTION__KEYS_FILE", &file.display().to_string())
    };
    for (text, hint) in [
        (format!("{good}\nnonsense\n"), "correct line 2, or remove it where it is no key of yours"),
        (format!("{good}\n{good}\n"), "remove one of the two"),
        (String::new(), "make a key with `transports keys generate`"),
    ] {
        let (code, _, err) = run(&["serve"], &keys_file(&text));
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(&format!("  hint: {hint}\n")) && err.matches("hint: ").count() == 1, "{err}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_named_with_a_way_to_find_its_program() {
    let database = Database::create(Engine::chosen()).await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address");
    for name in ["SERVER__LISTEN", "SERVER__METRICS_LISTEN"] {
        let settings = with(&variables(&database), &format!("TRANSPORTS_{name}"), &address.to_string());
        let (code, _, err) = run(&["serve"], &settings);
        // Not 2, after which the systemd unit would not try again.
        assert_eq!(code, Some(1), "{err}");
        let setting = name.to_ascii_lowercase().replace("__", ".");
        assert!(err.contains(&format!("error: {setting}: cannot listen on {address}: ")), "{err}");
        let hint = format!("as root, `ss -ltnp 'sport = :{}'` names it", address.port());
        assert!(err.contains(&hint), "{err}");
    }
}

/// Security case C9.
#[tokio::test]
async fn an_ehlo_name_with_a_line_break_prevents_the_start() {
    let database = Database::create(Engine::chosen()).await;
    let settings =
        with(&variables(&database), "TRANSPORTS_EGRESS__EHLO_NAME", "mail.example.com\r\nMAIL FROM:<a@b.c>");
    let (code, _, err) = run(&["serve"], &settings);
    assert!(code.is_some_and(|code| code != 0) && err.contains("egress.ehlo_name"), "{err}");
}

#[tokio::test]
async fn sigterm_completes_requests_in_flight() {
    let database = Database::create(Engine::chosen()).await;
    let settings = variables(&database);
    let process = Process::serve(&settings);
    let slow = [Act::Pause(Duration::from_millis(300)), Act::Usual];
    let server = SmtpServer::start(Script::plain().on(At::Greeting, slow)).await;
    let admin = process.admin("acme", &settings);
    let relay = json!({
        "serverAddress": "127.0.0.1", "serverPort": server.port(), "securityType": "none",
        "emailAddress": "ada@example.com",
    });
    let putting = {
        let admin = admin.clone();
        tokio::spawn(async move { admin.put(&relay).await })
    };
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    process.terminate();
    putting.await.expect("a request").expect(204);
    let (code, log) = process.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("SIGTERM"), "{log}");

    let again = Process::serve(&settings);
    let shown = again.admin("acme", &settings).config().await;
    assert_eq!(shown["serverAddress"], json!("127.0.0.1"), "what was acknowledged is there");
    assert_eq!(again.stop().0, Some(0));
}

#[tokio::test]
async fn a_client_with_an_unfinished_head_is_cut_off() {
    let database = Database::create(Engine::chosen()).await;
    let settings = with(&variables(&database), "TRANSPORTS_SERVER__HEADER_TIMEOUT_SECONDS", "1");
    let process = Process::serve(&settings);
    #[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
    let mut slow = TcpStream::connect(process.address).await.expect("connects");
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.expect("writes");
    process.admin("acme", &settings).get(CONFIG).await.expect(200);
    let mut rest = Vec::new();
    // Ends when the service has closed; without its limit this would never return.
    let _ = slow.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "), "it was not served");
}

#[tokio::test]
async fn metrics_with_their_own_listener_are_absent_from_the_api() {
    let database = Database::create(Engine::chosen()).await;
    let settings = with(&variables(&database), "TRANSPORTS_SERVER__METRICS_LISTEN", "127.0.0.1:0");
    let process = Process::serve(&settings);
    let admin = process.admin("acme", &settings);
    admin.get("/metrics").await.expect(404);
    admin.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn two_processes_can_start_on_one_new_database() {
    let database = Database::create(Engine::chosen()).await;
    let settings = variables(&database);
    let (first, second) = tokio::join!(Process::serve_beside(&settings), Process::serve_beside(&settings));
    assert_eq!(first.stop().0, Some(0));
    assert_eq!(second.stop().0, Some(0));
}
