//! The whole subject as tables: what is complete, where a secret may stay, and every transition of health.

mod health;
mod microsoft365;
mod patch;
mod put;
mod secret;

use serde_json::{Value, json};

use super::patch::Patch;
use super::put::Replacement;
use super::*;
use crate::clock::Timestamp;
use crate::config;
use crate::egress::Policy;
use crate::error::{InputFault, Reason, Source};
use crate::mail::transcript::Stage;

fn policy() -> Policy {
    Policy::new(&config::Config::default().egress).expect("the default settings are good")
}

fn patch(document: Value) -> Patch {
    Patch::parse(document, &policy()).expect("the patch is good")
}

fn set(fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("an object") };
    fields
        .into_iter()
        .map(|(field, value)| json!({"op": "replace", "path": format!("/{field}"), "value": value}))
        .collect()
}

fn full() -> Value {
    json!({
        "serverAddress": "smtp.example.com", "serverPort": 587, "securityType": "StartTLS",
        "username": "alice", "emailAddress": "alice@example.com"
    })
}

fn settings(fields: Value) -> Settings {
    patch(set(fields)).apply(None).expect("is good").expect("something changes").settings
}

fn sealed() -> Sealed {
    Sealed { key_id: "k1".to_owned(), wrapped_key: vec![1], payload: vec![2] }
}

fn stored(settings: Settings, secret: bool, health: Health) -> EmailConfig {
    EmailConfig {
        settings,
        secret: secret.then(sealed),
        health,
        version: Version { config: "v1".to_owned(), health: 0 },
        last_check: None,
        modified_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn refused(times: i64) -> Health {
    Health {
        state: HealthState::InvalidCredentials,
        auth_failures: times,
        diagnosis_code: Some("AUTH_REJECTED".to_owned()),
        reason: Some("The password was refused.".to_owned()),
        failed_stage: None,
    }
}

fn trouble(auth_failures: i64) -> Health {
    Health {
        state: HealthState::ProviderError,
        auth_failures,
        diagnosis_code: Some("CONNECT_TIMEOUT".to_owned()),
        reason: Some("No answer.".to_owned()),
        failed_stage: Some(Stage::Connect),
    }
}

#[test]
fn complete_names_what_is_missing() {
    let without = |fields: &[&str]| {
        let Value::Object(mut all) = full() else { panic!("an object") };
        for field in fields {
            all.remove(*field);
        }
        settings(Value::Object(all))
    };
    let cases: [(Settings, bool, &[&str]); 8] = [
        (without(&[]), true, &[]),
        (without(&[]), false, &["emailPassword"]),
        (without(&["username"]), false, &[]),
        (without(&["username"]), true, &["username"]),
        (without(&["serverAddress"]), true, &["serverAddress"]),
        (without(&["serverPort"]), true, &["serverPort"]),
        (without(&["securityType", "emailAddress"]), true, &["securityType", "emailAddress"]),
        (
            Settings::BasicAuth(BasicAuth::default()),
            false,
            &["serverAddress", "serverPort", "securityType", "emailAddress"],
        ),
    ];
    for (settings, secret, expected) in cases {
        let config = stored(settings, secret, Health::unknown());
        assert_eq!(config.missing(), expected);
        let code = if expected.is_empty() { ErrorCode::Ok } else { ErrorCode::IncompleteConfig };
        assert_eq!(config.error_code(), code);
        assert_eq!(config.is_valid(), expected.is_empty());
    }
}

#[test]
fn the_status_is_a_sentence() {
    let complete = settings(full());
    let cases = [
        (stored(complete.clone(), true, Health::unknown()), 0, "OK"),
        (stored(complete.clone(), false, refused(1)), 2, "Not set yet: emailPassword."),
        (stored(complete.clone(), true, refused(1)), 3, "The password was refused."),
        (stored(complete, true, trouble(0)), 4, "No answer."),
    ];
    for (config, code, reason) in cases {
        assert_eq!(
            (config.error_code().status_code(), config.status_reason(Language::English).as_str()),
            (code, reason)
        );
    }
}

#[expect(clippy::needless_pass_by_value, reason = "reads well with json!")]
fn put_body(provider_config: Value) -> Value {
    json!({"serviceProvider": "BasicAuth", "providerConfig": provider_config})
}

fn put(provider_config: Value) -> Result<Replacement, Vec<String>> {
    Replacement::parse(put_body(provider_config), &policy()).map_err(|faults| titles(&faults))
}

fn titles(faults: &[InputFault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}
