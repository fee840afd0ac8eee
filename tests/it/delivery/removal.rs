//! What happens to stored mail over time, and what is erased on request.

use serde_json::{Value, json};
use transports::config::Config;

use super::{EMAILS, Post, account, states, status, to};
use crate::support::app::TestApp;
use crate::support::database::{Database, Engine};
use crate::support::process::{run, variables};
use crate::support::smtp_server::{At, Script, SmtpServer};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

const TABLES: [&str; 6] =
    ["emails", "email_recipients", "email_queue", "email_bodies", "email_events", "content_keys"];

/// A service that sends on this engine, for the tenants `acme` and `other`.
async fn open(engine: Engine, script: Script) -> Post {
    open_on(Database::create(engine).await, script, |_| {}).await
}

async fn open_on(database: Database, script: Script, change: impl FnOnce(&mut Config)) -> Post {
    let app = TestApp::with_database(database, |config| {
        config.rate_limit.tier2_per_minute = 0;
        config.rate_limit.send_per_minute = 0;
        change(config);
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(script).await;
    for tenant in ["acme", "other"] {
        app.admin(tenant).put(&account(&server)).await.expect(204);
    }
    Post { app, server, tenant: "acme".to_owned() }
}

/// Refuses `bob@example.net` in words that name him, and takes everybody else.
fn refusing() -> Script {
    Script::starttls()
        .on(At::RcptTo("bob@example.net"), "550 5.1.1 <bob@example.net>: there is nobody of this name here")
}

async fn sent(post: &Post, email: &Value) -> String {
    post.send(email).await["id"].as_str().expect("an id").to_owned()
}

async fn counts(post: &Post) -> Vec<usize> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(post.app.database.count(table).await);
    }
    counts
}

async fn clean(post: &Post) {
    let retention = post.app.app.retention();
    retention.delete_old_content().await.expect("a database");
    retention.delete_old_emails().await.expect("a database");
}

fn in_days(days: i64, post: &Post) -> String {
    transports::clock::Timestamp(post.app.clock.now().0 + days * DAY * 1_000).to_iso()
}

#[tokio::test]
async fn content_goes_before_the_rows_and_nothing_that_waits() {
    for engine in Engine::all() {
        let post = open(engine, refusing()).await;
        let refused = sent(&post, &to(&["bob@example.net"])).await;
        let mut later = to(&["carol@example.net"]);
        later["scheduled_at"] = json!(in_days(20, &post));
        let later = post.admin().json("POST", EMAILS, &later).await.expect(202).json();
        let later = later["id"].as_str().expect("an id").to_owned();
        assert_eq!(status(&post.get(&refused).await), "failed");

        post.pass_seconds(72 * HOUR - 1);
        clean(&post).await;
        assert_eq!(post.get(&refused).await["content"], json!("available"), "{engine:?}");
        post.pass_seconds(1);
        clean(&post).await;
        let email = post.get(&refused).await;
        assert_eq!((&email["content"], &email["text"]), (&json!("erased"), &json!(null)), "{engine:?}");
        assert_eq!((&email["subject"], states(&email)), (&json!("Invoice 8841"), vec!["refused"]));
        post.post(&refused, "retry").await.expect(410);
        assert_eq!(post.get(&later).await["content"], json!("available"), "{engine:?}: it waits");

        post.pass_seconds(27 * DAY - 1);
        clean(&post).await;
        post.get(&refused).await;
        assert_eq!(post.events(&refused).await, ["email.queued", "email.bounced"], "{engine:?}");
        post.pass_seconds(1);
        clean(&post).await;
        post.admin().get(&format!("{EMAILS}/{refused}")).await.expect(404);
        let of_first = format!("select count(*) from email_events where email_id = '{refused}'");
        assert_eq!(post.app.database.query(&of_first).await, [[Some("0".to_owned())]], "{engine:?}");
        assert!(post.events(&later).await.contains(&"email.scheduled".to_owned()), "{engine:?}");
    }
}

