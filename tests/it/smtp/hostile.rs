//! SMTP sessions with a broken or hostile server: replies without end, at the wrong place, too late or never.

mod replies;

use std::time::Duration;

use futures_util::future::join_all;
use transports::mail::transcript::{Stage, Transcript};
use transports::secret::NOT_SHOWN;
use transports::smtp::{Error, ErrorKind, OtherProtocol, Security};

use crate::support::session::{Caller, address, lines, send, sign_in_with_token};
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password, reply};

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nHello.\r\n";
const TO: &[&str] = &["bob@example.com"];

fn raw(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

fn drip(text: &str) -> Act {
    Act::Drip(text.as_bytes().to_vec(), Duration::from_millis(10))
}

/// Every place where a session waits for a reply, with the stage that an error there has.
fn places() -> Vec<(At, Stage)> {
    vec![
        (At::Greeting, Stage::Greeting),
        (At::Ehlo, Stage::Ehlo),
        (At::StartTls, Stage::Starttls),
        (At::EhloInTls, Stage::Ehlo),
        (At::Auth, Stage::Auth),
        (At::Mail, Stage::MailFrom),
        (At::Rcpt, Stage::RcptTo),
        (At::Data, Stage::Data),
        (At::Message, Stage::Data),
    ]
}

/// A sending over STARTTLS, one command at a time, that fails.
async fn failed(script: Script, caller: &Caller) -> (Error, SmtpServer) {
    let server = SmtpServer::start(script.without("PIPELINING")).await;
    let error =
        caller.send(&server, TO, MESSAGE, &mut Transcript::default()).await.expect_err("must not succeed");
    (error, server)
}

/// Security case E1.
#[tokio::test]
async fn a_line_without_an_end_is_given_up_at_2048_octets() {
    for (at, stage) in places() {
        let caller = Caller::new(Security::StartTls);
        let script = Script::starttls().on(at.clone(), [raw("250 "), Act::Flood(vec![b'x'; 1_000])]);
        let (error, server) = failed(script, &caller).await;
        server.ended().await;
        assert_eq!(error.stage, stage, "{at:?}");
        if at == At::Message {
            assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
        } else {
            let expected = "a line of the reply is longer than 2,048 octets".to_owned();
            assert_eq!(error.kind, ErrorKind::Protocol(expected), "{at:?}");
        }
    }
}

/// Security case E2.
#[tokio::test]
async fn a_reply_without_an_end_is_given_up_at_128_lines_or_64_kib() {
    let long = format!("250-AUTH {}\r\n", "X".repeat(1_000));
    for (line, problem) in [
        ("250-x\r\n", "the reply has more than 128 lines"),
        ("250-\r\n", "the reply has more than 128 lines"),
        (long.as_str(), "the reply is larger than 64 KiB"),
    ] {
        for (at, stage) in places() {
            let script = Script::starttls().on(at.clone(), Act::Flood(line.as_bytes().to_vec()));
            let (error, server) = failed(script, &Caller::new(Security::StartTls)).await;
            server.ended().await;
            assert_eq!(error.stage, stage, "{at:?}");
            if at == At::Message {
                assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
            } else {
                assert_eq!(error.kind, ErrorKind::Protocol(problem.to_owned()), "{at:?}");
            }
        }
    }
}

/// Security case E3.
#[tokio::test]
async fn silence_at_any_place_ends_by_the_deadline() {
    join_all(places().into_iter().map(async |(at, stage)| {
        let script = Script::starttls().on(at.clone(), Act::Silence);
        let (error, server) = failed(script, &Caller::new(Security::StartTls).impatient()).await;
        server.ended().await;
        let expected = if at == At::Message { ErrorKind::OutcomeUnknown } else { ErrorKind::Timeout };
        assert_eq!((error.stage, &error.kind), (stage, &expected), "{at:?}");
        assert_eq!(error.is_transient(), at != At::Message);
        assert_ne!(server.verbs().last().map(String::as_str), Some("QUIT"), "it is out of step");
        assert!(server.last().stray.is_empty() || at == At::Greeting, "{at:?}");
    }))
    .await;
}

/// Security case E4.
#[tokio::test]
async fn a_byte_now_and_then_does_not_move_the_deadline() {
    join_all(places().into_iter().map(async |(at, stage)| {
        let script = Script::starttls().on(at.clone(), [raw("250-"), drip("x")]);
        let (error, server) = failed(script, &Caller::new(Security::StartTls).impatient()).await;
        server.ended().await;
        let expected = if at == At::Message { ErrorKind::OutcomeUnknown } else { ErrorKind::Timeout };
        assert_eq!((error.stage, &error.kind), (stage, &expected), "{at:?}");
    }))
    .await;
}

/// Far more than the kernel keeps between a client and a server with small buffers.
const LARGE: usize = 2 * 1024 * 1024;

/// A server which does not read this stops the writing.
fn larger_than_all_buffers() -> Vec<u8> {
    b"0123456789abcdef\r\n".repeat(LARGE / 18)
}

/// Security case E5.
#[tokio::test]
async fn a_server_that_does_not_read_the_message_is_given_up() {
    let message = larger_than_all_buffers();
    let server =
        SmtpServer::start(Script::plain().without("SIZE").on(At::Data, [reply("354 go"), Act::Freeze])).await;
    let mut log = Transcript::default();
    let caller = Caller::new(Security::None).impatient();
    let sent = caller.send(&server, TO, &message, &mut log).await;
    let error = sent.unwrap_err();
    assert_eq!((error.stage, error.kind), (Stage::Data, ErrorKind::Timeout), "it has not taken the message");
}

#[tokio::test]
async fn a_server_that_refuses_within_the_message_is_heard() {
    let message = larger_than_all_buffers();
    for end in [Act::Reset, Act::Freeze] {
        let acts = [reply("354 go"), Act::Pause(Duration::from_millis(50)), reply("552 5.3.4 enough"), end];
        let server =
            SmtpServer::start(Script::plain().without("SIZE").without("PIPELINING").on(At::Data, acts)).await;
        let mut log = Transcript::default();
        let sent = Caller::new(Security::None).send(&server, TO, &message, &mut log).await;
        let error = sent.unwrap_err();
        assert_eq!((error.stage, error.kind), (Stage::Data, ErrorKind::Refused));
        assert_eq!(error.reply.unwrap().to_string(), "552 5.3.4 enough");
    }
}

/// Security case E6.
#[tokio::test]
async fn an_end_at_any_place_is_a_loss_and_after_the_dot_it_is_unknown() {
    for (at, stage) in places() {
        for acts in [
            vec![Act::Close],
            vec![Act::Reset],
            vec![raw("2"), Act::Close],
            vec![raw("250"), Act::Close],
            vec![raw("250 almos"), Act::Reset],
            vec![raw("250-one\r\n"), Act::Close],
        ] {
            let script = Script::starttls().on(at.clone(), acts.clone());
            let (error, server) = failed(script, &Caller::new(Security::StartTls)).await;
            server.ended().await;
            let after_dot = at == At::Message;
            let expected = if after_dot { ErrorKind::OutcomeUnknown } else { ErrorKind::ConnectionLost };
            assert_eq!((error.stage, &error.kind), (stage, &expected), "{at:?} {acts:?}");
            assert_eq!(error.is_transient(), !after_dot, "a loss is tried again, an unknown outcome is not");
            assert_eq!(server.mails().len(), usize::from(after_dot));
        }
    }
}

/// Security case E7.
#[tokio::test]
async fn what_is_no_reply_is_refused_at_any_place() {
    for bytes in [
        "2506\r\n",
        "25\r\n",
        "250x\r\n",
        "999 x\r\n",
        "600 x\r\n",
        "ABC\r\n",
        "250-a\r\n251 b\r\n",
        "250 ok\n",
        "\r\n",
        " 250 ok\r\n",
    ] {
        for (at, stage) in places().into_iter().skip(1) {
            let script = Script::starttls().on(at.clone(), raw(bytes));
            let (error, server) = failed(script, &Caller::new(Security::StartTls)).await;
            server.ended().await;
            assert_eq!(error.stage, stage, "{at:?} {bytes:?}");
            if at == At::Message {
                assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
            } else {
                assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{at:?} {bytes:?}: {:?}", error.kind);
            }
            assert_ne!(server.verbs().last().map(String::as_str), Some("QUIT"), "it is out of step");
        }
    }
}

/// Security case E7.
#[tokio::test]
async fn odd_but_right_replies_are_taken() {
    for greeting in ["220\r\n", "220 \r\n", "220-\r\n220\r\n", "220 caf\u{e9}\r\n"] {
        let server = SmtpServer::start(Script::plain().on(At::Greeting, raw(greeting))).await;
        let mut log = Transcript::default();
        Caller::new(Security::None).verify(&server, &mut log).await.unwrap();
        assert!(!log.entries()[0].detail.chars().any(char::is_control));
    }
}

/// Security case E8.
#[tokio::test]
async fn a_greeting_that_is_no_welcome_ends_the_session() {
    for (greeting, refused) in [
        ("421 4.3.2 too many connections", true),
        ("450 4.7.1 later", true),
        ("500 what?", true),
        ("501 no", true),
        ("530 5.7.0 no", true),
        ("554 5.7.1 go away", true),
        ("221 bye", false),
        ("354 go on", false),
        ("250 ok", false),
        ("235 ok", false),
    ] {
        let (error, server) =
            failed(Script::starttls().on(At::Greeting, greeting), &Caller::new(Security::StartTls)).await;
        server.ended().await;
        assert_eq!((error.stage, error.command), (Stage::Greeting, None));
        assert_eq!(error.is_transient(), greeting.starts_with('4'), "{greeting}");
        if refused {
            assert_eq!(error.kind, ErrorKind::Refused);
            assert_eq!(error.reply.unwrap().to_string(), greeting);
        } else {
            assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{greeting}");
        }
        assert!(server.verbs().iter().all(|verb| verb == "QUIT"));
    }
}

/// Security case E9.
#[tokio::test]
async fn a_421_ends_the_session_at_any_place() {
    for (at, stage) in places() {
        let script = Script::starttls().on(at.clone(), [reply("421 4.3.2 shutting down"), Act::CloseNotify]);
        let (error, server) = failed(script, &Caller::new(Security::StartTls)).await;
        server.ended().await;
        assert_eq!((error.stage, &error.kind), (stage, &ErrorKind::Refused), "{at:?}");
        assert_eq!(error.reply.as_ref().unwrap().code, 421);
        assert!(error.is_transient());
        assert_ne!(server.verbs().last().map(String::as_str), Some("QUIT"), "it has ended");
    }
}

/// Security case E9.
#[tokio::test]
async fn a_421_that_came_unasked_is_told_at_the_next_command() {
    let script = Script::plain().on(At::Auth, [Act::Usual, reply("421 4.4.2 idle")]);
    let server = SmtpServer::start(script).await;
    let error = Caller::new(Security::None).verify(&server, &mut Transcript::default()).await.unwrap_err();
    assert_eq!((error.stage, error.kind.clone()), (Stage::MailFrom, ErrorKind::Refused));
    assert_eq!(error.reply.unwrap().code, 421);
}

/// Security case E10.
#[tokio::test]
async fn signing_in_ends_after_a_few_rounds_whatever_the_server_asks() {
    for (offer, auth, response) in [
        ("AUTH PLAIN", "334 ", "334 "),
        ("AUTH PLAIN", "334 %%%", "334 %%%"),
        ("AUTH LOGIN", "334 ", "334 "),
        ("AUTH LOGIN", "334 not base64 at all", "334 not base64 at all"),
        ("AUTH LOGIN", "235 2.7.0 come in", "334 "),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6", "235 2.7.0 come in"),
        ("AUTH PLAIN", "250 2.7.0 fine", "250 fine"),
        ("AUTH PLAIN", "220 fine", "220 fine"),
        ("AUTH PLAIN", "354 fine", "354 fine"),
    ] {
        let script = Script::starttls().with(offer).on(At::Auth, auth).on(At::AuthResponse, response);
        let (error, server) = failed(script, &Caller::new(Security::StartTls)).await;
        server.ended().await;
        assert_eq!(error.stage, Stage::Auth);
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{offer} {auth}: {:?}", error.kind);
        assert_eq!(server.sign_ins().len(), 1, "one attempt");
        assert_eq!(server.verbs(), ["EHLO", "STARTTLS", "EHLO", "AUTH"]);
    }
}

/// Security case E10.
#[tokio::test]
async fn a_token_is_not_asked_for_for_ever() {
    for (auth, response) in [("334 ", "334 "), ("334 %%%", "235 2.7.0 after all"), ("334 e30=", "250 ok")] {
        let script = Script::starttls().on(At::Auth, auth).on(At::AuthResponse, response);
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::StartTls).open(&server, &mut log).await.unwrap();
        let error = sign_in_with_token(&mut session, "token", &mut log).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{auth}: {:?}", error.kind);
    }
}

