//! Microsoft 365 as a provider, against a fake Entra and Graph.

use serde_json::{Value, json};
use transports::config::MicrosoftTransport;
use transports::dev::fake_microsoft365::ScriptedResponse;

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
        "modificationTime": "2026-01-01T00:00:00.000Z", "lastUpdated": "2026-01-01T00:00:00.000Z"
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

#[tokio::test]
async fn a_test_mail_goes_through_graph_byte_by_byte() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let mail = json!({"recipient": "bob@example.org", "subject": "Grüße", "body": "Hallo\n.\nTschüß"});
    let answer = admin.json("POST", SEND_TEST, &mail).await.expect(200).json();
    assert_eq!(answer["success"], json!(true), "{answer}");
    assert_eq!(answer.get("smtpResponseCode"), None, "an HTTP status is no SMTP reply");
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(["bob@example.org"]), &json!([])));
    let mails = microsoft.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("To: bob@example.org\r\n") && mails[0].contains("From: "), "{}", mails[0]);
    assert!(mails[0].contains(&microsoft.registration.mailbox));
}

#[tokio::test]
async fn verify_reports_the_permissions_of_the_token() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let answer = admin.verify().await;
    assert_eq!(
        (&answer["success"], &answer["unproved"]),
        (&json!(true), &json!(["sender_address", "delivery"]))
    );
    microsoft.fake.update(|registration| registration.roles.clear());
    let answer = admin.verify().await;
    assert_eq!(answer["success"], json!(true), "an app limited to one mailbox has no such role: {answer}");
    assert_eq!(answer["unproved"], json!(["sender_address", "send_permission", "delivery"]));
    assert_eq!(admin.config().await["errorCode"], json!("OK"));
    assert!(microsoft.mails().is_empty());
}

/// Security cases J5, J6.
#[tokio::test]
async fn tokens_are_cached_per_configuration() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let (acme, other) = (app.admin("acme"), app.admin("other"));
    for admin in [&acme, &other] {
        put(admin, &microsoft.provider_config()).await.expect(204);
    }
    let start = microsoft.fake.token_requests();
    for _ in 0..3 {
        acme.send_test("bob@example.org").await;
    }
    assert_eq!(microsoft.fake.token_requests(), start + 1, "one token serves all");
    other.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 2, "another tenant has its own");
    put(&acme, &microsoft.provider_config()).await.expect(204);
    acme.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 4, "a changed configuration drops it at once");
    app.clock.advance(3_540_000);
    acme.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 5, "60 s before its end it is no longer used");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_waiters_share_one_token() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service_with(|config| config.egress.max_connections_per_tenant = 16).await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let start = microsoft.fake.token_requests();
    let sendings: Vec<_> = (0..8)
        .map(|_| {
            let admin = admin.clone();
            tokio::spawn(async move { admin.send_test("bob@example.org").await })
        })
        .collect();
    for sending in sendings {
        assert_eq!(sending.await.expect("a sending")["success"], json!(true));
    }
    assert_eq!((microsoft.fake.token_requests(), microsoft.mails().len()), (start + 1, 8));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    admin.send_test("bob@example.org").await;
    let start = microsoft.fake.token_requests();
    microsoft.fake.revoke_tokens();
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true));
    assert_eq!(microsoft.fake.token_requests(), start + 1);
    for _ in 0..2 {
        microsoft.fake.refuse_mail(401, "InvalidAuthenticationToken", "Access token validation failure.");
    }
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("GRAPH_TOKEN_AUDIENCE"), "{answer}");
    assert_eq!(microsoft.fake.token_requests(), start + 2, "once, and not again and again");
}

