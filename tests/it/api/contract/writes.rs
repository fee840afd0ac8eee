//! Versions, and the documents of a write.

use super::*;

#[tokio::test]
async fn the_etag_changes_with_the_configuration_and_guards_writes() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let document = replace(&json!({"username": "bob"}));
    for tag in ["*", "\"x.0\""] {
        let answer = admin.json_with("PATCH", CONFIG, &[("if-match", tag)], &document).await.expect(412);
        assert_eq!(answer.error().0, "HTTP-412");
        admin.send("DELETE", CONFIG, &[("if-match", tag)], Vec::new()).await.expect(404);
    }
    let created = admin.json_with("PATCH", CONFIG, &[("if-none-match", "*")], &document).await.expect(204);
    let first = created.header("etag").expect("a tag").to_owned();
    assert_eq!(admin.get(CONFIG).await.header("etag"), Some(first.as_str()));
    admin.json_with("PATCH", CONFIG, &[("if-none-match", "*")], &document).await.expect(412);

    let same = admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &document).await.expect(204);
    assert_eq!(same.header("etag"), Some(first.as_str()), "nothing changed");
    app.clock.advance(5);
    let other = replace(&json!({"username": "eve"}));
    let second = admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &other).await.expect(204);
    assert_ne!(second.header("etag"), Some(first.as_str()));
    admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &document).await.expect(412);
    let list = format!("\"other.0\", {}", second.header("etag").expect("a tag"));
    admin.send("DELETE", CONFIG, &[("if-match", &list)], Vec::new()).await.expect(204);

    let recreated = admin.json("PATCH", CONFIG, &document).await.expect(204);
    assert_ne!(recreated.header("etag"), Some(first.as_str()), "never used again");
    admin.json_with("PATCH", CONFIG, &[("if-match", &first)], &other).await.expect(412);
}

#[tokio::test]
async fn a_write_that_changes_nothing_leaves_version_and_times() {
    let (app, admin) = configured().await;
    let (before, tag) = (admin.config().await, admin.get(CONFIG).await.header("etag").map(str::to_owned));
    app.clock.advance(60_000);
    admin.patch(&json!({"serverAddress": " SMTP.Example.com. ", "serverPort": "2465"})).await.expect(204);
    assert_eq!(admin.config().await, before);
    assert_eq!(admin.get(CONFIG).await.header("etag").map(str::to_owned), tag);
    admin.patch(&json!({"emailPassword": canary("secret ")})).await.expect(204);
    assert_eq!(admin.config().await["modificationTime"], json!("2026-01-01T00:01:00.000Z"));
}

/// Security case G3.
#[tokio::test]
async fn one_invalid_operation_rejects_the_whole_patch() {
    let (_app, admin) = configured().await;
    let before = admin.config().await;
    let document = json!([
        {"op": "replace", "path": "/username", "value": "eve"},
        {"op": "replace", "path": "/serverPort", "value": "no port"},
    ]);
    let (code, title) = admin.json("PATCH", CONFIG, &document).await.expect(400).error();
    assert_eq!(code, "INPUTCHECK-1");
    assert_eq!(title, "serverPort is not a port number (1 to 65535) (operation 1)");
    assert_eq!(admin.config().await, before);
}

/// Security case G1.
#[tokio::test]
async fn test_copy_and_move_compare_and_change_nothing() {
    let (_app, admin) = configured().await;
    let before = admin.config().await;
    for operation in [
        json!({"op": "test", "path": "/emailPassword", "value": canary("secret ")}),
        json!({"op": "test", "path": "/emailPassword", "value": canary("wrong ")}),
        json!({"op": "copy", "from": "/emailPassword", "path": "/username"}),
        json!({"op": "move", "from": "/emailPassword", "path": "/username"}),
    ] {
        let error = admin.json("PATCH", CONFIG, &json!([operation])).await.expect(400).error();
        assert!(error.1.starts_with("op is not one of add, replace, remove"), "{error:?}");
    }
    assert_eq!(admin.config().await, before);
}

