//! Requests as clients and attackers make them: tokens in odd places, many writers at once, the audit.

use serde_json::{Value, json};

use crate::support::app::{START, TestApp};
use crate::support::client::{CONFIG, Client, in_a_crowd};
use crate::support::leaks::canary;

/// Security case F18.
#[tokio::test]
async fn exactly_one_authorization_header_is_accepted() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let token = admin.token.clone().expect("a token");
    let anybody = app.anybody();
    let bearer = format!("Bearer {token}");
    let cases: [(&[(&str, &str)], u16); 9] = [
        (&[("authorization", &bearer)], 200),
        (&[("authorization", &format!("bearer {token}"))], 200),
        (&[("authorization", &bearer), ("authorization", &bearer)], 401),
        (&[("authorization", &bearer), ("authorization", "Bearer x")], 401),
        (&[("authorization", &format!("Basic {token}"))], 401),
        (&[("authorization", &token)], 401),
        (&[("authorization", "Bearer ")], 401),
        (&[("cookie", &format!("authorization={token}; token={token}"))], 401),
        (&[("x-authorization", &bearer), ("proxy-authorization", &bearer)], 401),
    ];
    for (headers, status) in cases {
        let answer = anybody.send("GET", CONFIG, headers, Vec::new()).await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    for name in ["access_token", "token", "authorization"] {
        anybody.get(&format!("{CONFIG}?{name}={token}")).await.expect(401);
    }
}

/// Security case F19.
#[tokio::test]
async fn a_signature_with_any_flipped_bit_is_refused() {
    let app = TestApp::start().await;
    let token = app.admin("acme").token.expect("a token");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    for at in [0, 1, signature.len() / 2, signature.len() - 2] {
        let mut wrong = signature.as_bytes().to_vec();
        wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
        let wrong = String::from_utf8(wrong).expect("ASCII");
        app.bearer(&format!("{signed}.{wrong}")).get(CONFIG).await.expect(401);
    }
    app.bearer(&token).get(CONFIG).await.expect(200);
}

/// Security case G2.
#[tokio::test]
async fn other_paths_are_400_and_change_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin.patch(&json!({"username": "ann", "emailPassword": canary("secret ")})).await.expect(204);
    let before = admin.config().await;
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
        "/username/",
        "username",
        "/Username",
        "#/username",
        "/providerConfig/username",
        &deep,
    ];
    for path in paths {
        let document = json!([{"op": "replace", "path": path, "value": "x"}]);
        let (code, title) = admin.json("PATCH", CONFIG, &document).await.expect(400).error();
        assert_eq!(code, "INPUTCHECK-1");
        assert!(title.starts_with("path is not one of /username,"), "{title}");
    }
    assert_eq!(admin.config().await, before);
}

/// Security case G8.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_concurrent_writers_lose_no_update() {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 0).await;
    let admin = app.admin("acme");
    admin.patch(&json!({"serverAddress": "smtp.example.com"})).await.expect(204);
    let fields = ["username", "senderName", "emailAddress", "serverPort"];
    let writers = (0..100_u16).map(async |number| {
        let field = fields[usize::from(number % 4)];
        let value = match field {
            "serverPort" => json!(1000 + number),
            "emailAddress" => json!(format!("user{number}@example.com")),
            _ => json!(format!("user {number}")),
        };
        let tag = admin.patch(&json!({ field: value })).await.expect(204).header("etag").map(str::to_owned);
        tag.expect("a tag")
    });
    let mut tags = in_a_crowd(writers).await;
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 100, "every write made a version of its own");
    let shown = admin.config().await;
    for field in fields {
        assert!(shown["providerConfig"].get(field).is_some(), "{field} was lost: {shown}");
    }
    assert_eq!(app.database.count("audit").await, 101, "a row for every change");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_writers_with_the_same_etag_wins() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let created = admin.patch(&json!({"username": "ann"})).await.expect(204);
    let tag = created.header("etag").expect("a tag").to_owned();
    let attempts = (0..20).map(|number| {
        let (admin, tag) = (admin.clone(), tag.clone());
        tokio::spawn(async move {
            let document = json!([{"op": "replace", "path": "/username", "value": format!("user {number}")}]);
            admin.json_with("PATCH", CONFIG, &[("if-match", &tag)], &document).await.status
        })
    });
    let mut statuses = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        statuses.push(attempt.await.expect("an attempt"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 204);
    assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
}

