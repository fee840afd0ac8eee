//! PUT with an app of Microsoft 365: what is asked for, what is kept, what has changed.

use super::*;

fn app(changes: Value) -> Value {
    let mut app = json!({
        "clientId": "11111111-2222-3333-4444-555555555555", "clientSecret": "entered",
        "providerTenantId": "example.com", "emailAddress": "ann@example.com"
    });
    let Value::Object(changes) = changes else { panic!("an object") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(app.as_object_mut().expect("an object").remove(&name)),
            value => app[name] = value,
        }
    }
    app
}

fn put_app(changes: Value) -> Result<Replacement, Vec<String>> {
    let document = json!({"serviceProvider": "Microsoft365", "providerConfig": app(changes)});
    Replacement::parse(document, &policy()).map_err(|faults| titles(&faults))
}

fn stored_app(secret: bool) -> EmailConfig {
    let replacement = put_app(json!({})).expect("is good");
    let settings = replacement.apply(None).expect("has its secret").settings;
    stored(settings, secret, Health::unknown())
}

#[test]
fn a_secret_is_asked_for_with_the_rest_where_the_app_cannot_be_known() {
    let without_secret =
        |other: &str| put_app(json!({"clientSecret": null, other: null})).expect_err("something is missing");
    assert_eq!(without_secret("clientId"), ["clientId is required", "clientSecret is required"]);
    assert_eq!(
        without_secret("providerTenantId"),
        ["clientSecret is required", "providerTenantId is required"]
    );
    assert_eq!(without_secret("emailAddress"), ["emailAddress is required"]);
    assert!(put_app(json!({"clientSecret": null})).is_ok(), "the stored one may do");
}

#[test]
fn a_secret_is_kept_for_its_app_alone() {
    let kept = put_app(json!({"clientSecret": null, "emailAddress": "b@example.com"})).expect("is good");
    let change = kept.apply(Some(&stored_app(true))).expect("the app is the same");
    assert!(matches!(change.secret, SecretChange::Keep));
    assert_eq!(
        kept.apply(Some(&stored_app(false))).expect_err("there is none").to_string(),
        "clientSecret is required"
    );
    for other in [
        json!({"clientSecret": null, "clientId": "api://other"}),
        json!({"clientSecret": null, "providerTenantId": "example.org"}),
    ] {
        let other = put_app(other).expect("is good");
        assert_eq!(
            other.apply(Some(&stored_app(true))).expect_err("another app").to_string(),
            "clientSecret must be entered again: the stored one belongs to another app or directory"
        );
    }
    let mail_server = stored(settings(full()), true, Health::unknown());
    assert_eq!(
        kept.apply(Some(&mail_server)).expect_err("a password is no client secret").to_string(),
        "clientSecret is required"
    );
    let back = put(full()).expect("is good");
    assert_eq!(
        back.apply(Some(&stored_app(true))).expect_err("nor the other way").to_string(),
        "emailPassword is required beside username"
    );
}

#[test]
fn the_audit_is_told_which_fields_have_changed() {
    let changed = |changes: Value| {
        let replacement = put_app(changes).expect("is good");
        replacement.apply(Some(&stored_app(true))).expect("is complete").fields
    };
    for (field, value) in
        [("clientId", "api://other"), ("providerTenantId", "example.org"), ("emailAddress", "b@example.com")]
    {
        assert_eq!(changed(json!({field: value})), [field, "clientSecret"]);
    }
    assert_eq!(changed(json!({"clientSecret": null, "emailAddress": "b@example.com"})), ["emailAddress"]);
    assert_eq!(changed(json!({"clientSecret": null})), [""; 0]);

    let mail_server = stored(settings(full()), true, Health::unknown());
    let replacement = put_app(json!({})).expect("is good");
    assert_eq!(
        replacement.apply(Some(&mail_server)).expect("is complete").fields,
        ["serviceProvider", "clientId", "providerTenantId", "emailAddress", "clientSecret"]
    );
    let mut relay = full();
    relay.as_object_mut().expect("an object").remove("username");
    let as_relay = ["serviceProvider", "serverAddress", "serverPort", "securityType", "emailAddress"];
    assert_eq!(
        put(relay.clone()).expect("is good").apply(Some(&stored_app(false))).expect("is complete").fields,
        as_relay
    );
    let by_patch = patch(set(relay));
    let change = by_patch.apply(Some(&stored_app(true))).expect("is complete").expect("something changes");
    assert_eq!(change.fields, as_relay);
    assert!(matches!(change.secret, SecretChange::Drop), "the app's secret goes");
}

/// Security case G5.
#[test]
fn a_client_id_and_a_secret_have_a_length() {
    let longest = |length: usize| put_app(json!({"clientId": format!("{:a<length$}", "api://")}));
    assert!(longest(128).is_ok());
    assert_eq!(longest(129).expect_err("too long"), ["clientId is longer than 128 bytes"]);
    assert!(longest(200).is_err());
    let longest = |length: usize| put_app(json!({"clientSecret": "a".repeat(length)}));
    assert!(longest(16 * 1024).is_ok());
    assert_eq!(longest(16 * 1024 + 1).expect_err("too long"), ["clientSecret is longer than 16384 bytes"]);
}
