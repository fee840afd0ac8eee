//! Clients of SMTP at the gateway: what each of them hands over arrives at the account's server octet for octet.

mod smarthost;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use transports::auth::api_key::{NewKey, Permission};
use transports::clock::{Clock, Timestamp};
use transports::config::{Config, Database, DatabaseUrl};
use transports::id::TenantId;
use transports::store::api_keys::{self, ApiKey, KeyOwner};
use transports::store::{Db, Write};

use crate::destinations::Destinations;
use crate::service::{Service, peers};

const FROM: &str = "platform@example.com";
const TO: &str = "ada@example.org";

/// What a client could break: dots, long lines, letters beyond ASCII, spaces at the ends of lines.
fn message(id: &str) -> String {
    let long = "äöü und noch viel mehr ".repeat(35);
    let lines = [
        "Received: from printer by intranet; Thu, 01 Jan 2026 00:00:00 +0000",
        &format!("Message-ID: <{id}@client.example>"),
        "Date: Thu, 01 Jan 2026 00:00:00 +0000",
        &format!("From: Platform <{FROM}>"),
        &format!("To: {TO}"),
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        "X-Folded: one",
        "\ttwo",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        "Grüße",
        ".",
        "..",
        ".dot",
        "",
        "From here on",
        &long,
        "trailing space ",
        "\ttab\t",
        "the last line",
    ];
    lines.map(|line| format!("{line}\r\n")).concat()
}

/// A service with a gateway, and the server of the tenant's account.
struct Gateway {
    destinations: Destinations,
    service: Service,
    key: String,
    folder: tempfile::TempDir,
}

impl Gateway {
    async fn start() -> Self {
        let destinations = Destinations::start().await;
        let service = destinations.service_with_gateway();
        destinations.configure(&service.admin("acme")).await;
        let key = key(&service).await;
        Self { destinations, service, key, folder: tempfile::tempdir().expect("a folder") }
    }

    fn port(&self, security: &str) -> String {
        port(&self.service, security)
    }

    fn file(&self, content: &str) -> PathBuf {
        let path = self.folder.path().join("message");
        std::fs::write(&path, content).expect("a writable folder");
        path
    }

