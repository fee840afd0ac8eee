//! The RFCs, point by point.

mod extensions;

use std::fmt::Write as _;

use super::*;

const HELLO: &str = "EHLO client.example";
const MAIL: &str = "MAIL FROM:<ada@a.example>";
const RCPT: &str = "RCPT TO:<bob@b.example>";

/// The reply to the last of the lines.
async fn last(lines: &[&str]) -> String {
    replies(&server(Limits::default()), lines).await.pop().unwrap_or_default()
}

/// Each row: the lines before, and lines with the reply that each of them gets there.
async fn table(before: &[&str], rows: &[(&str, &str)]) {
    for (line, expected) in rows {
        let lines = [before, &[*line]].concat();
        assert_eq!(last(&lines).await, *expected, "{before:?} {line}");
    }
}

async fn offers(server: &Server<TestDoor>) -> Vec<String> {
    let output = exchange(server, b"EHLO me\r\n").await;
    output.split_terminator("\r\n").skip(1).map(|line| line[4..].to_owned()).collect()
}

#[tokio::test]
async fn rfc5321_3_1_the_greeting_names_the_server() {
    assert_eq!(exchange(&server(Limits::default()), b"").await, "220 mx.example ESMTP test\r\n");
}

#[tokio::test]
async fn rfc5321_3_1_a_refused_client_gets_a_refusal_for_a_greeting() {
    let server = server(Limits::default());
    let (near, far) = duplex(1024);
    let place = server.connections.admit(None).unwrap();
    let peer = ([192, 0, 2, 1], 1).into();
    let connection = Connection {
        server: &server,
        peer,
        place,
        stop: CancellationToken::new(),
        end: CancellationToken::new(),
    };
    let mut talk = Talk { stream: near };
    let (_, text) = tokio::join!(connection.serve(far, Security::StartTls), async {
        talk.send("EHLO me\r\n").await;
        let line = talk.read_until("\r\n").await;
        drop(talk);
        line
    });
    assert_eq!(text, "421 4.7.0 Later\r\n");
}

#[tokio::test]
async fn rfc5321_4_1_4_commands_are_accepted_in_order_only() {
    for (lines, expected) in [
        (&[MAIL][..], "503 5.5.1"),
        (&[RCPT], "503 5.5.1"),
        (&["DATA"], "503 5.5.1"),
        (&[SIGN_IN], "503 5.5.1"),
        (&["STARTTLS"], "503 5.5.1"),
        (&["NOOP"], "250 2.0.0"),
        (&["RSET"], "250 2.0.0"),
        (&["VRFY ada"], "252 2.1.5"),
        (&["HELP"], "214 2.0.0"),
        (&["QUIT"], "221 2.0.0"),
        (&[HELLO, RCPT], "503 5.5.1"),
        (&[HELLO, "DATA"], "503 5.5.1"),
        (&[HELLO, MAIL, "DATA"], "554 5.5.1"),
        (&[HELLO, MAIL, "RCPT TO:<unknown@b.example>", "DATA"], "554 5.5.1"),
        (&[HELLO, MAIL, MAIL], "503 5.5.1"),
        (&[HELLO, MAIL, RCPT], "250 2.1.5"),
        (&[HELLO, MAIL, RCPT, "DATA"], "354"),
        (&[HELLO, MAIL, RCPT, "RSET", RCPT], "503 5.5.1"),
        (&[HELLO, MAIL, RCPT, "RSET", "DATA"], "503 5.5.1"),
        (&[HELLO, MAIL, RCPT, HELLO, "DATA"], "503 5.5.1"),
        (&[HELLO, MAIL, RCPT, "HELO me", "DATA"], "503 5.5.1"),
        (&[HELLO, MAIL, RCPT, "NOOP", "VRFY x", "HELP", RCPT], "250 2.1.5"),
        (&[HELLO, MAIL, SIGN_IN], "503 5.5.1"),
        (&[HELLO, SIGN_IN, SIGN_IN], "503 5.5.1"),
        (&[HELLO, SIGN_IN, MAIL], "250 2.1.0"),
        (&["HELO me", MAIL], "250 2.1.0"),
        (&[HELLO, MAIL, RCPT, "DATA", "x", ".", RCPT], "503 5.5.1"),
        (&[HELLO, MAIL, RCPT, "DATA", "x", ".", MAIL, RCPT], "250 2.1.5"),
        (&[HELLO, "MAIL FROM:<refused@a.example>", RCPT], "503 5.5.1"),
        (&[HELLO, "MAIL FROM:<refused@a.example>", MAIL], "250 2.1.0"),
    ] {
        assert_eq!(last(lines).await, expected, "{lines:?}");
    }
}

#[tokio::test]
async fn rfc5321_2_4_verbs_are_read_in_any_case() {
    for (lines, expected) in [
        (&["ehlo me"][..], "250"),
        (&["hElO me", "mail from:<>"], "250 2.1.0"),
        (&["ehlo me", "MAIL from:<a@b> size=10 body=8bitmime smtputf8", "rcpt to:<c@d>"], "250 2.1.5"),
        (&["quit"], "221 2.0.0"),
    ] {
        let last = last(lines).await;
        assert!(last.starts_with(expected), "{lines:?}: {last}");
    }
}

