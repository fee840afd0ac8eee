//! What arrives at the account's server: the octets that came, below our line.

use serde_json::json;

use super::{FROM, MESSAGE, Site, TO, below_received, id};
use crate::delivery::status;

#[tokio::test]
async fn a_message_arrives_as_it_came_and_names_its_key() {
    let site = Site::open().await;
    let message = format!("{MESSAGE}.dot\r\n..\r\n Gr\u{fc}\u{df}e\r\n");
    let reply = site.send(&message).await;
    let email = site.post.settled(&id(&reply)).await;
    assert_eq!(status(&email), "accepted");
    assert_eq!(email["message_id"], json!("<1@client.example>"));
    assert_eq!(email["subject"], json!("Invoice 8841"));
    let mails = site.post.server.mails();
    assert_eq!((mails.len(), mails[0].from.as_str(), &mails[0].to[..]), (1, FROM, &[TO.to_owned()][..]));
    assert_eq!(below_received(&mails[0].bytes()), message);
    let rows = site.post.app.database.query("select api_key_id from emails").await;
    assert_eq!(rows, [[Some(site.key.id.to_string())]]);
}

#[tokio::test]
async fn the_trace_line_names_this_host_and_not_the_client() {
    let site = Site::with(|config| config.egress.ehlo_name = Some("relay.example.org".to_owned())).await;
    let reply = site.send(MESSAGE).await;
    site.post.settled(&id(&reply)).await;
    let text = String::from_utf8(site.post.server.mails()[0].bytes()).expect("UTF-8");
    let expected =
        format!("Received: by relay.example.org (transports) with ESMTPSA id {};\r\n\t", id(&reply));
    assert!(text.starts_with(&expected), "{text}");
    let line = &text[..text.find("Message-ID").expect("the message")];
    assert!(!line.contains("127.0.0.1") && !line.contains("client.example"), "{line}");
}

#[tokio::test]
async fn date_and_message_id_are_added_and_hidden_recipients_removed() {
    let site = Site::open().await;
    let reply = site
        .send("From: ada@example.com\r\nBcc: eve@example.net,\r\n mallory@example.net\r\nX: 1\r\n\r\nHi\r\n")
        .await;
    site.post.settled(&id(&reply)).await;
    let below = below_received(&site.post.server.mails()[0].bytes());
    let (added, rest) = below.split_at(below.find("From:").expect("the message"));
    assert_eq!(rest, "From: ada@example.com\r\nX: 1\r\n\r\nHi\r\n");
    assert!(added.starts_with("Message-ID: <") && added.contains("\r\nDate: "), "{added}");
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_and_never_repaired() {
    let site = Site::waiting().await;
    for message in [
        "From: ada@example.com\r\n\r\na\rb\r\n",
        "From: ada@example.com\r\n\r\na\nb\r\n",
        "From: ada@example.com\r\n\r\na\0b\r\n",
        &format!("From: ada@example.com\r\n\r\n{}\r\n", "x".repeat(999)),
        "From: ada@example.com\r\nFrom: ada@example.com\r\n\r\n",
        "From: ada@example.com, bob@example.com\r\n\r\n",
        "Subject: without a sender\r\n\r\n",
        "no header\r\n\r\n",
        "From: ada@example.com\r\nX-Transports-Lane: fast\r\n\r\n",
    ] {
        let reply = site.send(message).await;
        assert!(reply.starts_with("550 5.6.0 "), "{message:?}: {reply}");
    }
    for lines in
        ["Received: x\r\n".repeat(31), "Received: by a (transports) with ESMTPSA id x; y\r\n".repeat(3)]
    {
        let reply = site.send(&format!("{lines}{MESSAGE}")).await;
        assert!(reply.starts_with("554 5.4.6 "), "{reply}");
    }
    assert_eq!(site.count().await, 0);
}

#[tokio::test]
async fn control_lines_are_obeyed_and_do_not_leave() {
    let site = Site::open().await;
    let lines = "X-Transports-Tag: kind=invoice, team\r\nX-Transports-Lane: bulk\r\nX-Transports-Expires: 600\r\n\
                 X-Transports-Metadata: {\"invoice\": \"8841\"}\r\nX-Transports-Idempotency-Key: order-17\r\n";
    let reply = site.send(&format!("{lines}{MESSAGE}")).await;
    let email = site.post.settled(&id(&reply)).await;
    assert_eq!(email["tags"], json!([{"name": "kind", "value": "invoice"}, {"name": "team", "value": ""}]));
    assert_eq!((&email["lane"], &email["metadata"]), (&json!("bulk"), &json!({"invoice": "8841"})));
    let text = below_received(&site.post.server.mails()[0].bytes());
    assert_eq!(text, MESSAGE);

    let again = site.send(&format!("{lines}{MESSAGE}")).await;
    assert_eq!(id(&again), id(&reply), "the idempotency key");
    let other = site.send(&format!("{lines}{MESSAGE}More.\r\n")).await;
    assert!(other.starts_with("550 5.6.0 "), "{other}");
}
