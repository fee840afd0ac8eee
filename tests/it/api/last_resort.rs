//! What stands round every request: the last resort against one that takes too long, and against a panic.

use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use transports::http::{self, Dev};

use crate::support::app::TestApp;
use crate::support::client::VERIFY;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

#[tokio::test]
async fn a_request_over_its_time_limit_is_503_and_its_work_completes() {
    let app = TestApp::with(|config| {
        // The settings refuse this: no operation takes so long by itself.
        config.server.request_timeout_seconds = 1;
        config.egress.timeout_seconds = 3;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::plain().on(At::Greeting, Act::Silence)).await;
    let admin = app.admin("acme");
    let relay = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "none",
        "emailAddress": "ada@example.com",
    });
    admin.patch(&relay).await.expect(204);
    let answer = admin.post(VERIFY).await.expect(503);
    assert_eq!(answer.json()["errors"][0]["code"], json!("HTTP-503"));
    assert_eq!(app.database.audit("acme").await.len(), 1, "the check is still under way");
    eventually("the check leaves its row", async || app.database.audit("acme").await.len() == 2).await;
}

#[tokio::test]
async fn a_panic_is_an_internal_error_without_details() {
    async fn broken() -> &'static str {
        panic!("what the handler knew")
    }
    let app = TestApp::start().await;
    let pages = axum::Router::new().route("/broken", get(broken));
    let session = get(|| async { "" });
    let service = http::service(&app.app, Some(Dev { pages, session, account_hint: String::new() }));
    let request = Request::get("/broken").header("host", "localhost").body(Body::empty()).expect("a request");
    let answer = service.oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["errors"], json!([{"code": "HTTP-500", "title": "Internal error"}]));
    assert!(body["traceId"].is_string() && !body.to_string().contains("knew"), "{body}");
}
