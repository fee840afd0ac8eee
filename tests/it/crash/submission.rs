//! `kill -9` and losses of power round the 250 of the SMTP gateway: what it said is stored, and what it did not say is stored
//! once when the client comes again.

mod random_kills;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use transports::auth::api_key::{NewKey, Permission};
use transports::clock::Timestamp;
use transports::store::Write;
use transports::store::api_keys::{self, ApiKey};

use super::delivery::{self, Site, TO, Tenant, start};
use crate::submission::{FROM, MESSAGE, id, tenant};
use crate::support::certificates;
use crate::support::database::{Database, Engine};
use crate::support::disk::Disk;
use crate::support::eventually::eventually;
use crate::support::figures::{progress, rounds, tell};
use crate::support::gate::{Gate, Side};
use crate::support::journal::Journal;
use crate::support::process::{Process, with};
use crate::support::random::Random;
use crate::support::smtp_client::SmtpClient;

/// The settings of a process with a gateway. The folder has its certificate.
fn with_gateway(settings: &[(String, String)], folder: &tempfile::TempDir) -> Vec<(String, String)> {
    let (certificate, key) = certificates::server().write_to(folder.path());
    let settings = with(settings, "SUBMISSION__LISTEN", "127.0.0.1:0");
    let settings = with(&settings, "SUBMISSION__CERTIFICATE_FILE", &certificate.display().to_string());
    with(&settings, "SUBMISSION__KEY_FILE", &key.display().to_string())
}

/// The address that the log names.
fn gateway_of(process: &Process) -> SocketAddr {
    let log = process.log();
    let (_, rest) = log.split_once("SMTP gateway on ").expect("it listens");
    rest.split(',').next().expect("an address").parse().expect("an address")
}

/// Makes a key, beside the running service.
async fn key(database: &Database) -> String {
    let new = NewKey::generate().expect("randomness");
    let key = ApiKey {
        id: new.id,
        owner: tenant("acme"),
        name: "a program".to_owned(),
        permission: Permission::SendingAccess,
        allowed_senders: None,
        is_test: false,
        created_at: Timestamp(0),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    let db = database.open().await;
    let _ = db.write(Write::default().then(api_keys::insert(&key, &new.hash))).await.expect("it is stored");
    db.close().await;
    new.text.expose().to_owned()
}

async fn send(process: &Process, key: &str, message: &str) -> String {
    let (client, greeting) = SmtpClient::connect(gateway_of(process)).await;
    assert!(greeting.starts_with("220 "), "{greeting}");
    let mut client = client.start_tls().await;
    assert_eq!(client.sign_in("acme", key).await, "235 2.7.0 Signed in");
    client.send(FROM, &TO, message.as_bytes()).await
}

/// How many copies came whole for the recipients.
async fn copies(process: &Process, tenant: &Tenant, id: &str) -> (usize, String) {
    tenant.outcome(process, id).await
}

/// The commit is held before it is durable or before the service hears of it, and the process dies: the client has no 250, and
/// sends again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_250_leaves_one_mail_when_the_client_comes_again() {
    for side in [Side::Before, Side::After] {
        let folder = tempfile::tempdir().expect("a folder");
        let site = Site::new().await;
        let plain = with_gateway(&site.settings, &folder);
        let Some((gate, settings)) = Gate::new(&site.database, &plain).await else { return };
        let key = key(&site.database).await;
        // It takes mail, and does not send: the commit may be durable for a while before the kill.
        let process = start(&with(&settings, "DELIVERY__ENABLED", "false")).await;
        let tenant = Tenant::create(&process, "acme").await;
        gate.hold(side, TO[0]);
        let address = gateway_of(&process);
        let sending = {
            let key = key.clone();
            tokio::spawn(async move {
                let mut client = SmtpClient::connect(address).await.0.start_tls().await;
                client.sign_in("acme", &key).await;
                client.send(FROM, &TO, MESSAGE.as_bytes()).await
            })
        };
        gate.until_held("the commit is held").await;
        process.kill();
        assert_eq!(sending.await.expect("a client"), "", "{side:?}: no 250 was said");
        let process = start(&plain).await;
        let again = id(&send(&process, &key, MESSAGE).await);
        assert_eq!(site.database.count("emails").await, 1, "{side:?}");
        assert_eq!(copies(&process, &tenant, &again).await, (1, "accepted".to_owned()), "{side:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_the_250_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new().await;
    let sending = with_gateway(&site.settings, &folder);
    let key = key(&site.database).await;
    // It takes mail, and does not send.
    let process = start(&with(&sending, "DELIVERY__ENABLED", "false")).await;
    let tenant = Tenant::create(&process, "acme").await;
    let taken = id(&send(&process, &key, MESSAGE).await);
    process.kill();
    let process = start(&sending).await;
    assert_eq!(copies(&process, &tenant, &taken).await, (1, "accepted".to_owned()));
    assert_eq!(id(&send(&process, &key, MESSAGE).await), taken, "also after a restart");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(copies(&process, &tenant, &taken).await.0, 1);
}

/// Security case K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_of_power_after_the_250_loses_nothing() {
    if Engine::chosen() != Engine::Sqlite {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new().await;
    let key = key(&site.database).await;
    let watched = site.database.file().parent().expect("a folder").to_owned();
    let before = Disk::of(&watched);
    let journal = Journal::new();
    let mut settings = with_gateway(&with(&site.settings, "DELIVERY__ENABLED", "false"), &folder);
    let Some(shim) = journal.variables(&watched) else { return };
    settings.extend(shim);
    let process = start(&settings).await;
    let _tenant = Tenant::create(&process, "acme").await;
    let mut told = Vec::new();
    for number in 1..=rounds("TEST_SUBMISSION_POWER_CUTS", 6) {
        let reply = send(&process, &key, &MESSAGE.replace("<1@", &format!("<{number}@"))).await;
        told.push((journal.records().len(), id(&reply)));
    }
    process.kill();
    let records = journal.records();
    let mut random = Random::announced();
    let (mut disk, mut applied) = (before, 0);
    for (number, (moment, _)) in told.iter().enumerate() {
        progress("losses of power", number, told.len());
        records[applied..*moment].iter().for_each(|record| disk.apply(record));
        applied = *moment;
        let image = Database::create(Engine::Sqlite).await;
        disk.lose_power(&mut random, image.file().parent().expect("a folder"));
        let process = start(&with(&delivery::settings(&image), "DELIVERY__ENABLED", "false")).await;
        for (_, id) in &told[..=number] {
            let email = delivery::get(&process.known_admin("acme"), id).await;
            assert_eq!(email["status"], json!("queued"), "250 was said for {id}");
        }
        process.kill();
    }
    tell(&format!("{} losses of power after a 250: no mail lost", told.len()));
}

/// What is under way when the service is asked to end is finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_ends_the_gateway() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new().await;
    let key = key(&site.database).await;
    let process = start(&with_gateway(&site.settings, &folder)).await;
    let tenant = Tenant::create(&process, "acme").await;
    let mut idle = SmtpClient::connect(gateway_of(&process)).await.0;
    let taken = id(&send(&process, &key, MESSAGE).await);
    eventually("it is sent", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        !tenant.server.mails().is_empty()
    })
    .await;
    tenant.outcome(&process, &taken).await;
    let stopping = tokio::task::spawn_blocking(move || process.stop());
    assert!(idle.reply().await.starts_with("421 "), "an idle client is told");
    assert_eq!(stopping.await.expect("it ends").0, Some(0));
}
