//! The extensions of SMTP, by the sections of their RFCs.

use super::*;

#[tokio::test]
async fn rfc2920_replies_of_a_flight_come_together_and_in_order() {
    let server = server(Limits::default());
    conversation(&server, async |mut talk| {
        talk.reply().await;
        talk.say("EHLO me").await;
        talk.send("MAIL FROM:<a@b>\r\nRCPT TO:<unknown@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n").await;
        let mut flight = vec![0; 1_000];
        let read = talk.stream.read(&mut flight).await.unwrap();
        let text = String::from_utf8_lossy(&flight[..read]);
        assert_eq!(codes(&text), ["250 2.1.0", "550 5.1.1", "250 2.1.5", "354"], "one write");
        talk.send("x\r\n.\r\nNOOP\r\nMAIL FROM:<a@b>\r\nRCP").await;
        let read = talk.stream.read(&mut flight).await.unwrap();
        let text = String::from_utf8_lossy(&flight[..read]);
        assert_eq!(codes(&text), ["250 2.0.0", "250 2.0.0", "250 2.1.0"]);
        talk.send("T TO:<c@d>\r\n").await;
        assert!(talk.reply().await.starts_with("250 2.1.5"));
    })
    .await;
}

/// Security case N4.
#[tokio::test]
async fn rfc2920_3_1_nothing_is_read_behind_a_refused_data() {
    let message = "Subject: x\r\n\r\nMAIL FROM:<evil@b>\r\nRCPT TO:<evil@d>\r\n.\r\n";
    for before in ["MAIL FROM:<a@b>\r\nRCPT TO:<unknown@d>\r\n", "MAIL FROM:<a@b>\r\n", ""] {
        let server = server(Limits::default());
        let input = format!("EHLO me\r\n{before}DATA\r\n{message}");
        let codes = codes(&exchange(&server, input.as_bytes()).await);
        let refusal = if before.is_empty() { "503 5.5.1" } else { "554 5.5.1" };
        assert_eq!(codes[codes.len() - 2..], [refusal, "421 4.7.0"], "{before}");
    }
}

#[tokio::test]
async fn rfc1870_6_sizes() {
    let limits = Limits { max_message: 1_000, ..Limits::default() };
    assert!(offers(&server(limits)).await.contains(&"SIZE 1000".to_owned()));
    for (size, expected) in [
        ("0", "250 2.1.0"),
        ("1000", "250 2.1.0"),
        ("00000000000000001000", "250 2.1.0"),
        ("1001", "552 5.3.4"),
        ("99999999999999999999", "552 5.3.4"),
        ("100000000000000000000", "501 5.5.4"),
        ("-1", "501 5.5.4"),
        ("+1", "501 5.5.4"),
        ("1k", "501 5.5.4"),
    ] {
        let codes = replies(&server(limits), &[HELLO, &format!("{MAIL} SIZE={size}")]).await;
        assert_eq!(codes[1], expected, "{size}");
    }
    // At the end as well: the announced size is not binding.
    for (octets, expected) in [(998, "250 2.0.0"), (999, "552 5.3.4")] {
        let text = format!("{}\r\n", "x".repeat(8)).repeat(99) + &"x".repeat(octets - 990);
        let mail = format!("{MAIL} SIZE=1");
        let codes = replies(&server(limits), &[HELLO, &mail, RCPT, "DATA", &text, ".", "NOOP"]).await;
        assert_eq!(codes[3..], ["354", expected, "250 2.0.0"], "{octets}");
    }
}

#[tokio::test]
async fn rfc6152_and_6531_bodies_and_addresses_beyond_ascii() {
    table(
        &[HELLO],
        &[
            ("MAIL FROM:<a@b> BODY=7BIT", "250 2.1.0"),
            ("MAIL FROM:<a@b> BODY=8BITMIME SMTPUTF8 AUTH=<>", "250 2.1.0"),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", "555 5.5.4"),
            ("MAIL FROM:<\u{fc}@b>", "553 5.6.7"),
            ("MAIL FROM:<\u{fc}@b> SMTPUTF8", "250 2.1.0"),
            ("MAIL FROM:<a@\u{fc}.example>", "553 5.6.7"),
        ],
    )
    .await;
    table(&[HELLO, MAIL], &[("RCPT TO:<\u{fc}@b>", "553 5.6.7")]).await;
    table(&[HELLO, "MAIL FROM:<a@b> SMTPUTF8"], &[("RCPT TO:<\u{fc}@b>", "250 2.1.5")]).await;
    let server = server(Limits::default());
    let lines = [HELLO, "MAIL FROM:<a@b> BODY=8BITMIME SIZE=7", "RCPT TO:<c@d>", "DATA", "gr\u{fc}n", "."];
    replies(&server, &lines).await;
    let transaction = server.door.transactions().remove(0);
    assert!(transaction.is_eight_bit && !transaction.smtputf8 && transaction.size == Some(7));
    assert_eq!(server.door.messages(), ["gr\u{fc}n\r\n".as_bytes()]);
    // RFC 6531 section 3.3 has UTF-8 only.
    let output = exchange(&server, b"EHLO me\r\nMAIL FROM:<\xfc@b> SMTPUTF8\r\n").await;
    assert_eq!(codes(&output)[1], "500 5.5.2");
}

