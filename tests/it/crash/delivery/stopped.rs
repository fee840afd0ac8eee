//! An owner that is stopped for longer than its lease, and goes on when another has taken over.

use std::time::Duration;

use super::{EMAILS, Site, TO, get, id_of, mail, script, settled};
use crate::delivery::status;
use crate::support::database::Engine;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At};

/// Where the first owner is stopped, and how many copies there may be at most.
const PLACES: [(At, usize); 3] = [(At::Greeting, 1), (At::Mail, 2), (At::Message, 2)];

async fn stop_at(at: At, on_unknown: &str, most: usize) {
    let (site, first) = Site::open().await;
    // The answer comes while the owner is stopped: it reads it when it goes on.
    site.server.play(script().on(at.clone(), [Act::Pause(Duration::from_secs(1)), Act::Usual]));
    let client = first.known_admin("acme");
    let id = id_of(&client.json("POST", EMAILS, &mail(on_unknown)).await.expect(202).json());
    eventually("the place is reached", async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        match at {
            At::Greeting => site.server.connections() == 1,
            At::Mail => site.server.verbs().contains(&"MAIL".to_owned()),
            _ => site.server.mails().len() == 1,
        }
    })
    .await;
    first.signal("-STOP");
    site.server.play(script());
    let second = site.start().await;
    let client = second.known_admin("acme");
    let decided = settled(&client, &id).await;
    first.signal("-CONT");
    // Longer than a lease and the wait for unknown outcomes.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = get(&client, &id).await;
    let message_id = |email: &serde_json::Value| email["message_id"].as_str().expect("an id").to_owned();
    let copies = site.copies(&message_id(&after), &TO);
    assert_eq!(after["recipients"], decided["recipients"], "{at:?}: a late result changes nothing");
    assert!((1..=most).contains(&copies), "{at:?} {on_unknown}: {copies} copies");
    // The late owner lives, and its next mail goes out once.
    let next = first.known_admin("acme").json("POST", EMAILS, &mail(on_unknown)).await.expect(202).json();
    let next = settled(&client, &id_of(&next)).await;
    assert_eq!((status(&next), site.copies(&message_id(&next), &TO)), ("accepted", 1), "{at:?}");
}

/// On PostgreSQL alone: SQLite has one process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_stopped_is_fenced_and_copies_no_more_than_the_bound() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    for (at, most) in PLACES {
        stop_at(at.clone(), "retry_once", most).await;
        stop_at(at, "hold", 1).await;
    }
}
