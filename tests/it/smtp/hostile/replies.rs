//! Text that a hostile server puts into its replies, and servers of another kind.

use super::*;

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
#[allow(clippy::format_collect, reason = "short texts, built once")]
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
    let answers = [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", ErrorKind::NotSmtp(OtherProtocol::Http)),
        ("-ERR unknown command\r\n", ErrorKind::NotSmtp(OtherProtocol::Redis)),
        ("220 mail.example.com, at last\r\n", ErrorKind::Timeout),
    ];
    join_all(answers.map(async |(answer, kind)| {
        // It waits for the first flight, as a TLS server does, and then answers in the clear.
        let script = Script::implicit_tls().on(At::Handshake, raw(answer));
        let server = SmtpServer::start(script).await;
        let caller = Caller::new(Security::StartTls).impatient();
        let error = caller.verify(&server, &mut Transcript::default()).await.unwrap_err();
        assert_eq!((error.stage, error.kind), (Stage::Greeting, kind), "{answer}");
    }))
    .await;
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
