//! Who sends and who receives: of MAIL and RCPT, within what the account and the key allow.

use serde_json::json;
use transports::outgoing::account_settings::AllowedSender;

use super::{FROM, MESSAGE, Site, TO, id, key_of, tenant};

#[tokio::test]
async fn the_envelope_is_that_of_mail_and_rcpt() {
    let site = Site::open().await;
    site.admin()
        .json("PATCH", "/api/v1/transports/account", &json!({"allowed_senders": ["*@example.org"]}))
        .await
        .expect(200);
    let to = ["carol@example.net", TO, "dora@example.net"];
    let reply = site.client().await.send("bounces@example.org", &to, MESSAGE.as_bytes()).await;
    let email = site.post.settled(&id(&reply)).await;
    let mails = site.post.server.mails();
    assert_eq!(mails[0].from, "bounces@example.org");
    let mut received = mails[0].to.clone();
    received.sort();
    assert_eq!(received, [TO, "carol@example.net", "dora@example.net"]);
    let kinds = email["recipients"].as_array().expect("recipients").iter();
    let kinds: Vec<_> = kinds.map(|recipient| (&recipient["address"], &recipient["kind"])).collect();
    assert!(kinds.contains(&(&json!(TO), &json!("to"))), "{kinds:?}");
    assert!(kinds.contains(&(&json!("dora@example.net"), &json!("bcc"))), "{kinds:?}");
}

#[tokio::test]
async fn a_sender_that_is_not_allowed_is_refused_after_data() {
    let site = Site::waiting().await;
    let other = MESSAGE.replace("From: Ada <ada@example.com>", "From: Eve <eve@example.org>");
    for (envelope, message) in [(FROM, other.as_str()), ("eve@example.org", MESSAGE)] {
        let reply = site.client().await.send(envelope, &[TO], message.as_bytes()).await;
        assert!(reply.starts_with("550 5.7.1 ") && reply.contains(FROM), "{reply}");
    }
    let limited = key_of(site.app(), tenant("acme"), |key| {
        key.allowed_senders = Some(vec![AllowedSender::parse("other@example.com").expect("a sender")]);
    })
    .await;
    let reply = site.door.client(&limited).await.send(FROM, &[TO], MESSAGE.as_bytes()).await;
    assert!(reply.starts_with("550 5.7.1 ") && reply.contains("other@example.com"), "{reply}");
    assert_eq!(site.count().await, 0);
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_refused_at_once() {
    let site = Site::waiting().await;
    let mut client = site.client().await;
    for (line, expected) in [
        ("MAIL FROM:<>", "550 5.1.7 "),
        ("MAIL FROM:<ada@localhost>", "553 5.1.7 "),
        ("MAIL FROM:<ada@example.com>", "250 "),
        ("RCPT TO:<postmaster>", "553 5.1.3 "),
        ("RCPT TO:<bob@[127.0.0.1]>", "553 5.1.3 "),
        ("RCPT TO:<bob@example.net>", "250 "),
    ] {
        let reply = client.command(line).await;
        assert!(reply.starts_with(expected), "{line}: {reply}");
    }
}

#[tokio::test]
async fn without_an_account_the_client_comes_again() {
    let site = Site::waiting().await;
    let key = key_of(site.app(), tenant("other"), |_| {}).await;
    let reply = site.door.client(&key).await.send(FROM, &[TO], MESSAGE.as_bytes()).await;
    assert!(reply.starts_with("450 4.3.2 "), "{reply}");
}
