//! API keys: who makes them, what they may do, and what becomes of their mail.

mod held;
mod rights;
mod secrets;
mod test_keys;

use serde_json::{Value, json};

use super::{EMAILS, Post, to};
use crate::support::client::Client;

pub const API_KEYS: &str = "/api/v1/transports/api-keys";

impl Post {
    /// Makes a key of the tenant.
    pub async fn key(&self, request: &Value) -> (Client, String) {
        let made = self.admin().json("POST", API_KEYS, request).await.expect(201).json();
        let client = self.app.bearer(made["token"].as_str().expect("a token"));
        (client, made["id"].as_str().expect("an id").to_owned())
    }
}

/// A mail that was taken, by its id.
pub async fn taken(client: &Client, email: &Value) -> String {
    client.json("POST", EMAILS, email).await.expect(202).json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_key_is_shown_once_listed_without_its_text_changed_and_revoked() {
    let post = Post::open(super::Script::starttls()).await;
    let admin = post.admin();
    let request =
        json!({"name": " Billing ", "permission": "sending_access", "allowed_senders": ["*@Example.com"]});
    let made = admin.json("POST", API_KEYS, &request).await.expect(201).json();
    let token = made["token"].as_str().expect("a token").to_owned();
    assert!(token.starts_with("tsk_") && token.len() == 85, "{}", token.len());
    let mut shown = made.clone();
    shown.as_object_mut().expect("an object").remove("token");
    assert_eq!(
        (&shown["object"], &shown["name"], &shown["permission"], &shown["allowed_senders"], &shown["test"]),
        (
            &json!("api_key"),
            &json!("Billing"),
            &json!("sending_access"),
            &json!(["*@example.com"]),
            &json!(false)
        )
    );
    let list = admin.get(API_KEYS).await.expect(200).json();
    assert_eq!(list, json!({"object": "list", "has_more": false, "data": [shown]}));

    let path = format!("{API_KEYS}/{}", made["id"].as_str().expect("an id"));
    let change = json!({"name": "Invoices", "permission": "full_access", "allowed_senders": null});
    let changed = admin.json("PATCH", &path, &change).await.expect(200).json();
    assert_eq!(
        (&changed["name"], &changed["permission"], &changed["allowed_senders"]),
        (&json!("Invoices"), &json!("full_access"), &json!(null))
    );
    let key = post.app.bearer(&token);
    key.get(EMAILS).await.expect(200);
    let revoked = admin.send("DELETE", &path, &[], Vec::new()).await.expect(200).json();
    assert_eq!(revoked, json!({"object": "api_key", "id": made["id"], "deleted": true}));
    let refused = key.get(EMAILS).await.expect(401).json();
    assert_eq!(refused["name"], json!("invalid_api_key"));
    assert_eq!(refused["errors"][0]["detail"], json!("This API key was revoked."));
    assert_eq!(admin.get(API_KEYS).await.expect(200).json()["data"], json!([]));
    admin.send("DELETE", &path, &[], Vec::new()).await.expect(404);
    admin.json("PATCH", &path, &json!({"expires_at": null})).await.expect(404);
    key.get(EMAILS).await.expect(401);
}

#[tokio::test]
async fn the_input_of_a_key_is_checked_and_every_fault_named() {
    let post = Post::open(super::Script::starttls()).await;
    let admin = post.admin();
    for (request, places) in [
        (json!([]), vec![""]),
        (json!({}), vec!["/name"]),
        (json!({"name": 1, "permission": "admin", "test": "yes"}), vec!["/name", "/permission", "/test"]),
        (json!({"name": " "}), vec!["/name"]),
        (json!({"name": "x".repeat(51)}), vec!["/name"]),
        (json!({"name": "a\nb"}), vec!["/name"]),
        (
            json!({"name": "", "permission": "all", "expires_at": "2025-12-31T23:59:59Z"}),
            vec!["/expires_at", "/name", "/permission"],
        ),
        (json!({"name": "x", "allowed_senders": []}), vec!["/allowed_senders"]),
        (json!({"name": "x", "allowed_senders": ["*@"]}), vec!["/allowed_senders/0"]),
        (json!({"name": "x", "expires_at": "tomorrow"}), vec!["/expires_at"]),
        (json!({"name": "x", "expires_at": "2025-12-31T23:59:59Z"}), vec!["/expires_at"]),
        (json!({"name": "x", "domain_id": "y", "colour": 1}), vec!["/colour", "/domain_id"]),
    ] {
        let refused = admin.json("POST", API_KEYS, &request).await.expect(422).json();
        let faults = refused["errors"].as_array().expect("faults");
        let mut named: Vec<_> = faults.iter().map(|fault| fault["source"]["pointer"].as_str()).collect();
        named.sort();
        assert_eq!(
            named,
            places.iter().map(|place| Some(*place)).collect::<Vec<_>>(),
            "{request}: {refused}"
        );
        assert!(faults.iter().all(|fault| fault["meta"]["reason"].is_string()), "{refused}");
    }
    let (_, id) = post.key(&json!({"name": "x"})).await;
    admin.json("PATCH", &format!("{API_KEYS}/{id}"), &json!({})).await.expect(422);
    admin.json("PATCH", &format!("{API_KEYS}/{id}"), &json!({"test": true})).await.expect(422);
    admin.json("PATCH", &format!("{API_KEYS}/none"), &json!({"name": "y"})).await.expect(404);
    for query in ["limit=0", "limit=101", "after=x", "colour=1", &format!("after={id}&before={id}")] {
        admin.get(&format!("{API_KEYS}?{query}")).await.expect(422);
    }
}

#[tokio::test]
async fn the_list_of_keys_has_pages() {
    let post = Post::open(super::Script::starttls()).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.insert(0, post.key(&json!({"name": format!("key {number}")})).await.1);
    }
    let admin = post.admin();
    let page = async |query: String| {
        let list = admin.get(&format!("{API_KEYS}?{query}")).await.expect(200).json();
        let data = list["data"].as_array().expect("a list");
        let ids: Vec<_> = data.iter().map(|key| key["id"].as_str().expect("an id").to_owned()).collect();
        (ids, list["has_more"] == json!(true))
    };
    assert_eq!(page("limit=2".to_owned()).await, (ids[0..2].to_vec(), true));
    assert_eq!(page(format!("limit=2&after={}", ids[1])).await, (ids[2..4].to_vec(), true));
    assert_eq!(page(format!("limit=2&after={}", ids[3])).await, (ids[4..5].to_vec(), false));
    assert_eq!(page(format!("limit=2&before={}", ids[3])).await, (ids[1..3].to_vec(), true));
    assert_eq!(post.app.admin("other").get(API_KEYS).await.expect(200).json()["data"], json!([]));
}

