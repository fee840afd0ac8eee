//! A table of servers that do something odd, each with the one outcome that a sending may have.

use transports::mail::transcript::{Stage, Transcript};
use transports::smtp::{Error, ErrorKind, Security};

use crate::support::session::Caller;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, reply};

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nHello.\r\n";
const TO: &[&str] = &["bob@example.com"];

fn raw(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// How a sending may end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Sent,
    Refused(Stage),
    Protocol(Stage),
    Injected,
    Lost(Stage),
    NotSmtp,
    StartTlsMissing,
    NoAuth,
    Unknown,
    TooLarge,
    SmtpUtf8Missing,
}

fn end_of(result: &Result<impl Sized, Error>) -> End {
    let Err(error) = result else { return End::Sent };
    match &error.kind {
        ErrorKind::Refused => End::Refused(error.stage),
        ErrorKind::Protocol(_) => End::Protocol(error.stage),
        ErrorKind::ResponseInjection => End::Injected,
        ErrorKind::ConnectionLost => End::Lost(error.stage),
        ErrorKind::NotSmtp(_) => End::NotSmtp,
        ErrorKind::StartTlsMissing => End::StartTlsMissing,
        ErrorKind::AuthNotOffered { .. } | ErrorKind::NoCommonMechanism { .. } => End::NoAuth,
        ErrorKind::OutcomeUnknown => End::Unknown,
        ErrorKind::TooLarge { .. } => End::TooLarge,
        ErrorKind::SmtpUtf8Missing => End::SmtpUtf8Missing,
        other => panic!("an end that no row has: {other:?}"),
    }
}

