//! PUT: what it replaces, and the faults it names.

use super::*;

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
fn a_sender_name_cannot_turn_text_round() {
    for (name, is_good) in [
        ("Grüße 株式会社 \u{5e9}\u{5dc}\u{5d5}\u{5dd}\u{200f}", true),
        ("gro.elpmaxe@nna \u{202e}", false),
        ("\u{2066}Anna\u{2069}", false),
    ] {
        let faults = put(with(json!({ "senderName": name }))).err().unwrap_or_default();
        let expected = "senderName contains an invisible character that changes the direction of the text";
        assert_eq!(faults, if is_good { Vec::new() } else { vec![expected.to_owned()] }, "{name:?}");
    }
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
            "serverPort is not an allowed mail port here (25, 465, 587, 2465, 2525, 2587); the operator can add it to egress.ports",
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
