//! Bounds of numbers, times and memory.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::*;

const SHORT: Duration = Duration::from_millis(50);

/// Security case N7.
#[tokio::test]
async fn commands_that_lead_nowhere_are_bounded() {
    for (line, before, count) in [
        ("WHAT", &[][..], 21),
        ("MAIL FROM:<a@b>", &[], 21),
        ("DATA", &["EHLO me"], 1),
        ("RCPT TO:<a@b>", &["EHLO me"], 21),
        ("RCPT TO:a", &["EHLO me", "MAIL FROM:<a@b>"], 21),
        ("NOOP", &[], 201),
        ("RSET", &[], 201),
        ("EHLO me", &[], 201),
        ("VRFY x", &[], 201),
        ("MAIL FROM:<refused@a.example>", &["EHLO me"], 200),
        ("BDAT 0", &["EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<c@d>"], 199),
    ] {
        let mut lines = before.to_vec();
        lines.extend(vec![line; 300]);
        let codes = replies(&server(Limits::default()), &lines).await;
        assert_eq!(codes.last().map(String::as_str), Some("421 4.7.0"), "{line}");
        let extra = usize::from(line == "DATA");
        assert_eq!(codes.len(), before.len() + count + extra, "{line}");
    }
}

#[tokio::test]
async fn a_message_begins_the_count_of_idle_commands_again() {
    let server = server(Limits { max_idle_commands: 10, ..Limits::default() });
    let mail = ["NOOP", "RSET", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RCPT TO:<c@d>", "DATA", "x", "."];
    let mut lines = vec!["EHLO me"];
    (0..20).for_each(|_| lines.extend(mail));
    let codes = replies(&server, &lines).await;
    assert_eq!((codes.last().map(String::as_str), server.door.messages().len()), (Some("250 2.0.0"), 20));
}

/// Security case N9.
#[tokio::test]
async fn a_silent_client_is_told_and_leaves() {
    let server = server(Limits { idle: SHORT, ..Limits::default() });
    for lines in [
        "",
        "EHLO me\r\n",
        "EHLO me\r\nMAIL FROM:<a@b>\r\n",
        "EHLO me\r\nMAIL FR",
        "EHLO me\r\nAUTH LOGIN\r\n",
    ] {
        conversation(&server, async |mut talk| {
            talk.send(lines).await;
            let text = talk.rest().await;
            assert!(text.ends_with("421 4.4.2 Idle timeout\r\n"), "{lines:?} {text}");
        })
        .await;
    }
}

/// Security case N9.
#[tokio::test]
async fn one_octet_at_a_time_is_no_way_to_stay() {
    let limits = Limits { idle: SHORT, ..Limits::default() };
    let server = server(limits);
    conversation(&server, async |talk| {
        let (mut reading, mut writing) = tokio::io::split(talk.stream);
        let mut text = String::new();
        let drip = async {
            while writing.write_all(b"N").await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        let (read, ()) = tokio::join!(reading.read_to_string(&mut text), drip);
        read.unwrap();
        assert!(text.contains("421 4.4.2"), "{text}");
    })
    .await;
}

/// Security case N9.
#[tokio::test]
async fn a_message_that_comes_too_slowly_is_given_up() {
    let begin = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
    // By its rate, and by the time of the whole.
    for limits in [
        Limits { transfer_grace: SHORT, ..Limits::default() },
        Limits { message: SHORT, ..Limits::default() },
    ] {
        for command in ["DATA\r\n", "BDAT 1000 LAST\r\n", "BDAT 2\r\nx\n"] {
            let server = server(limits);
            if command.starts_with("BDAT 2") && limits.message != SHORT {
                continue;
            }
            conversation(&server, async |mut talk| {
                // The second octet of this chunk is no line end yet.
                talk.send(&format!("{begin}{}", command.replace("x\n", "x\r"))).await;
                let text = talk.rest().await;
                assert!(text.contains("421 4.4.2"), "{command} {text}");
            })
            .await;
            assert!(server.door.messages().is_empty());
        }
    }
}

#[test]
fn a_slow_message_may_take_as_long_as_its_octets_need() {
    let limits =
        Limits { transfer_grace: Duration::from_secs(5), min_octets_per_second: 100, ..Limits::default() };
    for (octets, seconds) in [(0, 5), (99, 5), (100, 6), (100_000, 1_005)] {
        assert_eq!(limits.transfer_time(octets), Duration::from_secs(seconds), "{octets}");
    }
}

/// Security case N10.
#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    let server = server(Limits { write: SHORT, max_idle_commands: 1_000_000, ..Limits::default() });
    let (near, far) = duplex(1024);
    let (_reading, mut writing) = tokio::io::split(near);
    let flood = async {
        let mut sent = 0;
        while writing.write_all(b"HELP\r\n").await.is_ok() {
            sent += 6;
        }
        sent
    };
    let serving = async { serve(&server, far, Security::StartTls).await };
    let (end, sent) = tokio::join!(serving, flood);
    assert!(matches!(end, End::Unread), "{end}");
    assert!(sent < 64 * 1024, "{sent} octets of commands were read without a reply taken");
}

/// The sizes of writes.
#[derive(Default)]
struct Writes(Vec<usize>);

impl tokio::io::AsyncWrite for Writes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.0.push(octets.len());
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Security case N10.
#[tokio::test]
async fn replies_that_wait_are_bounded() {
    let server = server(Limits { max_idle_commands: 1_000_000, ..Limits::default() });
    let input = b"EHLO me\r\n".repeat(1_500);
    let mut writes = Writes::default();
    let place = server.connections.admit(None).unwrap();
    let connection = Connection {
        server: &server,
        peer: PEER.into(),
        place,
        stop: CancellationToken::new(),
        end: CancellationToken::new(),
    };
    connection.serve(tokio::io::join(&input[..], &mut writes), Security::None).await;
    assert!(writes.0.iter().all(|written| *written < 9 * 1024), "{:?}", writes.0);
    assert!(writes.0.len() > 20, "{:?}", writes.0);
}

/// Security case N11.
#[tokio::test]
async fn messages_beyond_the_memory_are_refused_for_now() {
    let limits = Limits { max_held_octets: 128 * 1024, ..Limits::default() };
    let server = server(limits);
    let mail = |octets: usize| {
        let text = format!("{}\r\n", "x".repeat(98)).repeat(octets / 100);
        format!("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n{text}.\r\n")
    };
    let input = format!("EHLO me\r\n{}{}{}", mail(200_000), mail(100_000), mail(100_000));
    let codes = codes(&exchange(&server, input.as_bytes()).await);
    let replies: Vec<_> = codes.iter().skip(4).step_by(4).collect();
    assert_eq!(replies, ["452 4.3.1", "250 2.0.0", "250 2.0.0"], "what is done with is given back");
}

#[tokio::test]
async fn a_message_is_held_once() {
    let server = server(Limits::default());
    let text = format!("{}\r\n", "x".repeat(98)).repeat(3_000);
    let mut incoming = message::Incoming::data(1_000_000, server.memory.clone());
    for piece in text.as_bytes().chunks(1_000) {
        incoming.push(piece);
    }
    assert_eq!(incoming.push(b".\r\n"), (3, true));
    let octets = incoming.finish().unwrap();
    assert!(octets.pieces().all(|piece| piece.len() <= 64 * 1024));
    assert_eq!((octets.len(), octets.pieces().count()), (300_000, 5));
    assert_eq!(octets.into_vec(), text.as_bytes());
}

/// Security case N12.
#[tokio::test]
async fn a_stop_ends_idle_connections_and_finishes_transactions() {
    let server = server(Limits::default());
    let stop = CancellationToken::new();
    let (idle, idle_far) = duplex(1024);
    let (busy, busy_far) = duplex(1024);
    let (mut idle, mut busy) = (Talk { stream: idle }, Talk { stream: busy });
    let talking = async {
        for talk in [&mut idle, &mut busy] {
            talk.reply().await;
            talk.say("EHLO me").await;
        }
        busy.say("MAIL FROM:<a@b>").await;
        stop.cancel();
        assert_eq!(idle.rest().await, "421 4.3.2 Service shutting down\r\n");
        drop(idle);
        busy.say("RCPT TO:<c@d>").await;
        assert_eq!(busy.say("DATA").await.get(..3), Some("354"));
        busy.send("x\r\n.\r\nMAIL FROM:<e@f>\r\n").await;
        let rest = busy.rest().await;
        assert_eq!(codes(&rest), ["250 2.0.0", "421 4.3.2"]);
    };
    tokio::join!(
        serve_until(&server, idle_far, Security::StartTls, stop.clone()),
        serve_until(&server, busy_far, Security::StartTls, stop.clone()),
        talking
    );
    assert_eq!(server.door.messages().len(), 1);
}

/// Security case N9.
#[tokio::test]
async fn octets_that_came_fast_buy_no_silence() {
    let limits = Limits { transfer_grace: SHORT, min_octets_per_second: 1, ..Limits::default() };
    conversation(&server(limits), async |mut talk| {
        talk.send("EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n").await;
        talk.send(&"x\r\n".repeat(1_000)).await;
        assert!(talk.rest().await.ends_with("421 4.4.2 The message came too slowly\r\n"));
    })
    .await;
}

/// Security case N11.
#[test]
fn one_peer_holds_a_part_of_the_memory() {
    let limits = Limits { max_held_octets: 1024 * 1024, max_message: 100_000, ..Limits::default() };
    let memory = message::Memory::new(limits.max_held_octets);
    let share = message::pieces(limits.held_octets_per_peer());
    let fill = |memory: message::Memory| {
        let mut incoming = message::Incoming::chunks(1024 * 1024, memory);
        (0..10_000).for_each(|_| {
            incoming.push(b"twenty-six octets of text\r\n");
        });
        incoming
    };
    let first = fill(memory.for_peer(Some(Arc::clone(&share))));
    assert!(first.fault().is_some(), "more than its share");
    drop(first);
    assert!(fill(memory.for_peer(None)).fault().is_none());
}

/// Security case N7.
#[tokio::test]
async fn chunks_behind_a_refused_one_are_no_faults_of_their_own() {
    let server = server(Limits::default());
    let begin = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 2\r\nx\n";
    let input = format!("{begin}{}NOOP\r\n", "BDAT 2\r\nxx".repeat(25));
    let codes = codes(&exchange(&server, input.as_bytes()).await);
    assert_eq!(codes[3], "550 5.6.0");
    assert_eq!(codes[4..29], vec!["503 5.5.1"; 25]);
    assert_eq!(codes[29..], ["250 2.0.0"]);
}

/// Security case N7.
#[tokio::test]
async fn refused_chunks_without_end_end_the_connection() {
    let server = server(Limits::default());
    let input = format!("EHLO me\r\n{}", "BDAT 1\r\nx".repeat(20_100));
    let codes = codes(&exchange(&server, input.as_bytes()).await);
    assert_eq!((codes.len(), codes.last().map(String::as_str)), (20_002, Some("421 4.7.0")));
}

/// Security case N13.
#[tokio::test]
async fn a_transaction_is_not_ended_for_another_connection() {
    let server = server(Limits { max_connections: 1, min_idle: Duration::ZERO, ..Limits::default() });
    conversation(&server, async |mut talk| {
        talk.reply().await;
        talk.say("EHLO me").await;
        talk.say("MAIL FROM:<a@b>").await;
        talk.say("RCPT TO:<c@d>").await;
        assert!(server.connections.admit(None).is_none(), "before its message");
        talk.send("BDAT 2\r\nxx").await;
        talk.reply().await;
        assert!(server.connections.admit(None).is_none(), "between chunks");
        talk.send("BDAT 2 LAST\r\n\r\n").await;
        assert!(talk.reply().await.starts_with("250"));
        talk.say("QUIT").await;
        drop(talk);
    })
    .await;
}
