//! SMTP sessions and TLS: what a server, or somebody on the way to it, does around STARTTLS and the handshake.

mod other_services;
mod trust;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use transports::egress::Host;
use transports::mail::transcript::{Stage, Transcript};
use transports::smtp::{Chain, Error, ErrorKind, OtherProtocol, Security, Session, TlsFailure};

use crate::support::certificates::{self, Certificate};
use crate::support::session::{Caller, connect, lines};
use crate::support::smtp_server::{Act, At, Script, SmtpServer, reply};

const HOST: &str = "mail.example.com";

/// A verify that fails; nothing of the account has reached the server in the clear.
async fn refused(script: Script, caller: &Caller) -> (Error, SmtpServer) {
    let server = SmtpServer::start(script).await;
    let error = caller.verify(&server, &mut Transcript::default()).await.expect_err("must not succeed");
    server.ended().await;
    for seen in server.seen() {
        assert!(seen.sign_ins.iter().all(|attempt| attempt.tls), "AUTH in the clear: {seen:?}");
        assert!(seen.commands.iter().all(|command| command.tls || !is_secret(&command.verb())), "{seen:?}");
    }
    (error, server)
}

fn is_secret(verb: &str) -> bool {
    ["AUTH", "MAIL", "RCPT", "DATA"].contains(&verb)
}

