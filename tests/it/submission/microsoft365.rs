//! Through the gateway to Graph, which knows no envelope: only those whom RCPT named get the mail.

use super::{Door, TO, id, key_of, tenant};
use crate::delivery::{EMAILS, status};
use crate::support::eventually::eventually;
use crate::support::microsoft365::{Microsoft, put};

#[tokio::test]
async fn the_recipients_of_the_envelope_alone_get_it() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service_with(|config| config.delivery.enabled = true).await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let door = Door::open(&app.app).await;
    let key = key_of(&app.app, tenant("acme"), |_| {}).await;
    let from = microsoft.registration.mailbox.clone();
    let head = format!(
        "Message-ID: <1@x.example>\r\nDate: now\r\nFrom: {from}\r\nTo: {TO}\r\nCc: cy@example.net\r\n"
    );
    let message = format!("{head}\r\nHi\r\n");
    let mut client = door.client(&key).await;
    for (number, (to, expected)) in [
        (&[TO, "cy@example.net"][..], message.clone()),
        (&["cy@example.net", TO, "dora@example.net"], format!("Bcc: dora@example.net\r\n{message}")),
        (
            &[TO],
            format!("To: {TO}\r\n{message}").replace(
                &format!("From: {from}\r\nTo: {TO}\r\nCc: cy@example.net\r\n"),
                &format!("From: {from}\r\n"),
            ),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = id(&client.send(&from, to, message.as_bytes()).await);
        let path = format!("{EMAILS}/{reply}");
        eventually("Graph has it", async || {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            status(&admin.get(&path).await.expect(200).json()) == "accepted"
        })
        .await;
        let mails = microsoft.mails();
        assert_eq!(mails.len(), number + 1);
        let got = mails[number].clone();
        let ours = got.find("Received: by ").expect("our line");
        let (front, rest) = got.split_at(ours);
        let (_, rest) = rest.split_once("\r\n\t").expect("folded");
        let rest = rest.split_once("\r\n").expect("the date").1;
        assert_eq!(format!("{front}{rest}"), expected, "to {to:?}");
        app.clock.advance(10_000);
    }
}
