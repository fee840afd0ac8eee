//! Where a stored secret may stay.

use super::*;

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
