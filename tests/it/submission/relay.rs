//! No open relay: nothing is sent through any listener without a credential.

use serde_json::json;

use super::{FROM, MESSAGE, Site, TO};
use crate::delivery::{EMAILS, to};
use crate::support::smtp_client::SmtpClient;

async fn cannot_send(mut client: SmtpClient, what: &str) {
    for line in [
        "EHLO client.example",
        &format!("MAIL FROM:<{FROM}>"),
        &format!("RCPT TO:<{TO}>"),
        "DATA",
        "BDAT 2 LAST\r\nx",
        "HELO client.example",
        &format!("MAIL FROM:<{FROM}>"),
        &format!("MAIL FROM:<{FROM}> AUTH=<>"),
        "VRFY bob",
        "EXPN bob",
        "ETRN example.net",
    ] {
        let reply = client.command(line).await;
        let is_greeting = line.starts_with("EHLO") || line.starts_with("HELO") || line.starts_with("VRFY");
        assert!(is_greeting || reply.starts_with('5') || reply.is_empty(), "{what}, {line}: {reply}");
    }
}

#[tokio::test]
async fn no_listener_sends_without_a_credential() {
    let site = Site::waiting().await;
    for prefix in ["/api/v1/transports", "/v1/transports"] {
        for path in ["/emails", "/emails/batch", "/tenants/acme/emails", "/tenants/acme/emails/batch"] {
            let anybody = site.post.app.anybody();
            let path = format!("{prefix}{path}");
            anybody.json("POST", &path, &to(&[TO])).await.expect(401);
            anybody.json("POST", &path, &json!([to(&[TO])])).await.expect(401);
        }
    }
    cannot_send(SmtpClient::connect(site.door.start_tls).await.0, "587 without TLS").await;
    let encrypted = SmtpClient::connect(site.door.start_tls).await.0.start_tls().await;
    cannot_send(encrypted, "587 with TLS").await;
    cannot_send(SmtpClient::connect_tls(site.door.implicit_tls).await.0, "465").await;
    let mut refused = SmtpClient::connect(site.door.start_tls).await.0.start_tls().await;
    assert!(refused.sign_in("acme", "").await.starts_with("535"));
    assert!(refused.send(FROM, &[TO], MESSAGE.as_bytes()).await.starts_with("530 5.7.0 "));
    assert_eq!(site.count().await, 0);
    assert_eq!(site.admin().get(EMAILS).await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_password_is_taken_within_tls_only() {
    let site = Site::waiting().await;
    let (mut client, _) = SmtpClient::connect(site.door.start_tls).await;
    let offers = client.command("EHLO client.example").await;
    assert!(offers.contains("250-STARTTLS") && !offers.contains("AUTH"), "{offers}");
    let reply = client.sign_in("acme", &site.key.text).await;
    assert!(reply.starts_with('5'), "{reply}");
    assert!(!reply.contains(&site.key.text));
    let mut client = client.start_tls().await;
    let offers = client.command("EHLO client.example").await;
    for offered in [
        "SIZE 10485760",
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "ENHANCEDSTATUSCODES",
        "LIMITS ",
        "AUTH PLAIN LOGIN",
    ] {
        assert!(offers.contains(offered), "{offered}: {offers}");
    }
    assert!(!offers.contains("STARTTLS"), "{offers}");
}
