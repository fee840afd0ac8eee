//! Input that is meant to harm: smuggling, bare line ends, endless lines, lies about lengths.

use std::fmt::Write as _;

use super::*;

/// The line ends and dots that servers have taken for the end of a message: the published lists of SMTP smuggling
/// (SEC Consult 2023, `smtpsmug`), and what is near them.
const FALSE_ENDS: [&str; 21] = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\r.\n",
    "\n.\r",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\0\r\n.\r\n\0",
    "\r\0\n.\r\n",
    "\r\n.\r\0\n",
    "\r\r\n.\r\r\n",
    "\r\n.\r\r\n",
    "\n\n.\n\n",
    "\r\r.\r\r",
    "\n\r.\n\r",
    "\r\n.\n\r\n",
    "\r\n .\r\n",
    "\r\n. \r\n",
];

const SMUGGLED: &str = "MAIL FROM:<evil@b>\r\nRCPT TO:<evil@d>\r\nDATA\r\nSubject: smuggled\r\n\r\nx";

/// Security case N1.
#[tokio::test]
async fn no_false_end_yields_a_second_message() {
    for end in FALSE_ENDS {
        for before in ["Subject: x\r\n\r\nx", ""] {
            let server = server(Limits::default());
            let input = format!(
                "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n{before}{end}{SMUGGLED}\r\n.\r\nNOOP\r\nQUIT\r\n"
            );
            let codes = codes(&exchange(&server, input.as_bytes()).await);
            // A blank beside the dot makes a line of it like any other.
            let is_harmless = end.contains(' ');
            let expected = if end == "\0\r\n.\r\n\0" {
                // This one is an end, and what follows it are commands with NUL, and text that is none.
                assert!(server.door.messages().is_empty(), "{end:?}");
                continue;
            } else if is_harmless {
                "250 2.0.0"
            } else {
                "550 5.6.0"
            };
            assert_eq!(codes[3..], ["354", expected, "250 2.0.0", "221 2.0.0"], "{end:?}");
            assert_eq!(server.door.messages().len(), usize::from(is_harmless), "{end:?}");
        }
    }
}

/// Security case N1.
#[tokio::test]
async fn no_false_end_in_a_chunk_yields_a_second_message() {
    for end in FALSE_ENDS.into_iter().chain(["\r\n.\r\n"]) {
        for size in [usize::MAX, 1, 3] {
            let server = server(Limits::default());
            let message = format!("Subject: x\r\n\r\nx{end}{SMUGGLED}\r\n");
            let mut input = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n".to_owned();
            let pieces: Vec<&[u8]> = message.as_bytes().chunks(size.min(message.len())).collect();
            for (index, piece) in pieces.iter().enumerate() {
                let last = if index + 1 == pieces.len() { " LAST" } else { "" };
                write!(input, "BDAT {}{last}\r\n{}", piece.len(), str::from_utf8(piece).unwrap()).unwrap();
            }
            let server_limits = Limits { max_bad_commands: 1_000, ..server.limits };
            let server = Server::new(TestDoor::default(), server_limits);
            exchange(&server, input.as_bytes()).await;
            let is_harmless =
                [" .", ". ", "\r\n.\r\n"].iter().any(|good| end.contains(good)) && !end.contains('\0');
            let expected = if is_harmless { vec![message.into_bytes()] } else { Vec::new() };
            assert_eq!(server.door.messages(), expected, "{end:?} by {size}");
        }
    }
}

/// Security case N2.
#[tokio::test]
async fn a_message_with_a_bare_line_end_is_refused_and_the_session_goes_on() {
    for bad in ["a\rb", "a\nb", "a\0b", "\r", "\n", "\0", "a\r\rb", "\n\r"] {
        for text in [format!("{bad}\r\n"), format!("x\r\n{bad}x\r\n"), format!("x{bad}\r\ny\r\n")] {
            let server = server(Limits::default());
            let mail = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
            let input = format!("EHLO me\r\n{mail}{text}.\r\n{mail}good\r\n.\r\n");
            let codes = codes(&exchange(&server, input.as_bytes()).await);
            assert_eq!(codes[3..5], ["354", "550 5.6.0"], "{text:?}");
            assert_eq!(codes.last().map(String::as_str), Some("250 2.0.0"));
            assert_eq!(server.door.messages(), [b"good\r\n"], "{text:?}");
        }
    }
}

