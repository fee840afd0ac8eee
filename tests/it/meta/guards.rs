//! What hand-made mutants showed to be untested: see `tests/mutants`.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transports::dev::fake_microsoft365::ScriptedResponse;
use transports::http;

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, Client};
use crate::support::leaks::canary;
use crate::support::microsoft365::{Microsoft, put};

/// Sends a body in chunks, so that nothing says beforehand how long it is; gives the first line of the answer.
async fn patch_in_chunks(client: &Client, chunks: usize) -> String {
    #[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
    let mut stream = TcpStream::connect(client.address).await.expect("the service listens");
    let token = client.token.as_deref().expect("a token");
    let head = format!(
        "PATCH {CONFIG} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    for _ in 0..chunks {
        // The service may have answered and closed.
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let document = r#"[{"op":"replace","path":"/senderName","value":"Ada"}]"#;
    let _ = stream.write_all(format!("{:x}\r\n{document}\r\n0\r\n\r\n", document.len()).as_bytes()).await;
    let mut answer = [0; 128];
    let length = stream.read(&mut answer).await.unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
}

/// Security case G6.
#[tokio::test]
async fn a_body_without_a_length_is_bounded() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    assert_eq!(patch_in_chunks(&admin, 60).await, "HTTP/1.1 204 No Content");
    assert_eq!(patch_in_chunks(&admin, 64).await, "HTTP/1.1 413 Payload Too Large");
}

/// Security case H1.
#[tokio::test]
async fn every_operation_has_its_rate_limit() {
    for route in http::routes().into_iter().filter(|route| route.access != http::Access::Anybody) {
        let (method, path) = (route.method, route.path.replace("{tenantId}", "acme"));
        let app = TestApp::with(|config| {
            config.rate_limit.tier1_per_minute = 3;
            config.rate_limit.tier2_per_minute = 2;
            config.rate_limit.send_per_minute = 4;
        })
        .await;
        let admin = app.admin("acme");
        let is_send = !path.contains("/email-config") && !path.ends_with("/providers");
        let allowed = match method {
            _ if is_send => 4,
            "GET" => 3,
            _ => 2,
        };
        for _ in 0..allowed {
            let answer = admin.send(method, &path, &[], Vec::new()).await;
            assert_ne!(answer.status, 429, "{method} {path}");
        }
        admin.send(method, &path, &[], Vec::new()).await.expect(429);
        let other = if method == "GET" { "PATCH" } else { "GET" };
        let answer = admin.send(other, CONFIG, &[], Vec::new()).await;
        assert_ne!(answer.status, 429, "{method} {path} counts in the other tier");
    }
}

/// Security case I4.
#[tokio::test]
async fn database_errors_are_shown_only_to_the_operator() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let shows_nothing = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).to_lowercase();
        for inside in
            ["email_configs", "sql", "select", "closed", "postgres", "/", ".db", "relation", "table"]
        {
            assert!(!text.contains(inside), "{text}");
        }
    };
    app.database.execute("alter table email_configs rename to elsewhere").await;
    shows_nothing(&admin.get(CONFIG).await.expect(500).body);
    shows_nothing(&admin.patch(&json!({"senderName": "Ada"})).await.expect(500).body);
    app.app.db.close().await;
    shows_nothing(&admin.get(CONFIG).await.expect(503).body);
    shows_nothing(&admin.patch(&json!({"emailPassword": canary("x ")})).await.expect(503).body);
}

/// Security case J4.
#[tokio::test]
async fn no_token_is_cached_for_more_than_an_hour() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    // One that says it is good for a year.
    let token = json!({"token_type": "Bearer", "expires_in": 31_536_000, "access_token": canary("a-token.")});
    let answer = |status, body| ScriptedResponse::Respond { status, headers: Vec::new(), body };
    microsoft.fake.script_token(answer(200, token.to_string()));
    for _ in 0..3 {
        microsoft.fake.script_mail(answer(202, String::new()));
    }
    let start = microsoft.fake.token_requests();
    admin.send_test("bob@example.org").await;
    app.clock.advance(3_599_000);
    admin.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 1);
    app.clock.advance(1_000);
    admin.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 2, "after an hour it is asked for again");
}
