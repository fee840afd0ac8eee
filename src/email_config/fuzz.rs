//! Fuzz targets: PATCH and PUT documents.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::fields;
use super::patch::Patch;
use super::put::Replacement;
use super::{BasicAuth, Change, EmailConfig, Health, Microsoft365, SecretChange, Settings, Version};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::egress::{Host, Policy};
use crate::error::InputFault;
use crate::json;
use crate::mail::address::EmailAddress;
use crate::secret::Sealed;
use crate::smtp::Security;

fn policy() -> &'static Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| Policy::new(&Config::default().egress).expect("good settings"))
}

/// A PATCH document: the first bad operation is reported and refuses all; the last operation on a field counts; what
/// was applied changes nothing when it is applied again, and reads back from its own normal form.
pub fn patch(data: &[u8]) {
    let Ok(document) = json::parse(data) else { return };
    let parse = |document: &Value| Patch::parse(document.clone(), policy());
    let operations = document.as_array().cloned().unwrap_or_default();
    let alone = |operation: &Value| parse(&json!([operation]));
    let patch = match parse(&document) {
        Ok(patch) => patch,
        Err(problem) => {
            check_problem(&problem, &document);
            if let Some(bad) = operations.iter().position(|operation| alone(operation).is_err()) {
                assert!(problem.to_string().ends_with(&format!("(operation {bad})")), "{problem}");
            } else {
                assert!(operations.is_empty(), "each is good alone: {problem}");
            }
            return;
        }
    };
    assert!(operations.iter().all(|operation| alone(operation).is_ok()));

    let field_of = |operation: &Value| operation["path"].clone();
    let last = |index: usize| {
        !operations[index + 1..].iter().any(|later| field_of(later) == field_of(&operations[index]))
    };
    let last: Value =
        (0..operations.len()).filter(|index| last(*index)).map(|index| operations[index].clone()).collect();
    let patch_of_last = parse(&last).expect("good operations");

    for before in [None, Some(basic_auth()), Some(app())] {
        let change = patch.apply(before.as_ref());
        let same = patch_of_last.apply(before.as_ref());
        assert_eq!(format!("{change:?}"), format!("{same:?}"), "the last operation on a field counts");
        let Ok(change) = change else {
            assert!(matches!(before.map(|before| before.settings), Some(Settings::Microsoft365(_))));
            continue;
        };
        let Some(change) = change else { continue };
        let sets_secret = matches!(change.secret, SecretChange::Set(_));
        let after = stored(&change, before.as_ref());
        check_secret(before.as_ref(), &change, &after);
        if let Some(again) = patch.apply(Some(&after)).expect("BasicAuth now") {
            assert!(sets_secret, "only a password that is sent counts again: {:?}", again.fields);
            assert_eq!(
                (&again.fields[..], &again.settings),
                (&[fields::EMAIL_PASSWORD][..], &after.settings)
            );
        }
        let Settings::BasicAuth(basic) = &after.settings else { panic!("a patch makes BasicAuth") };
        let normal: Vec<Value> = members(basic)
            .into_iter()
            .map(|(field, value)| json!({"op": "add", "path": format!("/{field}"), "value": value}))
            .collect();
        if !normal.is_empty() {
            let normal = parse(&Value::Array(normal)).expect("the normal form is good");
            let read = normal.apply(None).expect("nothing stored").map(|change| change.settings);
            assert_eq!(read.as_ref(), Some(&after.settings));
        }
    }
}

/// A PUT body: what is accepted is complete and reads back from its own normal form; each fault is reported once, by field;
/// a secret that was left out is kept only for the very destination that it was entered for.
pub fn put(data: &[u8]) {
    let Ok(document) = json::parse(data) else { return };
    let parse = |document: &Value| Replacement::parse(document.clone(), policy());
    let replacement = match parse(&document) {
        Ok(replacement) => replacement,
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                check_problem(problem, &document);
            }
            return;
        }
    };
    let mut unknown = document.clone();
    unknown["providerConfig"]["port"] = json!(25);
    assert_eq!(parse(&unknown).err(), Some(vec![InputFault::unknown_field("providerConfig", "port")]));

    for before in [None, Some(basic_auth()), Some(app())] {
        let change = match replacement.apply(before.as_ref()) {
            Ok(change) => change,
            Err(problem) => {
                check_problem(&problem, &document);
                continue;
            }
        };
        let after = stored(&change, before.as_ref());
        check_secret(before.as_ref(), &change, &after);
        assert_eq!(after.missing(), Vec::<&str>::new());
        assert_eq!(after.health, Health::unknown());
        let again = replacement.apply(Some(&after)).expect("it is stored as it is");
        let sent = matches!(again.secret, SecretChange::Set(_));
        assert_eq!(again.settings, after.settings);
        assert_eq!(again.fields, if sent { vec![after.settings.secret_field()] } else { Vec::new() });

        let mut config = match &after.settings {
            Settings::BasicAuth(basic) => members(basic).into_iter().collect::<Value>(),
            Settings::Microsoft365(app) => json!({
                "clientId": app.client_id,
                "providerTenantId": app.provider_tenant,
                "emailAddress": app.email_address.as_str(),
            }),
        };
        if after.secret.is_some() {
            config[after.settings.secret_field()] = json!("another secret");
        }
        let normal = json!({"serviceProvider": after.settings.kind().as_str(), "providerConfig": config});
        let normal = parse(&normal).expect("the normal form is good");
        assert_eq!(normal.apply(None).expect("complete").settings, after.settings);
    }
}

