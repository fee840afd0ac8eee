//! Idempotency keys: at once, with another request, after a restart, and for a batch as a whole.

use serde_json::{Value, json};

use super::{EMAILS, Post, to};
use crate::support::app::TestApp;
use crate::support::client::{Answer, Client, in_a_crowd};
use crate::support::smtp_server::Script;

async fn send(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    client.json_with("POST", path, &[("Idempotency-Key", key)], body).await
}

fn ids(answer: &Answer) -> Vec<String> {
    let answer = answer.json();
    let text = |id: &Value| id.as_str().expect("an id").to_owned();
    match answer["data"].as_array() {
        Some(taken) => taken.iter().map(|taken| text(&taken["id"])).collect(),
        None => vec![text(&answer["id"])],
    }
}

/// The requests of a key that were repeated, and other requests with it.
async fn repeat(client: &Client, one: (&Value, &[String]), batch: (&Value, &[String])) {
    let path = format!("{EMAILS}/batch");
    let again = send(client, EMAILS, "one", one.0).await.expect(200);
    assert_eq!(ids(&again), one.1);
    let again = send(client, &path, "batch", batch.0).await.expect(200);
    assert_eq!(ids(&again), batch.1, "in the order of the batch");
    let other = to(&["eve@example.net"]);
    let [first, second] = [&batch.0[0], &batch.0[1]];
    let refused = [
        (EMAILS, "one", &other),
        (EMAILS, "batch", first),
        (&*path, "one", batch.0),
        (&*path, "batch", &json!([first])),
        (&*path, "batch", &json!([second, first])),
        (&*path, "batch", &json!([first, second, other])),
    ];
    for (path, key, body) in refused {
        let refused = send(client, path, key, body).await.expect(409).json();
        assert_eq!(refused["name"], json!("invalid_idempotent_request"), "{key} {body}");
    }
}

#[tokio::test]
async fn a_key_stands_for_its_request_after_a_restart_and_for_a_batch_as_a_whole() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let one = to(&["bob@example.net"]);
    let batch = json!([to(&["carol@example.net"]), to(&["dora@example.net"])]);
    let admin = post.admin();
    let first = ids(&send(&admin, EMAILS, "one", &one).await.expect(202));
    let both = ids(&send(&admin, &format!("{EMAILS}/batch"), "batch", &batch).await.expect(202));
    repeat(&admin, (&one, &first), (&batch, &both)).await;
    let database = post.app.stop().await;
    let app = TestApp::with_database(database, |config| config.rate_limit.send_per_minute = 0).await;
    repeat(&app.admin("acme"), (&one, &first), (&batch, &both)).await;
    assert_eq!(app.database.count("emails").await, 3);
}

/// Half of the requests at once are others: the first one of either decides, and the others hear of it.
#[tokio::test]
async fn of_many_batches_with_one_key_at_once_one_is_taken_whole() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let requests = (0..100).map(async |number| {
        let batch = json!([to(&[&format!("r{}@example.net", number % 2)]), to(&["s@example.net"])]);
        send(&post.admin(), &format!("{EMAILS}/batch"), "at-once", &batch).await
    });
    let (mut taken, mut others) = (Vec::new(), 0);
    for answer in in_a_crowd(requests).await {
        match answer.status {
            200 | 202 => taken.push(ids(&answer)),
            _ => others += usize::from(answer.expect(409).status == 409),
        }
    }
    taken.dedup();
    assert_eq!((taken.len(), others), (1, 50), "one batch, for those who have asked for it");
    assert_eq!(post.app.database.count("emails").await, 2);
}