/// Security case N2.
#[tokio::test]
async fn a_command_with_a_bare_line_end_is_no_command() {
    for line in [
        "NOOP\nMAIL FROM:<a@b>",
        "NOOP\rMAIL FROM:<a@b>",
        "MAIL FROM:<a@b>\n",
        "MAIL FROM:<a@b>\r",
        "MAIL FROM:<a@b>\0",
        "MAIL FROM:<a\0@b>",
        "\nMAIL FROM:<a@b>",
    ] {
        let codes = replies(&server(Limits::default()), &["EHLO me", line, "RCPT TO:<c@d>"]).await;
        assert_eq!(codes[1..], ["500 5.5.2", "503 5.5.1"], "{line:?}");
    }
    let codes =
        replies(&server(Limits::default()), &["EHLO me", "AUTH PLAIN", "AGFkYQBzZWNyZXQ=\0", "NOOP"]).await;
    assert_eq!(codes[1..], ["334", "500 5.5.2", "250 2.0.0"], "the exchange is over");
}

/// Security case N4.
#[tokio::test]
async fn a_browser_that_is_led_here_is_turned_away() {
    for line in ["GET / HTTP/1.1", "POST /emails HTTP/1.1", "CONNECT x:25 HTTP/1.1", "OPTIONS * HTTP/1.1"] {
        let codes =
            replies(&server(Limits::default()), &[line, "Host: localhost", "", "EHLO me", "QUIT"]).await;
        assert_eq!(codes, ["500 5.5.1"], "{line}");
    }
}

/// Security case N5.
#[tokio::test]
async fn ten_thousand_recipients_are_answered_and_bounded() {
    let server = server(Limits::default());
    let mut input = "EHLO me\r\nMAIL FROM:<a@b>\r\n".to_owned();
    for number in 0..10_000 {
        write!(input, "RCPT TO:<{number}@d>\r\n").unwrap();
    }
    input += "DATA\r\nx\r\n.\r\n";
    let codes = codes(&exchange(&server, input.as_bytes()).await);
    assert_eq!(codes[2..102], vec!["250 2.1.5"; 100]);
    assert_eq!(codes[102..10_002], vec!["452 4.5.3"; 9_900]);
    assert_eq!(codes[10_002..], ["354", "250 2.0.0"]);
    assert_eq!(server.door.transactions()[0].recipients.len(), 100);
}

/// Security case N5.
#[tokio::test]
async fn recipients_without_end_end_the_connection() {
    let server = server(Limits::default());
    let mut lines = vec!["EHLO me", "MAIL FROM:<a@b>"];
    lines.extend(vec!["RCPT TO:<unknown@d>"; 21_000]);
    let codes = replies(&server, &lines).await;
    assert_eq!((codes.len(), codes[20_002].as_str()), (20_003, "421 4.7.0"));
}

/// Security case N6.
#[tokio::test]
async fn a_chunk_that_lies_about_its_length_yields_nothing() {
    let begin = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
    // Longer than what comes: the client's end is no end of the message.
    let server = server(Limits::default());
    let output = exchange(&server, format!("{begin}BDAT 1000 LAST\r\nx\r\nQUIT\r\n").as_bytes()).await;
    assert_eq!(codes(&output).len(), 3, "{output}");
    assert!(server.door.messages().is_empty());
    // Shorter: the rest is read as commands.
    let output = exchange(&server, format!("{begin}BDAT 3 LAST\r\nx\r\nyyy\r\nNOOP\r\n").as_bytes()).await;
    assert_eq!(codes(&output)[3..], ["250 2.0.0", "500 5.5.1", "250 2.0.0"]);
    assert_eq!(server.door.messages(), [b"x\r\n"]);
    // Beyond the limit: refused, and read to its end.
    let limits = Limits { max_message: 10, ..Limits::default() };
    let small = Server::new(TestDoor::default(), limits);
    let output = exchange(&small, format!("{begin}BDAT 12 LAST\r\n0123456789\r\nNOOP\r\n").as_bytes()).await;
    assert_eq!(codes(&output)[3..], ["552 5.3.4", "250 2.0.0"]);
    // Far beyond: not worth reading.
    let output = exchange(&small, format!("{begin}BDAT 21 LAST\r\n0123456789\r\nNOOP\r\n").as_bytes()).await;
    assert_eq!(codes(&output)[3..], ["552 5.3.4"]);
    // By many chunks.
    let chunks = "BDAT 6\r\n0123\r\n".repeat(3);
    let output = exchange(&small, format!("{begin}{chunks}NOOP\r\n").as_bytes()).await;
    assert_eq!(codes(&output)[3..], ["250 2.0.0", "552 5.3.4", "503 5.5.1", "250 2.0.0"]);
    assert!(small.door.messages().is_empty());
}

