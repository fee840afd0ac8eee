//! Requests that schemathesis generates from the OpenAPI document: good, bad, and one after the other.
//!
//! `SCHEMATHESIS_EXAMPLES` says how many for each operation and phase; `scripts/soak-parts/schemathesis` asks for more.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpListener;
use transports::clock::Clock;
use transports::config::Config;
use transports::dev::certificates;
use transports::dev::fake_microsoft365::{FakeMicrosoft365, Registration};
use transports::dev::folder::Folder;
use transports::dev::inbox::{Inbox, Limits};
use transports::dev::smtp::{Security, Server, USER};
use transports::http::server;
use transports::secret::Secret;

use crate::service::{Service, peers};

const PASSWORD: &str = "correct horse battery staple";

/// Where the service may send mail: a mail server and a Microsoft 365 in this process.
struct Destinations {
    _folder: TempDir,
    smtp_port: u16,
    authority: String,
    microsoft365: String,
    app: Registration,
}

impl Destinations {
    async fn start() -> Self {
        assert_eq!(USER, "dev", "as the hooks have it");
        let folder = TempDir::new().expect("a folder");
        let clock = Clock::System;
        let identity =
            Folder::open(folder.path()).and_then(|folder| certificates::load_or_issue(&folder, clock.now()));
        let identity = identity.expect("a certificate");
        let inbox = Inbox::new(Limits::default());
        let smtp = Server::new(inbox, identity.tls, Secret::new(PASSWORD.to_owned()), clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let smtp_port = listener.local_addr().expect("bound").port();
        tokio::spawn(smtp.serve(listener, Security::StartTls));

        let app = Registration::random();
        let fake = FakeMicrosoft365::new(app.clone(), clock, |_mail| {});
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let microsoft365 = format!("http://{}", listener.local_addr().expect("bound"));
        let router = fake.router();
        tokio::spawn(async move {
            server::serve(listener, router, &Config::default().server, std::future::pending()).await
        });
        let authority = identity.authority_file.display().to_string();
        Self { _folder: folder, smtp_port, authority, microsoft365, app }
    }

    /// A service that may reach them, and that limits no rate.
    fn service(&self, database: Option<&str>) -> Service {
        let mut settings = vec![
            ("TRANSPORTS_TLS__CA_FILE", self.authority.as_str()),
            ("TRANSPORTS_MICROSOFT365__LOGIN_URL", &self.microsoft365),
            ("TRANSPORTS_MICROSOFT365__GRAPH_URL", &self.microsoft365),
            ("TRANSPORTS_EGRESS__PORTS", "0"),
            ("TRANSPORTS_EGRESS__MAX_CONNECTIONS_PER_TENANT", "64"),
            ("TRANSPORTS_RATE_LIMIT__TIER1_PER_MINUTE", "0"),
            ("TRANSPORTS_RATE_LIMIT__TIER2_PER_MINUTE", "0"),
            ("TRANSPORTS_RATE_LIMIT__UNAUTHENTICATED_PER_MINUTE", "0"),
            ("TRANSPORTS_QUOTAS__REFUSED_SIGN_INS_PER_TENANT_PER_HOUR", "0"),
            ("TRANSPORTS_QUOTAS__REFUSED_SIGN_INS_PER_ACCOUNT_PER_TEN_MINUTES", "0"),
            ("TRANSPORTS_QUOTAS__REFUSED_SIGN_INS_PER_DESTINATION_PER_TEN_MINUTES", "0"),
            ("TRANSPORTS_LOG__FILTER", "warn,transports=info"),
        ];
        settings.extend(database.map(|url| ("TRANSPORTS_DATABASE__URL", url)));
        Service::with(&settings)
    }

    fn app(&self) -> String {
        let Registration { client_id, client_secret, domain, mailbox, .. } = &self.app;
        serde_json::json!({
            "clientId": client_id, "clientSecret": client_secret, "providerTenantId": domain, "emailAddress": mailbox,
        })
        .to_string()
    }
}

/// Prints what schemathesis has counted, for `scripts/soak-parts/schemathesis`.
#[expect(clippy::print_stdout, reason = "the figures of a soak")]
async fn run(engine: &str, database: Option<&str>) {
    let destinations = Destinations::start().await;
    let service = destinations.service(database);
    let examples = examples();
    let token = Service::token("acme", "admin", true);
    let mut command = Command::new(peers().join("schemathesis/bin/schemathesis"));
    command
        .args(["--config-file", "schemathesis.toml", "run", "--no-color", "--checks", "all"])
        .args(["--max-examples", &examples])
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .arg(format!("http://{}/openapi.json", service.address))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/schemathesis"))
        .env("PYTHONPATH", ".")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SMTP_PORT", destinations.smtp_port.to_string())
        .env("SMTP_PASSWORD", PASSWORD)
        .env("MICROSOFT365_APP", destinations.app())
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
    let output = output.expect("schemathesis is installed");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{engine}: {}\n{text}", output.status);

    let answers = answers(&service).await;
    assert!(answers.keys().all(|(_, _, status)| !status.starts_with('5')), "{engine}: {answers:?}");
    // A run that is refused everywhere would prove nothing.
    for operation in [("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", "")]
        .into_iter()
        .chain(["validate", "verify-connection", "send-test-email"].map(|action| ("POST", action)))
        .chain([("GET", "microsoft365-setup"), ("GET", "providers")])
    {
        let (method, end) = operation;
        let path = if end.is_empty() { "/email-config" } else { end };
        let good = answers.keys().any(|(found, route, status)| {
            found == method && route.ends_with(path) && status.starts_with('2')
        });
        assert!(good, "{engine}: {method} {path} has never succeeded: {answers:?}");
    }
    let counted = text.lines().find(|line| line.contains(" generated, ")).expect("a summary").trim();
    println!("{engine}: {counted}");
    for ((method, route, status), count) in &answers {
        println!("{engine}: {count:>7}  {method} {route} {status}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
fn examples() -> String {
    std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "20".to_owned())
}

/// How often each method, route and status was answered, as the service counts it.
async fn answers(service: &Service) -> BTreeMap<(String, String, String), u64> {
    let text = service.admin("acme").get("/metrics").await.expect(200).body;
    let text = String::from_utf8(text.to_vec()).expect("text");
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\"")).expect("the label");
        rest.split('"').next().expect("its value").to_owned()
    };
    text.lines()
        .filter(|line| line.starts_with("transports_http_requests_total{"))
        .map(|line| {
            let count = line.rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a count");
            ((label(line, "method"), label(line, "route"), label(line, "status")), count)
        })
        .collect()
}

/// Security case G13.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn generated_requests_on_sqlite() {
    run("SQLite", None).await;
}

/// Security case G13.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
async fn generated_requests_on_postgresql() {
    let server =
        std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL: run these tests by scripts/test");
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) =
        tokio_postgres::connect(&server, tokio_postgres::NoTls).await.expect("a server");
    let _connection = tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await.expect("a superuser");
    let (host, _) = server.rsplit_once('/').expect("a URL with a database");
    run("PostgreSQL", Some(&format!("{host}/{name}"))).await;
    client.batch_execute(&format!("drop database {name} with (force)")).await.expect("a superuser");
}
