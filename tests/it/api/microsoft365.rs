//! Microsoft 365 as a provider, against a fake Entra and Graph.

mod graph;
mod help;
mod smtp;
mod tokens;

use serde_json::{Value, json};
use transports::config::MicrosoftTransport;
use transports::dev::fake_microsoft365::ScriptedResponse;
use transports::secret::NOT_SHOWN;

use crate::support::certificates;
use crate::support::client::{CONFIG, Client, SEND_TEST, VERIFY};
use crate::support::leaks::canary;
use crate::support::microsoft365::{Microsoft, put};
use crate::support::smtp_server::{Script, SmtpServer};

fn with(config: &Value, field: &str, value: Value) -> Value {
    let mut config = config.clone();
    config[field] = value;
    config
}

fn without(config: &Value, field: &str) -> Value {
    let mut config = config.clone();
    config.as_object_mut().expect("an object").remove(field);
    config
}

fn titles(body: &Value) -> Vec<String> {
    let errors = body["errors"].as_array().expect("errors");
    errors.iter().map(|error| error["title"].as_str().expect("a title").to_owned()).collect()
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> ScriptedResponse {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    ScriptedResponse::Respond { status, headers, body: body.to_owned() }
}

#[tokio::test]
async fn put_obtains_a_token_and_stores() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    assert_eq!(microsoft.fake.token_requests(), 1);
    let shown = admin.config().await;
    let registration = &microsoft.registration;
    let expected = json!({
        "tenantId": "acme", "serviceProvider": "Microsoft365",
        "providerConfig": {
            "clientId": registration.client_id, "providerTenantId": registration.directory_id,
            "emailAddress": registration.mailbox,
        },
        "emailAddress": registration.mailbox, "passwordExists": true, "isValid": true, "errorCode": "OK",
        "status": {"statusCode": 0, "statusReason": "OK"}, "authFailures": 0,
        "modificationTime": "2026-01-01T00:00:00.000Z", "lastUpdated": "2026-01-01T00:00:00.000Z",
        "lastCheck": {
            "at": "2026-01-01T00:00:00.000Z", "operation": "put", "success": true,
            "unproved": ["sender_address", "delivery"],
        },
    });
    assert_eq!(shown, expected);
    assert!(!shown.to_string().contains(&registration.client_secret));
}

#[tokio::test]
async fn a_put_whose_secret_is_wrong_stores_nothing() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let wrong = with(&microsoft.provider_config(), "clientSecret", json!(canary("not~it")));
    let refused = put(&admin, &wrong).await.expect(400);
    assert_eq!(refused.error().0, "CONNECTIONCHECK-1");
    let diagnosis = &refused.json()["errors"][0]["meta"]["diagnosis"];
    assert_eq!((&diagnosis["code"], &diagnosis["stage"]), (&json!("ENTRA_SECRET_INVALID"), &json!("token")));
    assert!(!refused.json().to_string().contains("not~it"));
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
}

/// Security case J1.
#[tokio::test]
async fn settings_are_validated_before_any_call() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let good = microsoft.provider_config();
    let all = put(&admin, &json!({})).await.expect(400).json();
    assert_eq!(
        titles(&all),
        [
            "clientId is required",
            "clientSecret is required",
            "providerTenantId is required",
            "emailAddress is required"
        ]
    );
    let tenants = [
        "../evil",
        "x/oauth2/token?",
        "@evil.com",
        "common",
        "consumers",
        "organizations",
        "a.b:443",
        "contoso.example\r\n",
        "https://login.example.com/x",
        "a b.example",
        "",
        "12345678-1234-1234-1234-12345678901",
    ];
    for tenant in tenants {
        let body = put(&admin, &with(&good, "providerTenantId", json!(tenant))).await.expect(400).json();
        assert!(titles(&body)[0].starts_with("providerTenantId "), "{tenant:?}: {body}");
    }
    let guid = json!("11111111-2222-3333-4444-555555555555");
    let body = put(&admin, &with(&good, "clientSecret", guid)).await.expect(400).json();
    assert!(titles(&body)[0].starts_with("clientSecret looks like the Secret ID"), "{body}");
    for (field, value) in [
        ("clientSecret", json!("****")),
        ("clientSecret", json!("a\r\nb")),
        ("clientId", json!("a/b")),
        ("clientId", json!(7)),
        ("emailAddress", json!("nobody")),
        ("serverAddress", json!("smtp.example.com")),
    ] {
        let body = put(&admin, &with(&good, field, value)).await.expect(400).json();
        assert!(titles(&body)[0].contains(field), "{body}");
    }
    assert_eq!(microsoft.fake.token_requests(), 0);
    let domain = with(&good, "providerTenantId", json!(" Contoso.EXAMPLE "));
    put(&admin, &domain).await.expect(204);
    assert_eq!(admin.config().await["providerConfig"]["providerTenantId"], json!("contoso.example"));
}

/// Security case B11.
#[tokio::test]
async fn a_secret_stays_with_its_app() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let good = microsoft.provider_config();
    put(&admin, &good).await.expect(204);
    put(&admin, &without(&good, "clientSecret")).await.expect(204);
    let requests = microsoft.fake.token_requests();
    for (field, value) in [
        ("clientId", json!("11111111-2222-3333-4444-555555555555")),
        ("providerTenantId", json!("other.example")),
    ] {
        let moved = with(&without(&good, "clientSecret"), field, value);
        let (code, title) = put(&admin, &moved).await.expect(400).error();
        assert_eq!(code, "INPUTCHECK-1");
        assert!(title.starts_with("clientSecret must be entered again"), "{title}");
    }
    assert_eq!(microsoft.fake.token_requests(), requests, "the secret was sent nowhere");
    let edit = "update email_configs set provider_tenant_id = 'evil.example'";
    app.database.execute(edit).await;
    let answer = admin.verify().await;
    assert_eq!(answer["diagnosis"]["code"], json!("SECRET_UNREADABLE"), "{answer}");
    assert_eq!(microsoft.fake.token_requests(), requests);
}

#[tokio::test]
async fn switching_the_provider_erases_the_previous_secret() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::plain()).await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let before = admin.config().await;
    for document in [
        json!([{"op": "replace", "path": "/username", "value": "ann"}]),
        json!([{"op": "remove", "path": "/emailAddress"}]),
    ] {
        let (code, title) = admin.json("PATCH", CONFIG, &document).await.expect(400).error();
        assert_eq!(code, "INPUTCHECK-1");
        assert!(title.contains("Microsoft365") && title.contains("serverAddress"), "{title}");
    }
    assert_eq!(admin.config().await, before);
    let relay = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "none",
        "emailAddress": "ada@example.com",
    });
    admin.patch(&relay).await.expect(204);
    let shown = admin.config().await;
    assert_eq!((&shown["serviceProvider"], &shown["passwordExists"]), (&json!("BasicAuth"), &json!(false)));
    let back = without(&microsoft.provider_config(), "clientSecret");
    let (_, title) = put(&admin, &back).await.expect(400).error();
    assert!(title.starts_with("clientSecret is required"), "{title}");
    assert_eq!(admin.verify().await["success"], json!(true));
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let rows = app.database.audit("acme").await;
    assert!(rows.iter().any(|row| row.changed.starts_with("serviceProvider,")), "{rows:?}");
}
