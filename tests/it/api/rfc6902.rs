//! JSON Patch (RFC 6902) as far as it applies to a flat document with three operations: rows after the public
//! json-patch test suite and the RFC's appendix A, told with the fields of a configuration.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Answer, CONFIG, Client, replace};

/// What a row says; the document before, the patch as it stands on the wire, the document after it.
struct Row {
    case: &'static str,
    before: Value,
    patch: &'static str,
    after: Value,
}

fn row(case: &'static str, before: Value, patch: &'static str, after: Value) -> Row {
    Row { case, before, patch, after }
}

async fn patch(admin: &Client, text: &str) -> Answer {
    let headers = [("content-type", "application/json-patch+json")];
    admin.send("PATCH", CONFIG, &headers, text.as_bytes().to_vec()).await
}

/// The document, as GET shows it.
async fn document(admin: &Client) -> Value {
    admin.config().await.get("providerConfig").cloned().unwrap_or_else(|| json!({}))
}

/// A tenant of its own for each row, with this document.
async fn tenant(app: &TestApp, index: usize, before: &Value) -> Client {
    let admin = app.admin(&format!("row-{index}"));
    if before != &json!({}) {
        admin.patch(before).await.expect(204);
        assert_eq!(&document(&admin).await, before, "the row's own document");
    }
    admin
}

