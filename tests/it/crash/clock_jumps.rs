//! A wall clock that is set forward and back: nothing is locked, nothing is used for longer than it may be.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::microsoft365::{Microsoft, put};
use transports::config::RateLimitStore;
use transports::dev::fake_microsoft365::ScriptedResponse;

const HOUR: i64 = 3_600_000;
/// An hour each way, a leap second each way, and a day.
const JUMPS: [i64; 6] = [HOUR, -HOUR, 1000, -1000, -24 * HOUR, 24 * HOUR];

/// Security case K12.
#[tokio::test]
async fn writes_and_reads_survive_clock_jumps() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let mut tags = Vec::new();
    for (number, jump) in JUMPS.into_iter().enumerate() {
        app.clock.set_by(jump);
        // A token whose issuer goes by the same clock.
        let admin = app.admin("acme");
        let name = format!("Sender {number}");
        let answer = admin.patch(&json!({ "senderName": name })).await.expect(204);
        tags.push(answer.header("etag").expect("a version").to_owned());
        let shown = admin.config().await;
        assert_eq!(shown["providerConfig"]["senderName"], json!(name), "after {jump} ms");
        assert_eq!(shown["modificationTime"], json!(app.clock.now().to_iso()), "it says what the clock says");
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), JUMPS.len(), "no version comes twice");
    assert_eq!(app.database.audit("acme").await.len(), JUMPS.len());
    admin.config().await;
}

/// Security case K12.
#[tokio::test]
async fn a_clock_jump_neither_locks_clients_out_nor_lifts_the_rate_limit() {
    for jump in JUMPS.into_iter().filter(|jump| jump.abs() >= HOUR) {
        let app = TestApp::with(|config| {
            config.rate_limit.tier1_per_minute = 5;
            // The database counts by a clock that no test sets.
            config.rate_limit.store = Some(RateLimitStore::Memory);
        })
        .await;
        let statuses = async |app: &TestApp, count: usize| {
            // A token that is good at any time of the test.
            let mut statuses = Vec::new();
            for _ in 0..count {
                statuses.push(app.admin("acme").get(crate::support::client::CONFIG).await.status);
            }
            statuses
        };
        assert_eq!(statuses(&app, 6).await, [200, 200, 200, 200, 200, 429]);
        app.clock.set_by(jump);
        let after = statuses(&app, 20).await;
        let passed = after.iter().filter(|status| **status == 200).count();
        assert!(passed <= 5, "{jump}: one window at most: {after:?}");
        app.clock.advance(60_000);
        assert_eq!(statuses(&app, 1).await, [200], "{jump}: a minute later at the latest");
    }
}

/// Security case K12.
#[tokio::test]
async fn a_cached_token_expires_by_elapsed_time() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let put_one = async || put(&app.admin("acme"), &microsoft.provider_config()).await.expect(204);
    put_one().await;
    let send = async || app.admin("acme").send_test("bob@example.org").await;
    let start = microsoft.fake.token_requests();
    send().await;
    for jump in JUMPS {
        app.clock.set_by(jump);
        assert_eq!(send().await["success"], json!(true));
    }
    assert_eq!(microsoft.fake.token_requests(), start + 1, "no time has passed");
    app.clock.set_by(-HOUR);
    app.clock.advance(HOUR);
    send().await;
    assert_eq!(microsoft.fake.token_requests(), start + 2, "it is not used beyond its end");
}

/// Security case K12.
#[tokio::test]
async fn a_clock_jump_leaves_microsofts_retry_after_unchanged() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    put(&app.admin("acme"), &microsoft.provider_config()).await.expect(204);
    let send = async || app.admin("acme").send_test("bob@example.org").await;
    microsoft.fake.script_mail(ScriptedResponse::Respond {
        status: 429,
        headers: vec![("retry-after", "120".to_owned())],
        body: "{}".to_owned(),
    });
    send().await;
    for jump in [-HOUR, HOUR, HOUR] {
        app.clock.set_by(jump);
        assert_eq!(send().await["diagnosis"]["code"], json!("GRAPH_THROTTLED"));
    }
    assert_eq!(microsoft.fake.mail_requests(), 1, "it is not called before its time");
    app.clock.set_by(-2 * HOUR);
    app.clock.advance(120_000);
    assert_eq!(send().await["success"], json!(true), "nor is the tenant kept waiting for longer");
}
