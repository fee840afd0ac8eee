//! SMTP sessions with a well-behaved server: what is said, in how many round trips, and what is written down.

mod chunks;
mod message;
mod sign_in;

use std::sync::Arc;

use tokio::task::JoinSet;
use transports::egress::Host;
use transports::mail::transcript::{Stage, Transcript};
use transports::smtp::{EnhancedCode, ErrorKind, Security};

use crate::support::session::{Caller, address, lines, send, sign_in_with_good_token, sign_in_with_token};
use crate::support::smtp_server::{At, Script, SignIn, SmtpServer, USER, good_password, good_token};

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nHello.\r\n";

fn scripts() -> [(Security, Script); 3] {
    [
        (Security::None, Script::plain()),
        (Security::StartTls, Script::starttls()),
        (Security::Tls, Script::implicit_tls()),
    ]
}

#[tokio::test]
async fn a_verify_takes_no_more_round_trips_than_the_protocol_needs() {
    for (security, script) in scripts() {
        for pipelining in [true, false] {
            let script = if pipelining { script.clone() } else { script.clone().without("PIPELINING") };
            let server = SmtpServer::start(script).await;
            let caller = Caller::new(security);
            let mut log = Transcript::default();
            let mut session = caller.open(&server, &mut log).await.unwrap();
            caller.sign_in(&mut session, &mut log).await.unwrap();
            let expected = match security {
                Security::StartTls => 7,
                Security::Tls => 5,
                Security::None => 4,
            };
            assert_eq!(server.last().round_trips(), expected, "{security:?}");
            session.probe_sender(&address(USER), &mut log).await.unwrap();
            assert_eq!(server.last().round_trips(), expected + 1, "{security:?}, with the sender");
            session.quit().await;
            server.ended().await;
            assert_eq!(server.last().round_trips(), expected + 1, "nobody waits for RSET and QUIT");
            let verbs = server.verbs();
            assert_eq!(verbs[verbs.len() - 3..], ["MAIL", "RSET", "QUIT"]);
        }
    }
}

#[tokio::test]
async fn a_mail_takes_two_round_trips_with_pipelining_and_one_with_chunking_as_well() {
    let cases = [
        (Script::plain().with("CHUNKING"), 1),
        (Script::plain(), 2),
        (Script::plain().without("PIPELINING").with("CHUNKING"), 3),
        (Script::plain().without("PIPELINING"), 4),
    ];
    for (script, each) in cases {
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
        let before = server.last().flights;
        for _ in 0..3 {
            send(&mut session, USER, &["bob@example.com"], MESSAGE, &mut log).await.unwrap();
        }
        assert_eq!(server.last().flights - before, 3 * each);
        session.quit().await;
        assert_eq!(server.mails().len(), 3);
    }
}

#[tokio::test]
async fn every_step_is_written_down_without_the_password() {
    let server = SmtpServer::start(Script::starttls().with("PIPELINING")).await;
    let mut log = Transcript::default();
    Caller::new(Security::StartTls).send(&server, &["bob@example.com"], MESSAGE, &mut log).await.unwrap();
    let expected = [
        "greeting: 220 mail.example.com ESMTP ready",
        "ehlo: EHLO [127.0.0.1]: 250 mail.example.com PIPELINING SIZE 10485760 8BITMIME STARTTLS",
        "starttls: STARTTLS: 220 2.0.0 go ahead",
        "tls: TLS 1.3, TLS13_AES_256_GCM_SHA384",
        "ehlo: EHLO [127.0.0.1]: 250 mail.example.com SIZE 10485760 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES \
         AUTH PLAIN LOGIN XOAUTH2 PIPELINING",
        "auth: AUTH PLAIN <hidden>: 235 2.7.0 welcome",
        "mail_from: MAIL FROM:<ada@example.com> SIZE=26: 250 2.1.0 sender ok",
        "rcpt_to: RCPT TO:<bob@example.com>: 250 2.1.5 recipient ok",
        "data: DATA: 354 end with a dot",
        "data: message: 250 2.0.0 queued as 4711",
    ];
    assert_eq!(lines(&log), expected);
}

#[tokio::test]
async fn the_name_in_ehlo_is_the_configured_one_or_the_own_address() {
    let v6 = "2001:db8::7".parse().unwrap();
    for (name, listen, expected) in [
        (Some(Host::Name("out.example.com".to_owned())), "127.0.0.1", "EHLO out.example.com"),
        (Some(Host::Address(v6)), "127.0.0.1", "EHLO [IPv6:2001:db8::7]"),
        (None, "127.0.0.1", "EHLO [127.0.0.1]"),
        (None, "::1", "EHLO [IPv6:::1]"),
    ] {
        let server = SmtpServer::start_on(listen, Script::plain()).await;
        let mut caller = Caller::new(Security::None);
        caller.settings.ehlo_name = name;
        caller.open(&server, &mut Transcript::default()).await.unwrap();
        assert_eq!(server.lines(), [expected]);
    }
}