/// Security cases G4, G6.
#[tokio::test]
async fn hostile_documents_are_400_or_413() {
    let (_app, admin) = configured().await;
    let before = admin.config().await;
    let json_type = [("content-type", "application/json")];
    let value = |value: &str| format!(r#"[{{"op":"add","path":"/username","value":{value}}}]"#).into_bytes();
    let many: Value = vec![json!({"op": "add", "path": "/tenantId", "value": "x"}); 400].into();
    let cases: Vec<(Vec<u8>, u16)> = vec![
        (value("7"), 400),
        (value("true"), 400),
        (value("[\"a\"]"), 400),
        (value("{\"a\":1}"), 400),
        (value("\"\\ud800\""), 400),
        (value(&format!("\"{}\"", "x".repeat(1024 * 1024))), 413),
        (value(&format!("\"{}\"", "x".repeat(20_000))), 400),
        (many.to_string().into_bytes(), 400),
        ("[".repeat(60_000).into_bytes(), 400),
        ("[".repeat(100_000).into_bytes(), 413),
        (b"[1e999]".to_vec(), 400),
        (b"\xef\xbb\xbf[]".to_vec(), 400),
        (b"[\0\"\0]\0".to_vec(), 400),
        (b"[] trailing".to_vec(), 400),
        (br#"[{"op":"replace","op":"remove","path":"/username","value":"x"}]"#.to_vec(), 400),
        (Vec::new(), 400),
    ];
    for (body, status) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = admin.send("PATCH", CONFIG, &json_type, body).await;
        assert_eq!(answer.status, status, "{shown}");
        let code = if status == 413 { "HTTP-413" } else { "INPUTCHECK-1" };
        assert_eq!(answer.error().0, code, "{shown}");
    }
    assert_eq!(admin.config().await, before);
}

/// Security case G7.
#[tokio::test]
async fn content_types() {
    let (_app, admin) = configured().await;
    let body = replace(&json!({"username": "bob"})).to_string().into_bytes();
    let cases: [(&[(&str, &str)], u16); 8] = [
        (&[("content-type", "application/json-patch+json")], 204),
        (&[("content-type", "application/json; charset=utf-8")], 204),
        (&[("content-type", "application/json; charset=latin1")], 415),
        (&[("content-type", "text/plain")], 415),
        (&[("content-type", "application/merge-patch+json")], 415),
        (&[("content-type", "application/json"), ("content-encoding", "gzip")], 415),
        (&[("content-type", "application/json"), ("content-encoding", "identity")], 415),
        (&[], 415),
    ];
    for (headers, status) in cases {
        admin.send("PATCH", CONFIG, headers, body.clone()).await.expect(status);
    }
    let put = admin.send("PUT", CONFIG, &[("content-type", "application/json-patch+json")], body).await;
    assert_eq!(put.expect(415).error().0, "HTTP-415");
}

#[tokio::test]
async fn refusals_come_in_their_order() {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 4).await;
    let (admin, member) = (app.admin("acme"), app.member("acme"));
    let too_large = vec![b' '; 70_000];
    app.anybody().send("PATCH", "/nowhere", &[], too_large.clone()).await.expect(404);
    app.anybody().send("POST", CONFIG, &[], too_large.clone()).await.expect(405);
    app.anybody().send("PATCH", CONFIG, &[], too_large.clone()).await.expect(401);
    member.send("PATCH", CONFIG, &[], too_large.clone()).await.expect(403);
    admin.send("PATCH", CONFIG, &[("content-type", "text/plain")], too_large.clone()).await.expect(415);
    let json_type = [("content-type", "application/json"), ("if-match", "\"x.0\"")];
    admin.send("PATCH", CONFIG, &json_type, too_large.clone()).await.expect(413);
    admin.send("PATCH", CONFIG, &json_type, b"{}".to_vec()).await.expect(400);
    let good = replace(&json!({"username": "x"})).to_string().into_bytes();
    admin.send("PATCH", CONFIG, &json_type, good).await.expect(412);
    admin.send("PATCH", CONFIG, &[("content-type", "text/plain")], too_large).await.expect(429);
    for _ in 0..3 {
        member.patch(&json!({})).await.expect(403);
    }
    member.patch(&json!({})).await.expect(429);
}
