//! The wire contract, operation by operation: statuses, bodies, headers.

use serde_json::{Value, json};
use transports::config::RateLimitStore;

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, Client, SEND_TEST, VALIDATE, VERIFY, replace};
use crate::support::leaks::canary;

/// A complete configuration, as the public tutorial sets it.
fn tutorial() -> Value {
    json!({
        "username": "alice", "serverAddress": "smtp.example.com", "serverPort": 2465,
        "securityType": "SSL/TLS", "emailAddress": "alice@example.com", "emailPassword": canary("secret ")
    })
}

async fn configured() -> (TestApp, Client) {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin.patch(&tutorial()).await.expect(204);
    (app, admin)
}

#[tokio::test]
async fn get_without_a_configuration_returns_exactly_two_fields() {
    let app = TestApp::start().await;
    let answer = app.admin("acme").get(CONFIG).await.expect(200);
    assert_eq!(answer.json(), json!({"isValid": false, "passwordExists": false}));
    assert_eq!(answer.header("etag"), None);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn the_tutorial_configures_a_fresh_tenant_with_six_replaces() {
    let (_app, admin) = configured().await;
    let shown = admin.config().await;
    let provider_config = json!({
        "serverAddress": "smtp.example.com", "serverPort": 2465, "securityType": "SSL/TLS",
        "username": "alice", "emailAddress": "alice@example.com"
    });
    let expected = json!({
        "tenantId": "acme", "serviceProvider": "BasicAuth", "providerConfig": provider_config,
        "serverAddress": "smtp.example.com", "serverPort": 2465, "securityType": "SSL/TLS",
        "username": "alice", "emailAddress": "alice@example.com",
        "passwordExists": true, "isValid": true, "errorCode": "OK",
        "status": {"statusCode": 0, "statusReason": "OK"}, "authFailures": 0,
        "modificationTime": "2026-01-01T00:00:00.000Z", "lastUpdated": "2026-01-01T00:00:00.000Z"
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn what_is_unset_is_absent() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin.patch(&json!({"username": "alice"})).await.expect(204);
    let document = json!([{"op": "remove", "path": "/username"}]);
    admin.json("PATCH", CONFIG, &document).await.expect(204);
    let shown = admin.config().await;
    let expected = json!({
        "tenantId": "acme", "serviceProvider": "BasicAuth", "providerConfig": {},
        "passwordExists": false, "isValid": false, "errorCode": "INCOMPLETE_CONFIG",
        "status": {"statusCode": 2,
            "statusReason": "Not set yet: serverAddress, serverPort, securityType, emailAddress."},
        "authFailures": 0,
        "modificationTime": "2026-01-01T00:00:00.000Z", "lastUpdated": "2026-01-01T00:00:00.000Z"
    });
    assert_eq!(shown, expected);
}

/// Security case G12.
#[tokio::test]
async fn the_password_is_never_shown() {
    let (_app, admin) = configured().await;
    for answer in [admin.get(CONFIG).await, admin.post(VALIDATE).await] {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("secret") && !text.contains("emailPassword"), "{text}");
    }
}

#[tokio::test]
async fn both_prefixes_serve_the_same() {
    let (_app, admin) = configured().await;
    let short = admin.get("/v1/transports/email-config").await.expect(200);
    assert_eq!(short.json(), admin.config().await);
    admin.post("/v1/transports/email-config/actions/validate").await.expect(200);
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let (_app, admin) = configured().await;
    let (get, head) =
        (admin.get(CONFIG).await, admin.send("HEAD", CONFIG, &[], Vec::new()).await.expect(200));
    assert!(head.body.is_empty());
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

/// Security case G9.
#[tokio::test]
async fn other_methods_are_405_with_the_allowed_ones() {
    let (_app, admin) = configured().await;
    let anybody = Client { token: None, ..admin.clone() };
    let answer = anybody.send("POST", CONFIG, &[], Vec::new()).await.expect(405);
    assert_eq!(answer.error(), ("HTTP-405".to_owned(), "Method not allowed".to_owned()));
    let mut allowed: Vec<&str> = answer.header("allow").expect("an Allow header").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PATCH", "PUT"]);
    for method in ["TRACE", "CONNECTED", "GETX"] {
        anybody.send(method, CONFIG, &[], Vec::new()).await.expect(405);
    }
    anybody.get(VALIDATE).await.expect(405);
    let options = anybody.send("OPTIONS", VALIDATE, &[], Vec::new()).await.expect(204);
    assert_eq!(options.header("allow"), Some("POST"));
    let overridden = admin.send("POST", VALIDATE, &[("x-http-method-override", "DELETE")], Vec::new()).await;
    overridden.expect(200);
    assert_eq!(admin.config().await["isValid"], json!(true), "nothing was deleted");
}

#[tokio::test]
async fn an_unknown_path_is_404_for_everybody() {
    let app = TestApp::start().await;
    let paths = [
        "/",
        "/api/v1/transports",
        "/api/v1/transports/email-config/",
        "/api/v1/transports/email-config/actions",
        "/resources/autogenerated/product-info.json",
        "/api/v1/transports/email-config/../email-config",
        "/consoles",
    ];
    for path in paths {
        let answer = app.anybody().get(path).await.expect(404);
        assert_eq!(answer.error(), ("HTTP-404".to_owned(), "Not found".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn every_refusal_carries_a_trace_id() {
    let app = TestApp::start().await;
    let answer = app.anybody().get(CONFIG).await.expect(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["errors"], json!([{"code": "HTTP-401", "title": "Unauthorized"}]));
    let trace_id = body["traceId"].as_str().expect("a trace id");
    assert!(trace_id.len() == 32 && trace_id.bytes().all(|b| b.is_ascii_hexdigit()), "{trace_id}");
}

#[tokio::test]
async fn every_patch_response_carries_the_deprecation() {
    let (app, admin) = configured().await;
    let good = admin.patch(&json!({"username": "bob"})).await.expect(204);
    let wrong = admin.json("PATCH", CONFIG, &json!([])).await.expect(400);
    let forbidden = app.member("acme").patch(&json!({"username": "bob"})).await.expect(403);
    let unknown = app.anybody().patch(&json!({"username": "bob"})).await.expect(401);
    for answer in [good, wrong, forbidden, unknown] {
        assert_eq!(answer.header("deprecation"), Some("@1765843200"));
        assert!(answer.header("link").expect("a link").contains("rel=\"deprecation\""));
        assert_eq!(answer.header("sunset"), None);
    }
    assert_eq!(admin.get(CONFIG).await.header("deprecation"), None);
    assert_eq!(admin.delete().await.expect(204).header("deprecation"), None);
}

/// Security case G14.
#[tokio::test]
async fn delete_removes_once() {
    let (_app, admin) = configured().await;
    let answer = admin.delete().await.expect(204);
    assert!(answer.body.is_empty());
    let again = admin.delete().await.expect(404);
    assert_eq!(again.error(), ("DELETE-1".to_owned(), "No email config for tenant".to_owned()));
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
}

/// Security case B14.
#[tokio::test]
async fn a_deleted_secret_does_not_come_back() {
    let (_app, admin) = configured().await;
    admin.delete().await.expect(204);
    let Value::Object(mut fields) = tutorial() else { unreachable!() };
    fields.remove("emailPassword");
    admin.patch(&Value::Object(fields)).await.expect(204);
    let shown = admin.config().await;
    assert_eq!((&shown["passwordExists"], &shown["isValid"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn without_a_configuration_each_action_has_its_code() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let title = "No email config for tenant".to_owned();
    assert_eq!(
        admin.post(VERIFY).await.expect(404).error(),
        ("VERIFYCONNECTION-1".to_owned(), title.clone())
    );
    let mail = json!({"recipient": "bob@example.com"});
    assert_eq!(
        admin.json("POST", SEND_TEST, &mail).await.expect(404).error(),
        ("SENDTESTEMAIL-1".to_owned(), title)
    );
    assert_eq!(
        admin.json("POST", SEND_TEST, &json!({})).await.expect(400).error().0,
        "INPUTCHECK-1",
        "400 comes first"
    );
    let validation = admin.post(VALIDATE).await.expect(200).json();
    assert_eq!(validation, json!({"isValid": false, "errorCode": "CONFIG_NOT_SET"}));
}

#[tokio::test]
async fn validate_answers_exactly_two_fields() {
    let (app, _admin) = configured().await;
    let validation = app.member("acme").post(VALIDATE).await.expect(200).json();
    assert_eq!(validation, json!({"isValid": true, "errorCode": "OK"}));
}

#[tokio::test]
async fn checking_an_incomplete_configuration_names_the_fields_without_connecting() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin.patch(&json!({"serverAddress": "smtp.example.com"})).await.expect(204);
    let before = admin.config().await;
    for answer in [admin.verify().await, admin.send_test("bob@example.com").await] {
        assert_eq!(answer["success"], json!(false));
        assert_eq!(answer["connectionFailed"], json!(false));
        assert_eq!(answer["diagnosis"]["code"], json!("CONFIG_INCOMPLETE"));
        let text = answer["diagnosis"].to_string();
        for field in ["serverPort", "securityType", "emailAddress"] {
            assert!(text.contains(field), "{field} in {text}");
        }
        assert_eq!(answer.get("smtpResponseCode"), None);
    }
    assert_eq!(app.names.asked(), 0);
    assert_eq!(admin.config().await, before, "health is untouched");
}

#[tokio::test]
async fn send_test_email_reads_its_body_strictly() {
    let (_app, admin) = configured().await;
    let send = |body: Value| {
        let admin = admin.clone();
        async move { admin.json("POST", SEND_TEST, &body).await.expect(400).json() }
    };
    let titles = |body: &Value| -> Vec<String> {
        let errors = body["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["title"].as_str().expect("a title").to_owned()).collect()
    };
    assert_eq!(titles(&send(json!({})).await), ["recipient is required"]);
    assert_eq!(titles(&send(json!([])).await), ["The body is not an object"]);
    assert_eq!(
        titles(&send(json!({"recipient": 1, "subject": 2, "body": null, "to": "x"})).await),
        [
            "recipient is not a string",
            "subject is not a string",
            "body is not a string",
            "to is not a known field"
        ]
    );
    let injected = send(json!({"recipient": "a@example.com", "subject": "hi\r\nBcc: e@example.com"})).await;
    assert!(titles(&injected)[0].starts_with("subject contains a line break"), "{injected}");
    admin.post(SEND_TEST).await.expect(400);
    admin.send("POST", SEND_TEST, &[("content-type", "application/json")], Vec::new()).await.expect(400);
}

/// Security cases C1, C2, C3.
#[tokio::test]
async fn a_recipient_is_exactly_one_plain_address() {
    let (app, admin) = configured().await;
    let recipients = [
        "b@x.org>\r\nRCPT TO:<evil@y.org",
        "b@x.org\r",
        "b@x.org\n",
        "b\0@x.org",
        "b\u{2028}@x.org",
        "b\u{85}c@x.org",
        "a@x.org,b@y.org",
        "a@x.org;b@y.org",
        "a@x.org b@y.org",
        "a@x.org\tb@y.org",
        "group:a@x.org;",
        "\"evil@x.org x\"@y.org",
        "<a@x.org>b@y.org",
        "=?utf-8?q?a?=@x.org",
        "a(comment)@x.org",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "",
        "a",
        "@x.org",
        "a@",
        "a@localhost",
        "a@x_y.org",
        "a@@x.org",
    ];
    for recipient in recipients {
        let answer = admin.json("POST", SEND_TEST, &json!({ "recipient": recipient })).await;
        let error = answer.expect(400).error();
        assert!(error.0 == "INPUTCHECK-1" && error.1.starts_with("recipient "), "{recipient:?}: {error:?}");
    }
    assert_eq!(app.names.asked(), 0, "nothing was dialled");
}

#[tokio::test]
async fn the_etag_changes_with_the_configuration_and_guards_writes() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let document = replace(&json!({"username": "bob"}));
    for tag in ["*", "\"x.0\""] {
        let answer = admin.json_with("PATCH", CONFIG, &[("if-match", tag)], &document).await.expect(412);
        assert_eq!(answer.error().0, "HTTP-412");
        admin.send("DELETE", CONFIG, &[("if-match", tag)], Vec::new()).await.expect(404);
    }
    let created = admin.json_with("PATCH", CONFIG, &[("if-none-match", "*")], &document).await.expect(204);
    let first = created.header("etag").expect("a tag").to_owned();
    assert_eq!(admin.get(CONFIG).await.header("etag"), Some(first.as_str()));
    admin.json_with("PATCH", CONFIG, &[("if-none-match", "*")], &document).await.expect(412);

    let same = admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &document).await.expect(204);
    assert_eq!(same.header("etag"), Some(first.as_str()), "nothing changed");
    app.clock.advance(5);
    let other = replace(&json!({"username": "eve"}));
    let second = admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &other).await.expect(204);
    assert_ne!(second.header("etag"), Some(first.as_str()));
    admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &document).await.expect(412);
    let list = format!("\"other.0\", {}", second.header("etag").expect("a tag"));
    admin.send("DELETE", CONFIG, &[("if-match", &list)], Vec::new()).await.expect(204);

    let recreated = admin.json("PATCH", CONFIG, &document).await.expect(204);
    assert_ne!(recreated.header("etag"), Some(first.as_str()), "never used again");
    admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &other).await.expect(412);
}

#[tokio::test]
async fn a_write_that_changes_nothing_leaves_version_and_times() {
    let (app, admin) = configured().await;
    let (before, tag) = (admin.config().await, admin.get(CONFIG).await.header("etag").map(str::to_owned));
    app.clock.advance(60_000);
    admin.patch(&json!({"serverAddress": " SMTP.Example.com. ", "serverPort": "2465"})).await.expect(204);
    assert_eq!(admin.config().await, before);
    assert_eq!(admin.get(CONFIG).await.header("etag").map(str::to_owned), tag);
    admin.patch(&json!({"emailPassword": canary("secret ")})).await.expect(204);
    assert_eq!(admin.config().await["modificationTime"], json!("2026-01-01T00:01:00.000Z"));
}

/// Security case G3.
#[tokio::test]
async fn one_invalid_operation_rejects_the_whole_patch() {
    let (_app, admin) = configured().await;
    let before = admin.config().await;
    let document = json!([
        {"op": "replace", "path": "/username", "value": "eve"},
        {"op": "replace", "path": "/serverPort", "value": "no port"},
    ]);
    let (code, title) = admin.json("PATCH", CONFIG, &document).await.expect(400).error();
    assert_eq!(code, "INPUTCHECK-1");
    assert_eq!(title, "serverPort is not a port number (1 to 65535) (operation 1)");
    assert_eq!(admin.config().await, before);
}

/// Security case G1.
#[tokio::test]
async fn test_copy_and_move_compare_and_change_nothing() {
    let (_app, admin) = configured().await;
    let before = admin.config().await;
    for operation in [
        json!({"op": "test", "path": "/emailPassword", "value": canary("secret ")}),
        json!({"op": "test", "path": "/emailPassword", "value": canary("wrong ")}),
        json!({"op": "copy", "from": "/emailPassword", "path": "/username"}),
        json!({"op": "move", "from": "/emailPassword", "path": "/username"}),
    ] {
        let error = admin.json("PATCH", CONFIG, &json!([operation])).await.expect(400).error();
        assert!(error.1.starts_with("op is not one of add, replace, remove"), "{error:?}");
    }
    assert_eq!(admin.config().await, before);
}

/// Security cases G4, G6.
#[tokio::test]
async fn hostile_documents_are_400_or_413() {
    let (_app, admin) = configured().await;
    let before = admin.config().await;
    let json_type = [("content-type", "application/json")];
    let value = |value: &str| format!(r#"[{{"op":"add","path":"/username","value":{value}}}]"#).into_bytes();
    let many: Value = vec![json!({"op": "add", "path": "/tenantId", "value": "x"}); 400].into();
    let cases: Vec<(Vec<u8>, u16)> = vec![
        (value("7"), 400),
        (value("true"), 400),
        (value("[\"a\"]"), 400),
        (value("{\"a\":1}"), 400),
        (value("\"\\ud800\""), 400),
        (value(&format!("\"{}\"", "x".repeat(1024 * 1024))), 413),
        (value(&format!("\"{}\"", "x".repeat(20_000))), 400),
        (many.to_string().into_bytes(), 400),
        ("[".repeat(60_000).into_bytes(), 400),
        ("[".repeat(100_000).into_bytes(), 413),
        (b"[1e999]".to_vec(), 400),
        (b"\xef\xbb\xbf[]".to_vec(), 400),
        (b"[\0\"\0]\0".to_vec(), 400),
        (b"[] trailing".to_vec(), 400),
        (br#"[{"op":"replace","op":"remove","path":"/username","value":"x"}]"#.to_vec(), 400),
        (Vec::new(), 400),
    ];
    for (body, status) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = admin.send("PATCH", CONFIG, &json_type, body).await;
        assert_eq!(answer.status, status, "{shown}");
        let code = if status == 413 { "HTTP-413" } else { "INPUTCHECK-1" };
        assert_eq!(answer.error().0, code, "{shown}");
    }
    assert_eq!(admin.config().await, before);
}

/// Security case G7.
#[tokio::test]
async fn content_types() {
    let (_app, admin) = configured().await;
    let body = replace(&json!({"username": "bob"})).to_string().into_bytes();
    let cases: [(&[(&str, &str)], u16); 8] = [
        (&[("content-type", "application/json-patch+json")], 204),
        (&[("content-type", "application/json; charset=utf-8")], 204),
        (&[("content-type", "application/json; charset=latin1")], 415),
        (&[("content-type", "text/plain")], 415),
        (&[("content-type", "application/merge-patch+json")], 415),
        (&[("content-type", "application/json"), ("content-encoding", "gzip")], 415),
        (&[("content-type", "application/json"), ("content-encoding", "identity")], 415),
        (&[], 415),
    ];
    for (headers, status) in cases {
        admin.send("PATCH", CONFIG, headers, body.clone()).await.expect(status);
    }
    let put = admin.send("PUT", CONFIG, &[("content-type", "application/json-patch+json")], body).await;
    assert_eq!(put.expect(415).error().0, "HTTP-415");
}

#[tokio::test]
async fn refusals_come_in_their_order() {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 4).await;
    let (admin, member) = (app.admin("acme"), app.member("acme"));
    let too_large = vec![b' '; 70_000];
    app.anybody().send("PATCH", "/nowhere", &[], too_large.clone()).await.expect(404);
    app.anybody().send("POST", CONFIG, &[], too_large.clone()).await.expect(405);
    app.anybody().send("PATCH", CONFIG, &[], too_large.clone()).await.expect(401);
    member.send("PATCH", CONFIG, &[], too_large.clone()).await.expect(403);
    admin.send("PATCH", CONFIG, &[("content-type", "text/plain")], too_large.clone()).await.expect(415);
    let json_type = [("content-type", "application/json"), ("if-match", "\"x.0\"")];
    admin.send("PATCH", CONFIG, &json_type, too_large.clone()).await.expect(413);
    admin.send("PATCH", CONFIG, &json_type, b"{}".to_vec()).await.expect(400);
    let good = replace(&json!({"username": "x"})).to_string().into_bytes();
    admin.send("PATCH", CONFIG, &json_type, good).await.expect(412);
    admin.send("PATCH", CONFIG, &[("content-type", "text/plain")], too_large).await.expect(429);
    for _ in 0..3 {
        member.patch(&json!({})).await.expect(403);
    }
    member.patch(&json!({})).await.expect(429);
}

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