#[tokio::test]
async fn what_the_server_offers_is_known() {
    let server = SmtpServer::start(Script::implicit_tls().with("SIZE 1234")).await;
    let session = Caller::new(Security::Tls).open(&server, &mut Transcript::default()).await.unwrap();
    let offers = session.capabilities();
    assert_eq!(offers.auth, ["PLAIN", "LOGIN", "XOAUTH2"]);
    assert_eq!(offers.size, Some(1_234));
    assert!(offers.pipelining && !offers.starttls);
}

#[tokio::test]
async fn a_refused_sender_is_told_and_the_session_goes_on() {
    for script in [Script::starttls(), Script::starttls().without("PIPELINING")] {
        let refusal = "553-5.7.1 not owned\n553 5.7.1 by user ada";
        let server = SmtpServer::start(script.on(At::Mail, refusal)).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::StartTls).open(&server, &mut log).await.unwrap();
        let error = session.probe_sender(&address(USER), &mut log).await.unwrap_err();
        assert_eq!((error.stage, error.kind.clone()), (Stage::MailFrom, ErrorKind::Refused));
        assert_eq!(error.reply.as_ref().unwrap().to_string(), "553 5.7.1 not owned by user ada");
        assert!(!error.is_transient());
        let again = session.probe_sender(&address(USER), &mut log).await.unwrap_err();
        assert_eq!(again.kind, ErrorKind::Refused);
        session.quit().await;
        server.ended().await;
        assert_eq!(server.verbs().last().unwrap(), "QUIT");
    }
}

#[tokio::test]
async fn what_the_last_reset_answered_is_never_taken_for_another_reply() {
    for script in [Script::plain(), Script::plain().without("PIPELINING")] {
        let server = SmtpServer::start(script.on(At::Rset, "250 2.0.0 reset")).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
        for _ in 0..3 {
            let reply = session.probe_sender(&address(USER), &mut log).await.unwrap();
            assert_eq!(reply.to_string(), "250 2.1.0 sender ok");
        }
        let receipt = send(&mut session, USER, &["bob@example.com"], MESSAGE, &mut log).await.unwrap();
        assert_eq!(receipt.reply.to_string(), "250 2.0.0 queued as 4711");
    }
}

/// Security case E12.
#[tokio::test]
async fn each_recipient_has_its_own_outcome() {
    for script in [Script::starttls(), Script::starttls().without("PIPELINING")] {
        let script = script
            .on(At::RcptTo("nobody@example.com"), "550 5.1.1 no such user")
            .on(At::RcptTo("late@example.com"), "451 4.7.1 try later")
            .on(At::RcptTo("moved@example.com"), "251 2.1.5 will forward");
        let server = SmtpServer::start(script).await;
        let to = ["bob@example.com", "nobody@example.com", "moved@example.com", "late@example.com"];
        let mut log = Transcript::default();
        let receipt = Caller::new(Security::StartTls).send(&server, &to, MESSAGE, &mut log).await.unwrap();
        assert_eq!(receipt.accepted, ["bob@example.com", "moved@example.com"].map(address));
        let rejected: Vec<_> = receipt
            .rejected
            .iter()
            .map(|rejected| (rejected.recipient.as_str(), rejected.reply.to_string()))
            .collect();
        let expected = [
            ("nobody@example.com", "550 5.1.1 no such user".to_owned()),
            ("late@example.com", "451 4.7.1 try later".to_owned()),
        ];
        assert_eq!(rejected, expected);
        server.ended().await;
        assert_eq!(server.mails().len(), 1);
        assert_eq!(server.mails()[0].to, ["bob@example.com", "moved@example.com"]);
    }
}

