//! Sign-ins with API keys: which are accepted, what a refusal says, and when an address is not heard.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use transports::store::Write;
use transports::store::api_keys::{self, KeyOwner};

use super::{FROM, Key, MESSAGE, Site, TO, id, key_of, later, tenant};
use crate::support::eventually::eventually;
use crate::support::smtp_client::SmtpClient;

async fn encrypted(site: &Site) -> SmtpClient {
    SmtpClient::connect(site.door.start_tls).await.0.start_tls().await
}

async fn sign_in(site: &Site, user: &str, password: &str) -> String {
    encrypted(site).await.sign_in(user, password).await
}

/// A key with this id and another secret, whose checksum is right: anybody can make one.
fn forged(key: &Key) -> String {
    let secret = [7; 32];
    let mut context = Context::new(&SHA256);
    context.update(key.id.as_bytes());
    context.update(&secret);
    let whole = [&secret[..], &context.finish().as_ref()[..4]].concat();
    format!("tsk_{}_{}", key.id.simple(), URL_SAFE_NO_PAD.encode(whole))
}

#[tokio::test]
async fn a_key_is_all_that_counts_and_the_third_refusal_ends_the_connection() {
    let site = Site::waiting().await;
    for user in ["", "acme", "ada@example.com", "apikey"] {
        assert_eq!(sign_in(&site, user, &site.key.text).await, "235 2.7.0 Signed in");
    }
    let mut client = encrypted(&site).await;
    for password in ["password", "tsk_1_2", &forged(&site.key)] {
        let reply = client.sign_in("acme", password).await;
        assert!(reply.starts_with("535 5.7.8 "), "{reply}");
    }
    let farewell = client.reply().await;
    assert!(farewell.starts_with("421 "), "{farewell}");
    assert_eq!(client.command("NOOP").await, "");
}

#[tokio::test]
async fn a_key_of_the_platform_names_a_tenant_by_the_user_name() {
    let site = Site::waiting().await;
    let platform = key_of(site.app(), KeyOwner::Platform, |_| {}).await;
    let reply = sign_in(&site, "", &platform.text).await;
    assert!(reply.starts_with("535 5.7.8 ") && reply.contains("user name"), "{reply}");
    let mut client = encrypted(&site).await;
    assert_eq!(client.sign_in("acme", &platform.text).await, "235 2.7.0 Signed in");
    let reply = client.send(FROM, &[TO], MESSAGE.as_bytes()).await;
    let owners = site.post.app.database.query("select tenant_id from emails").await;
    assert_eq!(owners, [[Some("acme".to_owned())]], "{reply}");
    let mut client = encrypted(&site).await;
    assert_eq!(client.sign_in("other", &platform.text).await, "235 2.7.0 Signed in");
    let reply = client.send(FROM, &[TO], MESSAGE.as_bytes()).await;
    assert!(reply.starts_with("450 4.3.2 "), "{reply}");
}

#[tokio::test]
async fn a_key_of_the_platform_without_a_tenant_is_a_refused_sign_in() {
    let site = Site::waiting().await;
    let platform = key_of(site.app(), KeyOwner::Platform, |_| {}).await;
    for _ in 0..20 {
        assert!(sign_in(&site, "", &platform.text).await.starts_with("535 5.7.8 "));
    }
    assert!(sign_in(&site, "acme", &platform.text).await.starts_with("421 4.7.0 "));
    assert_eq!(sign_in(&site, "", &site.key.text).await, "235 2.7.0 Signed in", "another key");
}

#[tokio::test]
async fn a_key_that_is_over_is_refused_also_within_a_session() {
    let site = Site::waiting().await;
    let expiring =
        key_of(site.app(), tenant("acme"), |key| key.expires_at = Some(later(site.app(), 60))).await;
    let mut open = site.door.client(&expiring).await;
    let mut revoked = site.client().await;
    site.post.pass_seconds(61);
    let revocation = api_keys::revoke(&tenant("acme"), site.key.id, site.app().clock.now());
    let _ = site.app().db.write(Write::default().then(revocation)).await.expect("a write");
    for (client, words) in [(&mut open, "expired"), (&mut revoked, "revoked")] {
        let reply = client.command(&format!("MAIL FROM:<{FROM}>")).await;
        assert!(reply.starts_with("535 5.7.8 ") && reply.contains(words), "{reply}");
    }
    for (key, words) in [(&expiring, "expired"), (&site.key, "revoked")] {
        let reply = sign_in(&site, "", &key.text).await;
        assert!(reply.starts_with("535 5.7.8 ") && reply.contains(words), "{reply}");
    }
    let audit = site.post.app.database.audit("acme").await;
    let rows: Vec<_> =
        audit.iter().filter(|row| row.action == "sign-in").map(|row| row.outcome.as_str()).collect();
    assert_eq!(rows, ["KEY_EXPIRED", "KEY_REVOKED"]);
}