fn raw(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// Security case D1.
#[tokio::test]
async fn bytes_behind_the_220_to_starttls_end_the_session() {
    for injected in [
        "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n",
        "220 go\r\n2",
        "220 go\r\n\r\n",
        "220 go\r\n250-half a reply\r\n",
        "220 go\r\n220 go\r\n",
        "220-go\r\n220 go\r\n235 ok\r\n",
    ] {
        let script = Script::starttls().on(At::StartTls, raw(injected));
        let (error, server) = refused(script, &Caller::new(Security::StartTls)).await;
        assert_eq!(error.kind, ErrorKind::ResponseInjection, "{injected:?}");
        assert_eq!(error.stage, Stage::Starttls);
        assert_eq!(server.verbs(), ["EHLO", "STARTTLS"], "not even QUIT follows");
        assert!(!server.last().tls);
    }
}

/// Security case D2.
#[tokio::test]
async fn a_whole_transaction_injected_before_tls_sends_nothing() {
    let all = "220 go\r\n250 ok\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n";
    for act in
        [vec![raw(all)], vec![raw("220 go\r\n"), Act::Pause(Duration::from_millis(20)), raw(&all[8..])]]
    {
        let server = SmtpServer::start(Script::starttls().on(At::StartTls, act)).await;
        let mut log = Transcript::default();
        let sent =
            Caller::new(Security::StartTls).send(&server, &["bob@example.com"], b"x\r\n", &mut log).await;
        assert_eq!(sent.unwrap_err().kind, ErrorKind::ResponseInjection);
        server.ended().await;
        assert_eq!(server.mails(), []);
        assert_eq!(server.sign_ins(), []);
    }
}

/// Security case D3.
#[tokio::test]
async fn bytes_in_the_clear_that_come_later_end_the_handshake() {
    for milliseconds in [1, 10, 50, 200] {
        for injected in ["250-x\r\n250 AUTH PLAIN\r\n", "\r\n", "x", "HTTP/1.1 200 OK\r\n\r\n"] {
            let acts = [raw("220 go\r\n"), Act::Pause(Duration::from_millis(milliseconds)), raw(injected)];
            let script = Script::starttls().on(At::StartTls, acts);
            let (error, server) = refused(script, &Caller::new(Security::StartTls)).await;
            assert_eq!(error.kind, ErrorKind::ResponseInjection, "{injected:?} after {milliseconds} ms");
            assert_eq!(server.sign_ins(), []);
        }
    }
}

/// Security case D4.
#[tokio::test]
async fn without_starttls_nothing_is_said_in_the_clear() {
    let script = Script::starttls().without("STARTTLS").with_in_the_clear("AUTH PLAIN LOGIN");
    let (error, server) = refused(script, &Caller::new(Security::StartTls)).await;
    assert_eq!((error.stage, error.kind), (Stage::Starttls, ErrorKind::StartTlsMissing));
    assert_eq!(error.capabilities.unwrap().auth, ["PLAIN", "LOGIN"]);
    assert_eq!(server.verbs(), ["EHLO", "QUIT"]);
}

/// Security case D5.
#[tokio::test]
async fn any_answer_to_starttls_but_220_is_a_failure() {
    for (answer, said_no) in [
        ("454 4.7.0 TLS not available", true),
        ("502 5.5.1 not implemented", true),
        ("501 5.5.4 syntax", true),
        ("530 5.7.0 authenticate first", true),
        ("421 4.3.2 closing", true),
        ("354 go on", false),
        ("221 bye", false),
        ("250 ok", false),
        ("235 ok", false),
        ("334 ", false),
    ] {
        let script = Script::starttls().on(At::StartTls, answer);
        let (error, server) = refused(script, &Caller::new(Security::StartTls)).await;
        assert_eq!((error.stage, error.command), (Stage::Starttls, Some("STARTTLS")));
        assert_eq!(error.is_transient(), answer.starts_with('4'), "{answer}");
        if said_no {
            assert_eq!(error.kind, ErrorKind::Refused, "{answer}");
            assert_eq!(error.reply.unwrap().to_string(), answer);
        } else {
            assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{answer}: {:?}", error.kind);
        }
        assert!(!server.last().tls);
    }
}

/// Security case D6.
#[tokio::test]
async fn a_220_before_starttls_was_said_is_an_injection() {
    let ehlo = "250-mail.example.com\r\n250 STARTTLS\r\n220 go\r\n";
    let (error, server) =
        refused(Script::starttls().on(At::Ehlo, raw(ehlo)), &Caller::new(Security::StartTls)).await;
    assert_eq!((error.stage, error.kind), (Stage::Starttls, ErrorKind::ResponseInjection));
    assert_eq!(server.verbs(), ["EHLO"]);
}

/// Security case D7.
#[tokio::test]
async fn helo_offers_nothing_so_starttls_is_missing() {
    for refusal in ["500 what?", "502 5.5.1 not implemented", "550 5.7.1 no EHLO here"] {
        let script = Script::starttls().on(At::Ehlo, refusal);
        let (error, server) = refused(script, &Caller::new(Security::StartTls)).await;
        assert_eq!((error.stage, error.kind), (Stage::Starttls, ErrorKind::StartTlsMissing));
        assert_eq!(server.verbs(), ["EHLO", "HELO", "QUIT"]);
    }
}

/// Security case D7.
#[tokio::test]
async fn helo_is_enough_where_no_encryption_was_asked_for() {
    let server = SmtpServer::start(Script::plain().on(At::Ehlo, "500 what?")).await;
    let session = Caller::new(Security::None).open(&server, &mut Transcript::default()).await.unwrap();
    assert_eq!(session.capabilities(), &transports::smtp::Capabilities::default());
}

/// Security case D8.
#[tokio::test]
async fn what_was_offered_before_tls_is_forgotten() {
    let before = Script::starttls().with_in_the_clear("AUTH PLAIN LOGIN").with_in_the_clear("X-BEFORE");
    let (error, server) = refused(
        before.without("SMTPUTF8").on(At::EhloInTls, "250 mail.example.com"),
        &Caller::new(Security::StartTls),
    )
    .await;
    assert_eq!((error.stage, error.kind), (Stage::Auth, ErrorKind::AuthNotOffered { encrypted: true }));
    assert_eq!(error.capabilities, None);
    assert_eq!(server.sign_ins(), []);

    let script = Script::starttls()
        .with_in_the_clear("AUTH PLAIN")
        .on(At::EhloInTls, "250-mail.example.com\n250 AUTH LOGIN");
    let server = SmtpServer::start(script).await;
    Caller::new(Security::StartTls).verify(&server, &mut Transcript::default()).await.unwrap();
    assert_eq!(server.sign_ins()[0].mechanism, "LOGIN");
    assert!(server.lines().contains(&"MAIL FROM:<ada@example.com>".to_owned()), "{:?}", server.lines());
}

/// Security case D8.
#[tokio::test]
async fn where_tls_offers_no_ehlo_nothing_from_before_is_used() {
    let script = Script::starttls().with_in_the_clear("AUTH PLAIN").on(At::EhloInTls, "500 what?");
    let (error, _) = refused(script, &Caller::new(Security::StartTls)).await;
    assert_eq!(error.kind, ErrorKind::AuthNotOffered { encrypted: true });
}

/// A `ServerHello` as a server of this version would answer: no extensions, this cipher suite.
fn server_hello(version: [u8; 2], suite: [u8; 2]) -> Act {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(suite);
    body.push(0);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, version[0], version[1], 0, length + 4, 0x02, 0, 0, length];
    record.extend(body);
    Act::Send(record)
}

/// A fatal alert in a record of TLS 1.0, as servers send it before a version is agreed on.
fn alert(description: u8) -> Act {
    Act::Send(vec![0x15, 0x03, 0x01, 0, 2, 2, description])
}