/// What the corpus has in its secrets, and no text of ours.
const TELLTALE: &str = "hunter2";

/// A problem is one short line, and shows no secret.
fn check_problem(fault: &InputFault, document: &Value) {
    let problem = fault.to_string();
    assert!(!problem.chars().any(char::is_control), "{problem:?}");
    assert!(problem.chars().count() < 300, "{problem:?}");
    let in_secrets: usize = secrets(document).iter().map(|secret| secret.matches(TELLTALE).count()).sum();
    // The name of an unknown member is shown, and may be anything.
    if document.to_string().matches(TELLTALE).count() == in_secrets {
        assert!(!problem.contains(TELLTALE), "{problem:?}");
        assert!(!format!("{fault:?}").contains(TELLTALE), "{fault:?}");
    }
}

/// The values of secret fields wherever they stand in a document.
fn secrets(document: &Value) -> Vec<&str> {
    match document {
        Value::Array(items) => items.iter().flat_map(secrets).collect(),
        Value::Object(members) => {
            let is_secret = |name: &str| [fields::EMAIL_PASSWORD, fields::CLIENT_SECRET].contains(&name);
            let patched =
                members.get("path").and_then(Value::as_str).is_some_and(|path| path == "/emailPassword");
            let own = members.iter().filter(|(name, _)| is_secret(name) || (patched && *name == "value"));
            own.filter_map(|(_, value)| value.as_str()).chain(members.values().flat_map(secrets)).collect()
        }
        _ => Vec::new(),
    }
}

/// A stored secret stays only where it was entered for this destination, or for one that had parts still open.
fn check_secret(before: Option<&EmailConfig>, change: &Change, after: &EmailConfig) {
    let (Some(before), SecretChange::Keep) = (before, &change.secret) else { return };
    assert_eq!(before.settings.kind(), after.settings.kind());
    let (Settings::BasicAuth(old), Settings::BasicAuth(new)) = (&before.settings, &after.settings) else {
        assert_eq!(before.settings.destination(), after.settings.destination());
        return;
    };
    assert_eq!((&old.server_address, old.server_port), (&new.server_address, new.server_port));
    assert_eq!(old.username, new.username);
    assert_ne!(new.security, None);
    assert!(
        old.security == Some(Security::None) || new.security != Some(Security::None),
        "weaker than before"
    );
}

/// What would be stored, with a secret that is not sealed.
fn stored(change: &Change, before: Option<&EmailConfig>) -> EmailConfig {
    let secret = match change.secret {
        SecretChange::Set(_) => Some(sealed()),
        SecretChange::Keep => before.and_then(|before| before.secret.clone()),
        SecretChange::Drop => None,
    };
    config(change.settings.clone(), secret, change.health.clone())
}

fn config(settings: Settings, secret: Option<Sealed>, health: Health) -> EmailConfig {
    let version = Version { config: "1".to_owned(), health: 0 };
    EmailConfig {
        settings,
        secret,
        health,
        last_check: None,
        version,
        modified_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn sealed() -> Sealed {
    Sealed { key_id: "k".to_owned(), wrapped_key: Vec::new(), payload: Vec::new() }
}

/// Complete, with StartTLS and a password.
fn basic_auth() -> EmailConfig {
    let basic = BasicAuth {
        server_address: Host::parse("smtp.example.com").ok(),
        server_port: Some(587),
        security: Some(Security::StartTls),
        username: Some("ada".to_owned()),
        email_address: EmailAddress::parse("ada@example.com").ok(),
        sender_name: None,
    };
    config(Settings::BasicAuth(basic), Some(sealed()), Health::unknown())
}

fn app() -> EmailConfig {
    let app = Microsoft365 {
        client_id: "11111111-2222-3333-4444-555555555555".to_owned(),
        provider_tenant: "contoso.example".to_owned(),
        email_address: EmailAddress::parse("news@contoso.example").expect("good"),
    };
    config(Settings::Microsoft365(app), Some(sealed()), Health::unknown())
}

/// The fields that are set, as GET shows them.
fn members(basic: &BasicAuth) -> Vec<(String, Value)> {
    let text = |name: &str, value: Option<String>| value.map(|value| (name.to_owned(), Value::String(value)));
    [
        text(fields::SERVER_ADDRESS, basic.server_address.as_ref().map(ToString::to_string)),
        basic.server_port.map(|port| (fields::SERVER_PORT.to_owned(), json!(port))),
        text(fields::SECURITY_TYPE, basic.security.map(|security| security.as_str().to_owned())),
        text(fields::USERNAME, basic.username.clone()),
        text(fields::EMAIL_ADDRESS, basic.email_address.as_ref().map(ToString::to_string)),
        text(fields::SENDER_NAME, basic.sender_name.as_ref().map(|name| name.as_str().to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}
