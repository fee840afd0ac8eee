//! What all operations share: rate limits, CORS, health, and the list of operations.

use super::*;

/// Security case H1.
#[tokio::test]
async fn the_101st_write_in_a_minute_is_429() {
    // The database counts by a clock that no test moves.
    let app = TestApp::with(|config| config.rate_limit.store = Some(RateLimitStore::Memory)).await;
    let admin = app.admin("acme");
    let paths = ["/api/v1/transports/email-config", "/v1/transports/email-config"];
    for round in 0..100 {
        let path = paths[round % 2];
        admin
            .send("DELETE", path, &[("x-forwarded-for", &format!("192.0.2.{round}"))], Vec::new())
            .await
            .expect(404);
    }
    app.clock.advance(1_500);
    let refused = admin.delete().await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("59"));
    assert_eq!(refused.error(), ("HTTP-429".to_owned(), "API rate limit reached".to_owned()));
    let detail = refused.json()["errors"][0]["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.contains("59 seconds"), "{detail}");
    admin.get(CONFIG).await.expect(200);
    app.user("acme", "somebody else", true).delete().await.expect(404);
    app.admin("other").delete().await.expect(404);
    app.clock.advance(58_500);
    admin.delete().await.expect(404);
}

#[tokio::test]
async fn requests_without_a_valid_token_are_counted_by_address() {
    let app = TestApp::with(|config| config.rate_limit.unauthenticated_per_minute = 3).await;
    for _ in 0..3 {
        app.anybody().get(CONFIG).await.expect(401);
    }
    assert_eq!(app.bearer("nonsense").get(CONFIG).await.expect(429).header("retry-after"), Some("60"));
    app.admin("acme").get(CONFIG).await.expect(200);
    app.anybody().get("/health/live").await.expect(200);
    app.anybody().get("/openapi.json").await.expect(200);
}

#[tokio::test]
async fn cors_is_off_unless_an_origin_is_named() {
    let preflight = [
        ("origin", "https://admin.example.com"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization,content-type,qlik-api-version"),
    ];
    let closed = TestApp::start().await;
    let answer = closed.anybody().send("OPTIONS", CONFIG, &preflight, Vec::new()).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);

    let open =
        TestApp::with(|config| config.server.cors_origins = vec!["https://admin.example.com".to_owned()])
            .await;
    let answer = open.anybody().send("OPTIONS", CONFIG, &preflight, Vec::new()).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://admin.example.com"));
    let allowed = answer.header("access-control-allow-headers").expect("headers");
    assert!(
        ["authorization", "if-match", "qlik-api-version"].iter().all(|name| allowed.contains(name)),
        "{allowed}"
    );
    let answer = open.admin("acme").send("GET", CONFIG, &preflight[..1], Vec::new()).await.expect(200);
    let exposed = answer.header("access-control-expose-headers").expect("headers");
    for name in ["etag", "retry-after", "deprecation", "link", "qlik-csrf-token"] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
    let stranger = [("origin", "https://evil.example.com")];
    let answer = open.anybody().send("GET", CONFIG, &stranger, Vec::new()).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn health_and_metrics() {
    let app = TestApp::start().await;
    let anybody = app.anybody();
    assert_eq!(anybody.get("/health/live").await.expect(200).json()["status"], json!("ok"));
    assert_eq!(anybody.get("/health/ready").await.expect(200).json()["database"], json!("ok"));
    app.admin("acme").get(CONFIG).await.expect(200);
    let page = anybody.get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let line = r#"transports_http_requests_total{route="/api/v1/transports/email-config",method="GET",status="200"} 1"#;
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("acme"), "no tenant in a metric");
}

#[tokio::test]
async fn served_and_documented_operations_are_the_same() {
    let app = TestApp::start().await;
    let document = app.anybody().get("/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], json!("3.1.0"));
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys() {
            documented.push((method.to_uppercase(), path.clone()));
        }
    }
    let mut served: Vec<(String, String)> = transports::http::routes()
        .into_iter()
        .filter(|route| route.path.starts_with("/api/"))
        .map(|route| (route.method.to_owned(), route.path))
        .collect();
    documented.sort();
    served.sort();
    assert_eq!(documented, served);
}
