//! Who may do what, and that nobody reaches another tenant.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};
use transports::http::{Access, Route, routes};

use crate::support::app::TestApp;
use crate::support::client::{Answer, CONFIG, Client, SEND_TEST, VALIDATE, VERIFY};
use crate::support::leaks::canary;

/// A body with which each operation gets beyond the check of rights.
fn body_for(method: &str, path: &str) -> Value {
    match method {
        "POST" if path.ends_with("/emails") => json!({"to": "bob@example.com", "subject": "x", "text": "y"}),
        "PUT" => json!({"serviceProvider": "BasicAuth", "providerConfig": {}}),
        "PATCH" => json!([{"op": "replace", "path": "/username", "value": "ann"}]),
        "POST" if path.ends_with("send-test-email") => json!({"recipient": "bob@example.com"}),
        _ => Value::Null,
    }
}

async fn call(client: &Client, method: &str, path: &str) -> Answer {
    match body_for(method, path) {
        Value::Null => client.send(method, path, &[], Vec::new()).await,
        body => client.json(method, path, &body).await,
    }
}

/// Security case F11.
#[tokio::test]
async fn every_route_requires_a_token_and_its_right() {
    let app = TestApp::start().await;
    let guarded: Vec<_> = routes().into_iter().filter(|route| route.access != Access::Anybody).collect();
    let (of_platform, of_tenants): (Vec<_>, Vec<_>) =
        guarded.into_iter().partition(|route| route.access == Access::Platform);
    assert_eq!(of_tenants.len(), 58, "29 operations under two prefixes");
    assert_eq!(of_platform.len(), 38, "the 19 operations of the send API under two prefixes");
    for Route { method, path, .. } in of_platform {
        let path = path.replace("{tenantId}", "acme");
        let answer = call(&app.anybody(), method, &path).await.expect(401);
        assert_eq!(answer.error().0, "HTTP-401", "{method} {path}");
        for client in [app.member("acme"), app.sender("acme"), app.admin("acme"), app.admin("other")] {
            let answer = call(&client, method, &path).await.expect(403);
            assert_eq!(answer.error().0, "ROLECHECK-3", "{method} {path}");
        }
        let platform = call(&app.platform(), method, &path).await;
        let changes_account = method == "PATCH" && path.ends_with("/account");
        let is_of_keys = path.contains("/api-keys");
        let is_for_admins =
            changes_account || is_of_keys || path.ends_with("/pause") || path.ends_with("/resume");
        assert_eq!(platform.status == 403, is_for_admins, "{method} {path}: {}", platform.status);
        assert!(!matches!(platform.status, 401 | 405), "{method} {path}: {}", platform.status);
    }
    for Route { method, path, access } in of_tenants {
        let answer = call(&app.anybody(), method, &path).await.expect(401);
        assert_eq!(answer.error().0, "HTTP-401", "{method} {path}");
        let platform = call(&app.platform(), method, &path).await;
        if path.ends_with("/events") && !path.contains("/emails/") {
            assert_eq!(platform.status, 200, "{method} {path}");
        } else {
            assert_eq!(platform.expect(403).error().0, "ROLECHECK-4", "{method} {path}");
        }
        let member = call(&app.member("acme"), method, &path).await;
        let refused = match access {
            Access::SendAdmin | Access::TenantAdmin => Some(("ROLECHECK-1", "Must be a tenant admin")),
            Access::Sender | Access::FullSender => {
                Some(("ROLECHECK-2", "Must be a tenant admin or have a role that may send"))
            }
            Access::AnyUser | Access::Anybody | Access::Platform => None,
        };
        match refused {
            Some((code, title)) => {
                let body = member.expect(403).json();
                assert_eq!(body["errors"], json!([{"code": code, "title": title}]), "{method} {path}");
            }
            None => assert!(matches!(member.status, 200 | 404), "{} {path}: {}", method, member.status),
        }
        let sender = call(&app.sender("acme"), method, &path).await;
        let is_for_admins = matches!(access, Access::SendAdmin | Access::TenantAdmin);
        assert_eq!(sender.status == 403, is_for_admins, "{method} {path}: {}", sender.status);
        let admin = call(&app.admin("acme"), method, &path).await;
        assert!(!matches!(admin.status, 401 | 403 | 405), "{} {path}: {}", method, admin.status);
    }
}

