//! Every transition of an account's health.

use super::*;

fn outcome(kind: &str) -> CheckOutcome {
    let (diagnosis_code, reason) = (kind.to_owned(), "A reason.".to_owned());
    match kind {
        "AUTH" => CheckOutcome::CredentialsRefused { diagnosis_code, reason },
        _ => CheckOutcome::ProviderError { diagnosis_code, reason, stage: Stage::MailFrom },
    }
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

#[test]
fn a_success_clears_only_what_it_proves() {
    let failed = |stage| Health { failed_stage: Some(stage), ..trouble(0) };
    assert!(failed(Stage::Data).outlasts(Stage::MailFrom));
    assert!(failed(Stage::Graph).outlasts(Stage::Token));
    assert!(!failed(Stage::MailFrom).outlasts(Stage::MailFrom));
    assert!(!failed(Stage::Connect).outlasts(Stage::Auth));
    assert!(!refused(3).outlasts(Stage::Auth));
}
