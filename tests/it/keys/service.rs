//! Data keys that an external service wraps: what works while it is away, and what it must not be mistaken about.

mod outage;
mod start;

use std::sync::Arc;

use serde_json::{Value, json};
use transports::app::{App, open_keys};
use transports::clock::Clock;
use transports::config::Config;
use transports::egress::Resolver;
use transports::vault::Rewrap;

use crate::support::app::{START, TestApp, settings};
use crate::support::client::{Answer, CONFIG, Client, SEND_TEST, VALIDATE, VERIFY};
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::{Process, run, variables, with_all};
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};
use crate::support::transit::{KEY, MOUNT, TOKEN, Transit, Way};

const KEY_V1: &str = "vault:team/transit/mail:v1";
const KEY_V2: &str = "vault:team/transit/mail:v2";
const EMAILS: &str = "/api/v1/transports/emails";
const CACHE_SECONDS: i64 = 300;

/// A service whose secrets are sealed through Vault, and a mail server.
struct Service {
    transit: Transit,
    server: SmtpServer,
    app: TestApp,
    admin: Client,
}

fn use_vault(config: &mut Config, transit: &Transit) {
    config.encryption.keys.clear();
    config.rate_limit.tier2_per_minute = 0;
    transit.settle(&mut config.encryption);
}

impl Service {
    async fn start() -> Self {
        Self::start_while(Way::Up).await
    }

    async fn start_while(way: Way) -> Self {
        let transit = Transit::start().await;
        transit.set(way);
        let app = TestApp::with(|config| use_vault(config, &transit)).await;
        app.names.set("localhost", &["127.0.0.1"]);
        let server = SmtpServer::start(Script::plain()).await;
        let admin = app.admin("acme");
        Self { transit, server, app, admin }
    }

    fn account(&self) -> Value {
        json!({
            "serverAddress": "localhost", "serverPort": self.server.port(), "securityType": "none",
            "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
        })
    }

    async fn ready(&self) -> (u16, Value) {
        let answer = self.app.anybody().get("/health/ready").await;
        (answer.status, answer.json()["keys"].clone())
    }

    /// Writes with a secret, and uses of one.
    async fn assert_unavailable(&self, what: &str) {
        self.assert_cannot_seal(what).await;
        let test = json!({"recipient": "bob@example.org"});
        for answer in [
            self.admin.post(VERIFY).await,
            self.app.member("acme").post(VERIFY).await,
            self.admin.json("POST", SEND_TEST, &test).await,
        ] {
            assert_tells_nothing(answer, what);
        }
    }

    async fn assert_cannot_seal(&self, what: &str) {
        let put = json!({"serviceProvider": "BasicAuth", "providerConfig": self.account()});
        for answer in [
            self.admin.patch(&json!({"emailPassword": good_password()})).await,
            self.admin.json("PUT", CONFIG, &put).await,
        ] {
            assert_tells_nothing(answer, what);
        }
    }
}

/// The only thing that a client is told, whatever is wrong with the service.
#[track_caller]
fn assert_tells_nothing(answer: Answer, what: &str) {
    let answer = answer.expect(503);
    let expected = json!([{"code": "HTTP-503", "title": "Service unavailable"}]);
    assert_eq!(answer.json()["errors"], expected, "{what}");
    assert!(answer.header("retry-after").is_some(), "{what}");
}

