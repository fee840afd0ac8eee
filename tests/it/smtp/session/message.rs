//! What a message looks like on the wire, and what the server must offer for it.

use super::*;

/// Security case E13.
#[tokio::test]
async fn a_message_beyond_the_servers_size_is_not_begun() {
    for (size, too_large) in [(26, false), (25, true)] {
        let server = SmtpServer::start(Script::starttls().with(&format!("SIZE {size}"))).await;
        let mut log = Transcript::default();
        let sent =
            Caller::new(Security::StartTls).send(&server, &["bob@example.com"], MESSAGE, &mut log).await;
        server.ended().await;
        if too_large {
            let error = sent.unwrap_err();
            assert_eq!(error.kind, ErrorKind::TooLarge { limit: 25, size: 26 });
            assert_eq!(error.stage, Stage::MailFrom);
            assert!(!error.is_transient());
            assert_eq!(server.verbs(), ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]);
        } else {
            sent.unwrap();
            assert!(server.lines().contains(&format!("MAIL FROM:<{USER}> SIZE=26")));
        }
    }
}

/// Security case C11.
#[tokio::test]
async fn an_address_beyond_ascii_needs_smtputf8() {
    let international = "bøb@example.com";
    for (script, offered) in [(Script::starttls(), true), (Script::starttls().without("SMTPUTF8"), false)] {
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        let sent = Caller::new(Security::StartTls).send(&server, &[international], MESSAGE, &mut log).await;
        server.ended().await;
        if offered {
            sent.unwrap();
            assert!(server.lines().contains(&format!("MAIL FROM:<{USER}> SIZE=26 SMTPUTF8")));
            assert!(server.lines().contains(&format!("RCPT TO:<{international}>")));
        } else {
            let error = sent.unwrap_err();
            assert_eq!((error.stage, error.kind), (Stage::MailFrom, ErrorKind::SmtpUtf8Missing));
            assert_eq!(server.verbs(), ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]);
        }
    }
}

/// Security case C11.
#[tokio::test]
async fn a_sender_beyond_ascii_is_probed_only_with_smtputf8() {
    for (script, offered) in [(Script::plain(), true), (Script::plain().without("SMTPUTF8"), false)] {
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
        let probed = session.probe_sender(&address("åda@example.com"), &mut log).await;
        if offered {
            probed.unwrap();
            assert!(server.lines().contains(&"MAIL FROM:<åda@example.com> SMTPUTF8".to_owned()));
        } else {
            assert_eq!(probed.unwrap_err().kind, ErrorKind::SmtpUtf8Missing);
        }
    }
}

#[tokio::test]
async fn eight_bit_messages_are_announced_where_the_server_knows_them() {
    for (message, script, expected) in [
        (&b"\r\ncaf\xc3\xa9\r\n"[..], Script::plain(), "MAIL FROM:<ada@example.com> SIZE=9 BODY=8BITMIME"),
        (b"\r\ncafe\r\n", Script::plain(), "MAIL FROM:<ada@example.com> SIZE=8"),
        (
            b"Subject: caf\xc3\xa9\r\n\r\n",
            Script::plain(),
            "MAIL FROM:<ada@example.com> SIZE=18 BODY=8BITMIME SMTPUTF8",
        ),
        (b"\r\ncafe\r\n", Script::plain().without("SIZE"), "MAIL FROM:<ada@example.com>"),
        (
            b"\r\ncaf\xc3\xa9\r\n",
            Script::plain().without("8BITMIME").without("SIZE"),
            "MAIL FROM:<ada@example.com>",
        ),
    ] {
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        Caller::new(Security::None).send(&server, &["bob@example.com"], message, &mut log).await.unwrap();
        assert!(server.lines().contains(&expected.to_owned()), "{:?}", server.lines());
        assert_eq!(server.mails()[0].bytes(), message);
    }
}

/// Security case C6.
#[tokio::test]
async fn a_body_that_looks_like_an_end_arrives_as_one_message() {
    let bodies: [&[u8]; 6] = [
        b"\r\n.\r\nMAIL FROM:<z@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\n",
        b".\r\n",
        b"..\r\n.\r\n...\r\n",
        b".leading\r\n",
        b"ends in a dot.\r\n.",
        &b"x\r\n.\r\n".repeat(20_000),
    ];
    for body in bodies {
        for script in [Script::plain(), Script::implicit_tls().without("PIPELINING")] {
            let security = if script.capabilities.contains(&"PIPELINING".to_owned()) {
                Security::None
            } else {
                Security::Tls
            };
            let server = SmtpServer::start(script).await;
            let mut log = Transcript::default();
            Caller::new(security).send(&server, &["bob@example.com"], body, &mut log).await.unwrap();
            server.ended().await;
            let mails = server.mails();
            assert_eq!(mails.len(), 1);
            let expected = [body, if body.ends_with(b"\r\n") { b"" } else { b"\r\n" }].concat();
            assert!(mails[0].bytes() == expected, "byte for byte");
            assert_eq!(server.verbs().iter().filter(|verb| *verb == "MAIL").count(), 1);
        }
    }
}

/// Security case C7.
#[tokio::test]
async fn no_line_end_but_cr_lf_is_on_the_wire() {
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r.\n", "\r.\r\n", "\n.\r", "\r\n.\r", "\r\n.\n", "\r\n\0.\r\n"]
    {
        let body = format!("before{end}MAIL FROM:<z@example.com>\r\n");
        let server = SmtpServer::start(Script::plain()).await;
        let mut log = Transcript::default();
        Caller::new(Security::None)
            .send(&server, &["bob@example.com"], body.as_bytes(), &mut log)
            .await
            .unwrap();
        server.ended().await;
        let wire = String::from_utf8(server.mails()[0].wire.clone()).unwrap().replace("\r\n", "|");
        assert!(!wire.contains(['\r', '\n', '\0']), "{end:?}: {wire:?}");
        assert_eq!(server.mails().len(), 1, "{end:?}");
        assert_eq!(server.verbs().iter().filter(|verb| *verb == "MAIL").count(), 1);
    }
}
