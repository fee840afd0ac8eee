//! Our own limits are always 4yz, so that the client keeps the mail.

use std::time::Duration;

use transports::config::RateLimitStore;
use transports::delivery::Error;
use transports::delivery::request::Envelope;
use transports::id::TenantId;
use transports::mail::address::EmailAddress;
use transports::mail::message::received::Received;
use transports::store::{Write, WriteOutcome, emails};
use uuid::Uuid;

use super::{FROM, MESSAGE, Site, TO, id};
use crate::support::eventually::eventually;
use crate::support::lock::Lock;
use crate::support::smtp_client::SmtpClient;

#[tokio::test]
async fn a_full_queue_and_a_full_disk_defer() {
    let site = Site::with(|config| {
        config.delivery.enabled = false;
        config.delivery.max_waiting_per_tenant = 1;
    })
    .await;
    id(&site.send(MESSAGE).await);
    let reply = site.send(&MESSAGE.replace("<1@", "<2@")).await;
    assert!(reply.starts_with("452 4.3.1 "), "{reply}");

    let site = Site::with(|config| {
        config.delivery.enabled = false;
        config.delivery.max_bytes = 10;
    })
    .await;
    let reply = site.send(MESSAGE).await;
    assert!(reply.starts_with("452 4.3.1 "), "{reply}");
    assert_eq!(site.count().await, 0);
}

#[tokio::test]
async fn the_rate_of_the_tenant_is_that_of_the_send_api() {
    let site = Site::with(|config| {
        config.delivery.enabled = false;
        config.rate_limit.send_per_minute = 2;
        config.rate_limit.store = Some(RateLimitStore::Memory);
    })
    .await;
    let mut client = site.client().await;
    id(&client.send(FROM, &[TO], MESSAGE.as_bytes()).await);
    id(&client.send(FROM, &[TO], MESSAGE.replace("<1@", "<2@").as_bytes()).await);
    let reply = client.command(&format!("MAIL FROM:<{FROM}>")).await;
    assert!(reply.starts_with("450 4.7.1 "), "{reply}");
    site.post.pass_seconds(61);
    let reply = client.command(&format!("MAIL FROM:<{FROM}>")).await;
    assert!(reply.starts_with("250 "), "{reply}");
}

#[tokio::test]
async fn a_hundred_recipients_and_the_rest_in_another_mail() {
    let site = Site::waiting().await;
    let mut client = site.client().await;
    client.command(&format!("MAIL FROM:<{FROM}>")).await;
    for number in 0..100 {
        let reply = client.command(&format!("RCPT TO:<r{number}@example.net>")).await;
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let reply = client.command("RCPT TO:<one@example.net>").await;
    assert!(reply.starts_with("452 4.5.3 "), "{reply}");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_for_good() {
    let site = Site::with(|config| {
        config.delivery.enabled = false;
        config.delivery.max_message_bytes = 2_048;
    })
    .await;
    let mut client = site.client().await;
    let reply = client.command(&format!("MAIL FROM:<{FROM}> SIZE=2049")).await;
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
    let line = format!("{}\r\n", "x".repeat(70));
    let fitting = MESSAGE.to_owned() + &line.repeat((2_048 - MESSAGE.len()) / line.len());
    assert!(fitting.len() > 1_900, "near the limit, which our own line would pass");
    id(&client.send(FROM, &[TO], fitting.as_bytes()).await);
    let reply = client.send(FROM, &[TO], format!("{fitting}{line}{line}").as_bytes()).await;
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
}

#[tokio::test]
async fn a_connection_too_many_is_told_to_come_again() {
    let site = Site::with(|config| config.submission.max_connections = 2).await;
    let _kept = (site.client().await, site.client().await);
    let (_, greeting) = SmtpClient::connect(site.door.start_tls).await;
    assert!(greeting.starts_with("421 4.7.0 "), "{greeting}");
}

/// A message as the gateway passes it on.
async fn submit(site: &Site, within: Duration) -> Result<String, Error> {
    let address = |text| EmailAddress::parse(text).expect("an address");
    let envelope = Envelope { from: Some(address(FROM)), to: vec![address(TO)] };
    let received = Received { by: "localhost".to_owned(), smtputf8: false };
    let delivery = &site.app().delivery;
    let (request, key) =
        delivery.parse_message(MESSAGE.as_bytes().to_vec(), envelope, received).expect("a good message");
    let api_key = delivery.api_keys.authenticate(&site.key.text).await.expect("a good key");
    let tenant = TenantId::from_operator("acme");
    let taken = delivery.submit(&tenant, api_key, request, key, within).await?;
    Ok(taken.ids[0].to_string())
}

const SOON: Duration = Duration::from_millis(300);
const PATIENT: Duration = Duration::from_mins(1);

/// The write succeeds after the client was told that it did not: nothing of it is sent, and the client's next attempt is a
/// mail of its own.
#[tokio::test]
async fn what_is_stored_too_late_is_withdrawn() {
    let site = Site::waiting().await;
    // The key of the day is there.
    id(&site.send(&MESSAGE.replace("<1@", "<0@")).await);
    let lock = Lock::new(&site.post.app.database, "emails").await;
    assert!(matches!(submit(&site, SOON).await, Err(Error::Contended)));
    lock.release().await;
    let withdrawn = "select id from emails where status = 'canceled' and door_hash is null";
    eventually("the late mail is withdrawn", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        site.post.app.database.query(withdrawn).await.len() == 1
    })
    .await;
    let again = submit(&site, PATIENT).await.expect("it is taken");
    assert_ne!(site.post.app.database.query(withdrawn).await, [[Some(again)]]);
    assert_eq!(site.count().await, 3);
}

/// The client comes again while the late write is still under way: one of both is sent, and it is the one that the client
/// has heard of.
#[tokio::test]
async fn a_client_that_comes_again_meanwhile_has_one_mail() {
    let site = Site::waiting().await;
    id(&site.send(&MESSAGE.replace("<1@", "<0@")).await);
    let lock = Lock::new(&site.post.app.database, "emails").await;
    assert!(matches!(submit(&site, SOON).await, Err(Error::Contended)));
    let (again, ()) = tokio::join!(submit(&site, PATIENT), async {
        tokio::time::sleep(SOON).await;
        lock.release().await;
    });
    let heard = again.expect("it is taken");
    let queued = "select id from emails where status = 'queued' and message_id = '<1@client.example>'";
    eventually("the other one is withdrawn", async || {
        site.post.app.database.query(queued).await == [[Some(heard.clone())]]
    })
    .await;
}

/// The worker was faster than the withdrawal: the mail stays, and the client that comes again hears its id.
#[tokio::test]
async fn what_was_stored_too_late_and_has_begun_to_go_stays() {
    let site = Site::waiting().await;
    let taken = submit(&site, PATIENT).await.expect("it is taken");
    let tenant = TenantId::from_operator("acme");
    let email: Uuid = taken.parse().expect("an id");
    let begun =
        format!("update email_recipients set attempts = 1, state = 'accepted' where email_id = '{taken}'");
    site.post.app.database.execute(&begun).await;
    let withdraw = Write::default().then(emails::withdraw_unless_repeated(&tenant, email));
    assert_eq!(site.app().db.write(withdraw).await.expect("written"), WriteOutcome::NoRowsAffected);
    assert_eq!(submit(&site, PATIENT).await.expect("it is known"), taken);
}
