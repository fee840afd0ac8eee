//! A client that never saw the answer sends again (RFC 1047): one mail.

use std::collections::HashSet;

use super::{FROM, MESSAGE, Site, TO, id, key_of, tenant};

#[tokio::test]
async fn the_same_again_is_the_same_mail() {
    let site = Site::waiting().await;
    let first = id(&site.send(MESSAGE).await);
    assert_eq!(id(&site.send(MESSAGE).await), first);
    let other_key = key_of(site.app(), tenant("acme"), |_| {}).await;
    let mut client = site.door.client(&other_key).await;
    let mut others = vec![
        id(&client.send(FROM, &[TO], MESSAGE.as_bytes()).await),
        id(&site.client().await.send(FROM, &["carol@example.net"], MESSAGE.as_bytes()).await),
        id(&site.send(&format!("{MESSAGE}\r\n")).await),
    ];
    others.push(first.clone());
    assert_eq!(others.iter().collect::<HashSet<_>>().len(), 4, "another key, envelope or octet");
    assert_eq!(site.count().await, 4);

    site.post.pass_seconds(601);
    let later = id(&site.send(MESSAGE).await);
    assert_ne!(later, first);
    assert_eq!(id(&site.send(MESSAGE).await), later);
}

#[tokio::test]
async fn of_many_at_the_same_moment_one_mail_is_made() {
    let site = Site::waiting().await;
    id(&site.send(&MESSAGE.replace("<1@", "<0@")).await);
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let mut client = site.client().await;
        sending.spawn(async move { client.send(FROM, &[TO], MESSAGE.as_bytes()).await });
    }
    let ids: HashSet<String> = sending.join_all().await.iter().map(|reply| id(reply)).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(site.count().await, 2);
}

#[tokio::test]
async fn without_an_identifier_or_with_the_window_closed_each_is_a_mail() {
    let site = Site::waiting().await;
    let anonymous = MESSAGE.replace("Message-ID: <1@client.example>\r\n", "");
    assert_ne!(id(&site.send(&anonymous).await), id(&site.send(&anonymous).await));
    let site = Site::with(|config| {
        config.delivery.enabled = false;
        config.submission.dedup_seconds = 0;
    })
    .await;
    assert_ne!(id(&site.send(MESSAGE).await), id(&site.send(MESSAGE).await));
}

#[tokio::test]
async fn what_was_erased_is_taken_anew() {
    let site = Site::waiting().await;
    let first = id(&site.send(MESSAGE).await);
    let path = format!("{}/{first}", crate::delivery::EMAILS);
    site.admin().send("DELETE", &path, &[], Vec::new()).await.expect(200);
    assert_ne!(id(&site.send(MESSAGE).await), first);
}