/// SQLite gives the number of the newest row again where that row was deleted: a reader behind it would miss an event.
#[tokio::test]
async fn a_cursor_stays_good_when_everything_was_removed() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls()).await;
        sent(&post, &to(&["carol@example.net"])).await;
        let feed = "/api/v1/transports/events";
        let read =
            async |after: &str| post.admin().get(&format!("{feed}?after={after}")).await.expect(200).json();
        let cursor =
            post.admin().get(feed).await.expect(200).json()["next"].as_str().expect("a cursor").to_owned();
        post.pass_seconds(31 * DAY);
        clean(&post).await;
        assert_eq!(counts(&post).await, [0, 0, 0, 0, 1, 0], "{engine:?}: the newest event alone stays");
        let id = sent(&post, &to(&["carol@example.net"])).await;
        post.app.database.all_events_are_shown().await;
        let events = read(&cursor).await;
        let of_new = events["data"].as_array().expect("events").iter();
        assert_eq!(
            of_new.filter(|event| event["data"]["email_id"] == json!(id)).count(),
            2,
            "{engine:?}: {events}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_remove_old_mail_at_the_same_time() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls()).await;
        let mut later = to(&["carol@example.net"]);
        later["scheduled_at"] = json!(in_days(2, &post));
        for _ in 0..120 {
            let email = post.admin().json("POST", EMAILS, &later).await.expect(202).json();
            post.post(email["id"].as_str().expect("an id"), "cancel").await.expect(200);
        }
        post.pass_seconds(31 * DAY);
        let cleaning = [(); 3].map(|()| {
            let app = std::sync::Arc::clone(&post.app.app);
            tokio::spawn(async move {
                app.retention().delete_old_content().await?;
                app.retention().delete_old_emails().await
            })
        });
        for replica in cleaning {
            replica.await.expect("a replica").expect("no replica fails because of another one");
        }
        assert_eq!(counts(&post).await, [0, 0, 0, 0, 1, 0], "{engine:?}");
    }
}

#[tokio::test]
async fn a_removed_tenant_leaves_nothing_and_can_send_again() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls()).await;
        let (key, _) = post.key(&json!({"name": "x"})).await;
        sent(&post, &to(&["carol@example.net"])).await;
        let mut later = to(&["carol@example.net"]);
        later["scheduled_at"] = json!(in_days(2, &post));
        post.app.admin("other").json("POST", EMAILS, &later).await.expect(202);
        post.admin().json("POST", EMAILS, &later).await.expect(202);
        let others = "select count(*) from email_events where tenant_id = 'other'";
        let newest = post.app.database.query("select max(seq) from email_events").await;

        let (code, out, err) = run(&["tenants", "rm", "acme", "--yes"], &variables(&post.app.database));
        assert_eq!(code, Some(0), "{engine:?}: {err}");
        let expected = "its configuration, the state of its account, 2 emails (1 of them waits to be sent), 1 API \
                        key, 3 events, 1 key of its emails, 2 entries of the audit";
        assert_eq!(out, format!("deleted of the tenant \"acme\": {expected}\n"));
        assert_eq!(err, format!("Stored of the tenant \"acme\": {expected}.\n"), "shown before");
        for table in TABLES.iter().chain(&["email_configs", "delivery_accounts", "audit", "api_keys"]) {
            let left = format!("select count(*) from {table} where tenant_id = 'acme'");
            assert_eq!(post.app.database.query(&left).await, [[Some("0".to_owned())]], "{engine:?}: {table}");
        }
        assert_eq!(post.app.database.query("select max(seq) from email_events").await, newest, "{engine:?}");
        assert_eq!(post.app.database.query(others).await, [[Some("1".to_owned())]], "{engine:?}");

        key.get(EMAILS).await.expect(401);
        // The process had the removed key in its memory.
        post.admin().put(&account(&post.server)).await.expect(204);
        let id = sent(&post, &to(&["carol@example.net"])).await;
        assert_eq!(post.app.database.count("content_keys").await, 2, "{engine:?}");
        assert_eq!(status(&post.get(&id).await), "accepted", "{engine:?}");
        let database = post.app.stop().await;
        let again = open_on(database, Script::starttls(), |_| {}).await;
        assert_eq!(again.get(&id).await["subject"], json!("Invoice 8841"), "{engine:?}: after a restart too");
    }
}