async fn key_ids(database: &Database) -> Vec<String> {
    let sql = "select secret_key_id from email_configs where secret_key_id is not null order by tenant_id";
    database.query(sql).await.into_iter().map(|row| row[0].clone().expect("not null")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_for_one_key_share_a_call() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    service.transit.set(Way::Slow);
    let before = service.transit.calls("decrypt");
    let sending: Vec<_> = (0..4)
        .map(|_| {
            let admin = service.admin.clone();
            tokio::spawn(async move { admin.send_test("bob@example.org").await })
        })
        .collect();
    let open = || service.app.app.accounts.connections.in_use() == 4;
    eventually("all four wait", async || open()).await;
    service.transit.set(Way::Up);
    service.transit.let_go();
    for sent in sending {
        assert_eq!(sent.await.expect("a task")["success"], json!(true));
    }
    assert_eq!(service.transit.calls("decrypt"), before + 1);
}

/// Security cases L1, L2.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_relabelled_wrapped_key_does_not_open() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    service.transit.rotate();
    let other = service.app.admin("other");
    other.patch(&service.account()).await.expect(204);
    assert_eq!(key_ids(&service.app.database).await, [KEY_V1, KEY_V2], "each version has its own name");
    let bound_to = service.transit.associated_data();
    assert_eq!(bound_to.len(), 1);
    let text = String::from_utf8_lossy(&bound_to[0]).into_owned();
    assert!(text.contains("transports data key") && text.ends_with("vault:team/transit/mail"), "{text:?}");
    let wrapped = "select secret_wrapped_key from email_configs where tenant_id = 'other'";
    for edit in [
        format!("update email_configs set secret_key_id = '{KEY_V2}' where tenant_id = 'acme'"),
        format!("update email_configs set secret_wrapped_key = ({wrapped}) where tenant_id = 'acme'"),
        format!(
            "update email_configs set secret_wrapped_key = ({wrapped}), secret_key_id = '{KEY_V2}'
             where tenant_id = 'acme'"
        ),
    ] {
        service.app.database.execute(&edit).await;
        let answer = service.admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!("SECRET_UNREADABLE"), "{edit}: {answer}");
        assert_eq!(service.ready().await, (200, json!("ok")), "a row that does not open says nothing else");
        service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(204);
        assert_eq!(service.admin.verify().await["success"], json!(true));
    }
}

/// Security case L8.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_detected_late_is_not_used() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    let Service { app, transit, server, .. } = service;
    let database = app.stop().await;
    transit.set(Way::Down);
    transit.replace_key();
    let app = TestApp::with_database(database, |config| use_vault(config, &transit)).await;
    transit.set(Way::Up);
    app.app.vault.maintain().await;
    assert_eq!(app.anybody().get("/health/ready").await.status, 503);
    app.admin("acme").post(VERIFY).await.expect(503);
    assert_eq!(server.connections(), 0);
}

/// Security case L6.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_only_with_versions_that_have_a_canary() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    let change = async || service.admin.patch(&json!({"emailPassword": good_password()})).await;

    let before = service.transit.calls("encrypt");
    change().await.expect(204);
    assert_eq!(service.transit.calls("encrypt") - before, 1, "a version with a canary needs no other");

    let before = service.transit.calls("encrypt");
    service.transit.rotate_before_calls(1);
    change().await.expect(204);
    assert_eq!(key_ids(&service.app.database).await, [KEY_V2]);
    assert_eq!(service.transit.calls("encrypt") - before, 2, "the secret's data key and the canary's");

    // Another one between the secret and the canary.
    service.transit.rotate_before_calls(2);
    change().await.expect(204);
    assert_eq!(key_ids(&service.app.database).await, ["vault:team/transit/mail:v4"]);
    assert_eq!(service.admin.verify().await["success"], json!(true));

    service.transit.rotate_before_calls(usize::MAX);
    assert_tells_nothing(change().await, "a version for every call");
    service.transit.rotate_before_calls(0);
    change().await.expect(204);
    assert_eq!(service.admin.verify().await["success"], json!(true));
}

/// Security case L6.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_many_versions_is_rotated() {
    let service = Service::start().await;
    for _ in 1..150 {
        service.transit.rotate();
    }
    let mut base = with_all(&variables(&service.app.database), &[("TRANSPORTS_ENCRYPTION__KEYS", "")]);
    base.extend(service.transit.variables());
    let rotating = move || run(&["keys", "rotate", "--wait", "0"], &base);
    let (code, out, err) = tokio::task::spawn_blocking(rotating).await.expect("a process");
    assert_eq!((code, out.as_str()), (Some(0), "vault:team/transit/mail:v151\n"), "{err}");
}