#[tokio::test]
async fn a_session_that_was_let_go_in_the_middle_says_nothing_more() {
    let server = SmtpServer::start(Script::plain().on(At::Auth, Act::Silence)).await;
    let mut log = Transcript::default();
    let caller = Caller::new(Security::None);
    let mut session = caller.open(&server, &mut log).await.unwrap();
    tokio::time::timeout(Duration::from_millis(100), caller.sign_in(&mut session, &mut log))
        .await
        .expect_err("the server is silent");
    let error = session.probe_sender(&address(USER), &mut log).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConnectionLost);
    session.quit().await;
    server.ended().await;
    assert_eq!(server.verbs(), ["EHLO", "AUTH"]);
    assert!(server.last().stray.is_empty(), "neither MAIL nor QUIT followed");
}

#[tokio::test]
async fn a_refusal_that_came_stands_over_the_loss_behind_it() {
    for (at, stage) in [(At::Mail, Stage::MailFrom), (At::Rcpt, Stage::RcptTo), (At::Data, Stage::Data)] {
        let script = Script::plain().on(at, [reply("550 5.7.1 no"), Act::Close]);
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
        let error = send(&mut session, USER, TO, MESSAGE, &mut log).await.unwrap_err();
        assert_eq!((error.stage, error.kind), (stage, ErrorKind::Refused));
        assert_eq!(error.reply.unwrap().to_string(), "550 5.7.1 no");
    }
}