/// Security case E12.
#[tokio::test]
async fn where_all_recipients_are_refused_the_first_reply_tells_why() {
    for pipelining in [true, false] {
        for data in ["554 5.5.1 no valid recipients", "354 go on then", "503 5.5.1 what"] {
            let mut script = Script::starttls()
                .on(At::RcptTo("one@example.com"), "550 5.1.1 first")
                .on(At::RcptTo("two@example.com"), "452 4.5.3 second")
                .on(At::Data, data)
                .on(At::Message, "554 5.5.1 nobody to give it to");
            if !pipelining {
                script = script.without("PIPELINING");
            }
            let server = SmtpServer::start(script).await;
            let mut log = Transcript::default();
            let caller = Caller::new(Security::StartTls);
            let mut session = caller.open(&server, &mut log).await.unwrap();
            let to = ["one@example.com", "two@example.com"];
            let error = send(&mut session, USER, &to, MESSAGE, &mut log).await.unwrap_err();
            assert_eq!(
                (error.stage, error.kind, error.command),
                (Stage::RcptTo, ErrorKind::Refused, Some("RCPT"))
            );
            assert_eq!(error.reply.unwrap().to_string(), "550 5.1.1 first", "{data}");
            let reply = session.probe_sender(&address(USER), &mut log).await.expect("still in step");
            assert_eq!(reply.to_string(), "250 2.1.0 sender ok", "{data}");
            session.quit().await;
            server.ended().await;
            let mails = server.mails();
            assert_eq!(mails.len(), usize::from(pipelining && data.starts_with("354")), "{data}");
            assert!(mails.iter().all(|mail| mail.wire.is_empty()), "nothing of the message was sent");
        }
    }
}

#[tokio::test]
async fn a_refused_sender_ends_the_mail_and_not_the_session() {
    for pipelining in [true, false] {
        for data in ["503 5.5.1 no sender", "354 go on then"] {
            let mut script = Script::plain()
                .on(At::Mail, "550 5.7.1 not you")
                .on(At::Rcpt, "503 5.5.1 no sender")
                .on(At::Data, data)
                .on(At::Message, "554 5.5.1 no sender");
            if !pipelining {
                script = script.without("PIPELINING");
            }
            let server = SmtpServer::start(script).await;
            let mut log = Transcript::default();
            let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
            for _ in 0..2 {
                let error =
                    send(&mut session, USER, &["bob@example.com"], MESSAGE, &mut log).await.unwrap_err();
                assert_eq!((error.stage, error.kind), (Stage::MailFrom, ErrorKind::Refused));
                assert_eq!(error.reply.unwrap().to_string(), "550 5.7.1 not you");
            }
            session.quit().await;
            server.ended().await;
            assert_eq!(server.verbs().last().unwrap(), "QUIT");
            assert!(server.mails().iter().all(|mail| mail.wire.is_empty()));
        }
    }
}

#[tokio::test]
async fn a_refusal_of_data_or_of_the_message_is_told() {
    for (at, refusal, transient) in [
        (At::Data, "451 4.3.0 busy", true),
        (At::Data, "554 5.7.1 no", false),
        (At::Message, "552 5.3.4 too big", false),
        (At::Message, "451 4.7.1 later", true),
    ] {
        for script in [Script::plain(), Script::plain().without("PIPELINING")] {
            let server = SmtpServer::start(script.on(at.clone(), refusal)).await;
            let mut log = Transcript::default();
            let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
            for _ in 0..2 {
                let error =
                    send(&mut session, USER, &["bob@example.com"], MESSAGE, &mut log).await.unwrap_err();
                assert_eq!((error.stage, error.kind.clone()), (Stage::Data, ErrorKind::Refused));
                assert_eq!(error.is_transient(), transient);
                assert_eq!(error.reply.unwrap().to_string(), refusal);
            }
        }
    }
}

#[tokio::test]
async fn each_connection_learns_anew_what_the_server_offers() {
    let server = SmtpServer::start(Script::starttls().with("AUTH LOGIN")).await;
    let caller = Caller::new(Security::StartTls);
    caller.verify(&server, &mut Transcript::default()).await.unwrap();
    server.play(Script::starttls().with("AUTH PLAIN").without("PIPELINING"));
    caller.verify(&server, &mut Transcript::default()).await.unwrap();
    let mechanisms: Vec<_> = server.sign_ins().into_iter().map(|attempt| attempt.mechanism).collect();
    assert_eq!(mechanisms, ["LOGIN", "PLAIN"]);
}

#[tokio::test]
async fn many_sessions_at_one_server_do_not_mix() {
    let server = Arc::new(SmtpServer::start(Script::starttls()).await);
    let mut sends = JoinSet::new();
    for number in 0..20 {
        let server = Arc::clone(&server);
        sends.spawn(async move {
            let to = format!("user{number}@example.com");
            let body = format!("Subject: {number}\r\n\r\n{number}\r\n");
            let mut log = Transcript::default();
            Caller::new(Security::StartTls).send(&server, &[&to], body.as_bytes(), &mut log).await.unwrap();
        });
    }
    sends.join_all().await;
    server.ended().await;
    assert_eq!(server.connections(), 20);
    for mail in server.mails() {
        let number = mail.to[0].trim_start_matches("user").split('@').next().unwrap().to_owned();
        assert!(mail.bytes().ends_with(format!("\r\n{number}\r\n").as_bytes()));
    }
}
