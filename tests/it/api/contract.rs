//! The wire contract, operation by operation: statuses, bodies, headers.

mod checks;
mod service;
mod writes;

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
async fn internationalised_names_are_ascii_and_stand_beside_it_in_their_own_script() {
    let (_app, admin) = configured().await;
    let names = json!({"serverAddress": "smtp.größe.de", "emailAddress": "news@größe.de"});
    admin.patch(&names).await.expect(204);
    let shown = admin.config().await;
    let ascii = ("smtp.xn--gre-6ka8i.de", "news@xn--gre-6ka8i.de");
    for part in [&shown, &shown["providerConfig"]] {
        assert_eq!(
            (part["serverAddress"].as_str(), part["emailAddress"].as_str()),
            (Some(ascii.0), Some(ascii.1))
        );
    }
    assert_eq!(shown["unicode"], names);
    admin.patch(&json!({"emailAddress": "news@example.com"})).await.expect(204);
    assert_eq!(admin.config().await["unicode"], json!({"serverAddress": "smtp.größe.de"}));
    admin.patch(&json!({"serverAddress": "xn--80ak6aa92e.com"})).await.expect(204);
    assert_eq!(admin.config().await.get("unicode"), None, "it could be mistaken for another name");
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
    let detail = answer.json()["errors"][0]["detail"].clone();
    assert_eq!(detail, json!("This path takes GET, PUT, PATCH, DELETE."));
    let sent = anybody.send("DELETE", "/api/v1/transports/emails", &[], Vec::new()).await.expect(405).json();
    assert_eq!(sent["message"], json!("Method not allowed. This path takes POST, GET."));
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

/// Clients of the send API show the `message` of a refusal and nothing else.
#[tokio::test]
async fn a_wrong_base_url_of_a_send_client_is_answered_with_the_right_one() {
    let app = TestApp::start().await;
    let (client, email) =
        (app.admin("acme"), json!({"to": "bob@example.net", "subject": "Hi", "text": "Hi"}));
    for (path, status, name) in [
        ("/emails", 404, "not_found"),
        ("/v1/emails", 404, "not_found"),
        ("/api/v1/transports/emails/", 404, "not_found"),
        ("/api/v1/transports/emails/emails", 405, "method_not_allowed"),
    ] {
        let body = client.json("POST", path, &email).await.expect(status).json();
        assert_eq!((&body["statusCode"], &body["name"]), (&json!(status), &json!(name)), "{path}: {body}");
        let message = body["message"].as_str().expect("a message");
        assert!(message.contains("a client's base URL ends with /api/v1/transports"), "{path}: {message}");
        assert!(body["errors"][0]["code"].is_string() && body["traceId"].is_string(), "{path}: {body}");
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
    assert_eq!(
        body["errors"],
        json!([{
            "code": "HTTP-401", "title": "Unauthorized",
            "detail": "There is no Authorization header: send an API key or a token as Authorization: Bearer tsk_…"
        }])
    );
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
