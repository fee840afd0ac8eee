//! What each kind of key may do, operation by operation.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use transports::auth::api_key::NewKey;
use transports::http::{Access, routes};

use uuid::Uuid;

use super::{API_KEYS, EMAILS, Post, taken, to};
use crate::support::client::{Answer, CONFIG, Client};
use crate::support::smtp_server::Script;

const API: &str = "/api/v1/transports";

async fn call(client: &Client, method: &str, path: &str) -> Answer {
    let body = match method {
        "POST" if path.ends_with("/emails") => to(&["bob@example.net"]),
        "POST" if path.ends_with("/api-keys") => json!({"name": "x"}),
        "PATCH" | "PUT" => json!({}),
        _ => Value::Null,
    };
    match body {
        Value::Null => client.send(method, path, &[], Vec::new()).await,
        body => client.json(method, path, &body).await,
    }
}

/// Every operation with every kind of key.
///
/// Security case F21.
#[tokio::test]
async fn each_key_may_do_what_its_permission_says_and_nothing_else() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let (sending, _) = post.key(&json!({"name": "a", "permission": "sending_access"})).await;
    let (full, _) = post.key(&json!({"name": "b"})).await;
    let (test, _) = post.key(&json!({"name": "c", "test": true})).await;
    let (limited, _) = post.key(&json!({"name": "d", "expires_at": "2026-02-01T00:00:00Z"})).await;
    let of_tenants = routes().into_iter().filter(|route| {
        route.path.starts_with(API) && !matches!(route.access, Access::Anybody | Access::Platform)
    });
    let mut count = 0;
    for route in of_tenants {
        let path = route.path.replace("{id}", &Uuid::now_v7().to_string());
        let (method, path) = (route.method, path.as_str());
        let is_of_keys = path.contains("/api-keys");
        let refusals = match route.access {
            Access::AnyUser | Access::TenantAdmin => [Some("APIKEY-3"); 4],
            Access::Sender => [None; 4],
            Access::FullSender => [Some("APIKEY-2"), None, None, None],
            Access::SendAdmin if is_of_keys && method != "GET" => {
                [Some("APIKEY-2"), None, Some("APIKEY-2"), Some("APIKEY-2")]
            }
            Access::SendAdmin => [Some("APIKEY-2"), None, Some("APIKEY-2"), None],
            Access::Anybody | Access::Platform => unreachable!("left out above"),
        };
        for (client, refusal) in [&sending, &full, &test, &limited].into_iter().zip(refusals) {
            let answer = call(client, method, path).await;
            match refusal {
                Some(code) => assert_eq!(answer.expect(403).error().0, code, "{method} {path}"),
                None => {
                    assert!(!matches!(answer.status, 401 | 403 | 405), "{method} {path}: {}", answer.status);
                }
            }
        }
        count += 1;
    }
    assert_eq!(count, 29, "29 operations");
}

