//! The platform's credential: it names the tenant in the path, and follows the events of all.

use serde_json::{Value, json};

use super::{EMAILS, Post, account, status, to};
use crate::support::client::{CONFIG, Client};
use crate::support::eventually::eventually;
use crate::support::smtp_server::Script;

const API: &str = "/api/v1/transports";

fn of_tenant(tenant: &str, path: &str) -> String {
    format!("{API}/tenants/{tenant}{path}")
}

async fn tenants_of_events(client: &Client, path: &str) -> Vec<String> {
    let list = client.get(path).await.expect(200).json();
    let events = list["data"].as_array().expect("a list").clone();
    events.iter().map(|event| event["tenantId"].as_str().expect("a tenant").to_owned()).collect()
}

#[tokio::test]
async fn the_platform_sends_and_reads_for_the_tenant_in_the_path() {
    let post = Post::open(Script::starttls()).await;
    let platform = post.app.platform();
    for prefix in [API, "/v1/transports"] {
        let emails = format!("{prefix}/tenants/acme/emails");
        let answer = platform.json("POST", &emails, &to(&["bob@example.net"])).await.expect(202);
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let path = format!("{emails}/{id}");
        assert_eq!(answer.header("location"), Some(path.as_str()), "below the tenant as well");
        post.settled(&id).await;
        let email = platform.get(&path).await.expect(200).json();
        assert_eq!((status(&email), &email["html"]), ("accepted", &Value::Null));
        assert_eq!(
            platform.get(&format!("{path}/events")).await.expect(200).json()["data"][0]["tenantId"],
            "acme"
        );
        platform.post(&format!("{path}/cancel")).await.expect(409);
        platform.send("DELETE", &path, &[], Vec::new()).await.expect(200);
        let listed = platform.get(&emails).await.expect(200).json();
        assert_eq!(listed["data"][0]["id"], json!(id));
    }
    assert_eq!(platform.get(&of_tenant("acme", "/account")).await.expect(200).json()["state"], json!("open"));
    assert_eq!(post.server.mails().len(), 2);
    platform.get(&of_tenant("acme", "/emails/none")).await.expect(404);
    platform.json("POST", &of_tenant("other", "/emails"), &to(&["bob@example.net"])).await.expect(409);
}

#[tokio::test]
async fn the_platform_reads_no_content_and_stops_no_account() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let platform = post.app.platform();
    let sent =
        platform.json("POST", &of_tenant("acme", "/emails"), &to(&["bob@example.net"])).await.expect(202);
    let id = sent.json()["id"].as_str().expect("an id").to_owned();
    let seen = platform.get(&of_tenant("acme", &format!("/emails/{id}"))).await.expect(200).json();
    assert_eq!((&seen["text"], &seen["subject"]), (&json!(null), &json!("Invoice 8841")));
    for action in ["pause", "resume"] {
        let refused = platform.post(&of_tenant("acme", &format!("/account/{action}"))).await.expect(403);
        assert_eq!(refused.error().0, "ROLECHECK-1");
    }
}

/// Security cases F12, F20.
#[tokio::test]
async fn a_tenant_in_the_path_is_for_the_platform_alone() {
    let mut post = Post::open(Script::starttls()).await;
    let id = post.send(&to(&["bob@example.net"])).await["id"].as_str().expect("an id").to_owned();
    for client in [post.admin(), post.app.sender("acme"), post.app.admin("other")] {
        for path in ["/emails", "/events", "/account", &format!("/emails/{id}")] {
            let refused = client.get(&of_tenant("acme", path)).await.expect(403).json();
            assert_eq!(refused["errors"][0]["code"], json!("ROLECHECK-3"), "{refused}");
            assert_eq!(refused["name"], json!("restricted_api_key"), "{refused}");
        }
        let email = to(&["bob@example.net"]);
        client.json("POST", &of_tenant("acme", "/emails"), &email).await.expect(403);
    }
    let platform = post.app.platform();
    for path in [EMAILS, &format!("{EMAILS}/{id}"), &format!("{API}/account"), CONFIG] {
        assert_eq!(platform.get(path).await.expect(403).error().0, "ROLECHECK-4", "{path}");
    }
    platform.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(403);
    for path in ["/email-config", "/email-config/audit", "/providers", "/email-config/actions/validate"] {
        platform.get(&of_tenant("acme", path)).await.expect(404);
    }
    // No name of a tenant, and one that is not UTF-8.
    for tenant in ["%2A", "%00", "a%0Ab", "%FF"] {
        platform.get(&of_tenant(tenant, "/emails")).await.expect(404);
    }
    post.next_tenant(Script::starttls()).await;
    platform.get(&of_tenant("other", &format!("/emails/{id}"))).await.expect(404);
    platform.get(&of_tenant("acme+", &format!("/emails/{id}"))).await.expect(404);
}