/// What the fake answers to the token request, and what is made of it.
#[tokio::test]
async fn rows_70_to_82_are_told_by_their_numbers() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let refusals = [
        (7_000_215, "invalid_client", "ENTRA_SECRET_INVALID", true),
        (7_000_222, "invalid_client", "ENTRA_SECRET_EXPIRED", true),
        (700_016, "unauthorized_client", "ENTRA_APP_NOT_FOUND", true),
        (90_002, "invalid_request", "ENTRA_TENANT_NOT_FOUND", true),
        (900_023, "invalid_request", "ENTRA_TENANT_NOT_FOUND", true),
        (1_002_012, "invalid_scope", "ENTRA_SCOPE", false),
        (70_011, "invalid_scope", "ENTRA_SCOPE", false),
        (65_001, "invalid_grant", "ENTRA_CONSENT_MISSING", false),
        (7_000_229, "unauthorized_client", "ENTRA_NO_SERVICE_PRINCIPAL", false),
        (53_003, "access_denied", "ENTRA_CONDITIONAL_ACCESS", false),
        (700_027, "invalid_client", "ENTRA_CERT_ASSERTION", true),
        (700_082, "invalid_grant", "OAUTH_REAUTH_REQUIRED", true),
        (50_053, "invalid_grant", "ENTRA_USER", true),
        (4_711, "invalid_client", "UNKNOWN_REPLY", false),
    ];
    for (number, error, code, counts) in refusals {
        put(&admin, &microsoft.provider_config()).await.expect(204);
        microsoft.fake.refuse_token(number, error);
        let answer = admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!(code), "{number}: {answer}");
        assert_eq!(answer["diagnosis"]["stage"], json!("token"));
        assert_eq!((&answer["success"], &answer["connectionFailed"]), (&json!(false), &json!(false)));
        assert_eq!(answer.get("smtpResponseCode"), None);
        let shown = admin.config().await;
        let error_code = if counts { "INVALID_CREDENTIALS" } else { "PROVIDER_ERROR" };
        assert_eq!(
            (&shown["errorCode"], &shown["authFailures"]),
            (&json!(error_code), &json!(i64::from(counts))),
            "{number}"
        );
    }
}

/// Security cases J3, J4.
#[tokio::test]
async fn a_malformed_token_response_does_not_blame_the_secret() {
    let microsoft = Microsoft::start().await;
    let elsewhere = Microsoft::start().await;
    let app = microsoft.service_with(|config| config.egress.timeout_seconds = 1).await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let redirect = format!("{}/x/oauth2/v2.0/token", elsewhere.url);
    let huge = format!("{{\"token_type\":\"Bearer\",\"access_token\":\"{}\"}}", "a".repeat(200_000));
    let cases = [
        (answer(302, &[("location", &redirect)], ""), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(307, &[("location", &redirect)], ""), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[], "<html>Welcome to the airport</html>"), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[], "{\"token_type\":\"Bearer\"}"), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[], &huge), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[("content-encoding", "gzip")], "bomb"), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(503, &[], "busy"), "TOKEN_ENDPOINT_TEMPORARY", false),
        (ScriptedResponse::Hang, "TOKEN_ENDPOINT_TEMPORARY", true),
        // The last one: no token is asked for until the time is over.
        (answer(429, &[("retry-after", "5")], "{}"), "TOKEN_ENDPOINT_TEMPORARY", false),
    ];
    for (scripted, code, failed) in cases {
        let case = format!("{scripted:.60?}");
        microsoft.fake.script_token(scripted);
        let answer = admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!(code), "{case}: {answer}");
        assert_eq!(answer["connectionFailed"], json!(failed), "{case}");
        assert_eq!(answer["diagnosis"]["retryable"], json!(true), "{case}");
        let shown = admin.config().await;
        assert_eq!(
            (&shown["errorCode"], &shown["authFailures"]),
            (&json!("PROVIDER_ERROR"), &json!(0)),
            "{case}"
        );
    }
    assert_eq!(elsewhere.fake.token_requests(), 0, "no redirect is followed");
}

#[tokio::test]
async fn rows_83_to_90_are_told_by_graphs_codes() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let cases = [
        (403, "ErrorSendAsDenied", "", "GRAPH_SEND_AS_DENIED"),
        (403, "ErrorAccessDenied", "", "GRAPH_MAILBOX_OUT_OF_SCOPE"),
        (403, "ErrorAccessDenied", "Access to OData is disabled.", "GRAPH_MAILBOX_OUT_OF_SCOPE"),
        (404, "ErrorInvalidUser", "", "GRAPH_USER_NOT_FOUND"),
        (404, "MailboxNotEnabledForRESTAPI", "", "GRAPH_NO_CLOUD_MAILBOX"),
        (429, "ApplicationThrottled", "", "GRAPH_THROTTLED"),
        (503, "ErrorServerBusy", "", "GRAPH_THROTTLED"),
        (413, "RequestBodyTooLarge", "", "GRAPH_TOO_LARGE"),
        (400, "ErrorMimeContentInvalidBase64String", "", "GRAPH_MIME"),
        (500, "InternalServerError", "", "OUTCOME_UNKNOWN"),
        (504, "GatewayTimeout", "", "OUTCOME_UNKNOWN"),
        (400, "ErrorSomethingNew", "What is this?", "UNKNOWN_REPLY"),
    ];
    for (status, graph_code, message, code) in cases {
        microsoft.fake.refuse_mail(status, graph_code, message);
        let answer = admin.send_test("bob@example.org").await;
        assert_eq!(answer["diagnosis"]["code"], json!(code), "{graph_code}: {answer}");
        assert_eq!((&answer["success"], &answer["accepted"]), (&json!(false), &json!([])));
        let shown = admin.config().await;
        assert_eq!((&shown["errorCode"], &shown["authFailures"]), (&json!("PROVIDER_ERROR"), &json!(0)));
    }
    microsoft.fake.update(|registration| registration.roles.clear());
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("GRAPH_PERMISSION_MISSING"), "{answer}");
}