#[tokio::test]
async fn a_sending_key_reads_what_it_has_sent_and_no_content() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let (key, id) = post.key(&json!({"name": "a", "permission": "sending_access"})).await;
    let (other, other_id) = post.key(&json!({"name": "b"})).await;
    let own = taken(&key, &to(&["bob@example.net"])).await;
    let foreign = taken(&other, &to(&["bob@example.net"])).await;
    let of_admin = taken(&post.admin(), &to(&["bob@example.net"])).await;

    let shown = key.get(&format!("{EMAILS}/{own}")).await.expect(200).json();
    assert_eq!(
        (&shown["api_key_id"], &shown["text"], &shown["test"]),
        (&json!(id), &json!(null), &json!(false))
    );
    let text = other.get(&format!("{EMAILS}/{own}")).await.expect(200).json()["text"].clone();
    assert_eq!(text, json!("Thank you."), "full access reads what all have sent");
    key.get(&format!("{EMAILS}/{own}/events")).await.expect(200);
    for id in [&foreign, &of_admin] {
        key.get(&format!("{EMAILS}/{id}")).await.expect(404);
        key.get(&format!("{EMAILS}/{id}/events")).await.expect(404);
    }
    let list = async |client: &Client, query: &str| {
        let list = client.get(&format!("{EMAILS}{query}")).await.expect(200).json();
        let data = list["data"].as_array().expect("a list");
        data.iter().map(|email| email["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&key, "").await, [own.as_str()]);
    assert_eq!(list(&key, &format!("?api_key_id={other_id}")).await, [""; 0]);
    assert_eq!(list(&post.admin(), "").await, [of_admin.clone(), foreign.clone(), own.clone()]);
    assert_eq!(list(&post.admin(), &format!("?api_key_id={id}")).await, [own.as_str()]);
    assert_eq!(list(&post.admin(), &format!("?api_key_id={other_id}&status=queued")).await, [foreign]);
    post.admin().get(&format!("{EMAILS}?api_key_id=x")).await.expect(422);
    let tagged =
        json!({"to": "bob@example.net", "text": "x", "subject": "y", "tags": [{"name": "k", "value": "v"}]});
    let tagged_own = taken(&key, &tagged).await;
    taken(&other, &tagged).await;
    assert_eq!(list(&key, "?tag=k:v").await, [tagged_own]);
}

#[tokio::test]
async fn a_key_is_for_the_send_api_alone_and_the_refusal_says_so() {
    let post = Post::open(Script::starttls()).await;
    let (key, _) = post.key(&json!({"name": "x"})).await;
    let refused = key.get(CONFIG).await.expect(403).json();
    assert_eq!(refused["errors"][0]["code"], json!("APIKEY-3"));
    assert_eq!(refused["name"], json!(null), "as everywhere outside of the send API");
    let broken = post.app.bearer("tsk_0123456789abcdef_nonsense");
    let refused = broken.get(CONFIG).await.expect(401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!((refused.error().0.as_str(), &refused.json()["name"]), ("APIKEY-1", &json!(null)));
    assert_eq!(broken.get(EMAILS).await.expect(401).json()["name"], json!("invalid_api_key"));
    let none = post.app.anybody().get(EMAILS).await.expect(401).json();
    assert_eq!(none["name"], json!("missing_api_key"));
}

/// A right checksum alone is refused.
///
/// Security case F23.
#[tokio::test]
async fn a_key_that_was_not_made_here_is_refused() {
    let post = Post::open(Script::starttls()).await;
    let (_, id) = post.key(&json!({"name": "x"})).await;
    let stranger = NewKey::generate().expect("randomness");
    // One that was never made, and one with a secret of the caller's choice.
    for key in [stranger.text.expose(), &forged(&id)] {
        let refused = post.app.bearer(key).get(EMAILS).await.expect(401).json();
        assert_eq!(refused["name"], json!("invalid_api_key"));
        let detail = "There is no such API key: another installation made it, or it was revoked long ago.";
        assert_eq!((&refused["errors"][0]["detail"], &refused["message"]), (&json!(detail), &json!(detail)));
    }
}

/// Resend's names stay as they are; the message says what is wrong with the key, without repeating it.
#[tokio::test]
async fn a_refusal_says_what_is_wrong_with_the_form_of_the_key() {
    let post = Post::open(Script::starttls()).await;
    let (key, _) = post.key(&json!({"name": "x"})).await;
    let text = key.token.expect("a key");
    let last = if text.ends_with('A') { 'B' } else { 'A' };
    let mistyped = format!("{}{last}", &text[..84]);
    for (header, name, said) in [
        (format!("Bearer {}", &text[2..]), "invalid_api_key", "which begins with tsk_"),
        ("Bearer re_123".to_owned(), "invalid_api_key", "which begins with tsk_"),
        (format!("Bearer \"{text}\""), "invalid_api_key", "is in quotes"),
        (format!("Bearer {} {}", &text[..40], &text[40..]), "invalid_api_key", "There is a blank"),
        (format!("Bearer Bearer {text}"), "invalid_api_key", "stands twice"),
        (text.clone(), "invalid_api_key", "has to begin with the word Bearer"),
        ("Bearer ".to_owned(), "missing_api_key", "holds no API key or token"),
        (format!("Bearer {}", &text[..60]), "invalid_api_key", "has 60 characters, and every API key has 85"),
        (format!("Bearer {text}x"), "invalid_api_key", "has 86 characters"),
        (format!("Bearer {mistyped}"), "invalid_api_key", "its checksum does not fit"),
    ] {
        let headers = [("authorization", header.as_str())];
        let refused = post.app.anybody().send("GET", EMAILS, &headers, Vec::new()).await.expect(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        let body = refused.json();
        assert_eq!((&body["name"], &body["statusCode"]), (&json!(name), &json!(401)), "{header}");
        let message = body["message"].as_str().expect("a text");
        assert!(message.contains(said), "{header}: {message}");
        assert_eq!(body["errors"][0]["detail"], json!(message));
        assert!(!body.to_string().contains(&text[10..30]), "{body}");
    }
    // Blanks around the key are no fault.
    let headers = [("authorization", format!("Bearer   {text}  "))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    post.app.anybody().send("GET", EMAILS, &headers, Vec::new()).await.expect(200);
}

/// A key with this id whose checksum is right.
fn forged(id: &str) -> String {
    let (id, secret) = (Uuid::parse_str(id).expect("an id"), [7_u8; 32]);
    let hash = digest::digest(&digest::SHA256, &[id.as_bytes().as_slice(), &secret].concat());
    let whole = [secret.as_slice(), &hash.as_ref()[..4]].concat();
    format!("tsk_{}_{}", id.simple(), URL_SAFE_NO_PAD.encode(whole))
}

#[tokio::test]
async fn every_use_of_a_key_is_in_the_audit() {
    let post = Post::open(Script::starttls()).await;
    let (key, id) = post.key(&json!({"name": "x"})).await;
    key.post("/api/v1/transports/account/pause").await.expect(200);
    let made = key.json("POST", API_KEYS, &json!({"name": "second"})).await.expect(201).json();
    let second = format!("{API_KEYS}/{}", made["id"].as_str().expect("an id"));
    key.json("PATCH", &second, &json!({"name": "third"})).await.expect(200);
    key.send("DELETE", &second, &[], Vec::new()).await.expect(200);
    let audit = post.admin().get(&format!("{CONFIG}/audit")).await.expect(200).json();
    let rows: Vec<_> = audit["data"]
        .as_array()
        .expect("rows")
        .iter()
        .take(5)
        .map(|row| json!([row["userId"], row["action"], row["apiKeyId"], row["changed"]]))
        .collect();
    let user = format!("api-key:{id}");
    assert_eq!(
        rows,
        [
            json!([user, "revoke-api-key", made["id"], []]),
            json!([user, "update-api-key", made["id"], ["name"]]),
            json!([user, "create-api-key", made["id"], []]),
            json!([user, "pause-account", null, []]),
            json!(["admin", "create-api-key", id, []]),
        ]
    );
}

#[tokio::test]
async fn requests_with_keys_count_for_their_tenant_and_refused_keys_for_their_address() {
    let post = Post::with(Script::starttls(), |config| {
        config.rate_limit.send_per_minute = 4;
        config.rate_limit.unauthenticated_per_minute = 2;
    })
    .await;
    let (one, _) = post.key(&json!({"name": "a"})).await;
    let (two, _) = post.key(&json!({"name": "b", "permission": "sending_access"})).await;
    one.get(EMAILS).await.expect(200);
    two.get(EMAILS).await.expect(200);
    let refused = two.get(EMAILS).await.expect(429).json();
    assert_eq!(refused["name"], json!("rate_limit_exceeded"));
    one.get(EMAILS).await.expect(429);
    let broken = post.app.bearer("tsk_nonsense");
    for status in [401, 401, 429] {
        broken.get(EMAILS).await.expect(status);
    }
}
