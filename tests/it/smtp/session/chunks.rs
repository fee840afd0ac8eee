//! BDAT: the octets on the wire, when envelope and message share a flight, and what each reply says.

use super::*;
use crate::support::smtp_server::{Act, reply};
use transports::smtp::Error;

const TO: &[&str] = &["a@example.com", "b@example.com"];

fn script() -> Script {
    Script::plain().with("CHUNKING")
}

async fn sent(server: &SmtpServer, message: &[u8]) -> Result<transports::smtp::Receipt, Error> {
    let sent = Caller::new(Security::None).send(server, TO, message, &mut Transcript::default()).await;
    server.ended().await;
    sent
}

fn bdat(server: &SmtpServer) -> Vec<String> {
    server.lines().into_iter().filter(|line| line.starts_with("BDAT")).collect()
}

/// Security case C6.
#[tokio::test]
async fn octets_are_counted_and_no_dot_is_doubled() {
    let large = b"0123456789.\r\n".repeat(200_000);
    let bodies: [(&[u8], &[&str]); 5] = [
        (b"", &["BDAT 0 LAST"]),
        (b".\r\n..x\r\n\r\n.\r\n", &["BDAT 13 LAST"]),
        (b"\r\n.\r\nRCPT TO:<y@example.com>\r\nDATA\r\n", &["BDAT 36 LAST"]),
        (b"caf\xc3\xa9\r\n", &["BDAT 7 LAST"]),
        (&large, &["BDAT 1048576", "BDAT 1048576", "BDAT 502848 LAST"]),
    ];
    for (body, commands) in bodies {
        for script in [script(), script().without("PIPELINING")] {
            let server = SmtpServer::start(script).await;
            let receipt = sent(&server, body).await.unwrap();
            assert_eq!(
                (receipt.accepted.len(), bdat(&server)),
                (2, commands.iter().map(|command| (*command).to_owned()).collect())
            );
            assert_eq!(server.mails().len(), 1);
            assert!(server.mails()[0].bytes() == body, "{commands:?}: other octets");
            assert!(!server.verbs().contains(&"RSET".to_owned()), "{:?}", server.verbs());
        }
    }
}

#[tokio::test]
async fn other_line_ends_become_right_ones() {
    let server = SmtpServer::start(script()).await;
    sent(&server, b"a\nb\rc\0\r\n.").await.unwrap();
    assert_eq!(server.mails()[0].bytes(), b"a\r\nb\r\nc\r\n.\r\n");
}

/// A large message, and one that could be read as commands, leave after the replies to the envelope.
#[tokio::test]
async fn a_message_waits_for_its_envelope_where_a_refusal_would_cost_more_than_a_round_trip() {
    let small = b"x\r\n".repeat(20_000);
    let large = b"x\r\n".repeat(22_000);
    for (body, flights) in [(&small[..], 1), (&large, 2), (b"a mail from me\r\n", 2)] {
        let server = SmtpServer::start(script()).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
        let before = server.last().flights;
        send(&mut session, USER, TO, body, &mut log).await.unwrap();
        assert_eq!(server.last().flights - before, flights);
        assert!(server.mails()[0].bytes() == body);
    }
}

/// Security case C7: a server that reads the octets of a refused BDAT as commands is given none that send.
#[tokio::test]
async fn no_message_is_smuggled_through_a_refused_bdat() {
    let body = b"MAIL FROM:<z@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\nsmuggled\r\n.\r\n";
    let script = script()
        .on(At::RcptTo("a@example.com"), "550 5.1.1 no")
        .on(At::RcptTo("b@example.com"), "550 5.1.1 no");
    let server = SmtpServer::start(script.on(At::Bdat, "503 5.5.1 no recipients")).await;
    let error = sent(&server, body).await.unwrap_err();
    assert_eq!((error.stage, error.kind), (Stage::RcptTo, ErrorKind::Refused));
    assert_eq!((server.mails().len(), bdat(&server).len()), (0, 0));
}

#[tokio::test]
async fn exchange_on_its_own_host_gets_data() {
    for keyword in ["X-EXPS GSSAPI NTLM", "XEXCH50"] {
        let server = SmtpServer::start(script().with(keyword)).await;
        sent(&server, MESSAGE).await.unwrap();
        assert_eq!((bdat(&server).len(), server.mails().len()), (0, 1), "{keyword}");
    }
    let mut caller = Caller::new(Security::None);
    caller.settings.chunking = false;
    let server = SmtpServer::start(script()).await;
    caller.send(&server, TO, MESSAGE, &mut Transcript::default()).await.unwrap();
    assert_eq!((bdat(&server).len(), server.mails().len()), (0, 1), "it is switched off");
}