#[tokio::test]
async fn rfc9422_limits_are_offered_and_kept() {
    let limits = Limits { max_messages: 2, max_recipients: 7, ..Limits::default() };
    assert!(offers(&server(limits)).await.contains(&"LIMITS MAILMAX=2 RCPTMAX=7".to_owned()));
    let mail = [MAIL, RCPT, "DATA", "x", "."];
    let lines = [&[HELLO][..], &mail, &mail, &mail].concat();
    let server = server(limits);
    let codes = replies(&server, &lines).await;
    assert_eq!(codes.len(), 10, "{codes:?}");
    assert_eq!(codes[9], "421 4.7.0", "a third message");
    assert_eq!(server.door.messages().len(), 2);
}

#[tokio::test]
async fn rfc2034_every_reply_has_an_enhanced_code_that_agrees() {
    let lines = [
        HELLO,
        "WHAT",
        MAIL,
        MAIL,
        "RCPT TO:<unknown@b>",
        RCPT,
        "VRFY x",
        "EXPN x",
        "HELP",
        "NOOP",
        "RSET x",
        "DATA",
        "x",
        ".",
        "AUTH X",
        SIGN_IN,
        "BDAT 0",
        "QUIT",
    ];
    for code in &replies(&server(Limits::default()), &lines).await[1..] {
        let (code, enhanced) = code.split_once(' ').unwrap_or((code, ""));
        assert!(code == "354" || enhanced.starts_with(&code[..1]), "{code} {enhanced}");
    }
}

#[tokio::test]
async fn rfc4954_4_sign_ins() {
    let (user, secret, wrong) = ("YWRh", "c2VjcmV0", "d3Jvbmc=");
    for (lines, expected, signed_in) in [
        (&[SIGN_IN][..], "235 2.7.0", "ada:secret"),
        (&["AUTH PLAIN YWRhAGFkYQBzZWNyZXQ="], "235 2.7.0", "ada:secret"),
        (&["auth plain", "AGFkYQBzZWNyZXQ="], "235 2.7.0", "ada:secret"),
        (&["AUTH LOGIN", user, secret], "235 2.7.0", "ada:secret"),
        (&["AUTH LOGIN YWRh", secret], "235 2.7.0", "ada:secret"),
        (&["AUTH LOGIN", user, wrong], "535 5.7.8", "ada:wrong"),
        (&["AUTH LOGIN", user, ""], "535 5.7.8", "ada:"),
        (&["AUTH PLAIN AGFkYQBsYXRlcg=="], "454 4.7.0", "ada:later"),
        (&["AUTH PLAIN AGFkYQB3cm9uZw=="], "535 5.7.8", "ada:wrong"),
        // For another user, or malformed: refused without asking the front door.
        (&["AUTH PLAIN cm9vdABhZGEAc2VjcmV0"], "535 5.7.8", ""),
        (&["AUTH PLAIN YWRhAHNlY3JldA=="], "535 5.7.8", ""),
        (&["AUTH PLAIN AGFkYQBzZWNyZXQA"], "535 5.7.8", ""),
        (&["AUTH PLAIN ="], "535 5.7.8", ""),
        (&["AUTH PLAIN /w=="], "535 5.7.8", ""),
        (&["AUTH PLAIN ***"], "501 5.5.2", ""),
        (&["AUTH PLAIN A"], "501 5.5.2", ""),
        (&["AUTH PLAIN AGFkYQBzZWNyZXQ= x"], "501 5.5.2", ""),
        (&["AUTH PLAIN", "*"], "501 5.7.0", ""),
        (&["AUTH LOGIN", "*"], "501 5.7.0", ""),
        (&["AUTH LOGIN", user, "*"], "501 5.7.0", ""),
        (&["AUTH LOGIN", "?"], "501 5.5.2", ""),
        (&["AUTH LOGIN", "\u{fc}"], "501 5.5.2", ""),
        (&["AUTH CRAM-MD5"], "504 5.5.4", ""),
        (&["AUTH"], "501 5.5.4", ""),
    ] {
        let server = server(Limits::default());
        let codes = replies(&server, &[&[HELLO], lines].concat()).await;
        assert_eq!(codes.last().unwrap(), expected, "{lines:?}");
        assert_eq!(server.door.sign_ins.lock().unwrap().join(","), signed_in, "{lines:?}");
    }
    // After a cancelled exchange the next line is a command again.
    assert_eq!(last(&[HELLO, "AUTH LOGIN", "*", MAIL]).await, "250 2.1.0");
    assert_eq!(last(&["HELO me", SIGN_IN]).await, "503 5.5.1", "an extension needs EHLO");
    let long = format!("AUTH PLAIN {}", "A".repeat(12_272));
    assert_eq!(last(&[HELLO, &long]).await, "535 5.7.8");
    let longer = format!("{long}AAAA");
    assert_eq!(last(&[HELLO, &longer]).await, "500 5.5.6");
}