/// Security case N7.
#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    for input in ["x".repeat(20_000), format!("{}\r\n", "x".repeat(12_287)), "\n".repeat(12_288)] {
        let output = exchange(&server(Limits::default()), input.as_bytes()).await;
        assert_eq!(codes(&output), ["500 5.5.6"]);
    }
    let output = exchange(&server(Limits::default()), format!("{}\r\n", "x".repeat(12_286)).as_bytes()).await;
    assert_eq!(codes(&output), ["500 5.5.1"]);
    let sign_in = format!("EHLO me\r\nAUTH PLAIN\r\n{}", "A".repeat(20_000));
    assert_eq!(
        codes(&exchange(&server(Limits::default()), sign_in.as_bytes()).await)[1..],
        ["334", "500 5.5.6"]
    );
}

/// Security case N7.
#[tokio::test]
async fn a_message_without_end_is_read_to_twice_its_limit() {
    let limits = Limits { max_message: 1_000, ..Limits::default() };
    let begin = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
    for text in ["x".repeat(100_000), "x\r\n".repeat(40_000)] {
        let server = Server::new(TestDoor::default(), limits);
        let output = exchange(&server, format!("{begin}{text}\r\n.\r\nNOOP\r\n").as_bytes()).await;
        assert_eq!(codes(&output)[3..], ["354", "552 5.3.4"], "the connection has ended");
    }
    let server = Server::new(TestDoor::default(), limits);
    let output = exchange(&server, format!("{begin}{}.\r\nNOOP\r\n", "x\r\n".repeat(400)).as_bytes()).await;
    assert_eq!(codes(&output)[3..], ["354", "552 5.3.4", "250 2.0.0"], "it goes on");
}

/// Security case N8.
#[tokio::test]
async fn three_refused_sign_ins_end_the_connection() {
    let wrong = "AUTH PLAIN AGFkYQB3cm9uZw==";
    let lines = ["EHLO me", wrong, "AUTH PLAIN ***", wrong, "AUTH LOGIN", "*", wrong, SIGN_IN];
    let server = server(Limits::default());
    let codes = replies(&server, &lines).await;
    let expected = ["535 5.7.8", "501 5.5.2", "535 5.7.8", "334", "501 5.7.0", "535 5.7.8", "421 4.7.0"];
    assert_eq!(codes[1..], expected);
    assert_eq!(server.door.sign_ins.lock().unwrap().len(), 3);
}

/// Security case N6.
#[tokio::test]
async fn a_chunk_whose_command_cannot_be_read_is_not_read_as_commands() {
    let evil = "RSET\r\nMAIL FROM:<evil@b>\r\nRCPT TO:<evil@d>\r\nBDAT 2 LAST\r\n\r\n";
    let blanks = " ".repeat(520);
    for command in [
        "BDAT 62\0",
        "BDAT\t62 LAST",
        "bdat 62 LAST\n",
        " BDAT 62 LAST",
        &format!("BDAT 62{blanks}LAST"),
        "BDATA 62",
    ] {
        let server = server(Limits::default());
        let begin = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
        let output = exchange(&server, format!("{begin}{command}\r\n{evil}").as_bytes()).await;
        assert_eq!(codes(&output).len(), 4, "{command:?} ends the connection");
        assert!(server.door.messages().is_empty(), "{command:?}");
    }
    let server = server(Limits::default());
    let input =
        b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 5\xff\r\nabc\r\nBDAT 6 LAST\r\nx: y\r\n";
    exchange(&server, input).await;
    assert!(server.door.messages().is_empty(), "a mail without its first chunk");
}

/// Security case N4.
#[tokio::test]
async fn text_behind_a_data_that_cannot_be_read_is_not_read_as_commands() {
    for command in ["DATA\0", "DATA\n", "DATA\t", "DATAX", " DATA"] {
        let input = format!("EHLO me\r\n{command}\r\nMAIL FROM:<evil@b>\r\n");
        let codes = codes(&exchange(&server(Limits::default()), input.as_bytes()).await);
        assert_eq!(codes.last().map(String::as_str), Some("421 4.7.0"), "{command:?}");
    }
}