/// Security case F12.
#[tokio::test]
async fn a_key_is_of_one_tenant() {
    let post = Post::open(super::Script::starttls()).await;
    let (key, id) = post.key(&json!({"name": "x"})).await;
    let other = post.app.admin("other");
    let path = format!("{API_KEYS}/{id}");
    other.json("PATCH", &path, &json!({"name": "y"})).await.expect(404);
    other.send("DELETE", &path, &[], Vec::new()).await.expect(404);
    let email = taken(&key, &to(&["bob@example.net"])).await;
    other.get(&format!("{EMAILS}/{email}")).await.expect(404);
    let refused = key.get("/api/v1/transports/tenants/acme/emails").await.expect(403).json();
    assert_eq!(refused["errors"][0]["code"], json!("ROLECHECK-3"));
}

#[tokio::test]
async fn the_last_use_is_known_to_the_minute() {
    let post = Post::open(super::Script::starttls()).await;
    let (key, _) = post.key(&json!({"name": "x"})).await;
    let last_used =
        async || post.admin().get(API_KEYS).await.expect(200).json()["data"][0]["last_used_at"].clone();
    assert_eq!(last_used().await, json!(null));
    post.pass_seconds(61);
    key.get(EMAILS).await.expect(200);
    super::eventually("the use is written", async || last_used().await == json!("2026-01-01T00:01:00.000Z"))
        .await;
    post.pass_seconds(61);
    key.get(EMAILS).await.expect(200);
    super::eventually("the use is written", async || last_used().await == json!("2026-01-01T00:02:00.000Z"))
        .await;
}