#[tokio::test]
async fn rfc4954_4_1_challenges() {
    let output =
        exchange(&server(Limits::default()), b"EHLO me\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN\r\nYQ==\r\n*\r\n")
            .await;
    let challenges: Vec<_> = output.split("\r\n").filter(|line| line.starts_with("334")).collect();
    assert_eq!(challenges, ["334 ", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"]);
}

#[tokio::test]
async fn rfc4954_5_the_auth_parameter_is_xtext() {
    for (value, expected) in [
        ("<>", "250 2.1.0"),
        ("ada@a.example", "250 2.1.0"),
        ("a+3Db@a.example", "250 2.1.0"),
        ("a+3db@a.example", "501 5.5.4"),
        ("a+3", "501 5.5.4"),
        ("a=b", "501 5.5.4"),
        ("", "501 5.5.4"),
    ] {
        assert_eq!(last(&[HELLO, &format!("{MAIL} AUTH={value}")]).await, expected, "{value}");
    }
}

/// Security case N3.
#[tokio::test]
async fn rfc3207_4_before_tls_nothing_else_is_possible_where_tls_is_required() {
    let door = TestDoor { plain: SignInRule::AfterTls, ..TestDoor::default() };
    let server = Server::new(door, Limits { max_bad_commands: 100, ..Limits::default() });
    let offered = offers(&server).await;
    assert!(offered.contains(&"STARTTLS".to_owned()) && !offered.iter().any(|line| line.starts_with("AUTH")));
    let lines = [HELLO, "NOOP", SIGN_IN, "AUTH LOGIN", MAIL, RCPT, "DATA", "QUIT"];
    let expected =
        ["250", "250 2.0.0", "538 5.7.11", "538 5.7.11", "530 5.7.0", "530 5.7.0", "530 5.7.0", "421 4.7.0"];
    assert_eq!(replies(&server, &lines).await, expected);
    let lines = ["BDAT 6 LAST\r\nRSET\r\nRSET", "VRFY x", "HELP", "HELO me", "EXPN x", "WHAT", "QUIT"];
    let codes = replies(&server, &lines).await;
    assert_eq!(
        codes,
        [
            "530 5.7.0",
            "530 5.7.0",
            "530 5.7.0",
            "530 5.7.0",
            "530 5.7.0",
            "502 5.5.1",
            "500 5.5.1",
            "221 2.0.0"
        ]
    );
    assert!(server.door.sign_ins.lock().unwrap().is_empty());
}

#[tokio::test]
async fn rfc3030_chunks_of_any_size() {
    for (chunks, expected) in [
        (&["x\r\n"][..], "x\r\n"),
        (&["", "x\r\n"], "x\r\n"),
        (&["x\r\n", ""], "x\r\n"),
        (&["x\r", "\n"], "x\r\n"),
        (&["x", "\r", "\n", ".", "\r\n"], "x\r\n.\r\n"),
        (&["..\r\n.\r\n", "QUIT\r\n"], "..\r\n.\r\nQUIT\r\n"),
        (&["no line end"], "no line end"),
        (&[""], ""),
    ] {
        let server = server(Limits::default());
        let mut input = format!("{HELLO}\r\n{MAIL}\r\n{RCPT}\r\n");
        for (index, chunk) in chunks.iter().enumerate() {
            let last = if index + 1 == chunks.len() { " last" } else { "" };
            write!(input, "BDAT {}{last}\r\n{chunk}", chunk.len()).unwrap();
        }
        input += "QUIT\r\n";
        let codes = codes(&exchange(&server, input.as_bytes()).await);
        assert!(codes[3..3 + chunks.len()].iter().all(|code| code == "250 2.0.0"), "{chunks:?} {codes:?}");
        assert_eq!(codes[3 + chunks.len()..], ["221 2.0.0"], "{chunks:?}");
        assert_eq!(server.door.messages(), [expected.as_bytes()], "{chunks:?}");
    }
}

#[tokio::test]
async fn rfc3030_a_message_may_have_any_number_of_chunks() {
    let server = server(Limits::default());
    let chunks = "BDAT 1\r\nx".repeat(900);
    let input = format!("{HELLO}\r\n{MAIL}\r\n{RCPT}\r\n{chunks}BDAT 2 LAST\r\n\r\n");
    let codes = codes(&exchange(&server, input.as_bytes()).await);
    assert_eq!(codes[3..], vec!["250 2.0.0"; 901]);
    assert_eq!(server.door.messages(), [format!("{}\r\n", "x".repeat(900)).into_bytes()]);
}

#[tokio::test]
async fn rfc3030_2_a_refused_chunk_consumes_its_octets_and_the_transaction() {
    let chunk = "BDAT 6\r\nRSET\r\n";
    let last = "BDAT 6 LAST\r\nRSET\r\n";
    for (before, then, expected) in [
        ("", vec![chunk], vec!["503 5.5.1"]),
        ("MAIL", vec![chunk, last], vec!["554 5.5.1", "503 5.5.1"]),
        ("MAIL", vec![chunk, "RCPT TO:<e@f>\r\n", last], vec!["554 5.5.1", "503 5.5.1", "503 5.5.1"]),
        ("MAIL RCPT", vec!["BDAT 2\r\nx\n", last], vec!["550 5.6.0", "503 5.5.1"]),
        ("MAIL RCPT", vec![chunk, "DATA\r\n"], vec!["250 2.0.0", "503 5.5.1"]),
        (
            "MAIL RCPT",
            vec![chunk, "RCPT TO:<e@f>\r\n", "MAIL FROM:<e@f>\r\n"],
            vec!["250 2.0.0", "503 5.5.1", "503 5.5.1"],
        ),
        ("MAIL RCPT", vec![chunk, "RSET\r\n", last], vec!["250 2.0.0", "250 2.0.0", "503 5.5.1"]),
        (
            "MAIL RCPT",
            vec![chunk, "NOOP\r\n", last, "RCPT TO:<e@f>\r\n"],
            vec!["250 2.0.0", "250 2.0.0", "250 2.0.0", "503 5.5.1"],
        ),
    ] {
        let server = server(Limits::default());
        let mut input = "EHLO me\r\n".to_owned();
        for word in before.split_whitespace() {
            input += if word == "MAIL" { "MAIL FROM:<a@b>\r\n" } else { "RCPT TO:<c@d>\r\n" };
        }
        let begun = 1 + before.split_whitespace().count();
        input += &then.concat();
        let codes = codes(&exchange(&server, input.as_bytes()).await);
        assert_eq!(codes[begun..], expected, "{before} {then:?}");
    }
}

/// Security case N6.
#[tokio::test]
async fn rfc3030_2_a_chunk_of_unknown_length_ends_the_connection() {
    for arguments in ["", "x", "-1", "1 2", "LAST", "1 LAST LAST", "0x10", "100000000000000000000"] {
        let lines = [HELLO, MAIL, RCPT, &format!("BDAT {arguments}"), MAIL];
        let codes = replies(&server(Limits::default()), &lines).await;
        assert_eq!(codes[3..], ["501 5.5.4"], "{arguments}");
    }
    let lines = [HELLO, MAIL, RCPT, "BDAT 99999999999999999999 LAST", MAIL];
    assert_eq!(replies(&server(Limits::default()), &lines).await[3..], ["552 5.3.4"]);
}

#[tokio::test]
async fn rfc6409_4_3_a_submission_server_asks_for_a_sign_in() {
    let door = TestDoor { plain: SignInRule::Required, ..TestDoor::default() };
    let server = Server::new(door, Limits::default());
    let codes = replies(&server, &[HELLO, MAIL, RCPT, "DATA", "QUIT"]).await;
    assert_eq!(codes, ["250", "530 5.7.0", "503 5.5.1", "503 5.5.1", "421 4.7.0"]);
    let codes = replies(&server, &[HELLO, SIGN_IN, MAIL, RCPT]).await;
    assert_eq!(codes[1..], ["235 2.7.0", "250 2.1.0", "250 2.1.5"]);
}

#[tokio::test]
async fn extensions_that_are_offered() {
    let offered = offers(&server(Limits::default())).await;
    let expected = [
        "mx.example",
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "SIZE 10485760",
        "LIMITS MAILMAX=1000 RCPTMAX=100",
        "STARTTLS",
        "AUTH PLAIN LOGIN",
        "ENHANCEDSTATUSCODES",
    ];
    assert_eq!(offered, expected);
}
