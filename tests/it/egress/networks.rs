//! Slow, cut and thin networks on every path out of the service, each with its documented outcome, and all of them
//! over when the trouble is.
//!
//! `docs/networks.md` is written from the table. Look-ups of names are no stream of bytes; what becomes of silent and
//! failing name servers is case A12.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::VALIDATE;
use crate::support::database::{Database, Engine};
use crate::support::jwks_server::JwksServer;
use crate::support::microsoft365::{Microsoft, put};
use crate::support::proxy::{Proxy, Way};
use crate::support::smtp_server::{Script, SmtpServer};
use crate::support::tokens::{IssuerKey, claims_with, key_set};

/// What a network does, and what comes of it on the way to a mail server (verify-connection), to PostgreSQL (GET and
/// PATCH), to the sign-in service of Microsoft (verify-connection), and to the issuer's key set (any request).
struct Row {
    name: &'static str,
    what: &'static str,
    way: Way,
    smtp: &'static str,
    postgres: &'static str,
    entra: &'static str,
    jwks: &'static str,
}

const WORKS: &str = "works";

#[rustfmt::skip]
const TABLE: [Row; 8] = [
    Row { name: "latency", what: "every packet is delayed", way: Way::Slow, smtp: WORKS, postgres: WORKS, entra: WORKS, jwks: WORKS },
    Row { name: "bandwidth", what: "low bandwidth", way: Way::Thin, smtp: WORKS, postgres: WORKS, entra: WORKS, jwks: WORKS },
    Row { name: "slicer", what: "one byte in each packet", way: Way::Sliced, smtp: WORKS, postgres: WORKS, entra: WORKS, jwks: WORKS },
    Row { name: "slow close", what: "a close arrives late", way: Way::LateClose, smtp: WORKS, postgres: WORKS, entra: WORKS, jwks: WORKS },
    Row { name: "timeout", what: "connections are accepted, and no data arrives", way: Way::Silent, smtp: "REPLY_TIMEOUT", postgres: "503", entra: "TOKEN_ENDPOINT_TEMPORARY", jwks: "503" },
    Row { name: "reset", what: "connections are reset (RST) after some bytes", way: Way::Reset(12), smtp: "CONNECTION_LOST or CONNECT_REFUSED", postgres: "503", entra: "TOKEN_ENDPOINT_UNREACHABLE", jwks: "503" },
    Row { name: "limit of data", what: "connections are closed (FIN) after some bytes", way: Way::Limited(12), smtp: "CONNECTION_LOST", postgres: "503", entra: "TOKEN_ENDPOINT_UNREACHABLE", jwks: "503" },
    Row { name: "down", what: "connections are closed at once", way: Way::Cut, smtp: "CONNECTION_LOST", postgres: "503", entra: "TOKEN_ENDPOINT_UNREACHABLE", jwks: "503" },
];

/// Time for one check: more than a slow network takes here, and not so much that silence takes long.
const CHECK_SECONDS: u64 = 5;

fn outcome(answer: &Value) -> String {
    match answer["success"].as_bool() {
        Some(true) => WORKS.to_owned(),
        _ => answer["diagnosis"]["code"].as_str().unwrap_or("no diagnosis").to_owned(),
    }
}

/// Every row in its turn, and after each an open way.
async fn every_row(
    proxy: &Proxy,
    expected: impl Fn(&Row) -> &'static str,
    mut attempt: impl AsyncFnMut() -> String,
) {
    let mut found = Vec::new();
    for row in &TABLE {
        proxy.set(row.way);
        found.push((row.name, attempt().await));
        proxy.set(Way::Open);
        assert_eq!(attempt().await, WORKS, "after {}", row.name);
    }
    // Where there are two, it is for the network to say which.
    for ((name, found), row) in found.iter().zip(&TABLE) {
        let expected = expected(row);
        assert!(expected.split(" or ").any(|one| one == found), "{name}: {found}, expected {expected}");
    }
}

/// Security case K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_failures_to_a_mail_server() {
    let server = SmtpServer::start(Script::plain()).await;
    let proxy = Proxy::to(server.address).await;
    let app = TestApp::with(|config| {
        config.egress.timeout_seconds = CHECK_SECONDS;
        config.rate_limit.tier2_per_minute = 0;
    })
    .await;
    let admin = app.admin("acme");
    let relay = json!({
        "serverAddress": "127.0.0.1", "serverPort": proxy.address.port(), "securityType": "none",
        "emailAddress": "ada@example.com",
    });
    admin.patch(&relay).await.expect(204);
    every_row(&proxy, |row| row.smtp, async || outcome(&admin.verify().await)).await;
}