#[tokio::test]
async fn rfc5321_4_1_1_each_command_has_its_arguments() {
    table(
        &[HELLO],
        &[
            ("EHLO", "501 5.5.4"),
            ("HELO", "501 5.5.4"),
            ("EHLO \u{7}", "501 5.5.4"),
            ("RSET now", "501 5.5.4"),
            ("QUIT now", "501 5.5.4"),
            ("STARTTLS now", "501 5.5.4"),
            ("NOOP anything", "250 2.0.0"),
            ("VRFY", "501 5.5.4"),
            ("HELP MAIL", "214 2.0.0"),
            ("EXPN list", "502 5.5.1"),
            ("TURN", "502 5.5.1"),
            ("SAML FROM:<a@b>", "502 5.5.1"),
            ("WHAT", "500 5.5.1"),
            ("", "500 5.5.1"),
            ("MAILFROM:<a@b>", "500 5.5.1"),
            (" MAIL FROM:<a@b>", "500 5.5.1"),
            ("EHLO \u{fc}.example", "250"),
        ],
    )
    .await;
    assert_eq!(last(&[HELLO, MAIL, RCPT, "DATA now"]).await, "501 5.5.4");
    assert_eq!(last(&[&format!("EHLO {}", "x".repeat(255))]).await, "250");
    assert_eq!(last(&[&format!("EHLO {}", "x".repeat(256))]).await, "501 5.5.4");
}

#[tokio::test]
async fn rfc5321_4_1_2_paths_of_senders() {
    table(
        &[HELLO],
        &[
            ("MAIL FROM:<>", "250 2.1.0"),
            ("MAIL FROM: <ada@a.example>", "250 2.1.0"),
            ("MAIL FROM:<@x.example,@y.example:ada@a.example>", "250 2.1.0"),
            ("MAIL FROM:<\"a> b\"@a.example>", "250 2.1.0"),
            ("MAIL FROM:<\"a\\\">\"@a.example>", "250 2.1.0"),
            ("MAIL FROM:<ada@[192.0.2.1]>", "250 2.1.0"),
            ("MAIL", "501 5.1.7"),
            ("MAIL FROM", "501 5.1.7"),
            ("MAIL FROM:", "501 5.1.7"),
            ("MAIL TO:<ada@a.example>", "501 5.1.7"),
            ("MAIL FROM:ada@a.example", "501 5.1.7"),
            ("MAIL FROM:<ada@a.example", "501 5.1.7"),
            ("MAIL FROM:<ada@a.example>SIZE=1", "501 5.1.7"),
            ("MAIL FROM:<a b@a.example>", "501 5.1.7"),
            ("MAIL FROM:<<ada@a.example>>", "501 5.1.7"),
            ("MAIL FROM:<a\u{7}@a.example>", "501 5.1.7"),
            ("MAIL FROM:<\"a@a.example>", "501 5.1.7"),
            ("MAIL FROM:<@x.example>", "501 5.1.7"),
            ("MAIL FROM:<@x.example:>", "501 5.1.7"),
            ("MAIL FROM:<@[IPv6:::1]:ada@a.example>", "250 2.1.0"),
        ],
    )
    .await;
}

#[tokio::test]
async fn rfc5321_4_1_1_3_paths_of_recipients() {
    table(
        &[HELLO, MAIL],
        &[
            ("RCPT TO:<bob@b.example>", "250 2.1.5"),
            ("RCPT TO:<postmaster>", "250 2.1.5"),
            ("RCPT TO:<@x.example:bob@b.example>", "250 2.1.5"),
            ("RCPT TO:<unknown@b.example>", "550 5.1.1"),
            ("RCPT TO:<>", "501 5.1.3"),
            ("RCPT TO:<@x.example:>", "501 5.1.3"),
            ("RCPT TO:bob@b.example", "501 5.1.3"),
            ("RCPT FROM:<bob@b.example>", "501 5.1.3"),
            ("RCPT TO:<bob@b.example> NOTIFY=NEVER", "555 5.5.4"),
            ("RCPT TO:<bob@b.example> SIZE=1", "555 5.5.4"),
        ],
    )
    .await;
    let server = server(Limits::default());
    replies(&server, &[HELLO, "MAIL FROM:<@x:a@b>", "RCPT TO:<@x,@y:c@d>", "DATA", "x", "."]).await;
    let transactions = server.door.transactions();
    assert_eq!((transactions[0].sender.as_str(), transactions[0].recipients[0].as_str()), ("a@b", "c@d"));
}

#[tokio::test]
async fn rfc5321_4_1_1_11_unknown_parameters_are_refused() {
    for parameter in ["RET=FULL", "SIZE", "SIZE=", "BODY=BINARYMIME", "X", "SMTPUTF8=1", "SIZE=1 SIZE=2"] {
        let line = format!("{MAIL} {parameter}");
        let code = last(&[HELLO, &line]).await;
        let expected = if parameter.starts_with("SIZE") || parameter.contains("UTF8=") {
            "501 5.5.4"
        } else {
            "555 5.5.4"
        };
        assert_eq!(code, expected, "{line}");
    }
    // Nothing was offered to a client of RFC 821.
    assert_eq!(last(&["HELO me", &format!("{MAIL} SIZE=10")]).await, "555 5.5.4");
}