/// Security case I9.
#[tokio::test]
async fn every_change_has_its_audit_row_without_a_secret() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin.patch(&json!({"username": "ann", "emailPassword": canary("hunter2 ")})).await.expect(204);
    app.clock.advance(1_000);
    admin.patch(&json!({"senderName": "Ann"})).await.expect(204);
    admin.delete().await.expect(204);
    let rows = app.database.audit("acme").await;
    let told: Vec<(&str, &str, &str)> =
        rows.iter().map(|row| (row.action.as_str(), row.outcome.as_str(), row.changed.as_str())).collect();
    assert_eq!(
        told,
        [("patch", "OK", "username,emailPassword"), ("patch", "OK", "senderName"), ("delete", "OK", "")]
    );
    assert!(rows.iter().all(|row| row.user == "admin" && row.trace_id.len() == 32));
    assert_eq!((rows[0].at, rows[1].at), (START.0, START.0 + 1_000));
}

/// Security case I9.
#[tokio::test]
async fn a_failed_audit_write_rolls_the_change_back() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    admin.patch(&json!({"username": "ann"})).await.expect(204);
    let before = admin.config().await;
    app.database.execute("alter table audit rename to elsewhere").await;
    let attempts: [Client; 2] = [admin.clone(), app.admin("other")];
    for client in attempts {
        let answer = client.patch(&json!({"username": "eve"})).await.expect(500);
        let text = answer.json().to_string();
        assert!(!text.contains("audit") && !text.contains("table"), "nothing of the inside: {text}");
    }
    admin.delete().await.expect(500);
    assert_eq!(admin.config().await, before);
    assert_eq!(app.admin("other").config().await, json!({"isValid": false, "passwordExists": false}));
}

/// Security case C14.
#[tokio::test]
async fn metacharacters_are_stored_as_they_are() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    for text in [
        "'; drop table email_configs; --",
        "%_\\",
        "$1 ?1 :a",
        "{\"$ne\":null}",
        "\u{1f4e7} 例え",
        "a\\u0000b",
    ] {
        admin.patch(&json!({"username": text, "senderName": text})).await.expect(204);
        let shown: Value = admin.config().await;
        assert_eq!(
            (&shown["username"], &shown["providerConfig"]["senderName"]),
            (&json!(text), &json!(text))
        );
    }
}

/// Security cases C8, C12.
#[tokio::test]
async fn control_characters_are_refused_in_every_field() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let long = format!("{}@example.com", "a".repeat(310));
    let cases: [(&str, &str); 14] = [
        ("username", "ann\r\nRSET"),
        ("username", "a\0b"),
        ("emailPassword", "secret\r\n"),
        ("emailPassword", "a\0b"),
        ("senderName", "Eve\r\nBcc: e@example.com"),
        ("senderName", "a\0b"),
        ("emailAddress", "a@example.com\r\nRCPT TO:<b@example.com>"),
        ("emailAddress", "a@b@example.com"),
        ("emailAddress", &long),
        ("emailAddress", "Ann <a@example.com>"),
        ("serverAddress", "smtp.example.com\r\nQUIT"),
        ("serverAddress", "smtp.example.com\0"),
        ("securityType", "none\r\n"),
        ("serverPort", "587\r\n"),
    ];
    for (field, value) in cases {
        let (code, title) = admin.patch(&json!({ field: value })).await.expect(400).error();
        assert_eq!(code, "INPUTCHECK-1");
        assert!(title.starts_with(field), "{field} {value:?}: {title}");
    }
    let long_password = canary(&"p".repeat(10_240));
    admin.patch(&json!({"username": "ümläut", "emailPassword": long_password})).await.expect(204);
}
