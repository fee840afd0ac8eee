//! Requests that schemathesis generates from the OpenAPI document: good, bad, and one after the other.
//!
//! `SCHEMATHESIS_EXAMPLES` says how many for each operation and phase; `scripts/soak-parts/schemathesis` asks for more.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use transports::dev::smtp::USER;

use crate::destinations::{Destinations, PASSWORD};
use crate::service::{Service, peers};

/// Prints what schemathesis has counted, for `scripts/soak-parts/schemathesis`.
#[expect(clippy::print_stdout, reason = "the figures of a soak")]
async fn run(engine: &str, database: Option<&str>) {
    assert_eq!(USER, "dev", "as the hooks have it");
    let destinations = Destinations::start().await;
    let service = destinations.service(database);
    let sender = service.admin("sender");
    destinations.configure(&sender).await;
    // The one run takes the account away again and again; the other one needs it.
    let is_mail = "/(emails|events|account)";
    // What is deleted is still shown: an email keeps its states, and a tenant without a configuration gets 200. Where a body
    // may be left out, a request without one is called wrong, and is right.
    let runs = [
        ("acme", "--exclude-path-regex", "use_after_free,ensure_resource_availability"),
        (
            "sender",
            "--include-path-regex",
            "use_after_free,ensure_resource_availability,negative_data_rejection",
        ),
    ];
    let mut counted = Vec::new();
    for (tenant, which, checks) in runs {
        let token = Service::token(tenant, "admin", true);
        let which = [which, is_mail, "--exclude-checks", checks];
        let text = generate(&destinations, &service, engine, &token, &which).await;
        let line = text.lines().find(|line| line.contains(" generated, ")).expect("a summary");
        counted.push(line.trim().to_owned());
    }

    let answers = answers(&service).await;
    assert!(answers.keys().all(|(_, _, status)| !status.starts_with('5')), "{engine}: {answers:?}");
    // A run that is refused everywhere would prove nothing.
    for (method, path) in ["GET", "PUT", "PATCH", "DELETE"]
        .map(|method| (method, "/email-config"))
        .into_iter()
        .chain(["validate", "verify-connection", "send-test-email"].map(|action| ("POST", action)))
        .chain([("GET", "microsoft365-setup"), ("GET", "providers"), ("GET", "/emails"), ("GET", "/events")])
        .chain(["/emails", "/emails/batch", "/emails/{id}/cancel"].map(|path| ("POST", path)))
        .chain(["GET", "PATCH", "DELETE"].map(|method| (method, "/emails/{id}")))
        .chain([("GET", "/emails/{id}/events"), ("GET", "/account"), ("POST", "/account/pause")])
    {
        // Whether an email that was generated still waits is not for the generator to know: 409.
        let changes_an_email = ["/emails/{id}/cancel", "/emails/{id}"].contains(&path) && method != "GET";
        let good = answers.keys().any(|(found, route, status)| {
            let is_good = status.starts_with('2') || (changes_an_email && status == "409");
            found == method && route.ends_with(path) && is_good
        });
        assert!(good, "{engine}: {method} {path} has never been let through: {answers:?}");
    }
    println!("{engine}: {}", counted.join("; "));
    for ((method, route, status), count) in &answers {
        println!("{engine}: {count:>7}  {method} {route} {status}");
    }
}

/// One run, of the operations that the arguments choose; what it printed.
async fn generate(
    destinations: &Destinations,
    service: &Service,
    engine: &str,
    token: &str,
    which: &[&str],
) -> String {
    let mut command = Command::new(peers().join("schemathesis/bin/schemathesis"));
    command
        .args(["--config-file", "schemathesis.toml", "run", "--no-color", "--checks", "all"])
        .args(["--max-examples", &examples()])
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(which)
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
    text
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