/// Security case L6.
#[tokio::test(flavor = "multi_thread")]
async fn new_versions_are_adopted_while_serving() {
    let service = Service::start().await;
    let tenants = ["acme", "b", "c", "d"].map(|tenant| service.app.admin(tenant));
    for admin in &tenants {
        admin.patch(&service.account()).await.expect(204);
    }
    let before = service.admin.get(CONFIG).await.expect(200);
    let mut base = with_all(&variables(&service.app.database), &[("TRANSPORTS_ENCRYPTION__KEYS", "")]);
    base.extend(service.transit.variables());

    // By itself: an `auto_rotate_period`, or its own operator.
    service.transit.rotate();
    service.app.admin("b").patch(&json!({"emailPassword": good_password()})).await.expect(204);
    assert_eq!(key_ids(&service.app.database).await, [KEY_V1, KEY_V2, KEY_V1, KEY_V1]);

    let run = |arguments: &'static [&'static str]| {
        let base = base.clone();
        async move { tokio::task::spawn_blocking(move || run(arguments, &base)).await.expect("a process") }
    };
    // Rows are on the old version: that is finished first, and then there is a new one.
    let (code, out, err) = run(&["keys", "rotate", "--wait", "0"]).await;
    assert_eq!((code, out), (Some(0), format!("{KEY_V2}\n")), "{err}");
    assert!(err.contains("finishing an earlier rotation: 3 rows to be wrapped"), "{err}");
    assert_eq!(service.transit.versions(), 2);
    let (code, out, err) = run(&["keys", "rotate", "--wait", "0"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "vault:team/transit/mail:v3\n"), "{err}");
    assert_eq!(service.transit.versions(), 3);
    assert_eq!(key_ids(&service.app.database).await, ["vault:team/transit/mail:v3"; 4]);
    let (code, _, err) = run(&["keys", "rotate", "--id", "k9"]).await;
    assert!(code == Some(2) && err.contains("names its versions itself"), "{err}");

    let (code, _, err) = run(&["keys", "remove", "vault:team/transit/mail:v3"]).await;
    assert!(code == Some(1) && err.contains("is the current key"), "{err}");
    let (code, _, err) = run(&["keys", "remove", KEY_V1]).await;
    assert_eq!(code, Some(0), "{err}");
    let (code, out, err) = run(&["keys", "status", "--json"]).await;
    assert_eq!(code, Some(0), "{err}");
    let status: Value = serde_json::from_str(&out).expect("JSON");
    let seals = json!({"id": "vault:team/transit/mail:v3", "first": true, "rows": 4, "inRing": true});
    assert_eq!((&status["keys"][0], &status["rowsOnOtherKeys"]), (&seals, &json!(0)));
    assert_eq!(status["keys"].as_array().map(Vec::len), Some(2), "{status}");

    // The old versions may go at the service too.
    service.transit.set_min_decryption_version(3);
    service.app.clock.advance(CACHE_SECONDS * 1000);
    for admin in &tenants {
        assert_eq!(admin.verify().await["success"], json!(true));
    }
    let after = service.admin.get(CONFIG).await.expect(200);
    assert_eq!(after.json()["modificationTime"], before.json()["modificationTime"]);
    let config = |tag: &str| tag.split('.').next().map(str::to_owned);
    assert_eq!(config(after.header("etag").unwrap()), config(before.header("etag").unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_move_from_keys_to_the_service_and_back() {
    let database = Database::create(Engine::chosen()).await;
    let transit = Transit::start().await;
    let server = SmtpServer::start(Script::plain()).await;
    let keys_alone = variables(&database);
    let mut both = keys_alone.clone();
    both.extend(transit.variables());
    let back = with_all(&both, &[("TRANSPORTS_ENCRYPTION__SEAL_WITH", "keys")]);
    let account = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "none",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
    });
    let mut mail = Value::Null;
    for (step, settings, expected) in
        [("keys", &keys_alone, "test"), ("to the service", &both, KEY_V1), ("and back", &back, "test")]
    {
        if step != "keys" {
            let rewrap = settings.clone();
            let ran = tokio::task::spawn_blocking(move || run(&["keys", "rewrap", "--wait", "0"], &rewrap));
            let (code, _, err) = ran.await.expect("a process");
            assert_eq!(code, Some(0), "{step}: {err}");
        }
        let process = Process::serve_beside(settings).await;
        let admin = process.admin("acme", settings);
        eventually("it is ready", async || admin.get("/health/ready").await.status == 200).await;
        if step == "keys" {
            admin.patch(&account).await.expect(204);
            let email = json!({"to": "bob@example.net", "subject": "Invoice 8841", "text": "Thank you."});
            mail = admin.json("POST", EMAILS, &email).await.expect(202).json();
        }
        let shown = admin.get(&format!("{EMAILS}/{}", mail["id"].as_str().expect("an id"))).await.expect(200);
        assert_eq!(shown.json()["subject"], json!("Invoice 8841"), "{step}");
        let content = database.query("select key_id from content_keys").await;
        assert_eq!(content, [[Some(expected.to_owned())]], "{step}");
        assert_eq!(admin.verify().await["success"], json!(true), "{step}");
        assert_eq!(key_ids(&database).await, [expected], "{step}");
        assert_eq!(process.stop().0, Some(0));
    }
}