/// Security case D10.
#[tokio::test]
async fn old_versions_and_weak_ciphers_are_refused() {
    const RSA_AES_SHA: [u8; 2] = [0x00, 0x2f];
    for (label, answer, expected) in [
        ("TLS 1.0", server_hello([3, 1], RSA_AES_SHA), TlsFailure::Version),
        ("TLS 1.1", server_hello([3, 2], RSA_AES_SHA), TlsFailure::Version),
        ("SSL 3.0", server_hello([3, 0], RSA_AES_SHA), TlsFailure::Version),
        ("RSA key exchange", server_hello([3, 3], RSA_AES_SHA), TlsFailure::NoCommonCipher),
        ("NULL", server_hello([3, 3], [0x00, 0x02]), TlsFailure::NoCommonCipher),
        ("EXPORT", server_hello([3, 3], [0x00, 0x03]), TlsFailure::NoCommonCipher),
        ("handshake_failure", alert(40), TlsFailure::NoCommonCipher),
        ("protocol_version", alert(70), TlsFailure::Version),
        ("insufficient_security", alert(71), TlsFailure::NoCommonCipher),
        ("internal_error", alert(80), TlsFailure::ServerError),
        ("certificate_required", alert(116), TlsFailure::ClientCertificateWanted),
    ] {
        for (security, script) in
            [(Security::StartTls, Script::starttls()), (Security::Tls, Script::implicit_tls())]
        {
            let (error, server) =
                refused(script.on(At::Handshake, answer.clone()), &Caller::new(security)).await;
            assert_eq!(error.stage, Stage::Tls, "{label}");
            assert_eq!(error.kind, ErrorKind::Tls(expected.clone()), "{label}");
            assert!(!server.last().tls, "{label}");
        }
    }
}

/// OpenSSL ends TLS 1.2 with `handshake_failure` where rustls sends `certificate_required`. Passes on one connection, and
/// puts the one in place of the other.
async fn relay_with_openssls_alert(server: SocketAddr) -> SocketAddr {
    const CERTIFICATE_REQUIRED: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 116];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = connect(server, true).await.stream;
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.split(), server.split());
        let back = async {
            let mut chunk = [0; 16_384];
            while let Ok(length @ 1..) = from_server.read(&mut chunk).await {
                if chunk[..length].ends_with(&CERTIFICATE_REQUIRED) {
                    chunk[length - 1] = 40;
                }
                to_client.write_all(&chunk[..length]).await.unwrap();
            }
        };
        tokio::join!(back, tokio::io::copy(&mut from_client, &mut to_server)).1
    });
    address
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_is_told_from_one_without_a_common_cipher() {
    let wanted = ErrorKind::Tls(TlsFailure::ClientCertificateWanted);
    for version in [&TLS12, &TLS13] {
        for (security, script) in
            [(Security::StartTls, Script::starttls()), (Security::Tls, Script::implicit_tls())]
        {
            let (error, server) = refused(script.known_clients_only(version), &Caller::new(security)).await;
            assert_eq!(error.kind, wanted, "{version:?}, {security:?}");
            assert!(server.sign_ins().is_empty());
        }
    }
    let server = SmtpServer::start(Script::implicit_tls().known_clients_only(&TLS12)).await;
    let caller = Caller::new(Security::Tls);
    let connection = connect(relay_with_openssls_alert(server.address).await, true).await;
    let deadline = Instant::now() + caller.time;
    let log = &mut Transcript::default();
    let opened =
        Session::open(connection, &caller.host, Security::Tls, &caller.settings, None, deadline, log).await;
    assert_eq!(opened.err().expect("no certificate was shown").kind, wanted, "handshake_failure, late");
}

/// Security case D10.
#[tokio::test]
async fn both_versions_that_are_taken_are_written_down() {
    for (version, expected) in [(&TLS12, "tls: TLS 1.2, "), (&TLS13, "tls: TLS 1.3, ")] {
        let server = SmtpServer::start(Script::implicit_tls().tls_version(version)).await;
        let mut log = Transcript::default();
        Caller::new(Security::Tls).verify(&server, &mut log).await.unwrap();
        assert!(lines(&log)[0].starts_with(expected), "{:?}", lines(&log));
    }
}

/// 16 KiB that begin with no type of a TLS record.
fn garbage() -> Vec<u8> {
    (0..64).flat_map(|_| (0..=255u8).map(|byte| byte.wrapping_mul(7).wrapping_add(128))).collect()
}