#[tokio::test]
async fn a_mail_without_a_response_may_have_been_sent() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service_with(|config| config.egress.timeout_seconds = 1).await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    microsoft.fake.script_mail(ScriptedResponse::Hang);
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("OUTCOME_UNKNOWN"), "{answer}");
    assert_eq!(answer["diagnosis"]["retryable"], json!(false));
}

#[tokio::test]
async fn a_request_to_wait_is_honoured() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    microsoft.fake.script_mail(answer(429, &[("retry-after", "1")], "{}"));
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true), "a short wait is waited");
    assert_eq!(microsoft.fake.mail_requests(), 2);
    microsoft.fake.script_mail(answer(429, &[("retry-after", "120")], "{}"));
    assert_eq!(admin.send_test("bob@example.org").await["diagnosis"]["code"], json!("GRAPH_THROTTLED"));
    let held = admin.send_test("bob@example.org").await;
    assert_eq!(held["diagnosis"]["code"], json!("GRAPH_THROTTLED"), "{held}");
    assert_eq!(microsoft.fake.mail_requests(), 3, "not called again before the time is over");
    app.clock.advance(120_000);
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true));
}

/// A service that hands mail to Microsoft's submission server, which a script plays.
async fn by_smtp(script: Script) -> (Microsoft, crate::support::app::TestApp, SmtpServer, Client) {
    let microsoft = Microsoft::start().await;
    let certificate = certificates::valid_for(&["smtp.office365.com"]);
    let server = SmtpServer::start(script.certificate(&certificate)).await;
    let address = format!("smtp.office365.com:{}", server.port());
    let app = microsoft
        .service_with(|config| {
            config.microsoft365.transport = MicrosoftTransport::Smtp;
            config.microsoft365.smtp_server = Some(address);
        })
        .await;
    app.names.set("smtp.office365.com", &["127.0.0.1"]);
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    (microsoft, app, server, admin)
}

/// Security case J7.
#[tokio::test]
async fn smtp_reads_the_whole_reply_to_a_refused_token() {
    let refusing =
        Script::starttls().with("AUTH LOGIN XOAUTH2").no_token("535 5.7.3 Authentication unsuccessful");
    let (microsoft, _app, server, admin) = by_smtp(refusing).await;
    let answer = admin.verify().await;
    assert_eq!(answer["diagnosis"]["code"], json!("M365_APP_NOT_REGISTERED_IN_EXCHANGE"), "{answer}");
    assert!(answer["diagnosis"]["steps"].to_string().contains("New-ServicePrincipal"), "{answer}");
    server.ended().await;
    let lines = server.lines();
    assert!(lines.iter().any(|line| line.starts_with("AUTH XOAUTH2")), "{lines:?}");
    let shown = admin.config().await;
    assert_eq!((&shown["errorCode"], &shown["authFailures"]), (&json!("PROVIDER_ERROR"), &json!(0)));
    assert!(microsoft.mails().is_empty());
}

#[tokio::test]
async fn smtp_sends_a_mail_with_a_token() {
    let accepting = Script::starttls().with("AUTH LOGIN XOAUTH2").any_token();
    let (microsoft, _app, server, admin) = by_smtp(accepting).await;
    let answer = admin.verify().await;
    assert_eq!((&answer["success"], &answer["unproved"]), (&json!(true), &json!(["delivery"])), "{answer}");
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!((&answer["success"], &answer["smtpResponseCode"]), (&json!(true), &json!(250)), "{answer}");
    server.ended().await;
    assert_eq!(server.mails().len(), 1);
    assert_eq!(server.mails()[0].from, microsoft.registration.mailbox);
    assert!(microsoft.mails().is_empty(), "not through Graph");
}

