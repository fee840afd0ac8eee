//! `transports api-keys`: the operator makes, lists, changes and revokes keys on the database.

use serde_json::{Value, json};

use crate::delivery::{EMAILS, Post, account, to};
use crate::support::process::{run, variables};
use crate::support::smtp_server::Script;

/// What a command printed to standard output; it has to succeed.
#[track_caller]
fn done(post: &Post, arguments: &[&str]) -> String {
    let (code, out, err) = run(arguments, &variables(&post.app.database));
    assert_eq!(code, Some(0), "{arguments:?}: {err}");
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_tenant_is_made_listed_changed_and_revoked_while_the_service_runs() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let create =
        ["api-keys", "create", "--tenant", "acme", "--name", "billing", "--permission", "sending_access"];
    let (code, out, err) = run(&create, &variables(&post.app.database));
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("it is shown only once"), "{err}");
    assert!(!err.contains("no mail account"), "{err}");
    let key = post.app.bearer(out.trim_end());
    key.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);

    let list = ["api-keys", "ls", "--tenant", "acme", "--json"];
    let listed: Value = serde_json::from_str(&done(&post, &list)).expect("JSON");
    let id = listed["apiKeys"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        (
            &listed["apiKeys"][0]["name"],
            &listed["apiKeys"][0]["permission"],
            listed["apiKeys"].as_array().map(Vec::len)
        ),
        (&json!("billing"), &json!("sending_access"), Some(1))
    );
    assert!(!listed.to_string().contains("tsk_"), "{listed}");
    done(
        &post,
        &["api-keys", "update", &id, "--permission", "full_access", "--allowed-sender", "*@example.com"],
    );
    key.get("/api/v1/transports/api-keys").await.expect(200);
    let table = done(&post, &["api-keys", "ls", "--tenant", "acme"]);
    assert!(table.contains("full_access  usable"), "{table}");

    let (code, _, err) = run(&["api-keys", "revoke", &id], &variables(&post.app.database));
    assert_eq!(code, Some(2), "without a terminal it asks for --yes: {err}");
    let revoked = done(&post, &["api-keys", "revoke", &id, "--yes"]);
    assert_eq!(revoked, format!("revoked: {id}, \"billing\" of tenant \"acme\"\n"));
    // The service's clock is months behind that of the command.
    key.get(EMAILS).await.expect(401);
    let (code, _, err) = run(&["api-keys", "revoke", &id, "--yes"], &variables(&post.app.database));
    assert_eq!((code, err.contains("already revoked")), (Some(1), true), "{err}");
    assert!(done(&post, &["api-keys", "ls", "--tenant", "acme", "--revoked"]).contains("revoked"));
    let audit = post.admin().get("/api/v1/transports/email-config/audit").await.expect(200).json();
    let actions: Vec<_> = audit["data"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| json!([row["userId"], row["action"]]))
        .collect();
    for action in ["create-api-key", "update-api-key", "revoke-api-key"] {
        assert!(actions.contains(&json!(["operator", action])), "{action}: {actions:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_the_platform_sends_for_the_tenant_that_the_path_names() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    post.app.admin("other").put(&account(&post.server)).await.expect(204);
    let create = ["api-keys", "create", "--platform", "--name", "platform", "--json"];
    let made: Value = serde_json::from_str(&done(&post, &create)).expect("JSON");
    assert_eq!((&made["platform"], &made["tenantId"]), (&json!(true), &json!(null)));
    let key = post.app.bearer(made["token"].as_str().expect("a token"));
    let of_tenant = |tenant: &str, path: &str| format!("/api/v1/transports/tenants/{tenant}{path}");
    for tenant in ["acme", "other"] {
        let sent = key
            .json("POST", &of_tenant(tenant, "/emails"), &to(&["bob@example.net"]))
            .await
            .expect(202)
            .json();
        let path = format!("/emails/{}", sent["id"].as_str().expect("an id"));
        let shown = key.get(&of_tenant(tenant, &path)).await.expect(200).json();
        assert_eq!(
            (&shown["api_key_id"], &shown["text"]),
            (&made["id"], &json!(null)),
            "the platform reads no content"
        );
    }
    for path in [EMAILS, "/api/v1/transports/account", "/api/v1/transports/api-keys"] {
        assert_eq!(key.get(path).await.expect(403).error().0, "ROLECHECK-4", "{path}");
    }
    key.get("/api/v1/transports/events").await.expect(200);
    key.get(&of_tenant("acme", "/api-keys")).await.expect(403);
    assert_eq!(post.admin().get("/api/v1/transports/api-keys").await.expect(200).json()["data"], json!([]));
    // A variable of a shell that is not set makes no key of the platform.
    for command in
        [&["api-keys", "create", "--tenant", "", "--name", "x"][..], &["api-keys", "ls", "--tenant", ""]]
    {
        assert_eq!(run(command, &variables(&post.app.database)).0, Some(2), "{command:?}");
    }
    let sending: Value = serde_json::from_str(&done(
        &post,
        &["api-keys", "create", "--platform", "--name", "s", "--permission", "sending_access", "--json"],
    ))
    .expect("JSON");
    let sending = post.app.bearer(sending["token"].as_str().expect("a token"));
    assert_eq!(sending.get("/api/v1/transports/events").await.expect(403).error().0, "APIKEY-2");
    let list = sending.get(&of_tenant("acme", "/emails")).await.expect(200).json();
    assert_eq!(list["data"], json!([]), "it reads what it has sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_names_itself_and_a_command_repeats_no_secret() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let settings = variables(&post.app.database);
    let (code, key, err) = run(&["api-keys", "create", "--tenant", "nosuch", "--name", "first"], &settings);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("note: tenant \"nosuch\" has no mail account yet"), "{err}");
    let (key, secret) = (key.trim_end(), &key.trim_end()[37..]);
    // A secret alone may begin with a hyphen, and then reads as an option.
    let without_prefix = &key[4..];
    for (arguments, list) in [
        (&["api-keys", "revoke", "first", "--yes"][..], "`transports api-keys ls --tenant TENANT` lists"),
        (&["api-keys", "revoke", without_prefix, "--yes"], "`transports api-keys ls --tenant TENANT` lists"),
        (
            &["api-keys", "update", without_prefix, "--name", "x"],
            "`transports api-keys ls --tenant TENANT` lists",
        ),
        (&["queue", "show", key], "`transports queue ls` lists"),
        (&["queue", "retry", key, "--yes"], "`transports queue ls` lists"),
    ] {
        let (code, out, err) = run(arguments, &settings);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(list) && !err.contains(secret), "{arguments:?}: {err}");
    }
    let (code, out, err) = run(&["api-keys", "revoke", key, "--yes"], &settings);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("revoked: ") && !format!("{out}{err}").contains(secret), "{out}{err}");
    post.app.bearer(key).get(EMAILS).await.expect(401);
}
