//! PATCH: its end state, and the faults it names.

use super::*;

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
