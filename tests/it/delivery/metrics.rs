//! What the delivery of mail says at `/metrics`: each number changes with what it counts.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::{EMAILS, Post, status, to};
use crate::support::app::TestApp;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script};

/// The value of one sample of a page; 0 where it is absent.
fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

/// Waits until a sample of what the process counts itself has this value.
async fn until(post: &Post, sample: &str, expected: f64) {
    eventually(&format!("{sample} is {expected}"), async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        (value(&post.app.app.metrics.encode(), sample) - expected).abs() < 0.5
    })
    .await;
}

async fn scrape(post: &Post) -> String {
    let page = post.app.anybody().get("/metrics").await.expect(200);
    String::from_utf8(page.body.to_vec()).expect("text")
}

async fn enqueue(post: &Post, email: &serde_json::Value) -> String {
    let answer = post.admin().json("POST", EMAILS, email).await.expect(202).json();
    answer["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn what_waits_is_counted_when_the_metrics_are_read() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let mut bulk = to(&["bulk@example.net"]);
    bulk["lane"] = json!("bulk");
    let held = enqueue(&post, &to(&["held@example.net"])).await;
    enqueue(&post, &to(&["bob@example.net"])).await;
    let (canceled, settled) = (enqueue(&post, &bulk).await, enqueue(&post, &bulk).await);
    post.pass_seconds(400);
    enqueue(&post, &to(&["carol@example.net"])).await;
    let bulk_id = enqueue(&post, &bulk).await;
    post.pass_seconds(20);
    post.post(&canceled, "cancel").await.expect(200);
    post.post(&settled, "cancel").await.expect(200);
    let database = &post.app.database;
    database
        .execute(&format!(
            "update email_queue set lane = 'held' where email_id = '{held}';
             insert into delivery_accounts (tenant_id, state) values ('beta', 'paused'), ('gamma', 'stopped'),
                ('delta', 'stopped')"
        ))
        .await;
    let sizes = database.query("select cast(sum(size) as bigint), min(size) from emails").await;
    let size = |column: usize| sizes[0][column].as_deref().expect("a sum").parse::<f64>().expect("a number");

    let page = scrape(&post).await;
    for (sample, expected) in [
        (r#"transports_delivery_waiting{lane="transactional"}"#, 2.0),
        (r#"transports_delivery_waiting{lane="bulk"}"#, 1.0),
        (r#"transports_delivery_waiting{lane="held"}"#, 1.0),
        (r#"transports_delivery_oldest_due_seconds{lane="transactional"}"#, 420.0),
        (r#"transports_delivery_oldest_due_seconds{lane="bulk"}"#, 20.0),
        (r#"transports_delivery_accounts{state="open"}"#, 1.0),
        (r#"transports_delivery_accounts{state="paused"}"#, 1.0),
        (r#"transports_delivery_accounts{state="stopped"}"#, 2.0),
        ("transports_delivery_content_bytes", size(0)),
        ("transports_delivery_slots", 0.0),
    ] {
        assert!((value(&page, sample) - expected).abs() < 1.5, "{sample} is not {expected} in\n{page}");
    }
    assert!(size(1) > 100.0, "a missing email would show");
    // A second look within seconds asks the database nothing.
    post.post(&bulk_id, "cancel").await.expect(200);
    assert!(scrape(&post).await.contains(r#"transports_delivery_waiting{lane="bulk"} 1"#));
}

/// The walk over the queue goes in steps: none is counted twice, and none is left out.
#[tokio::test]
async fn a_long_queue_is_counted_in_steps() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let numbers =
        "with recursive row (number) as (select 1 union all select number + 1 from row where number < 4500)";
    let database = &post.app.database;
    database
        .execute(&format!(
            "insert into email_queue (tenant_id, lane, due_at, email_id, size) {numbers}
                select 'tenant-' || (number / 100), case when number % 3 = 0 then 'bulk' else 'transactional' end,
                    number / 7, 'email-' || number, 10 from row;
             insert into emails (tenant_id, id, fingerprint, lane, status, created_at, expires_at, on_unknown, message_id,
                    size, has_content, key_day, settled_at, version) {numbers}
                select 'tenant-' || (number / 100), 'email-' || number, '', 'bulk', 'failed', 0, 0, 'hold', 'm',
                    1000, true, 0, number / 900, 0 from row"
        ))
        .await;
    let page = scrape(&post).await;
    for (sample, expected) in [
        (r#"transports_delivery_waiting{lane="transactional"}"#, 3_000.0),
        (r#"transports_delivery_waiting{lane="bulk"}"#, 1_500.0),
        ("transports_delivery_content_bytes", 4_545_000.0),
    ] {
        assert!((value(&page, sample) - expected).abs() < 0.5, "{sample} is not {expected} in\n{page}");
    }
}

#[tokio::test]
async fn what_is_taken_and_refused_at_the_door_is_counted() {
    let post = Post::with(Script::starttls(), |config| {
        config.delivery.enabled = false;
        config.delivery.max_waiting_per_tenant = 2;
    })
    .await;
    let admin = post.admin();
    let body = serde_json::to_vec(&to(&["bob@example.net"])).expect("JSON");
    for expected in [202, 200] {
        let headers = [("Idempotency-Key", "a"), ("Content-Type", "application/json")];
        admin.send("POST", EMAILS, &headers, body.clone()).await.expect(expected);
    }
    admin.json("POST", EMAILS, &json!({"to": "bob@example.net", "text": "No subject"})).await.expect(422);
    let batch = json!([to(&["a@example.net"]), to(&["b@example.net"])]);
    admin.json("POST", &format!("{EMAILS}/batch"), &batch).await.expect(429);
    post.app.admin("nobody").json("POST", EMAILS, &to(&["a@example.net"])).await.expect(409);
    let page = post.app.app.metrics.encode();
    for (outcome, expected) in [
        ("taken", 1.0),
        ("replayed", 1.0),
        ("missing_required_field", 1.0),
        ("queue_full", 2.0),
        ("not_configured", 1.0),
    ] {
        let sample = format!(r#"transports_emails_submitted_total{{outcome="{outcome}"}}"#);
        assert!((value(&page, &sample) - expected).abs() < 0.5, "{sample} is not {expected} in\n{page}");
    }
}

#[tokio::test]
async fn hand_overs_are_counted_by_outcome_code_and_provider() {
    let mut post = Post::open(Script::starttls()).await;
    post.send(&to(&["a@example.net", "b@example.net"])).await;
    post.next_tenant(
        Script::starttls()
            .on(At::RcptTo("a@example.net"), "550 5.1.1 No such user")
            .on(At::RcptTo("b@example.net"), "450 4.7.1 Greylisted, try later"),
    )
    .await;
    post.send(&to(&["a@example.net", "b@example.net"])).await;
    post.next_tenant(Script::starttls()).await;
    post.server.play(Script::starttls().account("ada", "another password"));
    post.send(&to(&["a@example.net"])).await;
    let handovers = |outcome: &str, code: &str| {
        format!(
            r#"transports_delivery_handovers_total{{outcome="{outcome}",code="{code}",provider="BasicAuth"}}"#
        )
    };
    until(&post, &handovers("accepted", "OK"), 2.0).await;
    until(&post, &handovers("refused", "RECIPIENT_UNKNOWN"), 1.0).await;
    until(&post, &handovers("deferred", "GREYLISTED"), 1.0).await;
    until(&post, &handovers("held", "AUTH_REJECTED"), 1.0).await;
    until(&post, r#"transports_delivery_handover_duration_seconds_count{provider="BasicAuth"}"#, 2.0).await;
    until(&post, "transports_delivery_slots", 256.0).await;
}

#[tokio::test]
async fn unknown_outcomes_copies_and_expired_mail_are_counted() {
    let post = Post::open(Script::starttls().on(At::Message, Act::Close)).await;
    let unknown = r#"transports_delivery_recipients_total{state="unknown"}"#;
    let expired = r#"transports_delivery_recipients_total{state="expired"}"#;
    let page = post.app.app.metrics.encode();
    let refused = ["queue_full", "unavailable"]
        .map(|outcome| format!(r#"transports_emails_submitted_total{{outcome="{outcome}"}}"#));
    for sample in refused.iter().map(String::as_str).chain([unknown, expired]) {
        assert!(page.contains(&format!("{sample} 0\n")), "a counter that is there from the start: {sample}");
    }
    let id = enqueue(&post, &to(&["bob@example.net"])).await;
    post.until(&id, |email| status(email) == "unknown").await;
    until(&post, unknown, 1.0).await;
    until(&post, "transports_delivery_copies_total", 0.0).await;
    post.server.play(Script::starttls());
    post.pass_seconds(601);
    post.until(&id, |email| status(email) == "accepted").await;
    until(&post, "transports_delivery_copies_total", 1.0).await;

    let mut late = to(&["carol@example.net"]);
    late["ttl_seconds"] = json!(60);
    post.admin().post("/api/v1/transports/account/pause").await.expect(200);
    let id = enqueue(&post, &late).await;
    post.until(&id, |email| status(email) == "held").await;
    post.pass_seconds(61);
    post.until(&id, |email| status(email) == "expired").await;
    until(&post, expired, 1.0).await;
}

/// A mail in hand is shown while the server lets it wait, and a result that comes after another owner has taken the
/// recipient is dropped and counted.
#[tokio::test]
async fn mail_in_hand_and_fenced_results_are_counted() {
    let (go, held) = watch::channel(false);
    let post = Post::open(Script::starttls().on(At::Message, [Act::Wait(held), Act::Usual])).await;
    let id = enqueue(&post, &to(&["bob@example.net"])).await;
    until(&post, "transports_delivery_in_flight", 1.0).await;
    until(&post, "transports_delivery_slots_in_use", 1.0).await;
    let other_owner = format!(
        "update email_recipients set fence = fence + 1 where email_id = '{id}';
         update emails set version = version + 1 where id = '{id}'"
    );
    post.app.database.execute(&other_owner).await;
    go.send_replace(true);
    until(&post, "transports_delivery_fenced_results_total", 1.0).await;
    until(&post, "transports_delivery_in_flight", 0.0).await;
    until(&post, "transports_delivery_slots_in_use", 0.0).await;
    assert_eq!(status(&post.get(&id).await), "sending");
}

#[tokio::test]
async fn a_result_that_cannot_be_written_is_shown_until_it_is() {
    let (go, held) = watch::channel(false);
    let post = Post::open(Script::starttls().on(At::Message, [Act::Wait(held), Act::Usual])).await;
    let id = enqueue(&post, &to(&["bob@example.net"])).await;
    until(&post, "transports_delivery_in_flight", 1.0).await;
    post.app.database.execute("alter table email_events rename to email_events_away").await;
    go.send_replace(true);
    until(&post, "transports_delivery_stalled", 1.0).await;
    post.app.database.execute("alter table email_events_away rename to email_events").await;
    until(&post, "transports_delivery_stalled", 0.0).await;
    post.until(&id, |email| status(email) == "accepted").await;
}

#[tokio::test]
async fn an_account_that_was_not_given_up_is_counted_when_it_is_taken_over() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    enqueue(&post, &to(&["bob@example.net"])).await;
    // The server stays for as long as the account names it.
    let Post { app, server: _server, .. } = post;
    let database = app.stop().await;
    let taken = "transports_delivery_lease_takeovers_total";
    for (owner, expected) in [("'a process that died'", 1.0), ("null", 0.0)] {
        database
            .execute(&format!(
                "update delivery_accounts set owner = {owner}, lease_until = 1, next_due_at = 1, fence = 0"
            ))
            .await;
        let app = TestApp::with_database(database.clone(), |config| config.delivery.enabled = true).await;
        app.names.set("localhost", &["127.0.0.1"]);
        eventually("the account is taken", async || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let fence = &database.query("select fence from delivery_accounts").await[0][0];
            fence.as_deref() != Some("0")
        })
        .await;
        eventually("it is counted", async || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            (value(&app.app.metrics.encode(), taken) - expected).abs() < 0.5
        })
        .await;
        app.stop().await;
    }
}