/// Security case D11.
#[tokio::test]
async fn a_handshake_that_stalls_or_breaks_ends_the_session() {
    let half = || Act::Send(vec![0x16, 0x03, 0x03, 0x01, 0x00, 0x02, 0x00]);
    let garbage = garbage();
    let garbage_in_a_record = [&[0x16, 0x03, 0x03, 0x40, 0x00][..], &garbage].concat();
    let cases = [
        ("silence", vec![Act::Silence], "Timeout"),
        ("half a record, then silence", vec![half(), Act::Silence], "Timeout"),
        ("half a record, then FIN", vec![half(), Act::Close], "ConnectionLost"),
        ("half a record, then RST", vec![half(), Act::Reset], "ConnectionLost"),
        ("FIN", vec![Act::Close], "ConnectionLost"),
        ("RST", vec![Act::Reset], "ConnectionLost"),
        ("a record of garbage", vec![Act::Send(garbage_in_a_record)], "Tls"),
        ("close_notify", vec![Act::Send(vec![0x15, 0x03, 0x03, 0, 2, 1, 0]), Act::Close], "ConnectionLost"),
        ("an unknown alert", vec![alert(80)], "Tls"),
        ("a drip", vec![half(), Act::Drip(vec![0], Duration::from_millis(20))], "Timeout"),
    ];
    let both = |case| {
        [(Security::StartTls, Script::starttls()), (Security::Tls, Script::implicit_tls())]
            .map(|way| (case, way))
    };
    join_all(cases.iter().flat_map(both).map(async |((label, acts, expected), (security, script))| {
        let script = script.on(At::Handshake, acts.clone());
        let (error, _) = refused(script, &Caller::new(security).impatient()).await;
        assert_eq!(error.stage, Stage::Tls, "{label}");
        let kind = format!("{:?}", error.kind);
        assert!(kind.starts_with(expected), "{label}: {kind}");
    }))
    .await;
}

/// Security case D11.
#[tokio::test]
async fn garbage_instead_of_tls_is_no_smtp_and_no_tls() {
    let garbage = garbage();
    let script = Script::implicit_tls().on(At::Handshake, Act::Send(garbage));
    let (error, _) = refused(script, &Caller::new(Security::Tls)).await;
    assert!(matches!(error.kind, ErrorKind::Tls(TlsFailure::Other(_))), "{:?}", error.kind);
}

/// Security case D13.
#[tokio::test]
async fn a_reply_counts_when_its_line_is_whole_whatever_follows() {
    let message = b"Subject: x\r\n\r\nx\r\n";
    for (acts, delivered) in [
        (vec![reply("250 2.0.0 queued"), Act::Close], true),
        (vec![reply("250 2.0.0 queued"), Act::CloseNotify], true),
        (vec![raw("250 2.0.0 queued\r"), Act::Close], false),
        (vec![raw("250 2.0.0 queued"), Act::Close], false),
        (vec![raw("250 2.0.0 queued"), Act::CloseNotify], false),
        (vec![raw("250-2.0.0 queued\r\n"), Act::Close], false),
        (vec![raw("250"), Act::Close], false),
        (vec![Act::Close], false),
        (vec![Act::Reset], false),
    ] {
        for (security, script) in [
            (Security::None, Script::plain()),
            (Security::StartTls, Script::starttls()),
            (Security::Tls, Script::implicit_tls()),
        ] {
            let server = SmtpServer::start(script.on(At::Message, acts.clone())).await;
            let mut log = Transcript::default();
            let sent = Caller::new(security).send(&server, &["bob@example.com"], message, &mut log).await;
            server.ended().await;
            match sent {
                Ok(_) => assert!(delivered, "{acts:?}"),
                Err(error) => {
                    assert!(!delivered, "{acts:?}");
                    assert_eq!((error.stage, error.kind.clone()), (Stage::Data, ErrorKind::OutcomeUnknown));
                    assert!(!error.is_transient(), "sending it again might deliver it twice");
                }
            }
            assert_eq!(server.mails().len(), 1);
        }
    }
}

/// Servers at these ports may pause before they greet, and punish who speaks first.
#[tokio::test]
async fn a_silent_server_at_a_port_for_plain_text_is_not_spoken_to() {
    join_all([(25, false), (587, false), (2525, false), (2465, true)].map(async |(port, probed)| {
        let server = SmtpServer::start(Script::plain().on(At::Greeting, Act::Silence)).await;
        let caller = Caller::new(Security::StartTls).impatient();
        // The port that the session is told; the socket is where the test may listen.
        let mut connection = connect(server.address, true).await;
        connection.peer.set_port(port);
        let deadline = Instant::now() + caller.time;
        let log = &mut Transcript::default();
        let opened =
            Session::open(connection, &caller.host, caller.security, &caller.settings, None, deadline, log)
                .await;
        assert_eq!(opened.err().expect("no greeting").kind, ErrorKind::Timeout, "{port}");
        server.ended().await;
        assert_eq!(!server.last().stray.is_empty(), probed, "{port}");
    }))
    .await;
}
