//! How a running service comes to know of a changed file of keys, and what it does with one that is no good.

use serde_json::{Value, json};
use transports::app::App;

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::key_file::{KeyFile, line};
use crate::support::process::{Process, variables, with_all};
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};

struct Service {
    file: KeyFile,
    server: SmtpServer,
    app: TestApp,
    admin: Client,
}

impl Service {
    /// With an account that is sealed with `k1`, the only key.
    async fn start() -> Self {
        let file = KeyFile::with(&line("k1", 1));
        let app = TestApp::with(|config| {
            config.encryption.keys.clear();
            config.encryption.keys_file = Some(file.path());
            config.rate_limit.tier2_per_minute = 0;
        })
        .await;
        app.names.set("localhost", &["127.0.0.1"]);
        let server = SmtpServer::start(Script::plain()).await;
        let admin = app.admin("acme");
        let service = Self { file, server, app, admin };
        service.admin.patch(&service.account()).await.expect(204);
        service
    }

    fn account(&self) -> Value {
        json!({
            "serverAddress": "localhost", "serverPort": self.server.port(), "securityType": "none",
            "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
        })
    }

    async fn key_id(&self, tenant: &str) -> String {
        let sql = format!("select secret_key_id from email_configs where tenant_id = '{tenant}'");
        self.app.database.query(&sql).await[0][0].clone().expect("a secret")
    }
}

/// How often the file was read again, and could be used or not.
fn reloads(app: &App, outcome: &str) -> usize {
    let page = app.metrics.encode();
    let name = format!("transports_key_reloads_total{{outcome=\"{outcome}\"}} ");
    let count = page.lines().find_map(|line| line.strip_prefix(name.as_str()));
    count.map_or(0, |count| count.parse().expect("a number"))
}

/// Security case L6.
#[tokio::test]
async fn the_first_key_in_the_file_seals_the_next_write() {
    let service = Service::start().await;
    service.file.replace(&(line("k2", 2) + &line("k1", 1)));
    let other = service.app.admin("other");
    other.patch(&service.account()).await.expect(204);
    assert_eq!(
        (service.key_id("other").await, service.key_id("acme").await),
        ("k2".to_owned(), "k1".to_owned())
    );
    assert_eq!((reloads(&service.app.app, "ok"), reloads(&service.app.app, "failed")), (1, 0));
    for admin in [&service.admin, &other] {
        assert_eq!(admin.verify().await["success"], json!(true));
    }
    // Unchanged, it is not read again.
    other.patch(&service.account()).await.expect(204);
    service.app.app.vault.maintain().await;
    assert_eq!(reloads(&service.app.app, "ok"), 1);
}

/// Security case L6.
#[tokio::test]
async fn a_row_under_an_unknown_key_reloads_the_file_at_once() {
    let service = Service::start().await;
    // Another replica has read the file before.
    let replica = TestApp::with_database(service.app.database.clone(), |config| {
        config.encryption.keys.clear();
        config.encryption.keys_file = Some(service.file.path());
    })
    .await;
    service.file.replace(&(line("k2", 2) + &line("k1", 1)));
    replica.admin("acme").patch(&json!({"emailPassword": good_password()})).await.expect(204);
    assert_eq!(service.key_id("acme").await, "k2");
    assert_eq!(reloads(&service.app.app, "ok"), 0, "nobody has told it yet");
    assert_eq!(service.admin.verify().await["success"], json!(true));
    assert_eq!(reloads(&service.app.app, "ok"), 1);
}

/// Security case L4.
#[tokio::test]
async fn many_rows_under_unknown_keys_reload_the_file_at_intervals() {
    let service = Service::start().await;
    service
        .app
        .database
        .execute(
            "insert into key_canaries (key_id, wrapped_key, payload, created_at)
                 select 'ghost', wrapped_key, payload, 0 from key_canaries where key_id = 'k1';
             update email_configs set secret_key_id = 'ghost'",
        )
        .await;
    for _ in 0..20 {
        let answer = service.admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!("SECRET_UNREADABLE"), "{answer}");
    }
    assert_eq!((reloads(&service.app.app, "ok"), reloads(&service.app.app, "failed")), (0, 0));
    // A changed file is looked at once; this one still lacks the key.
    service.file.replace(&(line("k2", 2) + &line("k1", 1)));
    for _ in 0..20 {
        service.admin.verify().await;
    }
    assert_eq!((reloads(&service.app.app, "ok"), reloads(&service.app.app, "failed")), (0, 1));
    assert_eq!(service.server.connections(), 0);
}