/// Security case F11.
#[tokio::test]
async fn only_validate_and_verify_are_for_any_user() {
    let open: Vec<String> = routes()
        .into_iter()
        .filter(|route| route.access == Access::AnyUser)
        .map(|route| route.path)
        .filter(|path| path.starts_with("/api") && path.contains("email-config"))
        .collect();
    assert_eq!(open, [VALIDATE, VERIFY]);
}

/// Security case F12.
#[tokio::test]
async fn only_the_token_names_the_tenant() {
    let app = TestApp::start().await;
    let (acme, other) = (app.admin("acme"), app.admin("other"));
    acme.patch(&json!({"username": "ann", "emailPassword": canary("secret ")})).await.expect(204);
    let before = acme.config().await;
    let named = [("x-tenant-id", "acme"), ("tenant", "acme"), ("x-qlik-tenant", "acme")];
    let nothing = json!({"isValid": false, "passwordExists": false});

    assert_eq!(other.send("GET", CONFIG, &named, Vec::new()).await.expect(200).json(), nothing);
    assert_eq!(other.get(&format!("{CONFIG}?tenantId=acme")).await.expect(200).json(), nothing);
    other.get(&format!("{CONFIG}/acme")).await.expect(404);
    let document = json!([{"op": "replace", "path": "/tenantId", "value": "acme"}]);
    other.json("PATCH", CONFIG, &document).await.expect(400);
    let member = json!([{"op": "replace", "path": "/username", "value": "eve", "tenantId": "acme"}]);
    other.json_with("PATCH", &format!("{CONFIG}?tenantId=acme"), &named, &member).await.expect(204);
    let body = json!({"serviceProvider": "BasicAuth", "providerConfig": {}, "tenantId": "acme"});
    let refused = other.json("PUT", CONFIG, &body).await.expect(400).json().to_string();
    assert!(refused.contains("tenantId is not a known field"), "{refused}");
    other.send("DELETE", &format!("{CONFIG}?tenantId=acme"), &named, Vec::new()).await.expect(204);

    assert_eq!(acme.config().await, before);
}

/// Security case F16.
#[tokio::test]
async fn similar_tenant_names_are_distinct_tenants() {
    let app = TestApp::start().await;
    let names = ["a", "A", "a ", "a/b", "%61", "é", "e\u{301}", "a'; drop table email_configs; --"];
    for name in names {
        app.admin(name).patch(&json!({"username": format!("user of {name:?}")})).await.expect(204);
    }
    for name in names {
        let shown = app.admin(name).config().await;
        assert_eq!(shown["tenantId"], json!(name));
        assert_eq!(shown["username"], json!(format!("user of {name:?}")));
    }
}

/// The parts of a configuration that decide whether a stored password may stay.
const DESTINATION: [&str; 3] = ["serverAddress", "serverPort", "username"];

/// What a tenant's configuration must be, by rules written apart from the service.
#[derive(Default, Clone)]
struct Expected {
    fields: Option<BTreeMap<&'static str, Value>>,
    password: bool,
}

