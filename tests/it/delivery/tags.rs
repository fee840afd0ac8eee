//! Emails are found by their tags, which are sealed.

use serde_json::{Value, json};

use super::{EMAILS, Post, account, to};
use crate::support::client::Client;
use crate::support::smtp_server::Script;

const DAY: i64 = 24 * 3_600;

async fn send(client: &Client, subject: &str, tags: &Value) -> String {
    let email = json!({"to": "bob@example.net", "subject": subject, "text": "x", "tags": tags});
    client.json("POST", EMAILS, &email).await.expect(202).json()["id"].as_str().expect("an id").to_owned()
}

/// The ids of a page, and whether there are more.
async fn list(client: &Client, query: &str) -> (Vec<String>, bool) {
    let page = client.get(&format!("{EMAILS}?{query}")).await.expect(200).json();
    let ids = page["data"].as_array().expect("a list").iter();
    let ids = ids.map(|email| email["id"].as_str().expect("an id").to_owned()).collect();
    (ids, page["has_more"].as_bool().expect("a boolean"))
}

#[tokio::test]
async fn emails_are_found_by_a_tag_over_days_and_pages() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let invoice = json!([{"name": "kind", "value": "invoice"}, {"name": "batch", "value": "7"}]);
    let mut invoices = Vec::new();
    for day in 0..3 {
        for number in 0..2 {
            let subject = format!("{day} {number}");
            invoices.push(send(&post.admin(), &subject, &invoice).await);
            send(&post.admin(), &subject, &json!([{"name": "kind", "value": "invoices"}])).await;
            send(&post.admin(), &subject, &json!([{"name": "kind"}])).await;
            post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);
        }
        post.pass_seconds(DAY);
    }
    invoices.reverse();
    let admin = post.admin();
    for query in
        ["tag=kind:invoice", "tag=batch%3A7", "tag=kind:invoice&status=queued&recipient=bob@example.net"]
    {
        assert_eq!(list(&admin, query).await, (invoices.clone(), false), "{query}");
    }
    for query in [
        "tag=kind:Invoice",
        "tag=invoice:kind",
        "tag=kind:invoice&status=accepted",
        "tag=kind:invoice&recipient=a@example.net",
    ] {
        assert_eq!(list(&admin, query).await, (Vec::new(), false), "{query}");
    }
    assert_eq!(list(&admin, "tag=kind:").await.0.len(), 6, "without a value");
    // Page by page, down and up again.
    for size in 1..=6 {
        let mut found: Vec<String> = Vec::new();
        loop {
            let after = found.last().map(|id| format!("&after={id}")).unwrap_or_default();
            let (ids, has_more) = list(&admin, &format!("tag=kind:invoice&limit={size}{after}")).await;
            found.extend(ids);
            if !has_more {
                break;
            }
        }
        assert_eq!(found, invoices, "{size} a page");
        let last = invoices.last().expect("an email");
        let (ids, has_more) = list(&admin, &format!("tag=kind:invoice&limit={size}&before={last}")).await;
        let newer = &invoices[..5];
        assert_eq!(
            (&ids[..], has_more),
            (&newer[newer.len().saturating_sub(size)..], size < 5),
            "{size} a page"
        );
    }
    let refused = admin.get(&format!("{EMAILS}?tag=kind")).await.expect(422).json();
    assert_eq!(refused["errors"][0]["source"], json!({"parameter": "tag"}), "{refused}");
    post.app.admin("other").put(&account(&post.server)).await.expect(204);
    assert_eq!(list(&post.app.admin("other"), "tag=kind:invoice").await, (Vec::new(), false));
}

/// The database holds no tag in the clear, and no hash that another day or tenant has too.
#[tokio::test]
async fn hashes_of_tags_tell_nothing_and_go_with_the_email() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let tags = json!([{"name": "customer", "value": "kowalski"}]);
    let first = send(&post.admin(), "x", &tags).await;
    let second = send(&post.admin(), "x", &tags).await;
    post.pass_seconds(DAY);
    send(&post.admin(), "x", &tags).await;
    post.app.admin("other").put(&account(&post.server)).await.expect(204);
    send(&post.app.admin("other"), "x", &tags).await;
    let rows = post.app.database.query("select distinct hash from email_tags").await;
    let hashes: Vec<&str> = rows.iter().map(|row| row[0].as_deref().expect("a hash")).collect();
    assert_eq!(hashes.len(), 3, "{hashes:?}");
    assert!(hashes.iter().all(|hash| hash.len() == 22 && !hash.contains("kowalski")), "{hashes:?}");

    post.admin().send("DELETE", &format!("{EMAILS}/{first}"), &[], Vec::new()).await.expect(200);
    assert_eq!(list(&post.admin(), "tag=customer:kowalski").await.0.len(), 2);
    assert_eq!(post.app.database.count("email_tags").await, 3, "erased with what else it says");
    post.post(&second, "cancel").await.expect(200);
    post.pass_seconds(31 * DAY);
    let retention = post.app.app.retention();
    retention.delete_old_emails().await.expect("a database");
    assert_eq!(post.app.database.count("email_tags").await, 2, "what waits keeps its tags");
}