    /// Waits for the next mail at the account's server, and returns what stands below our line.
    async fn arrived(&self) -> String {
        for _ in 0..600 {
            if let Some(mail) = self.destinations.inbox.newest_first().first() {
                let text = String::from_utf8_lossy(&mail.source).into_owned();
                self.destinations.inbox.clear();
                return below_received(&text);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing has arrived: {}", self.service.log());
    }
}

/// The port that the log names.
pub fn port(service: &Service, security: &str) -> String {
    let log = service.log();
    let line = log.lines().find(|line| line.contains("SMTP gateway on ") && line.contains(security));
    let line = line.unwrap_or_else(|| panic!("no gateway with {security}: {log}"));
    let (_, rest) = line.split_once("127.0.0.1:").expect("an address");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

pub fn below_received(text: &str) -> String {
    let rest = text.strip_prefix("Received: by ").unwrap_or_else(|| panic!("no line of ours: {text}"));
    let (_, rest) = rest.split_once("\r\n\t").expect("folded before its date");
    rest.split_once("\r\n").expect("the date").1.to_owned()
}

/// Makes a key beside the running service.
pub async fn key(service: &Service) -> String {
    let new = NewKey::generate().expect("randomness");
    let key = ApiKey {
        id: new.id,
        owner: KeyOwner::Tenant(TenantId::from_operator("acme")),
        name: "a program".to_owned(),
        permission: Permission::SendingAccess,
        allowed_senders: None,
        is_test: false,
        created_at: Clock::System.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None::<Timestamp>,
    };
    let settings = Database { url: DatabaseUrl::new(service.database()), ..Config::default().database };
    let tls = transports::egress::tls::client_config(&Config::default().tls).expect("public authorities");
    let db = Db::open(&settings, &tls).await.expect("the database of the service");
    let _ = db.write(Write::default().then(api_keys::insert(&key, &new.hash))).await.expect("it is stored");
    db.close().await;
    new.text.expose().to_owned()
}

async fn run(mut command: Command) -> String {
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
    let output = output.expect("the client is installed");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/smtp_clients").join(name)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn swaks_sends_on_both_ports() {
    let gateway = Gateway::start().await;
    for (option, security) in [("--tls", "StartTLS"), ("--tlsc", "SSL/TLS")] {
        let message = message(&format!("swaks{option}"));
        let mut command = Command::new("swaks");
        command.args(["--server", "localhost", "--port", &gateway.port(security), option]);
        command.args(["--auth-user", "any", "--auth-password", &gateway.key, "--from", FROM, "--to", TO]);
        command.args(["--data", &format!("@{}", gateway.file(&message.replace("\r\n", "\n")).display())]);
        let told = run(command).await;
        assert!(told.contains("250 2.0.0 queued as "), "{told}");
        assert_eq!(gateway.arrived().await.trim_end(), message.trim_end());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn smtplib_sends_on_both_ports() {
    let gateway = Gateway::start().await;
    for security in ["StartTLS", "SSL/TLS"] {
        let message = message(&format!("smtplib.{}", security.len()));
        let mut command = Command::new("python3");
        command.arg(script("send.py")).args([security, &gateway.port(security), &gateway.key, FROM, TO]);
        command.arg(gateway.file(&message)).arg(gateway.destinations.authority());
        run(command).await;
        assert_eq!(gateway.arrived().await, message);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn nodemailer_sends_on_both_ports() {
    let gateway = Gateway::start().await;
    for security in ["StartTLS", "SSL/TLS"] {
        let message = message(&format!("nodemailer.{}", security.len()));
        let mut command = Command::new("node");
        command.arg(script("send.mjs")).args([security, &gateway.port(security), &gateway.key, FROM, TO]);
        command.arg(gateway.file(&message)).env("NODE_EXTRA_CA_CERTS", gateway.destinations.authority());
        command.env("NODEMAILER", peers().join("npm/node_modules/nodemailer/dist/esm/nodemailer.js"));
        run(command).await;
        assert_eq!(gateway.arrived().await, message);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn msmtp_sends_on_both_ports() {
    let gateway = Gateway::start().await;
    for (starttls, security) in [("on", "StartTLS"), ("off", "SSL/TLS")] {
        let message = message(&format!("msmtp.{starttls}"));
        let file = gateway.file(&message.replace("\r\n", "\n"));
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "exec msmtp \"$@\" <\"$FILE\"",
            "msmtp",
            "--host=localhost",
            "--auth=plain",
            "--tls=on",
        ]);
        command.args([
            &format!("--port={}", gateway.port(security)),
            &format!("--tls-starttls={starttls}"),
            &format!("--tls-trust-file={}", gateway.destinations.authority()),
            "--user=any",
            "--passwordeval=printf %s \"$KEY\"",
            &format!("--from={FROM}"),
            TO,
        ]);
        command.env("FILE", file).env("KEY", &gateway.key);
        run(command).await;
        assert_eq!(gateway.arrived().await, message);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn curl_sends_on_both_ports() {
    let gateway = Gateway::start().await;
    for (scheme, security) in [("smtp", "StartTLS"), ("smtps", "SSL/TLS")] {
        let message = message(&format!("curl.{scheme}"));
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--ssl-reqd",
            "--cacert",
            gateway.destinations.authority(),
        ]);
        command.args(["--url", &format!("{scheme}://localhost:{}/client.example", gateway.port(security))]);
        command.args(["--user", &format!("any:{}", gateway.key), "--mail-from", FROM, "--mail-rcpt", TO]);
        command.arg("--upload-file").arg(gateway.file(&message));
        run(command).await;
        assert_eq!(gateway.arrived().await, message);
    }
}

/// It builds the message itself, and says what it has sent.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn phpmailer_sends_on_both_ports() {
    let gateway = Gateway::start().await;
    for security in ["StartTLS", "SSL/TLS"] {
        let mut command = Command::new("php");
        command.arg(script("send.php")).args([security, &gateway.port(security), &gateway.key, FROM, TO]);
        command.arg(gateway.destinations.authority());
        let sent = run(command).await;
        assert!(sent.contains("Subject: "), "{sent}");
        assert_eq!(gateway.arrived().await.trim_end(), sent.trim_end());
    }
}