impl Expected {
    fn patch(&mut self, edits: &[(&'static str, Option<Value>)]) {
        let before = self.fields.clone().unwrap_or_default();
        let mut after = before.clone();
        let mut password = None;
        for (field, value) in edits {
            if *field == "emailPassword" {
                password = Some(value.is_some());
            } else if let Some(value) = value {
                after.insert(field, value.clone());
            } else {
                after.remove(field);
            }
        }
        let moved = DESTINATION
            .iter()
            .any(|field| before.contains_key(field) && before.get(field) != after.get(field));
        let weaker = match (before.get("securityType"), after.get("securityType")) {
            (Some(before), after) => {
                before != "none" && after.is_none_or(|after| after == "none") || after.is_none()
            }
            (None, _) => false,
        };
        self.password = password.unwrap_or(self.password && !moved && !weaker);
        if self.fields.is_some() || !after.is_empty() || self.password {
            self.fields = Some(after);
        }
    }

    fn code(&self) -> &'static str {
        let Some(fields) = &self.fields else { return "CONFIG_NOT_SET" };
        let needed = ["serverAddress", "serverPort", "securityType", "emailAddress"];
        let complete = needed.iter().all(|field| fields.contains_key(field))
            && fields.contains_key("username") == self.password;
        if complete { "OK" } else { "INCOMPLETE_CONFIG" }
    }
}

/// A small generator with a fixed start: the same steps in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("is small")
    }

    fn edit(&mut self) -> (&'static str, Option<Value>) {
        let (field, values): (_, [Value; 2]) = match self.below(7) {
            0 => ("serverAddress", [json!("one.example.com"), json!("two.example.com")]),
            1 => ("serverPort", [json!(587), json!(465)]),
            2 => ("securityType", [json!("StartTLS"), json!("none")]),
            3 => ("username", [json!("ann"), json!("bob")]),
            4 => ("emailAddress", [json!("ann@example.com"), json!("bob@example.com")]),
            5 => ("senderName", [json!("Ann"), json!("Bob")]),
            _ => ("emailPassword", [json!(canary("first ")), json!(canary("second "))]),
        };
        let choice = self.below(5);
        (field, values.get(choice % 3).cloned())
    }
}

async fn check(client: &Client, tenant: &str, expected: &Expected) {
    let shown = client.config().await;
    let Some(fields) = &expected.fields else {
        assert_eq!(shown, json!({"isValid": false, "passwordExists": false}), "{tenant}");
        return;
    };
    assert_eq!(shown["tenantId"], json!(tenant));
    assert_eq!(shown["passwordExists"], json!(expected.password), "{tenant} {fields:?}");
    assert_eq!(shown["errorCode"], json!(expected.code()), "{tenant} {fields:?}");
    let stored: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    assert_eq!(shown["providerConfig"], Value::Object(stored), "{tenant}");
}

/// Security case F14.
#[tokio::test]
async fn random_operations_of_three_tenants_match_a_model() {
    let app = TestApp::with(|config| {
        config.rate_limit.tier1_per_minute = 0;
        config.rate_limit.tier2_per_minute = 0;
    })
    .await;
    let tenants = ["acme", "Acme", "other"];
    let mut expected: HashMap<&str, Expected> = HashMap::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for step in 0..10_000 {
        let tenant = tenants[dice.below(3)];
        let (client, state) = (app.admin(tenant), expected.entry(tenant).or_default());
        match dice.below(20) {
            0 => {
                let status = if state.fields.is_some() { 204 } else { 404 };
                client.delete().await.expect(status);
                *state = Expected::default();
            }
            1 => {
                let shown = client.post(VALIDATE).await.expect(200).json();
                assert_eq!(
                    shown,
                    json!({"isValid": state.code() == "OK", "errorCode": state.code()}),
                    "{step}"
                );
            }
            // One that cannot succeed, so that it must change nothing.
            2 => {
                client.put(&json!({"serverAddress": "one.example.com"})).await.expect(400);
            }
            3 if state.code() != "OK" => {
                let status = if state.fields.is_some() { 200 } else { 404 };
                client.post(VERIFY).await.expect(status);
                client.json("POST", SEND_TEST, &json!({"recipient": "bob@example.com"})).await.expect(status);
            }
            4..=7 => check(&client, tenant, state).await,
            _ => {
                let edits: Vec<_> = (0..=dice.below(4)).map(|_| dice.edit()).collect();
                let document: Value = edits
                    .iter()
                    .map(|(field, value)| match value {
                        Some(value) => json!({"op": "replace", "path": format!("/{field}"), "value": value}),
                        None => json!({"op": "remove", "path": format!("/{field}")}),
                    })
                    .collect();
                client.json("PATCH", CONFIG, &document).await.expect(204);
                state.patch(&edits);
            }
        }
    }
    for tenant in tenants {
        check(&app.admin(tenant), tenant, &expected[tenant]).await;
    }
}