async fn hold(rows: Vec<Row>) {
    let app = TestApp::start().await;
    for (index, Row { case, before, patch: text, after }) in rows.into_iter().enumerate() {
        let admin = tenant(&app, index, &before).await;
        let answer = patch(&admin, text).await;
        assert_eq!(answer.status, 204, "{case}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.body.is_empty(), "{case}");
        assert_eq!(document(&admin).await, after, "{case}");
    }
}

#[tokio::test]
async fn operations_do_what_rfc_6902_says() {
    let ann = || json!({"username": "ann"});
    let both = || json!({"username": "ann", "senderName": "Ann"});
    hold(vec![
        row(
            "add sets a member that is not there (A.1)",
            ann(),
            r#"[{"op":"add","path":"/senderName","value":"Ann"}]"#,
            both(),
        ),
        row(
            "add replaces a member that is there",
            ann(),
            r#"[{"op":"add","path":"/username","value":"bob"}]"#,
            json!({"username": "bob"}),
        ),
        row(
            "add to an empty document",
            json!({}),
            r#"[{"op":"add","path":"/username","value":"ann"}]"#,
            ann(),
        ),
        row("remove takes a member away (A.3)", both(), r#"[{"op":"remove","path":"/senderName"}]"#, ann()),
        row(
            "replace changes a value (A.5)",
            both(),
            r#"[{"op":"replace","path":"/senderName","value":"Anna"}]"#,
            json!({"username": "ann", "senderName": "Anna"}),
        ),
        row(
            "replace with the same value",
            both(),
            r#"[{"op":"replace","path":"/senderName","value":"Ann"}]"#,
            both(),
        ),
        row(
            "unknown members of an operation are ignored (A.11)",
            ann(),
            r#"[{"op":"add","path":"/senderName","value":"Ann","xyz":123,"from":"/username"}]"#,
            both(),
        ),
        row(
            "the members of an operation stand in any order",
            ann(),
            r#"[{"value":"Ann","path":"/senderName","op":"add"}]"#,
            both(),
        ),
        row(
            "remove does not look at a value",
            both(),
            r#"[{"op":"remove","path":"/senderName","value":null}]"#,
            ann(),
        ),
        row(
            "a number is a number",
            json!({}),
            r#"[{"op":"add","path":"/serverPort","value":587}]"#,
            json!({"serverPort": 587}),
        ),
        row(
            "operations are carried out in their order: the last one stands",
            ann(),
            r#"[{"op":"replace","path":"/username","value":"bob"},{"op":"replace","path":"/username","value":"eve"}]"#,
            json!({"username": "eve"}),
        ),
        row(
            "what was added can be removed",
            ann(),
            r#"[{"op":"add","path":"/senderName","value":"Ann"},{"op":"remove","path":"/senderName"}]"#,
            ann(),
        ),
        row(
            "what was removed can be added",
            both(),
            r#"[{"op":"remove","path":"/senderName"},{"op":"add","path":"/senderName","value":"Anna"}]"#,
            json!({"username": "ann", "senderName": "Anna"}),
        ),
        row(
            "there and back",
            ann(),
            r#"[{"op":"replace","path":"/username","value":"bob"},{"op":"replace","path":"/username","value":"ann"}]"#,
            ann(),
        ),
    ])
    .await;
}

/// The official tutorial configures a fresh tenant by `replace`, and forms send `remove` for an empty field.
#[tokio::test]
async fn an_unset_member_can_be_replaced_and_removed() {
    hold(vec![
        row(
            "replace of a member that is not there",
            json!({"username": "ann"}),
            r#"[{"op":"replace","path":"/senderName","value":"Ann"}]"#,
            json!({"username": "ann", "senderName": "Ann"}),
        ),
        row(
            "replace in an empty document",
            json!({}),
            r#"[{"op":"replace","path":"/username","value":"ann"}]"#,
            json!({"username": "ann"}),
        ),
        row(
            "remove of a member that is not there",
            json!({"username": "ann"}),
            r#"[{"op":"remove","path":"/senderName"}]"#,
            json!({"username": "ann"}),
        ),
        row(
            "remove twice",
            json!({"username": "ann", "senderName": "Ann"}),
            r#"[{"op":"remove","path":"/senderName"},{"op":"remove","path":"/senderName"}]"#,
            json!({"username": "ann"}),
        ),
        row(
            "the digits of a port",
            json!({}),
            r#"[{"op":"add","path":"/serverPort","value":"587"}]"#,
            json!({"serverPort": 587}),
        ),
    ])
    .await;
}

/// Refused: the index of the bad operation, and the patch.
const REFUSED: &[(&str, usize, &str)] = &[
    ("no path", 0, r#"[{"op":"add","value":"bob"}]"#),
    ("a path that is null", 0, r#"[{"op":"add","path":null,"value":"bob"}]"#),
    ("a path that is a number", 0, r#"[{"op":"add","path":0,"value":"bob"}]"#),
    ("a path that is an array", 0, r#"[{"op":"add","path":["username"],"value":"bob"}]"#),
    ("a pointer without its slash", 0, r#"[{"op":"add","path":"username","value":"bob"}]"#),
    ("the whole document", 0, r#"[{"op":"replace","path":"","value":{"username":"bob"}}]"#),
    ("removal of the whole document", 0, r#"[{"op":"remove","path":""}]"#),
    ("the member without a name", 0, r#"[{"op":"add","path":"/","value":"bob"}]"#),
    ("a slash at the end", 0, r#"[{"op":"add","path":"/username/","value":"bob"}]"#),
    ("a member of a text", 0, r#"[{"op":"add","path":"/username/first","value":"bob"}]"#),
    ("a path to what is not there (A.12)", 0, r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#),
    ("removal of what is not there", 0, r#"[{"op":"remove","path":"/baz"}]"#),
    ("an index", 0, r#"[{"op":"add","path":"/0","value":"bob"}]"#),
    ("the end of an array", 0, r#"[{"op":"add","path":"/-","value":"bob"}]"#),
    ("other capitals", 0, r#"[{"op":"add","path":"/UserName","value":"bob"}]"#),
    ("a member that is no field of ours", 0, r#"[{"op":"replace","path":"/tenantId","value":"other"}]"#),
    ("a field below its parent", 0, r#"[{"op":"replace","path":"/providerConfig/username","value":"bob"}]"#),
    ("an escaped slash", 0, r#"[{"op":"replace","path":"/user~1name","value":"bob"}]"#),
    ("an escape that is none", 0, r#"[{"op":"replace","path":"/user~2name","value":"bob"}]"#),
    ("percent signs are letters", 0, r#"[{"op":"replace","path":"/usernam%65","value":"bob"}]"#),
    ("no value to add", 0, r#"[{"op":"add","path":"/username"}]"#),
    ("no value to replace with", 0, r#"[{"op":"replace","path":"/username"}]"#),
    ("null as a value", 0, r#"[{"op":"replace","path":"/username","value":null}]"#),
    ("true as a value", 0, r#"[{"op":"add","path":"/username","value":true}]"#),
    ("false as a value", 0, r#"[{"op":"add","path":"/username","value":false}]"#),
    ("a number where text belongs", 0, r#"[{"op":"replace","path":"/username","value":1}]"#),
    ("an object as a value (A.10)", 0, r#"[{"op":"add","path":"/username","value":{"first":"bob"}}]"#),
    ("an array as a value (A.16)", 0, r#"[{"op":"replace","path":"/username","value":["bob"]}]"#),
    ("a number in another notation", 0, r#"[{"op":"replace","path":"/serverPort","value":"1e3"}]"#),
    ("digits with a sign", 0, r#"[{"op":"replace","path":"/serverPort","value":"+587"}]"#),
    ("no op", 0, r#"[{"path":"/username","value":"bob"}]"#),
    ("an op that is null", 0, r#"[{"op":null,"path":"/username","value":"bob"}]"#),
    ("an op that nobody knows", 0, r#"[{"op":"spam","path":"/username","value":"bob"}]"#),
    ("an op in capitals", 0, r#"[{"op":"Replace","path":"/username","value":"bob"}]"#),
    ("test, though it would succeed (A.8)", 0, r#"[{"op":"test","path":"/username","value":"ann"}]"#),
    ("test that fails (A.9)", 0, r#"[{"op":"test","path":"/username","value":"bob"}]"#),
    ("move (A.6)", 0, r#"[{"op":"move","from":"/senderName","path":"/username"}]"#),
    ("move to the same place", 0, r#"[{"op":"move","from":"/username","path":"/username"}]"#),
    ("copy", 0, r#"[{"op":"copy","from":"/senderName","path":"/username"}]"#),
    ("copy of the secret", 0, r#"[{"op":"copy","from":"/emailPassword","path":"/senderName"}]"#),
    ("copy without from", 0, r#"[{"op":"copy","path":"/username"}]"#),
    ("an operation that is a text", 0, r#"["remove"]"#),
    ("an operation that is null", 0, "[null]"),
    ("an array of arrays", 0, r#"[[{"op":"remove","path":"/username"}]]"#),
    (
        "a good operation before a bad one",
        1,
        r#"[{"op":"remove","path":"/username"},{"op":"remove","path":"/baz"}]"#,
    ),
    (
        "a good operation after a bad one",
        0,
        r#"[{"op":"spam","path":"/username"},{"op":"replace","path":"/username","value":"bob"}]"#,
    ),
    (
        "the first of two bad ones is told",
        1,
        r#"[{"op":"add","path":"/senderName","value":"Bob"},{"op":"add","path":"/a","value":"b"},{"op":"spam"}]"#,
    ),
];

/// Refused as a whole, before any operation is looked at.
const NO_PATCH: &[(&str, &str)] = &[
    ("an empty array", "[]"),
    ("an object", r#"{"op":"replace","path":"/username","value":"bob"}"#),
    ("the document itself", r#"{"username":"bob"}"#),
    ("null", "null"),
    ("a text", r#""replace""#),
    ("two op members (A.13)", r#"[{"op":"add","path":"/username","value":"bob","op":"remove"}]"#),
    ("two path members", r#"[{"op":"add","path":"/senderName","value":"bob","path":"/username"}]"#),
    ("two value members", r#"[{"op":"add","path":"/username","value":"bob","value":"eve"}]"#),
    ("a comma too many", r#"[{"op":"remove","path":"/username"},]"#),
    ("broken off", r#"[{"op":"remove","path":"/username"}"#),
    ("something behind it", r#"[{"op":"remove","path":"/username"}] []"#),
    ("nothing", ""),
];

#[tokio::test]
async fn unknown_operations_are_refused_and_change_nothing() {
    let app = TestApp::start().await;
    let before = json!({"username": "ann", "senderName": "Ann"});
    let indexed = REFUSED.iter().map(|(case, index, text)| (*case, Some(*index), *text));
    let whole = NO_PATCH.iter().map(|(case, text)| (*case, None, *text));
    for (row, (case, index, text)) in indexed.chain(whole).enumerate() {
        let admin = tenant(&app, row, &before).await;
        let stored = admin.config().await;
        let answer = patch(&admin, text).await;
        assert_eq!(answer.status, 400, "{case}: {}", String::from_utf8_lossy(&answer.body));
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors.as_array().map(Vec::len), Some(1), "{case}: {errors}");
        let (code, title) = answer.error();
        assert_eq!(code, "INPUTCHECK-1", "{case}");
        match index {
            Some(index) => assert!(title.ends_with(&format!("(operation {index})")), "{case}: {title}"),
            None => assert!(!title.contains("(operation"), "{case}: {title}"),
        }
        assert_eq!(admin.config().await, stored, "{case}: nothing is changed");
    }
}

/// A refused patch creates no configuration either.
#[tokio::test]
async fn a_refused_patch_leaves_a_fresh_tenant_fresh() {
    let app = TestApp::start().await;
    let admin = app.admin("fresh");
    let mut operations = replace(&json!({"username": "ann"}));
    operations.as_array_mut().expect("an array").push(json!({"op": "spam", "path": "/senderName"}));
    admin.json("PATCH", CONFIG, &operations).await.expect(400);
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
}