#[tokio::test]
async fn names_of_tenants_are_percent_encoded() {
    let post = Post::open(Script::starttls()).await;
    let platform = post.app.platform();
    for (tenant, encoded) in [("a/b", "a%2Fb"), ("a b+é%", "a%20b+%C3%A9%25"), ("..", "%2E%2E")] {
        post.app.admin(tenant).put(&account(&post.server)).await.expect(204);
        let email = to(&["bob@example.net"]);
        let sent = platform.json("POST", &of_tenant(encoded, "/emails"), &email).await.expect(202);
        let location = sent.header("location").expect("a location").to_owned();
        let id = sent.json()["id"].as_str().expect("an id").to_owned();
        eventually("the email is accepted", async || {
            status(&platform.get(&location).await.expect(200).json()) == "accepted"
        })
        .await;
        post.app.admin(tenant).get(&format!("{EMAILS}/{id}")).await.expect(200);
    }
}

#[tokio::test]
async fn without_a_tenant_the_feed_is_that_of_all_tenants() {
    let post = Post::open(Script::starttls()).await;
    post.app.admin("other").put(&account(&post.server)).await.expect(204);
    let platform = post.app.platform();
    for tenant in ["acme", "other"] {
        let email = to(&["bob@example.net"]);
        platform.json("POST", &of_tenant(tenant, "/emails"), &email).await.expect(202);
    }
    let feed = format!("{API}/events");
    eventually("both emails are sent", async || tenants_of_events(&platform, &feed).await.len() == 4).await;
    let mut tenants = tenants_of_events(&platform, &feed).await;
    tenants.sort();
    assert_eq!(tenants, ["acme", "acme", "other", "other"]);
    let list = platform.get(&feed).await.expect(200).json();
    assert_eq!(list["data"][0]["data"]["subject"], json!("Invoice 8841"), "with what it is about");
    let next = list["next"].as_str().expect("a cursor");
    assert_eq!(platform.get(&format!("{feed}?after={next}")).await.expect(200).json()["data"], json!([]));
    for (client, path) in
        [(&platform, of_tenant("other", "/events")), (&post.app.sender("other"), feed.clone())]
    {
        assert_eq!(tenants_of_events(client, &path).await, ["other", "other"]);
    }
    post.app.member("other").get(&feed).await.expect(403);
}

#[tokio::test]
async fn the_platforms_requests_count_for_the_tenant_that_they_name() {
    let post = Post::with(Script::starttls(), |config| {
        config.delivery.enabled = false;
        config.rate_limit.send_per_minute = 3;
    })
    .await;
    let platform = post.app.platform();
    platform.get(&of_tenant("acme", "/emails")).await.expect(200);
    post.admin().get(EMAILS).await.expect(200);
    platform.get(&of_tenant("acme", "/emails")).await.expect(200);
    platform.get(&of_tenant("acme", "/emails")).await.expect(429);
    post.admin().get(EMAILS).await.expect(429);
    platform.get(&of_tenant("other", "/emails")).await.expect(200);
    for _ in 0..3 {
        platform.get(&format!("{API}/events")).await.expect(200);
    }
    platform.get(&format!("{API}/events")).await.expect(429);
    platform.get(&of_tenant("other", "/emails")).await.expect(200);
}