/// The classes: negotiation, buffering, set-up, wrong replies, order.
fn odd_servers() -> Vec<(&'static str, At, Vec<Act>, End)> {
    use At::{Auth, AuthResponse, Data, Ehlo, EhloInTls, Greeting, Helo, Mail, Message, Rcpt, StartTls};
    use Stage::{Auth as AuthStage, Data as DataStage, Ehlo as EhloStage, Greeting as GreetingStage};
    use Stage::{MailFrom, RcptTo, Starttls};
    let text = |text: &str| vec![reply(text)];
    let bytes = |text: &str| vec![raw(text)];
    vec![
        // Negotiation: what is offered, and what is done with it.
        ("no STARTTLS", Ehlo, text("250-x\n250 AUTH PLAIN"), End::StartTlsMissing),
        ("nothing offered", Ehlo, text("250 x"), End::StartTlsMissing),
        ("STARTTLS as the server's name", Ehlo, text("250-STARTTLS\n250 AUTH PLAIN"), End::StartTlsMissing),
        ("STARTTLS within a word", Ehlo, text("250-x\n250 XSTARTTLS"), End::StartTlsMissing),
        ("STARTTLS in the greeting", Greeting, text("220 STARTTLS"), End::Sent),
        ("starttls in small letters", Ehlo, text("250-x\n250 starttls"), End::Sent),
        ("STARTTLS with a parameter", Ehlo, text("250-x\n250 STARTTLS REQUIRED"), End::Sent),
        ("no AUTH in TLS", EhloInTls, text("250-x\n250 PIPELINING"), End::NoAuth),
        ("AUTH without a mechanism", EhloInTls, text("250-x\n250 AUTH"), End::NoAuth),
        ("only foreign mechanisms", EhloInTls, text("250-x\n250 AUTH GSSAPI NTLM"), End::NoAuth),
        ("a mechanism as part of a name", EhloInTls, text("250-x\n250 AUTH XPLAIN PLAINX"), End::NoAuth),
        ("STARTTLS again in TLS", EhloInTls, text("250-x\n250-STARTTLS\n250 AUTH PLAIN"), End::Sent),
        ("no EHLO in TLS", EhloInTls, text("502 no"), End::NoAuth),
        ("a size of zero", EhloInTls, text("250-x\n250-SIZE 0\n250 AUTH PLAIN"), End::Sent),
        ("a size of one", EhloInTls, text("250-x\n250-SIZE 1\n250 AUTH PLAIN"), End::TooLarge),
        ("a size that is none", EhloInTls, text("250-x\n250-SIZE big\n250 AUTH PLAIN"), End::Sent),
        ("STARTTLS refused", StartTls, text("454 4.7.0 no"), End::Refused(Starttls)),
        ("STARTTLS unknown", StartTls, text("500 what"), End::Refused(Starttls)),
        ("STARTTLS taken with 250", StartTls, text("250 go"), End::Protocol(Starttls)),
        // Buffering: what comes in the same piece, or in many.
        ("a reply behind the 220 to STARTTLS", StartTls, bytes("220 go\r\n250 x\r\n"), End::Injected),
        ("half a reply behind it", StartTls, bytes("220 go\r\n25"), End::Injected),
        ("a line feed behind it", StartTls, bytes("220 go\r\n\n"), End::Injected),
        ("two replies to EHLO", Ehlo, bytes("250 x\r\n250-x\r\n250 STARTTLS\r\n"), End::Protocol(Starttls)),
        ("two greetings", Greeting, bytes("220 one\r\n220 two\r\n"), End::Protocol(EhloStage)),
        ("a reply in pieces", Mail, vec![raw("2"), raw("50"), raw(" o"), raw("k\r"), raw("\n")], End::Sent),
        (
            "two replies to EHLO in TLS",
            EhloInTls,
            bytes("250-x\r\n250 AUTH PLAIN\r\n235 ok\r\n"),
            End::Protocol(AuthStage),
        ),
        ("two replies to AUTH", Auth, bytes("235 ok\r\n250 ok\r\n"), End::Protocol(MailFrom)),
        ("two replies to MAIL", Mail, bytes("250 ok\r\n250 ok\r\n"), End::Protocol(RcptTo)),
        ("two replies to RCPT", Rcpt, bytes("250 ok\r\n354 go\r\n"), End::Protocol(DataStage)),
        (
            "the outcome ahead of the message",
            Data,
            bytes("354 go\r\n250 queued\r\n"),
            End::Protocol(DataStage),
        ),
        ("a second outcome", Message, bytes("250 queued\r\n550 no\r\n"), End::Sent),
        // Set-up: the greeting and the name.
        ("a refused greeting", Greeting, text("554 no"), End::Refused(GreetingStage)),
        ("a busy greeting", Greeting, text("421 busy"), End::Refused(GreetingStage)),
        ("a greeting with another code", Greeting, text("250 hi"), End::Protocol(GreetingStage)),
        ("a greeting in another protocol", Greeting, text("* OK hi"), End::NotSmtp),
        ("an empty line as a greeting", Greeting, text("\n"), End::NotSmtp),
        ("the end as a greeting", Greeting, vec![Act::Close], End::Lost(GreetingStage)),
        ("a long greeting", Greeting, text("220-a\n220-b\n220-c\n220 d"), End::Sent),
        ("EHLO put off", Ehlo, text("451 later"), End::Refused(EhloStage)),
        ("EHLO answered with 220", Ehlo, text("220-x\n220 STARTTLS"), End::Protocol(EhloStage)),
        ("EHLO answered with 354", Ehlo, text("354 x"), End::Protocol(EhloStage)),
        ("EHLO unknown, HELO has no STARTTLS", Ehlo, text("500 what"), End::StartTlsMissing),
        ("HELO is not asked for", Helo, text("554 no"), End::Sent),
        // Wrong replies.
        ("AUTH answered with 250", Auth, text("250 ok"), End::Protocol(AuthStage)),
        ("AUTH asks for more", Auth, text("334 "), End::Protocol(AuthStage)),
        ("AUTH refused", Auth, text("535 5.7.8 no"), End::Refused(AuthStage)),
        ("AUTH put off", Auth, text("454 later"), End::Refused(AuthStage)),
        ("no line of AUTH is asked for", AuthResponse, text("535 no"), End::Sent),
        ("MAIL answered with 354", Mail, text("354 go"), End::Protocol(MailFrom)),
        ("MAIL answered with 220", Mail, text("220 go"), End::Protocol(MailFrom)),
        ("MAIL refused", Mail, text("550 no"), End::Refused(MailFrom)),
        ("RCPT answered with 251", Rcpt, text("251 forwarded"), End::Sent),
        ("RCPT answered with 252", Rcpt, text("252 perhaps"), End::Sent),
        ("RCPT answered with 354", Rcpt, text("354 go"), End::Protocol(RcptTo)),
        ("RCPT refused", Rcpt, text("550 no"), End::Refused(RcptTo)),
        ("DATA answered with 250", Data, text("250 ok"), End::Protocol(DataStage)),
        ("DATA refused", Data, text("554 no"), End::Refused(DataStage)),
        ("the message answered with 354", Message, text("354 more"), End::Unknown),
        ("the message answered with 220", Message, text("220 hm"), End::Unknown),
        ("the message refused", Message, text("554 no"), End::Refused(DataStage)),
        ("the message put off", Message, text("450 later"), End::Refused(DataStage)),
        ("codes that differ", Mail, text("250-ok\n550 no"), End::Protocol(MailFrom)),
        ("a code of two digits", Mail, text("25 ok"), End::Protocol(MailFrom)),
        ("a code of four digits", Mail, text("2500 ok"), End::Protocol(MailFrom)),
        ("words without a code", Rcpt, text("fine with me"), End::Protocol(RcptTo)),
        ("a bare line feed", Rcpt, bytes("250 ok\n"), End::Protocol(RcptTo)),
        // Order: an end, or a 421, where something else was due.
        ("the end instead of EHLO's reply", Ehlo, vec![Act::Close], End::Lost(EhloStage)),
        ("the end instead of 220", StartTls, vec![Act::Close], End::Lost(Starttls)),
        ("the end instead of 235", Auth, vec![Act::Close], End::Lost(AuthStage)),
        ("the end instead of 354", Data, vec![Act::Close], End::Lost(DataStage)),
        ("the end after the dot", Message, vec![Act::Close], End::Unknown),
        ("421 instead of 354", Data, text("421 bye"), End::Refused(DataStage)),
        ("221 instead of 250", Mail, text("221 bye"), End::Protocol(MailFrom)),
        ("421 after the dot", Message, text("421 bye"), End::Refused(DataStage)),
    ]
}

/// Security case D15.
#[tokio::test]
async fn odd_servers_have_an_outcome_each_and_never_hear_a_secret_in_the_clear() {
    for (label, at, acts, expected) in odd_servers() {
        let script = Script::starttls().without("PIPELINING").on(at, acts);
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        let sent = Caller::new(Security::StartTls).send(&server, TO, MESSAGE, &mut log).await;
        server.ended().await;
        assert_eq!(end_of(&sent), expected, "{label}: {sent:?}");
        let seen = server.last();
        for command in &seen.commands {
            let secret = ["AUTH", "MAIL", "RCPT", "DATA"].contains(&command.verb().as_str());
            assert!(command.tls || !secret, "{label}: {command:?} in the clear");
        }
        assert!(seen.mails.len() <= 1, "{label}");
        assert!(expected != End::Sent || seen.mails.len() == 1, "{label}");
    }
}