/// Security cases L3, L4, L5.
#[tokio::test]
async fn an_invalid_file_changes_nothing_until_it_is_fixed() {
    let service = Service::start().await;
    let bad = [
        ("nothing".to_owned(), 0o600),
        (String::new(), 0o600),
        ("k1:c2hvcnQ=\n".to_owned(), 0o600),
        // Without the key that a row needs.
        (line("k2", 2), 0o600),
        // With other bytes under its name.
        (line("k1", 9), 0o600),
        (line("k2", 2) + &line("k1", 9), 0o600),
        (line("k2", 2) + &line("k1", 1), 0o644),
    ];
    for (number, (text, mode)) in bad.iter().enumerate() {
        service.file.replace(text);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(*mode);
        std::fs::set_permissions(service.file.path(), permissions).expect("our own file");
        for _ in 0..3 {
            service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(204);
            assert_eq!(service.admin.verify().await["success"], json!(true), "{text}");
        }
        assert_eq!(service.key_id("acme").await, "k1");
        let failed = reloads(&service.app.app, "failed");
        assert_eq!(failed, number + 1, "{text}: read once");
    }
    std::fs::remove_file(service.file.path()).expect("our own file");
    assert_eq!(service.admin.verify().await["success"], json!(true));
    // Every few seconds it is tried again, until it is good.
    let failed = reloads(&service.app.app, "failed");
    for _ in 0..2 {
        service.app.app.vault.maintain().await;
    }
    assert_eq!(reloads(&service.app.app, "failed"), failed + 2);
    service.file.replace(&(line("k2", 2) + &line("k1", 1)));
    service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(204);
    assert_eq!((service.key_id("acme").await, reloads(&service.app.app, "ok")), ("k2".to_owned(), 1));
}

/// Security case L6.
#[tokio::test]
async fn a_row_read_before_its_key_was_removed_still_opens() {
    let service = Service::start().await;
    let app = &service.app.app;
    let tenant = transports::id::TenantId::from_operator("acme");
    let read = transports::store::email_configs::find(&app.db, &tenant).await.unwrap().expect("a row");
    // All that a rotation does, in this moment.
    service.file.replace(&(line("k2", 2) + &line("k1", 1)));
    service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(204);
    service.file.replace(&line("k2", 2));
    app.vault.maintain().await;
    assert_eq!(reloads(app, "ok"), 2);
    let opened = transports::account::secrets::open(&read, &app.vault, &tenant).await;
    assert_eq!(opened.expect("opens").expect("a secret").expose(), good_password());
}

#[tokio::test]
async fn a_process_reloads_the_file_on_sighup_and_periodically() {
    let database = Database::create(Engine::chosen()).await;
    let file = KeyFile::with(&line("k1", 1));
    let path = file.path().display().to_string();
    let settings = with_all(
        &variables(&database),
        &[("TRANSPORTS_ENCRYPTION__KEYS", ""), ("TRANSPORTS_ENCRYPTION__KEYS_FILE", &path)],
    );
    let process = Process::serve(&settings);
    process.admin("acme", &settings).get("/health/ready").await.expect(200);
    let read = || process.log().matches("keys reloaded").count();
    // Unchanged, and told to.
    process.signal("-HUP");
    eventually("SIGHUP has it read", async || read() == 1).await;
    // Changed, and not told: nobody writes or reads anything.
    file.replace(&(line("k2", 2) + &line("k1", 1)));
    eventually("the change is noticed", async || read() == 2).await;
    assert!(process.log().contains("\"first\":\"k2\""), "{}", process.log());
    assert_eq!(process.stop().0, Some(0));
}

#[tokio::test]
async fn sighup_without_a_key_file_does_not_end_the_process() {
    let database = Database::create(Engine::chosen()).await;
    let settings = variables(&database);
    let process = Process::serve(&settings);
    process.admin("acme", &settings).get("/health/ready").await.expect(200);
    process.signal("-HUP");
    eventually("it is told", async || process.log().contains("nothing to reload")).await;
    process.admin("acme", &settings).get("/health/ready").await.expect(200);
    assert_eq!(process.stop().0, Some(0));
}