#[tokio::test]
async fn a_wrong_secret_of_a_known_key_stands_in_the_audit_of_its_tenant_once_a_minute() {
    let site = Site::waiting().await;
    let forged = forged(&site.key);
    for _ in 0..3 {
        sign_in(&site, "", &forged).await;
    }
    let audit = site.post.app.database.audit("acme").await;
    let rows: Vec<_> = audit.iter().filter(|row| row.action == "sign-in").collect();
    assert_eq!((rows.len(), rows[0].outcome.as_str()), (1, "WRONG_KEY"), "{rows:?}");
    assert_eq!(rows[0].user, format!("api-key:{}", site.key.id));
}

/// The tests' clients share one address.
#[tokio::test]
async fn twenty_refusals_silence_an_address_but_not_a_key_that_is_known_there() {
    let site = Site::waiting().await;
    let unknown_here = key_of(site.app(), tenant("acme"), |_| {}).await;
    assert_eq!(sign_in(&site, "", &site.key.text).await, "235 2.7.0 Signed in");
    for _ in 0..20 {
        assert!(sign_in(&site, "", "guess").await.starts_with("535 5.7.8 "));
    }
    for password in ["guess", &unknown_here.text] {
        let mut client = encrypted(&site).await;
        let reply = client.sign_in("", password).await;
        assert!(reply.starts_with("421 4.7.0 "), "{reply}");
        assert_eq!(client.command("NOOP").await, "", "the connection has ended");
    }
    assert_eq!(sign_in(&site, "", &site.key.text).await, "235 2.7.0 Signed in");
    site.post.pass_seconds(600);
    assert_eq!(sign_in(&site, "", &unknown_here.text).await, "235 2.7.0 Signed in");
    let metrics = site.app().metrics.encode();
    assert!(
        metrics.contains("transports_submission_refused_sign_ins_total{reason=\"TOO_MANY\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn messages_are_counted_by_their_outcome() {
    let site = Site::waiting().await;
    id(&site.send(MESSAGE).await);
    id(&site.send(MESSAGE).await);
    site.send("no header\r\n").await;
    let metrics = site.app().metrics.encode();
    for outcome in ["taken", "repeated", "refused"] {
        let line = format!("transports_submission_messages_total{{outcome=\"{outcome}\"}} 1");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    assert!(metrics.contains("transports_submission_connections_total 3"), "{metrics}");
    let _open = encrypted(&site).await;
    eventually("the open connection is counted", async || {
        site.app().metrics.encode().contains("transports_submission_open_connections 1")
    })
    .await;
}

/// As over HTTP. Nothing of the database is in it: a key whose checksum was made fit is like one that was never made.
#[tokio::test]
async fn a_refusal_says_what_a_mistyped_key_shows_by_itself() {
    let site = Site::waiting().await;
    let text = &site.key.text;
    let last = if text.ends_with('A') { 'B' } else { 'A' };
    for (password, said) in [
        ("password".to_owned(), "is no API key of this service, which begins with tsk_"),
        (text[..60].to_owned(), "has 60 characters, and every API key has 85: copy the whole key"),
        (format!("{}{last}", &text[..84]), "is mistyped: its checksum does not fit"),
        (forged(&site.key), "There is no such API key: another installation made it"),
    ] {
        let reply = sign_in(&site, "acme", &password).await;
        assert!(reply.starts_with("535 5.7.8 ") && reply.contains(said), "{said}: {reply}");
        assert!(!reply.contains(&text[50..60]), "{reply}");
    }
}
