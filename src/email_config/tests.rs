//! The whole subject as tables: what is complete, where a secret may stay, and every transition of health.

mod microsoft365;

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

fn outcome(kind: &str) -> CheckOutcome {
    let (diagnosis_code, reason) = (kind.to_owned(), "A reason.".to_owned());
    match kind {
        "AUTH" => CheckOutcome::CredentialsRefused { diagnosis_code, reason },
        _ => CheckOutcome::ProviderError { diagnosis_code, reason, stage: Stage::MailFrom },
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

/// What a patch makes of the stored secret.
fn secret_after(before: Value, document: Value) -> &'static str {
    let config = stored(settings(before), true, Health::unknown());
    let patch = patch(document);
    match patch.apply(Some(&config)).expect("is good").map(|change| change.secret) {
        None | Some(SecretChange::Keep) => "kept",
        Some(SecretChange::Drop) => "dropped",
        Some(SecretChange::Set(_)) => "new",
    }
}

/// Security cases B1 to B7.
#[test]
fn a_secret_stays_with_its_server() {
    let cases = [
        ("b1 another server", json!({"serverAddress": "evil.example.net"}), "dropped"),
        ("b2 another port", json!({"serverPort": 465}), "dropped"),
        ("b3 weaker", json!({"securityType": "none"}), "dropped"),
        ("b4 another user", json!({"username": "mallory"}), "dropped"),
        ("b5 with its password", json!({"serverAddress": "b.example.net", "emailPassword": "new"}), "new"),
        ("b7 the same server", json!({"serverAddress": "SMTP.Example.com."}), "kept"),
        ("b7 the same port", json!({"serverPort": "587"}), "kept"),
        ("equal security", json!({"securityType": "SSL/TLS"}), "kept"),
        ("another sender", json!({"emailAddress": "bob@example.com", "senderName": "Bob"}), "kept"),
    ];
    for (name, fields, expected) in cases {
        assert_eq!(secret_after(full(), set(fields)), expected, "{name}");
    }
    let password_first = json!([
        {"op": "add", "path": "/emailPassword", "value": "new"},
        {"op": "add", "path": "/serverAddress", "value": "b.example.net"},
    ]);
    assert_eq!(secret_after(full(), password_first), "new", "b5 in the other order");
    for field in ["serverAddress", "serverPort", "username", "securityType"] {
        let document = json!([{"op": "remove", "path": format!("/{field}")}]);
        assert_eq!(secret_after(full(), document), "dropped", "without {field}");
    }
}

#[test]
fn a_stronger_channel_and_a_first_destination_keep_the_secret() {
    let mut clear = full();
    clear["securityType"] = json!("none");
    assert_eq!(secret_after(clear, set(json!({"securityType": "StartTLS"}))), "kept");
    assert_eq!(secret_after(json!({"emailAddress": "a@example.com"}), set(full())), "kept");
}

/// Security case B6.
#[test]
fn a_document_is_judged_by_its_end_state() {
    let there_and_back = json!([
        {"op": "replace", "path": "/serverAddress", "value": "evil.example.net"},
        {"op": "replace", "path": "/serverAddress", "value": "smtp.example.com"},
    ]);
    let config = stored(settings(full()), true, refused(2));
    assert!(patch(there_and_back).apply(Some(&config)).expect("is good").is_none());
}

#[test]
fn the_canonical_destination_tells_destinations_apart() {
    let base = settings(full());
    let change = |fields: Value| {
        let config = stored(base.clone(), false, Health::unknown());
        patch(set(fields)).apply(Some(&config)).expect("is good").expect("a change").settings
    };
    let same = [change(json!({"securityType": "SSL/TLS"})), change(json!({"senderName": "X"}))];
    for settings in same {
        assert_eq!(settings.destination(), base.destination());
    }
    let others = [
        change(json!({"serverAddress": "a.example.com"})),
        change(json!({"serverPort": 25})),
        change(json!({"securityType": "none"})),
        change(json!({"username": "alice;3:587"})),
        Settings::BasicAuth(BasicAuth::default()),
    ];
    for (index, settings) in others.iter().enumerate() {
        assert_ne!(settings.destination(), base.destination(), "{index}");
    }
}

#[test]
fn a_write_that_changes_nothing_is_none() {
    let config = stored(settings(full()), true, refused(1));
    for document in [set(full()), set(json!({"username": " alice "}))] {
        assert!(patch(document).apply(Some(&config)).expect("is good").is_none());
    }
    let removes = json!([{"op": "remove", "path": "/username"}, {"op": "remove", "path": "/emailPassword"}]);
    assert!(patch(removes).apply(None).expect("is good").is_none(), "creates none");
    let again = patch(set(json!({"emailPassword": "x"})));
    assert_eq!(
        again.apply(Some(&config)).expect("is good").expect("always a change").fields,
        ["emailPassword"]
    );
}

#[test]
fn health_after_a_patch() {
    let credentials = [
        json!({"username": "bob"}),
        json!({"emailPassword": "new"}),
        json!({"serverAddress": "b.example.com"}),
        json!({"serverPort": 465}),
        json!({"securityType": "SSL/TLS"}),
    ];
    let starts = [Health::unknown(), refused(2), trouble(1)];
    for start in &starts {
        for fields in &credentials {
            let config = stored(settings(full()), true, start.clone());
            let patch = patch(set(fields.clone()));
            let change = patch.apply(Some(&config)).expect("is good").expect("a change");
            assert_eq!(change.health, Health::unknown(), "{fields} from {start:?}");
        }
    }
    let harmless = [json!({"emailAddress": "b@example.com"}), json!({"senderName": "Bob"})];
    let cleared = Health { auth_failures: 1, ..Health::unknown() };
    let expected = [Health::unknown(), refused(2), cleared];
    for (start, expected) in starts.iter().zip(&expected) {
        for fields in &harmless {
            let config = stored(settings(full()), true, start.clone());
            let patch = patch(set(fields.clone()));
            assert_eq!(
                &patch.apply(Some(&config)).expect("is good").expect("a change").health,
                expected,
                "{fields}"
            );
        }
    }
}

#[test]
fn health_after_a_check() {
    let failing = |state, auth_failures, code: &str| Health {
        state,
        auth_failures,
        diagnosis_code: Some(code.to_owned()),
        reason: Some("A reason.".to_owned()),
        failed_stage: (state == HealthState::ProviderError).then_some(Stage::MailFrom),
    };
    let (invalid, error) = (HealthState::InvalidCredentials, HealthState::ProviderError);
    let cases = [
        (Health::unknown(), CheckOutcome::Success, None),
        (refused(3), CheckOutcome::Success, Some(Health::unknown())),
        (trouble(1), CheckOutcome::Success, Some(Health::unknown())),
        (Health::unknown(), outcome("AUTH"), Some(failing(invalid, 1, "AUTH"))),
        (refused(1), outcome("AUTH"), Some(failing(invalid, 2, "AUTH"))),
        (trouble(4), outcome("AUTH"), Some(failing(invalid, 5, "AUTH"))),
        (Health::unknown(), outcome("NET"), Some(failing(error, 0, "NET"))),
        (refused(2), outcome("NET"), Some(failing(error, 2, "NET"))),
        (failing(error, 0, "NET"), outcome("NET"), None),
        (refused(2), CheckOutcome::Nothing, None),
        (trouble(2), CheckOutcome::Nothing, None),
    ];
    for (before, outcome, expected) in cases {
        assert_eq!(before.after_check(&outcome), expected, "{before:?} and {outcome:?}");
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

#[expect(clippy::needless_pass_by_value, reason = "reads well with json!")]
fn with(changes: Value) -> Value {
    let mut fields = full();
    for (name, value) in changes.as_object().expect("an object") {
        fields[name] = value.clone();
    }
    fields
}

#[test]
fn put_replaces_everything() {
    let before = stored(settings(with(json!({"senderName": "Alice"}))), true, refused(2));
    let replacement = put(with(json!({"emailPassword": "new"}))).expect("is good");
    let change = replacement.apply(Some(&before)).expect("has its password");
    assert_eq!(change.settings, settings(full()), "the absent sender name is cleared");
    assert_eq!(change.health, Health::unknown());
    assert_eq!(change.fields, ["senderName", "emailPassword"]);

    let mut relay = full();
    relay.as_object_mut().expect("an object").remove("username");
    let change = put(relay).expect("is good");
    let change = change.apply(Some(&before)).expect("needs no password");
    assert!(matches!(change.secret, SecretChange::Drop), "a relay without sign-in erases the secret");
}

#[test]
fn put_keeps_a_password_only_for_its_destination() {
    let before = stored(settings(full()), true, Health::unknown());
    let same =
        put(with(json!({"securityType": "SSL/TLS", "emailAddress": "b@example.com"}))).expect("is good");
    assert!(matches!(same.apply(Some(&before)).expect("is kept").secret, SecretChange::Keep));
    let others = [
        json!({"username": "bob"}),
        json!({"serverAddress": "b.example.com"}),
        json!({"serverPort": 465}),
        json!({"securityType": "none"}),
    ];
    for fields in others {
        let problem = put(with(fields.clone()))
            .expect("is good")
            .apply(Some(&before))
            .expect_err("is asked for")
            .to_string();
        assert!(problem.starts_with("emailPassword must be entered again"), "{fields}: {problem}");
    }
    let problem = put(full()).expect("is good").apply(None).expect_err("there is none to keep").to_string();
    assert_eq!(problem, "emailPassword is required beside username");
}

#[test]
fn put_tells_all_faults_at_once_in_the_documented_order() {
    let problems = put(json!({
        "senderName": "a\r\nb", "tenantId": "t", "emailPassword": "****", "serverPort": 22,
        "securityType": "ssl", "serverAddress": 7, "clientId": "x"
    }))
    .expect_err("everything is wrong");
    assert_eq!(
        problems,
        [
            "serverAddress is not a string",
            "serverPort is not an allowed mail port here (25, 465, 587, 2465, 2525, 2587)",
            "securityType is not one of none, StartTLS, SSL/TLS",
            "emailAddress is required",
            "emailPassword is a mask, not a password; enter the password itself",
            "senderName contains a line break or another control character",
            "providerConfig.clientId is not a known field",
            "providerConfig.tenantId is not a known field",
        ]
    );
    let cases = [
        (json!([]), vec!["The body is not an object"]),
        (json!({}), vec!["serviceProvider is required", "providerConfig is required"]),
        (
            json!({"serviceProvider": "Gmail", "providerConfig": 1}),
            vec!["serviceProvider is not one of BasicAuth, Microsoft365", "providerConfig is not an object"],
        ),
        (
            json!({"serviceProvider": "BasicAuth", "providerConfig": full(), "extra": 1}),
            vec!["extra is not a known field"],
        ),
    ];
    for (document, expected) in cases {
        assert_eq!(titles(&Replacement::parse(document, &policy()).expect_err("is wrong")), expected);
    }
    let lonely = put(json!({"serverAddress": "a.example.com", "serverPort": 25, "securityType": "none",
        "emailAddress": "a@example.com", "emailPassword": "x"}));
    assert_eq!(lonely.expect_err("is wrong"), ["username is required beside emailPassword"]);
}

#[test]
fn a_fault_has_a_pointer_and_a_reason() {
    let put_faults = |config: Value| Replacement::parse(put_body(config), &policy()).expect_err("is wrong");
    let found = put_faults(json!({
        "serverAddress": "smtp.example.com:25", "serverPort": 22, "emailAddress": "Ann <ann@example.com>",
        "securityType": "ssl", "emailPassword": "x", "a/b": 1
    }));
    let found: Vec<_> = found.iter().map(|fault| (pointer(fault), fault.reason)).collect();
    assert_eq!(
        found,
        [
            ("/providerConfig/serverAddress", Reason::HostHasPort),
            ("/providerConfig/serverPort", Reason::PortNotAllowed),
            ("/providerConfig/securityType", Reason::NotOneOf),
            ("/providerConfig/emailAddress", Reason::DisplayName),
            ("/providerConfig/username", Reason::Required),
            ("/providerConfig/a~1b", Reason::UnknownField),
        ]
    );
    let port = &put_faults(with(json!({"serverPort": 22})))[0];
    assert_eq!(port.allowed, ["25", "465", "587", "2465", "2525", "2587"]);
    let again = put(with(json!({"username": "bob"}))).expect("is good");
    let again =
        again.apply(Some(&stored(settings(full()), true, Health::unknown()))).expect_err("is asked for");
    assert_eq!((pointer(&again), again.reason), ("/providerConfig/emailPassword", Reason::SecretNotKept));

    for (document, expected) in [
        (json!({}), ("", Reason::NotAnArray)),
        (json!([1]), ("/0", Reason::NotAnObject)),
        (json!([{"op": "add"}]), ("/0/path", Reason::Required)),
        (json!([{"op": "add", "path": "/port", "value": 25}]), ("/0/path", Reason::NotOneOf)),
        (json!([{"op": "move", "path": "/username"}]), ("/0/op", Reason::NotOneOf)),
        (json!([{"op": "add", "path": "/username"}]), ("/0/value", Reason::Required)),
        (
            json!([{"op": "remove", "path": "/username"}, {"op": "add", "path": "/emailPassword", "value": "**"}]),
            ("/1/value", Reason::Mask),
        ),
    ] {
        let fault = Patch::parse(document.clone(), &policy()).expect_err("is wrong");
        assert_eq!((pointer(&fault), fault.reason), expected, "{document}");
    }
}

fn pointer(fault: &InputFault) -> &str {
    let Source::Pointer(pointer) = &fault.source else { panic!("{fault:?} stands in the body") };
    pointer
}

/// Security cases G1 to G5.
#[test]
fn a_bad_patch_names_its_operation_and_field() {
    let operation = |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
    let cases = [
        (json!({"op": "add"}), "The body is not an array of patch operations"),
        (json!([]), "The body is an array without an operation"),
        (json!([1]), "The operation is not an object (operation 0)"),
        (json!([{"path": "/username"}]), "op is missing for username (operation 0)"),
        (json!([{"op": "add"}]), "path is missing (operation 0)"),
        (json!([{"op": "add", "path": "/username"}]), "value is missing for username (operation 0)"),
        (
            operation("add", "/username", json!(null)),
            "username is null; use remove, or leave it out of a PUT, to clear it (operation 0)",
        ),
        (
            operation("add", "/username", json!("")),
            "username is empty; use remove, or leave it out of a PUT, to clear it (operation 0)",
        ),
        (
            operation("add", "/username", json!("a\r\nb")),
            "username contains a line break or another control character (operation 0)",
        ),
        (
            operation("add", "/emailPassword", json!("a\0b")),
            "emailPassword contains a line break or a NUL (operation 0)",
        ),
        (operation("add", "/emailPassword", json!(["x"])), "emailPassword is not a string (operation 0)"),
        (
            operation("replace", "/serverPort", json!(587.5)),
            "serverPort is not a port number (1 to 65535) (operation 0)",
        ),
        (
            operation("replace", "/serverPort", json!("587 ")),
            "serverPort is not a port number (1 to 65535) (operation 0)",
        ),
        (
            operation("replace", "/serverPort", json!(true)),
            "serverPort is not a port number (1 to 65535) (operation 0)",
        ),
    ];
    for (document, expected) in cases {
        let problem = Patch::parse(document.clone(), &policy()).expect_err("is wrong").to_string();
        assert_eq!(problem, expected, "{document}");
    }
    for op in ["test", "copy", "move", "Replace", ""] {
        let problem =
            Patch::parse(operation(op, "/emailPassword", json!("x")), &policy()).expect_err(op).to_string();
        assert_eq!(problem, "op is not one of add, replace, remove for emailPassword (operation 0)");
    }
    let deep = "/a".repeat(10_000);
    let paths = [
        "",
        "/",
        "/tenantId",
        "/isValid",
        "/emailPassword/0",
        "/email~0Password",
        "/email~1Password",
        "//username",
        "/-",
        "username",
        deep.as_str(),
    ];
    for path in paths {
        let problem =
            Patch::parse(operation("add", path, json!("x")), &policy()).expect_err("is unknown").to_string();
        assert!(problem.starts_with("path is not one of /username"), "{problem}");
        let problem = Patch::parse(json!([{"op": "remove", "path": path}]), &policy())
            .expect_err("is unknown")
            .to_string();
        assert!(problem.starts_with("path is not one of"), "{problem}");
    }
    let second = json!([{"op": "add", "path": "/username", "value": "a"}, {"op": "add", "path": "/serverPort", "value": 0}]);
    let problem = Patch::parse(second, &policy()).expect_err("is wrong").to_string();
    assert!(problem.ends_with("(operation 1)"), "{problem}");
}

#[test]
fn what_is_ignored_in_a_patch() {
    let document = json!([
        {"op": "remove", "path": "/username", "value": {"anything": 1}},
        {"op": "add", "path": "/emailAddress", "value": "a@example.com", "comment": "x", "from": "/emailPassword"},
    ]);
    let settings = patch(document).apply(None).expect("is good").expect("a change").settings;
    let Settings::BasicAuth(basic) = settings else { panic!("BasicAuth") };
    assert_eq!(basic.email_address.map(|address| address.to_string()).as_deref(), Some("a@example.com"));
}

#[test]
fn a_success_clears_only_what_it_proves() {
    let failed = |stage| Health { failed_stage: Some(stage), ..trouble(0) };
    assert!(failed(Stage::Data).outlasts(Stage::MailFrom));
    assert!(failed(Stage::Graph).outlasts(Stage::Token));
    assert!(!failed(Stage::MailFrom).outlasts(Stage::MailFrom));
    assert!(!failed(Stage::Connect).outlasts(Stage::Auth));
    assert!(!refused(3).outlasts(Stage::Auth));
}