#[tokio::test]
async fn an_address_is_erased_from_all_mail_of_all_tenants() {
    for engine in Engine::all() {
        let post = open(engine, refusing()).await;
        let refused = sent(&post, &to(&["bob@example.net"])).await;
        let mut later = to(&["BOB@Example.net", "carol@example.net"]);
        later["scheduled_at"] = json!(in_days(2, &post));
        let waiting = post.app.admin("other").json("POST", EMAILS, &later).await.expect(202).json();
        let waiting = format!("{EMAILS}/{}", waiting["id"].as_str().expect("an id"));
        later["to"] = json!(["carol@example.net"]);
        let untouched = post.admin().json("POST", EMAILS, &later).await.expect(202).json();
        let settings = variables(&post.app.database);
        let erase = async |more: &[&str]| {
            let arguments = [&["erase", "--address", "bob@example.NET"], more].concat();
            run(&arguments, &settings)
        };

        let (code, out, err) = erase(&[]).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains("use --yes"), "{err}");
        let (code, out, err) = erase(&["--dry-run"]).await;
        assert_eq!(
            (code, out.as_str()),
            (Some(0), "found: 2 emails of 2 tenants; 1 of them waits to be sent\n"),
            "{engine:?}: {err}"
        );
        assert_eq!(post.get(&refused).await["subject"], json!("Invoice 8841"), "{engine:?}");
        let (code, out, err) = erase(&["--tenant", "other", "--yes"]).await;
        assert_eq!((code, out.as_str()), (Some(0), "erased: 1 email\n"), "{engine:?}: {err}");
        assert_eq!(post.get(&refused).await["subject"], json!("Invoice 8841"), "{engine:?}");
        let (code, out, err) = erase(&["--yes"]).await;
        assert_eq!((code, out.as_str()), (Some(0), "erased: 1 email\n"), "{engine:?}: {err}");

        let other = post.app.admin("other").get(&waiting).await.expect(200).json();
        assert_eq!(states(&other), ["canceled", "canceled"], "{engine:?}");
        for email in [other, post.get(&refused).await] {
            assert_eq!(
                (&email["subject"], &email["content"]),
                (&json!(null), &json!("erased")),
                "{engine:?}"
            );
            assert!(!email.to_string().to_ascii_lowercase().contains("bob@"), "{engine:?}: {email}");
        }
        assert_eq!(post.events(&refused).await.len(), 2, "the events stay");
        let database = &post.app.database;
        for row in ["select details from email_events", "select last from email_recipients"] {
            for row in database.query(row).await {
                let text = row[0].clone().unwrap_or_default();
                assert!(!text.to_ascii_lowercase().contains("bob@"), "{engine:?}: {text}");
            }
        }
        let untouched = post.get(untouched["id"].as_str().expect("an id")).await;
        assert_eq!((status(&untouched), &untouched["subject"]), ("scheduled", &json!("Invoice 8841")));
        let (code, _, err) = erase(&["--yes"]).await;
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("no email has the recipient"), "{err}");
    }
}

#[tokio::test]
async fn below_the_disk_floor_nothing_is_taken_and_results_go_on() {
    let database = Database::create(Engine::Sqlite).await;
    let post = open_on(database, Script::starttls(), |config| config.delivery.enabled = false).await;
    let taken = post.admin().json("POST", EMAILS, &to(&["carol@example.net"])).await.expect(202).json();
    let Post { app, server, tenant } = post;
    let database = app.stop().await;
    // No disk has so much free that has held this test.
    let app = TestApp::with_database(database, |config| config.delivery.min_free_disk_percent = 99).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let post = Post { app, server, tenant };
    let refused = post.admin().json("POST", EMAILS, &to(&["carol@example.net"])).await.expect(503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(refused.json()["name"], json!("unavailable"));
    let id = taken["id"].as_str().expect("an id");
    post.until(id, |email| status(email) == "accepted").await;
    assert_eq!(post.server.mails().len(), 1);
}

#[tokio::test]
async fn all_tenants_together_have_a_limit_of_octets() {
    for engine in Engine::all() {
        let post = open_on(Database::create(engine).await, Script::starttls(), |config| {
            config.delivery.enabled = false;
            config.delivery.max_bytes = 5_000;
        })
        .await;
        let mut email = to(&["carol@example.net"]);
        email["text"] = json!("x\n".repeat(500));
        post.admin().json("POST", EMAILS, &email).await.expect(202);
        // Within the second of the first look, too.
        post.app.admin("other").json("POST", EMAILS, &email).await.expect(202);
        let refused = post.app.admin("other").json("POST", EMAILS, &email).await.expect(503).json();
        assert_eq!(refused["name"], json!("unavailable"), "{engine:?}");
    }
}
