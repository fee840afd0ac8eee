//! SMTP sessions with the inbox.

use transports::dev::smtp::MAX_MESSAGE;

use super::*;

#[tokio::test]
async fn a_mail_over_starttls_is_accepted() {
    let running = Running::start().await;
    let mut peer = running.start_tls().await;
    peer.say("MAIL FROM:<a@b>", "530 5.7.0").await;
    peer.sign_in().await;
    peer.mail(MAIL, "250 2.0.0 Caught as 1").await;
    peer.say("QUIT", "221").await;
    peer.expect_end().await;
    let mails = running.inbox.newest_first();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].received, NOW);
    assert_eq!(mails[0].envelope.sender, "platform@example.com");
    assert_eq!(mails[0].envelope.recipients, ["you@example.com"]);
    assert!(mails[0].envelope.encrypted && mails[0].envelope.signed_in);
    assert_eq!(String::from_utf8_lossy(&mails[0].source), format!("{MAIL}\r\n"));
}

#[tokio::test]
async fn implicit_tls_has_its_own_port() {
    let running = Running::start().await;
    let mut peer = Peer::new(running.encrypt(tcp(running.tls_port).await).await);
    peer.expect("220").await;
    let offered = peer.say("EHLO me", "250").await;
    assert!(!offered.contains("STARTTLS"), "{offered}");
    peer.sign_in().await;
    peer.mail(MAIL, "250").await;
    assert!(running.inbox.newest_first()[0].envelope.encrypted);
}

#[tokio::test]
async fn without_tls_no_sign_in_is_needed_but_a_password_is_checked() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.say("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
    peer.say(&STANDARD.encode("dev"), "334 UGFzc3dvcmQ6").await;
    peer.say(&STANDARD.encode("guess"), "535 5.7.8").await;
    peer.sign_in().await;
    peer.mail(MAIL, "250").await;
    let signed_in: Vec<bool> =
        running.inbox.newest_first().iter().map(|mail| mail.envelope.signed_in).collect();
    assert_eq!(signed_in, [true, false]);
}

#[tokio::test]
async fn a_wrong_password_over_tls_refuses_mail() {
    let running = Running::start().await;
    let mut peer = running.start_tls().await;
    peer.say(&format!("AUTH PLAIN {}", STANDARD.encode("\0dev\0guess")), "535 5.7.8").await;
    peer.say("MAIL FROM:<a@b>", "530 5.7.0").await;
    assert!(running.inbox.newest_first().is_empty());
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.send(
        b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<nouser@c>\r\nRCPT TO:<d@e>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n\
          .\r\nNOOP\r\nQUIT\r\n",
    )
    .await;
    for start in ["250-localhost", "250 2.1.0", "550 5.1.1", "250 2.1.5", "354", "250 2.0.0", "250", "221"] {
        peer.expect(start).await;
    }
    let mail = &running.inbox.newest_first()[0];
    assert_eq!(mail.envelope.recipients, ["d@e"]);
    assert_eq!(mail.source, b"Subject: x\r\n\r\n.\r\n");
}

/// Security case D1.
#[tokio::test]
async fn data_pipelined_behind_starttls_ends_the_session() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.send(b"STARTTLS\r\nEHLO injected\r\n").await;
    peer.expect("503 5.5.1 Nothing may follow STARTTLS").await;
    peer.expect_end().await;
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_refused_and_the_next_one_accepted() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.say(&format!("MAIL FROM:<a@b> SIZE={}", MAX_MESSAGE + 1), "552 5.3.4").await;
    peer.mail(&"x".repeat(MAX_MESSAGE), "552 5.3.4").await;
    peer.mail(MAIL, "250").await;
    assert_eq!(running.inbox.newest_first().len(), 1);
}

#[tokio::test]
async fn an_endless_line_ends_the_session() {
    let running = Running::start().await;
    for line in ["x".repeat(20_000), format!("{}\r\n", "x".repeat(12_287))] {
        let mut peer = running.connect().await;
        // The inbox may be gone before all of it is sent.
        let _ = peer.stream.write_all(line.as_bytes()).await;
        let _ = peer.stream.flush().await;
        peer.expect("500 5.5.6").await;
    }
    let mut peer = running.connect().await;
    peer.say(&"x".repeat(12_286), "500 5.5.1").await;
}

#[tokio::test]
async fn an_incomplete_message_is_dropped() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.say("MAIL FROM:<a@b>", "250").await;
    peer.say("RCPT TO:<c@d>", "250").await;
    peer.say("DATA", "354").await;
    peer.send(b"Subject: half\r\n\r\n.").await;
    peer.stream.shutdown().await.expect("can be closed");
    peer.expect_end().await;
    assert!(running.inbox.newest_first().is_empty());
}
