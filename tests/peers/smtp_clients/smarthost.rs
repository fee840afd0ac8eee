//! A Postfix whose mail all goes to the gateway (`relayhost` with a sign-in), and from there on to another Postfix.

use std::process::Command;

use super::{key, message, run};
use crate::destinations::Destinations;
use crate::mail_server::{Mailbox, STARTTLS, alice, headers};
use crate::service::{Service, peers};

const SENDER: &str = "alice@example.com";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn postfix_sends_by_the_gateway_to_another_postfix() {
    let certificate = Destinations::start().await;
    let identity = certificate.identity().display().to_string();
    let service = Service::with(&[
        ("TRANSPORTS_TLS__CA_FILE", peers().join("mail/ca.pem").to_str().expect("UTF-8")),
        ("TRANSPORTS_SUBMISSION__LISTEN", "127.0.0.1:12588"),
        ("TRANSPORTS_SUBMISSION__CERTIFICATE_FILE", &identity),
        ("TRANSPORTS_SUBMISSION__KEY_FILE", &identity),
    ]);
    let admin = service.admin("acme");
    admin.put(&alice(STARTTLS, "StartTLS")).await.expect(204);
    let gateway = peers().join("mail/gateway");
    std::fs::copy(certificate.authority(), gateway.join("ca.pem")).expect("a writable folder");
    std::fs::write(gateway.join("password"), format!("[localhost]:12588 any:{}\n", key(&service).await))
        .expect("a writable folder");

    let mut mailbox = Mailbox::open("smarthost");
    let message = message("smarthost").replace(super::FROM, SENDER);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("message");
    std::fs::write(&file, &message).expect("a writable folder");
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--url", "smtp://localhost:2526/client.example"]);
    command.args(["--mail-from", SENDER, "--mail-rcpt", "smarthost@example.com", "--upload-file"]).arg(&file);
    run(command).await;

    let arrived = mailbox.next().await;
    let received: Vec<String> = String::from_utf8_lossy(&arrived)
        .split("\n\n")
        .next()
        .map(|head| headers(format!("{head}\n\n").as_bytes()))
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, _)| name == "Received")
        .map(|(_, value)| value)
        .collect();
    assert!(received[0].contains("(Postfix) with ESMTPSA"), "the account's server: {received:?}");
    assert!(received[1].contains("(transports) with ESMTPSA"), "the gateway: {received:?}");
    assert!(received[2].contains("(Postfix) with ESMTP id"), "the smarthost's client: {received:?}");
    let expected = message.replace("\r\n", "\n");
    assert!(arrived.ends_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&arrived));
}