/// Security case K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_failures_to_postgresql() {
    let Some(engine) = Engine::postgres() else { return };
    let database = Database::create(engine).await;
    let (proxy, url) = Proxy::to_database(&database).await;
    let app = TestApp::with_database(database.clone(), |config| {
        config.database.url = transports::config::DatabaseUrl::new(url);
        config.rate_limit.tier2_per_minute = 0;
    })
    .await;
    let admin = app.admin("acme");
    let mut number = 0;
    let mut acknowledged = Vec::new();
    let attempt = async || {
        number += 1;
        let name = format!("Sender {number}");
        let body = json!({ "senderName": name });
        let (written, read) = tokio::join!(admin.patch(&body), admin.get(crate::support::client::CONFIG));
        if written.status == 204 {
            acknowledged.push(number);
        }
        match (written.status, read.status) {
            (204, 200) => WORKS.to_owned(),
            (503, 503) => "503".to_owned(),
            other => format!("{other:?}"),
        }
    };
    every_row(&proxy, |row| row.postgres, attempt).await;
    let last = acknowledged.last().expect("some");
    assert_eq!(admin.config().await["providerConfig"]["senderName"], json!(format!("Sender {last}")));
    assert!(database.audit("acme").await.len() >= acknowledged.len(), "each has its row");
}

/// Security case K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_failures_to_the_sign_in_service() {
    let microsoft = Microsoft::start().await;
    let server = microsoft.url.strip_prefix("http://").expect("a URL").parse().expect("an address");
    let proxy = Proxy::to(server).await;
    let url = format!("http://{}", proxy.address);
    let app = microsoft
        .service_with(|config| {
            config.microsoft365.login_url = Some(url.clone());
            config.microsoft365.graph_url = Some(url);
            config.egress.timeout_seconds = CHECK_SECONDS;
        })
        .await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    every_row(&proxy, |row| row.entra, async || outcome(&admin.verify().await)).await;
}

/// Security case K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_failures_to_the_key_set() {
    let key = IssuerKey::p256("one");
    let server = JwksServer::start(&key_set(&[key.jwk()])).await;
    let proxy = Proxy::to(server.address).await;
    let mut claims = claims_with("iss", Some(json!("https://issuer.test")));
    claims["aud"] = json!("transports");
    let token = key.token(&claims);
    let url = format!("http://{}/.well-known/jwks.json", proxy.address);
    // A service that has no keys yet each time: kept ones would be used for a day.
    let attempt = async || {
        let database = Database::create(Engine::Sqlite).await;
        let app = TestApp::with_database(database, |config| {
            config.auth.hs256_secret = None;
            config.auth.jwks_url = Some(url.clone());
        })
        .await;
        match app.bearer(&token).post(VALIDATE).await.status {
            200 => WORKS.to_owned(),
            status => status.to_string(),
        }
    };
    every_row(&proxy, |row| row.jwks, attempt).await;
}

/// Security case K14.
#[tokio::test]
async fn a_service_without_keys_retries() {
    let key = IssuerKey::p256("one");
    let server = JwksServer::start(&key_set(&[key.jwk()])).await;
    let proxy = Proxy::to(server.address).await;
    proxy.set(Way::Cut);
    let database = Database::create(Engine::chosen()).await;
    let url = format!("http://{}/.well-known/jwks.json", proxy.address);
    let app = TestApp::with_database(database, |config| {
        config.auth.hs256_secret = None;
        config.auth.jwks_url = Some(url);
    })
    .await;
    let mut claims = claims_with("iss", Some(json!("https://issuer.test")));
    claims["aud"] = json!("transports");
    let caller = app.bearer(&key.token(&claims));
    caller.post(VALIDATE).await.expect(503);
    proxy.set(Way::Open);
    app.clock.advance(5000);
    caller.post(VALIDATE).await.expect(200);
}

fn page() -> String {
    let mut page = "# Slow, interrupted and narrow networks

This page is generated from the table in `tests/it/egress/networks.rs`, whose tests run every row.

The names are [diagnosis codes](diagnosis.md) in the response of verify-connection; 503 is the status of the API.
No acknowledged change is lost on any of these networks, and the service recovers as soon as the network does. A check
ends within `egress.timeout_seconds`, a request of the database within 5 s, the fetch of a key set within 3 s. Once
fetched, keys are used for `auth.jwks_max_age_hours` while the issuer cannot be reached.

| The network | What it does | SMTP | PostgreSQL | Entra | Key set, none kept |
|---|---|---|---|---|---|
"
    .to_owned();
    for row in &TABLE {
        let code = |text: &str| match text {
            WORKS | "503" => text.to_owned(),
            codes => format!("`{}`", codes.replace(" or ", "` or `")),
        };
        let cells = [row.smtp, row.postgres, row.entra, row.jwks].map(code);
        let _ = writeln!(page, "| {} | {} | {} |", row.name, row.what, cells.join(" | "));
    }
    page
}

#[test]
fn the_page_on_networks_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/networks.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).expect("docs can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page(), "docs/networks.md is stale: run `UPDATE_DOCS=1 cargo test --test it networks`");
}
