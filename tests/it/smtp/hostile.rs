//! SMTP sessions with a broken or hostile server: replies without end, at the wrong place, too late or never.

use std::time::Duration;

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
    for (at, stage) in places() {
        let script = Script::starttls().on(at.clone(), Act::Silence);
        let (error, server) = failed(script, &Caller::new(Security::StartTls).impatient()).await;
        server.ended().await;
        let expected = if at == At::Message { ErrorKind::OutcomeUnknown } else { ErrorKind::Timeout };
        assert_eq!((error.stage, &error.kind), (stage, &expected), "{at:?}");
        assert_eq!(error.is_transient(), at != At::Message);
        assert_ne!(server.verbs().last().map(String::as_str), Some("QUIT"), "it is out of step");
        assert!(server.last().stray.is_empty() || at == At::Greeting, "{at:?}");
    }
}

/// Security case E4.
#[tokio::test]
async fn a_byte_now_and_then_does_not_move_the_deadline() {
    for (at, stage) in places() {
        let script = Script::starttls().on(at.clone(), [raw("250-"), drip("x")]);
        let (error, server) = failed(script, &Caller::new(Security::StartTls).impatient()).await;
        server.ended().await;
        let expected = if at == At::Message { ErrorKind::OutcomeUnknown } else { ErrorKind::Timeout };
        assert_eq!((error.stage, &error.kind), (stage, &expected), "{at:?}");
    }
}

/// More than the kernel keeps between two sockets, so that a server which does not read stops the writing.
fn larger_than_all_buffers() -> Vec<u8> {
    b"0123456789abcdef\r\n".repeat(800_000)
}

/// Time enough to make so large a message ready without optimisation, on a busy machine.
fn with_time_for_it() -> Caller {
    Caller { time: Duration::from_secs(4), ..Caller::new(Security::None) }
}