#[tokio::test]
async fn a_plain_user_reads_a_general_microsoft365_outcome() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    put(&app.admin("acme"), &microsoft.provider_config()).await.expect(204);
    microsoft.fake.refuse_token(7_000_215, "invalid_client");
    let answer = app.member("acme").post(VERIFY).await.expect(200).json();
    let shown: Vec<&String> = answer["diagnosis"].as_object().expect("a diagnosis").keys().collect();
    assert_eq!(shown, ["code", "owner", "title"]);
    assert!(!answer.to_string().contains(&microsoft.registration.client_id));
}

const SETUP: &str = "/api/v1/transports/email-config/microsoft365-setup";

#[tokio::test]
async fn the_setup_help_works_before_and_after_something_is_stored() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let empty = admin.get(SETUP).await.expect(200).json();
    assert!(empty["adminConsentLink"].as_str().expect("a link").contains("CLIENT-ID"));
    let query = "clientId=11111111-2222-3333-4444-555555555555&providerTenantId=contoso.example&emailAddress=news%40contoso.example";
    let given = admin.get(&format!("{SETUP}?{query}")).await.expect(200).json();
    let ids: Vec<&Value> = given["ways"].as_array().expect("ways").iter().map(|way| &way["id"]).collect();
    assert_eq!(ids, [&json!("organisation"), &json!("mailbox"), &json!("smtp")]);
    let text = given.to_string();
    for part in
        ["11111111-2222-3333-4444-555555555555", "news@contoso.example", "New-ManagementRoleAssignment"]
    {
        assert!(text.contains(part), "{part}");
    }
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let stored = admin.get(SETUP).await.expect(200).json();
    assert_eq!(stored["clientId"], json!(microsoft.registration.client_id));
    assert!(!stored.to_string().contains(&microsoft.registration.client_secret));
    let mixed = admin.get(&format!("{SETUP}?emailAddress=else%40contoso.example")).await.expect(200).json();
    assert_eq!(
        (&mixed["clientId"], &mixed["emailAddress"]),
        (&json!(microsoft.registration.client_id), &json!("else@contoso.example"))
    );
    for wrong in [
        "providerTenantId=common",
        "emailAddress=x",
        "clientId=a%2Fb",
        "colour=red",
        "clientId=a&clientId=b",
        "clientId=%ff",
    ] {
        admin.get(&format!("{SETUP}?{wrong}")).await.expect(400).error();
    }
}

#[tokio::test]
async fn known_services_can_be_listed_by_any_user() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let body = app.member("acme").get("/api/v1/transports/providers").await.expect(200).json();
    let providers = body["providers"].as_array().expect("providers");
    let ids: Vec<&str> = providers.iter().map(|provider| provider["id"].as_str().expect("an id")).collect();
    for id in [
        "microsoft365",
        "google-workspace",
        "amazon-ses",
        "sendgrid",
        "mailgun",
        "postmark",
        "brevo",
        "mailjet",
        "sparkpost",
        "zoho",
        "fastmail",
        "icloud",
        "yahoo",
        "gmx",
        "ionos",
        "ovh",
        "infomaniak",
    ] {
        assert!(ids.contains(&id), "{id}");
    }
    let sendgrid = providers.iter().find(|provider| provider["id"] == "sendgrid").expect("is there");
    assert_eq!((&sendgrid["username"], &sendgrid["usernameForm"]), (&json!("apikey"), &json!("fixed")));
}

#[tokio::test]
async fn get_shows_advice_where_it_applies() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let fields = json!({
        "serverAddress": "smtp.office365.com", "serverPort": 587, "securityType": "StartTLS", "username": "ann@contoso.example",
        "emailPassword": canary("secret "), "emailAddress": "ann@contoso.example",
    });
    admin.patch(&fields).await.expect(204);
    let advice = admin.config().await["advice"].clone();
    assert_eq!(advice[0]["code"], json!("M365_PASSWORD_SIGN_IN"), "{advice}");
    for member in ["title", "meaning", "link"] {
        assert!(advice[0][member].as_str().is_some_and(|text| !text.is_empty()));
    }
    admin.patch(&json!({"serverAddress": "smtp.example.com"})).await.expect(204);
    assert_eq!(admin.config().await.get("advice"), None);
}