#[tokio::test]
async fn rfc5321_4_5_3_1_lengths() {
    let path = |octets: usize| format!("{}@b.example", "x".repeat(octets - "@b.example<>".len()));
    for (line, expected) in [
        (format!("RCPT TO:<{}>", path(256)), "250 2.1.5"),
        (format!("RCPT TO:<{}>", path(257)), "501 5.1.3"),
        (format!("NOOP {}", "x".repeat(505)), "250 2.0.0"),
        (format!("NOOP {}", "x".repeat(506)), "500 5.5.6"),
        (format!("MAIL FROM:<a@b> AUTH={}", "x".repeat(500)), "503 5.5.1"),
        (format!("RCPT TO:<c@d> {}", "x".repeat(4_081)), "500 5.5.6"),
        (format!("RCPT TO:<c@d> {}", "x".repeat(4_080)), "555 5.5.4"),
    ] {
        assert_eq!(last(&[HELLO, MAIL, &line]).await, expected, "{}", &line[..20]);
    }
}

#[tokio::test]
async fn rfc5321_4_5_3_1_6_a_line_of_text_has_998_octets() {
    for (octets, expected) in [(998, "250 2.0.0"), (999, "550 5.6.0")] {
        for line in [
            "x".repeat(octets),
            format!(".{}", ".".repeat(octets)),
            "\u{e9}".repeat(499) + &"x".repeat(octets - 998),
        ] {
            assert_eq!(last(&[HELLO, MAIL, RCPT, "DATA", &line, "."]).await, expected, "{octets}");
            let chunk = line.replacen("..", ".", 1);
            let command = format!("BDAT {} LAST\r\n{chunk}", chunk.len() + 2);
            assert_eq!(last(&[HELLO, MAIL, RCPT, &command]).await, expected, "{octets}");
        }
    }
}

#[tokio::test]
async fn rfc5321_4_5_3_1_10_recipients_beyond_the_limit_are_refused_for_now() {
    let server = server(Limits::default());
    let mut lines = vec![HELLO, MAIL];
    lines.extend(vec![RCPT; 102]);
    lines.extend(["DATA", "x", "."]);
    let codes = replies(&server, &lines).await;
    assert_eq!(codes[101], "250 2.1.5");
    assert_eq!(codes[102..], ["452 4.5.3", "452 4.5.3", "354", "250 2.0.0"]);
    assert_eq!(server.door.transactions()[0].recipients.len(), 100);
}

#[tokio::test]
async fn rfc5321_4_5_2_dots_are_unstuffed() {
    for (sent, expected) in [
        ("", ""),
        ("a\r\n", "a\r\n"),
        ("..\r\n", ".\r\n"),
        ("..a\r\n...b\r\n", ".a\r\n..b\r\n"),
        (".a\r\n", "a\r\n"),
        ("a.\r\n", "a.\r\n"),
        ("\r\n", "\r\n"),
        ("\r\n\r\n..\r\n", "\r\n\r\n.\r\n"),
    ] {
        let server = server(Limits::default());
        let input = format!("{HELLO}\r\n{MAIL}\r\n{RCPT}\r\nDATA\r\n{sent}.\r\nQUIT\r\n");
        let codes = codes(&exchange(&server, input.as_bytes()).await);
        assert_eq!(codes[codes.len() - 2..], ["250 2.0.0", "221 2.0.0"], "{sent:?}");
        assert_eq!(server.door.messages(), [expected.as_bytes()], "{sent:?}");
    }
}

#[tokio::test]
async fn rfc5321_4_2_replies_of_the_front_door_are_replies() {
    let server = server(Limits::default());
    let output = exchange(&server, b"EHLO me\r\nMAIL FROM:<refused@a.example>\r\n").await;
    assert!(output.ends_with("550 5.7.1 Not??250 from here\r\n"), "{output}");
    let codes = replies(&server, &[HELLO, "MAIL FROM:<busy@a.example>", MAIL]).await;
    assert_eq!(codes[1..], ["421 4.3.2"], "421 ends the connection");
}

#[tokio::test]
async fn rfc5321_4_1_1_4_the_transaction_is_over_with_the_message() {
    for (recipient, code) in [("bob@b.example", "250 2.0.0"), ("full@b.example", "452 4.3.1")] {
        let rcpt = format!("RCPT TO:<{recipient}>");
        let lines = [HELLO, MAIL, &rcpt, "DATA", "x", ".", RCPT, MAIL];
        let codes = replies(&server(Limits::default()), &lines).await;
        assert_eq!(codes[3..], ["354", code, "503 5.5.1", "250 2.1.0"]);
    }
    let codes =
        replies(&server(Limits::default()), &[HELLO, MAIL, "RCPT TO:<lost@x>", "DATA", "x", ".", MAIL]).await;
    assert_eq!(codes.last().map(String::as_str), Some("354"), "the connection ends without a reply");
}