/// Security case E5.
#[tokio::test]
async fn a_server_that_does_not_read_the_message_is_given_up() {
    let message = larger_than_all_buffers();
    let server =
        SmtpServer::start(Script::plain().without("SIZE").on(At::Data, [reply("354 go"), Act::Freeze])).await;
    let mut log = Transcript::default();
    let sent = with_time_for_it().send(&server, TO, &message, &mut log).await;
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
        let sent = with_time_for_it().send(&server, TO, &message, &mut log).await;
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

/// Security case E10.
#[tokio::test]
async fn refusals_of_a_sign_in_are_told_as_they_came() {
    for refusal in
        ["454 4.7.0 later", "535 5.7.8 wrong", "538 5.7.11 encrypt first", "534 5.7.9 app password", "504 no"]
    {
        for (offer, at) in
            [("AUTH PLAIN", At::Auth), ("AUTH LOGIN", At::Auth), ("AUTH LOGIN", At::AuthResponse)]
        {
            let script = Script::starttls().with(offer).on(at, refusal);
            let (error, server) = failed(script, &Caller::new(Security::StartTls)).await;
            server.ended().await;
            assert_eq!((error.stage, &error.kind), (Stage::Auth, &ErrorKind::Refused));
            assert_eq!(error.command, Some("AUTH"));
            assert_eq!(error.is_transient(), refusal.starts_with('4'));
            assert_eq!(error.reply.unwrap().to_string(), refusal);
            assert_eq!(server.sign_ins().len(), 1, "no second mechanism is tried");
        }
    }
}

/// The password in forms in which servers repeat it.
fn echoes() -> Vec<String> {
    use base64::Engine;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let password = good_password();
    let plain = base64(&format!("\0{USER}\0{password}"));
    let hexadecimal: String = password.bytes().map(|octet| format!("{octet:02x}")).collect();
    vec![
        password.to_owned(),
        password.repeat(2),
        password[..password.len() - 3].to_owned(),
        password.to_uppercase(),
        password.chars().rev().collect(),
        password.chars().map(|c| format!("{c} ")).collect(),
        base64(password),
        base64(&format!("x{password}")),
        plain[..plain.len() - 5].to_owned(),
        plain,
        hexadecimal,
        password.bytes().map(|octet| format!("%{octet:02X}")).collect(),
        password.bytes().map(|octet| format!("={octet:02X}")).collect(),
    ]
}

/// Security cases I2, M17.
#[tokio::test]
async fn a_reply_that_repeats_the_password_is_not_shown() {
    for echo in echoes() {
        for (offer, at) in
            [("AUTH PLAIN", At::Auth), ("AUTH LOGIN", At::AuthResponse), ("AUTH PLAIN", At::Mail)]
        {
            let text = format!("535-5.7.8 you said\n535 5.7.8 '{echo}' to me");
            let server = SmtpServer::start(Script::starttls().with(offer).on(at, &*text)).await;
            let mut log = Transcript::default();
            let error = Caller::new(Security::StartTls).verify(&server, &mut log).await.unwrap_err();
            let shown = format!("{error:?} {:?}", lines(&log));
            assert!(!shown.contains(good_password()) && !shown.contains(&echo), "{shown}");
            assert_eq!(error.reply.unwrap().to_string(), format!("535 5.7.8 {NOT_SHOWN}"));
        }
    }
}

/// A server may know the password from before.
/// Security case M17.
#[tokio::test]
async fn what_repeats_the_password_before_the_sign_in_is_not_shown_either() {
    for echo in echoes() {
        let script = Script::starttls().on(At::Greeting, &*format!("220 hello {echo}"));
        let ehlo = format!("250-hello {echo}\r\n250-STARTTLS\r\n250 AUTH {echo} PLAIN");
        let server = SmtpServer::start(script.on(At::Ehlo, &*ehlo).on(At::EhloInTls, &*ehlo)).await;
        let mut log = Transcript::default();
        Caller::new(Security::StartTls).verify(&server, &mut log).await.unwrap();
        let shown = format!("{:?}", lines(&log));
        assert!(!shown.contains(&echo), "{shown}");
        assert_eq!(shown.matches(NOT_SHOWN).count(), 3, "the greeting and both EHLO: {shown}");

        let refusal = format!("550 5.7.1 go away {echo}");
        let server =
            SmtpServer::start(Script::starttls().on(At::Ehlo, &*refusal).on(At::Helo, &*refusal)).await;
        let error = Caller::new(Security::StartTls).verify(&server, &mut log).await.unwrap_err();
        assert_eq!(error.reply.unwrap().to_string(), format!("550 5.7.1 {NOT_SHOWN}"));

        if echo.starts_with('=') {
            // It separates names, of which each is kept once: nothing is left of the order.
            continue;
        }
        let offer = format!("AUTH {} CRAM-MD5", echo.replace(' ', ""));
        let server = SmtpServer::start(Script::starttls().with(&offer)).await;
        let error = Caller::new(Security::StartTls).verify(&server, &mut log).await.unwrap_err();
        let ErrorKind::NoCommonMechanism { offered } = &error.kind else { panic!("{error:?}") };
        assert!(offered.iter().any(|name| name == NOT_SHOWN), "{offered:?}");
        assert!(!format!("{error:?}").to_uppercase().contains(&echo.to_uppercase()), "{error:?}");
    }
}

/// Security case M17.
#[tokio::test]
async fn a_password_that_is_a_word_of_the_protocol_lets_the_session_go_on() {
    for password in ["STARTTLS", "PLAIN", "AUTH PLAIN", "250"] {
        let server = SmtpServer::start(Script::starttls().account(USER, password)).await;
        let mut log = Transcript::default();
        Caller::new(Security::StartTls).password(password).verify(&server, &mut log).await.unwrap();
    }
}

/// Security case I2.
#[tokio::test]
async fn a_token_that_the_server_echoes_in_its_challenge_is_taken_out() {
    use base64::Engine;
    let challenge = base64::engine::general_purpose::STANDARD.encode(r#"{"token":"a secret token"}"#);
    let server = SmtpServer::start(Script::starttls().on(At::Auth, &*format!("334 {challenge}"))).await;
    let mut log = Transcript::default();
    let mut session = Caller::new(Security::StartTls).open(&server, &mut log).await.unwrap();
    let error = sign_in_with_token(&mut session, "a secret token", &mut log).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OAuthRefused { challenge: NOT_SHOWN.to_owned() });
}

/// Security case I3.
#[tokio::test]
async fn what_a_server_says_is_kept_as_short_printable_ascii() {
    let hostile = "535 5.7.8 <script>\u{1b}]0;x\u{7}\u{202e}\0\rx";
    let text = format!("{hostile}{}\r\n", "y".repeat(1_500));
    let server = SmtpServer::start(Script::starttls().on(At::Auth, raw(&text))).await;
    let mut log = Transcript::default();
    let error = Caller::new(Security::StartTls).verify(&server, &mut log).await.unwrap_err();
    let printable = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(printable(&error.reply.unwrap().to_string()));
    for entry in log.entries() {
        assert!(printable(&entry.detail) && entry.detail.len() <= Transcript::MAX_DETAIL);
    }
}

/// Security case A16.
#[tokio::test]
async fn another_service_is_told_by_name_and_never_by_its_bytes() {
    for (bytes, protocol) in [
        ("SSH-2.0-OpenSSH_9.2 canary\r\n", OtherProtocol::Ssh),
        ("* OK canary IMAP4rev1\r\n", OtherProtocol::Imap),
        ("+OK canary POP3\r\n", OtherProtocol::Pop3),
        ("HTTP/1.1 400 canary\r\n\r\n", OtherProtocol::Http),
        ("-DENIED canary\r\n", OtherProtocol::Redis),
        ("\u{4a}\0\0\0\u{a}8.0.36-canary\0", OtherProtocol::MySql),
        ("\u{16}\u{3}\u{1}canary", OtherProtocol::Tls),
        ("canary\r\n", OtherProtocol::Unknown),
        ("canary without an end", OtherProtocol::Unknown),
    ] {
        for security in [Security::None, Security::StartTls] {
            let server = SmtpServer::start(Script::plain().on(At::Greeting, raw(bytes))).await;
            let mut log = Transcript::default();
            let error = Caller::new(security).verify(&server, &mut log).await.unwrap_err();
            server.ended().await;
            assert_eq!((error.stage, &error.kind), (Stage::Greeting, &ErrorKind::NotSmtp(protocol)));
            assert!(!format!("{error:?} {:?}", lines(&log)).contains("canary"));
            assert_eq!(server.verbs(), Vec::<String>::new(), "nothing was said to it");
        }
    }
}

/// Security case A16.
#[tokio::test]
async fn a_service_that_speaks_only_when_spoken_to_is_told_by_its_answer_to_a_client_hello() {
    for (answer, kind) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", ErrorKind::NotSmtp(OtherProtocol::Http)),
        ("-ERR unknown command\r\n", ErrorKind::NotSmtp(OtherProtocol::Redis)),
        ("220 mail.example.com, at last\r\n", ErrorKind::Timeout),
    ] {
        // It waits for the first flight, as a TLS server does, and then answers in the clear.
        let script = Script::implicit_tls().on(At::Handshake, raw(answer));
        let server = SmtpServer::start(script).await;
        let caller = Caller::new(Security::StartTls).impatient();
        let error = caller.verify(&server, &mut Transcript::default()).await.unwrap_err();
        assert_eq!((error.stage, error.kind), (Stage::Greeting, kind), "{answer}");
    }
}