/// The rest of a large message is not sent after a refused chunk, and the session goes on.
#[tokio::test]
async fn a_refused_chunk_ends_the_message_and_not_the_session() {
    let large = b"0123456789.\r\n".repeat(200_000);
    for refusal in ["452 4.3.1 no room", "552 5.3.4 too big"] {
        let server = SmtpServer::start(script().on(At::Chunk, refusal)).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
        let error = send(&mut session, USER, TO, &large, &mut log).await.unwrap_err();
        assert_eq!(
            (error.stage, error.kind.clone(), error.command),
            (Stage::Data, ErrorKind::Refused, Some("BDAT"))
        );
        assert_eq!(error.reply.unwrap().to_string(), refusal);
        assert_eq!(bdat(&server), ["BDAT 1048576"]);
        send(&mut session, USER, TO, MESSAGE, &mut log).await.unwrap();
        session.quit().await;
        server.ended().await;
        assert_eq!(server.mails().len(), 1);
        let verbs = server.verbs();
        assert_eq!(verbs.iter().filter(|verb| *verb == "RSET").count(), 1, "{verbs:?}");
    }
}

/// Every place in one flight, with what each reply or loss there says about the message.
#[tokio::test]
async fn after_one_flight_only_a_reply_says_that_nothing_was_taken() {
    let lost = [
        vec![Act::Close],
        vec![Act::Reset],
        vec![Act::Send(b"250 almos".to_vec()), Act::Close],
        vec![reply("what?")],
        vec![reply("354 go on")],
    ];
    for at in [At::Mail, At::RcptTo("b@example.com"), At::Message] {
        for acts in &lost {
            let server = SmtpServer::start(script().on(at.clone(), acts.clone())).await;
            let error = sent(&server, MESSAGE).await.unwrap_err();
            assert_eq!(
                (error.stage, error.kind.clone()),
                (Stage::Data, ErrorKind::OutcomeUnknown),
                "{at:?} {acts:?}"
            );
            assert!(!error.is_transient());
        }
        let server =
            SmtpServer::start(script().on(at.clone(), [reply("421 4.3.2 closing"), Act::Close])).await;
        let error = sent(&server, MESSAGE).await.unwrap_err();
        assert_eq!((error.kind.clone(), error.is_transient()), (ErrorKind::Refused, true), "{at:?}");
        assert_eq!(error.reply.unwrap().code, 421);
    }
}

/// The recipient that was refused before the loss stays refused; the other one is in doubt.
#[tokio::test]
async fn a_loss_after_some_replies_leaves_refusals_as_they_are() {
    let script = script()
        .on(At::RcptTo("a@example.com"), "550 5.1.1 no such user")
        .on(At::RcptTo("b@example.com"), Act::Close);
    let server = SmtpServer::start(script).await;
    let mut log = Transcript::default();
    let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
    let to: Vec<_> = TO.iter().map(|recipient| address(recipient)).collect();
    let envelope = transports::smtp::Envelope { from: &address(USER), to: &to };
    let message = transports::mail::message::Message {
        message_id: "<1@example.com>".to_owned(),
        bytes: MESSAGE.to_vec(),
    };
    let delivery = session.deliver(&envelope, &message, &mut log).await.unwrap();
    assert_eq!(delivery.rejected.iter().map(|rejected| rejected.reply.code).collect::<Vec<_>>(), [550]);
    assert_eq!(delivery.accepted, to[1..]);
    assert_eq!(delivery.result.unwrap().unwrap_err().kind, ErrorKind::OutcomeUnknown);
}

/// Security case E7: whatever is said about a message without a recipient, nobody has got it.
#[tokio::test]
async fn a_lie_about_a_message_without_recipients_changes_nothing() {
    for lie in ["250 2.0.0 queued", "451 4.3.0 later", "554 5.5.1 no valid recipients"] {
        let refused = script().on(At::Rcpt, "550 5.1.1 no such user").on(At::BdatInVain, lie);
        let server = SmtpServer::start(refused).await;
        let error = sent(&server, MESSAGE).await.unwrap_err();
        assert_eq!((error.stage, error.kind), (Stage::RcptTo, ErrorKind::Refused), "{lie}");
        let refused = script().on(At::Mail, "550 5.7.1 not you").on(At::BdatInVain, lie);
        let server = SmtpServer::start(refused).await;
        let error = sent(&server, MESSAGE).await.unwrap_err();
        assert_eq!((error.stage, error.kind), (Stage::MailFrom, ErrorKind::Refused), "{lie}");
    }
}

/// A session that the server has ended meanwhile is seen before the message leaves.
#[tokio::test]
async fn a_session_that_has_ended_is_no_unknown_outcome() {
    let server = SmtpServer::start(script().on(At::Message, [Act::Usual, Act::Close])).await;
    let mut log = Transcript::default();
    let mut session = Caller::new(Security::None).open(&server, &mut log).await.unwrap();
    send(&mut session, USER, TO, MESSAGE, &mut log).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let error = send(&mut session, USER, TO, MESSAGE, &mut log).await.unwrap_err();
    assert_eq!((error.stage, error.kind), (Stage::MailFrom, ErrorKind::ConnectionLost));
    assert_eq!(server.mails().len(), 1);
}