#[tokio::test]
async fn an_ftp_server_is_told_although_it_greets_like_smtp() {
    let script = Script::plain()
        .on(At::Greeting, "220 (vsFTPd 3.0.5)")
        .on(At::Ehlo, "530 Please login with USER and PASS.")
        .on(At::Helo, "530 Please login with USER and PASS.");
    let server = SmtpServer::start(script).await;
    let error = Caller::new(Security::None).verify(&server, &mut Transcript::default()).await.unwrap_err();
    assert_eq!((error.stage, error.kind), (Stage::Greeting, ErrorKind::NotSmtp(OtherProtocol::Ftp)));
}

#[tokio::test]
async fn a_refused_ehlo_name_is_told() {
    for (ehlo, helo, expected) in [
        ("501 5.5.4 bad name", reply("501 5.5.4 bad name again"), "501 5.5.4 bad name again"),
        ("550 5.7.1 bad name", Act::Close, "550 5.7.1 bad name"),
        ("450 4.7.1 later", reply("250 fine"), "450 4.7.1 later"),
    ] {
        let server = SmtpServer::start(Script::plain().on(At::Ehlo, ehlo).on(At::Helo, helo)).await;
        let error =
            Caller::new(Security::None).verify(&server, &mut Transcript::default()).await.unwrap_err();
        assert_eq!((error.stage, error.kind), (Stage::Ehlo, ErrorKind::Refused));
        assert_eq!(error.reply.unwrap().to_string(), expected);
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
