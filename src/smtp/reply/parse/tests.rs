use proptest::prelude::*;

use super::*;

fn parse(bytes: &[u8]) -> Result<Option<Reply>, Malformed> {
    let mut replies = Replies::default();
    replies.feed(bytes);
    replies.next()
}

fn reply(code: u16, enhanced: Option<EnhancedCode>, lines: &[&str]) -> Reply {
    Reply { code, enhanced, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
}

/// Security case E7.
#[test]
fn what_is_a_reply_is_read() {
    for (bytes, expected) in [
        (&b"250 OK\r\n"[..], reply(250, None, &["OK"])),
        (b"250\r\n", reply(250, None, &[""])),
        (b"250 \r\n", reply(250, None, &[""])),
        (b"250-\r\n250\r\n", reply(250, None, &["", ""])),
        (b"250-one\r\n250-two\r\n250 three\r\n", reply(250, None, &["one", "two", "three"])),
        (b"250 \xff\xc3\xa9 caf\xe9\r\n", reply(250, None, &["ÿÃ© café"])),
        (b"550 a\tb\x1b]0;x\x07\0\rc\r\n", reply(550, None, &["a?b?]0;x???c"])),
        (b"559 odd\r\n", reply(559, None, &["odd"])),
        (b"571 odd\r\n", reply(571, None, &["odd"])),
        (b"250  two spaces\r\n", reply(250, None, &[" two spaces"])),
    ] {
        assert_eq!(parse(bytes), Ok(Some(expected)), "{:?}", String::from_utf8_lossy(bytes));
    }
}

/// Security case E7.
#[test]
fn what_is_no_reply_is_refused() {
    for (bytes, expected) in [
        (&b"2506\r\n"[..], Malformed::NoCode),
        (b"2506 OK\r\n", Malformed::NoCode),
        (b"25\r\n", Malformed::NoCode),
        (b"25 OK\r\n", Malformed::NoCode),
        (b"250x\r\n", Malformed::NoCode),
        (b"250_OK\r\n", Malformed::NoCode),
        (b"250\tOK\r\n", Malformed::NoCode),
        (b"999 no\r\n", Malformed::NoCode),
        (b"600 no\r\n", Malformed::NoCode),
        (b"199 no\r\n", Malformed::NoCode),
        (b"260 no\r\n", Malformed::NoCode),
        (b"ABC no\r\n", Malformed::NoCode),
        (b" 250 OK\r\n", Malformed::NoCode),
        (b"\r\n", Malformed::NoCode),
        (b"\xef\xbb\xbf250 OK\r\n", Malformed::NoCode),
        (b"250 OK\n", Malformed::BareLineFeed),
        (b"\n", Malformed::BareLineFeed),
        (b"250-OK\r\n250 OK\n", Malformed::BareLineFeed),
        (b"250-one\r\n251 two\r\n", Malformed::CodesDiffer),
        (b"250-one\r\ntwo\r\n250 three\r\n", Malformed::NoCode),
    ] {
        assert_eq!(parse(bytes), Err(expected), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_reply_without_its_end_is_none_yet() {
    for bytes in [&b""[..], b"2", b"250 OK", b"250 OK\r", b"250-one\r\n", b"250-one\r\n250"] {
        assert_eq!(parse(bytes), Ok(None), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn enhanced_codes_are_read_where_the_class_is_the_replys() {
    for (bytes, enhanced, text) in [
        (&b"535 5.7.8 refused\r\n"[..], Some(EnhancedCode(5, 7, 8)), "refused"),
        (b"550 5.7.501 banned\r\n", Some(EnhancedCode(5, 7, 501)), "banned"),
        (b"421 4.7.0\r\n", Some(EnhancedCode(4, 7, 0)), ""),
        (b"250 2.1.5 ok\r\n", Some(EnhancedCode(2, 1, 5)), "ok"),
        (b"550 4.7.1 other class\r\n", None, "4.7.1 other class"),
        (b"354 3.0.0 no such class\r\n", None, "3.0.0 no such class"),
        (b"550 5.7.1000 too long\r\n", None, "5.7.1000 too long"),
        (b"550 5.7 too short\r\n", None, "5.7 too short"),
        (b"550 5.7.1.2 an address\r\n", None, "5.7.1.2 an address"),
        (b"550 5..1 empty\r\n", None, "5..1 empty"),
        (b"550 5.7.1: with a colon\r\n", None, "5.7.1: with a colon"),
    ] {
        let read = parse(bytes).unwrap().unwrap();
        assert_eq!(
            (read.enhanced, read.text().as_str()),
            (enhanced, text),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn the_enhanced_code_stands_on_every_line_of_a_reply() {
    let read = parse(b"535-5.7.8 Username and Password\r\n535 5.7.8 not accepted\r\n").unwrap().unwrap();
    let expected = reply(535, Some(EnhancedCode(5, 7, 8)), &["Username and Password", "not accepted"]);
    assert_eq!(read, expected);
}

/// Security case E1.
#[test]
fn a_line_is_at_most_2048_octets() {
    let line = |text: usize| [b"250 ", "x".repeat(text).as_bytes(), b"\r\n"].concat();
    assert!(matches!(parse(&line(MAX_LINE - 6)), Ok(Some(_))));
    assert_eq!(parse(&line(MAX_LINE - 5)), Err(Malformed::LineTooLong));
    assert_eq!(parse(&[b'2'; MAX_LINE]), Err(Malformed::LineTooLong));
    assert_eq!(parse(&[b'2'; MAX_LINE - 1]), Ok(None));
}

/// Security case E2.
#[test]
fn a_reply_is_at_most_128_lines() {
    let lines = |count: usize| format!("{}250 x\r\n", "250-x\r\n".repeat(count - 1));
    assert!(matches!(parse(lines(MAX_LINES).as_bytes()), Ok(Some(_))));
    assert_eq!(parse(lines(MAX_LINES + 1).as_bytes()), Err(Malformed::TooManyLines));
}

/// Security case E2.
#[test]
fn a_reply_is_at_most_64_kib() {
    let of = |count: usize| format!("250-{}\r\n", "x".repeat(1_018)).repeat(count);
    assert_eq!(parse(of(64).as_bytes()), Ok(None));
    assert_eq!(parse((of(64) + "250 x\r\n").as_bytes()), Err(Malformed::TooLarge));
}

#[test]
fn replies_come_one_by_one_and_what_follows_is_seen() {
    let mut replies = Replies::default();
    replies.feed(b"250 one\r\n250 two\r\n25");
    assert_eq!(replies.next().unwrap().unwrap().text(), "one");
    assert!(!replies.is_empty());
    assert_eq!(replies.next().unwrap().unwrap().text(), "two");
    assert_eq!(replies.pending(), b"25");
    replies.feed(b"0 three\r\n");
    assert_eq!(replies.next().unwrap().unwrap().text(), "three");
    assert!(replies.is_empty());
    replies.feed(b"250-begun\r\n");
    assert_eq!(replies.next(), Ok(None));
    assert!(!replies.is_empty(), "half a reply is something");
}

/// All replies of `bytes`, fed in pieces that end where `cuts` says.
fn all(bytes: &[u8], cuts: &[usize]) -> (Vec<Reply>, Option<Malformed>) {
    let mut replies = Replies::default();
    let mut read = Vec::new();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    for pair in cuts.windows(2) {
        replies.feed(&bytes[pair[0]..pair[1]]);
        loop {
            match replies.next() {
                Ok(Some(reply)) => read.push(reply),
                Ok(None) => break,
                Err(malformed) => return (read, Some(malformed)),
            }
        }
    }
    (read, None)
}

proptest! {
    /// Security case E15.
    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, cuts: Vec<usize>) {
        all(&bytes, &cuts);
    }

    /// Security case E15.
    #[test]
    fn how_the_bytes_are_cut_changes_nothing(
        text in "([2-5][0-5][0-9][ -][ -~é]{0,20}\r?\n){0,12}",
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        prop_assert_eq!(all(text.as_bytes(), &cuts), all(text.as_bytes(), &[]));
    }

    /// Security case I3.
    #[test]
    fn a_reply_is_printable(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [b"250 ", &text[..], b"\r\n"].concat();
        if let Ok(Some(read)) = parse(&bytes) {
            prop_assert!(!read.text().chars().any(char::is_control));
        }
    }
}

/// Counted, not timed: each byte is looked for a line feed once, however small the pieces.
/// Security case E15.
#[test]
fn the_work_is_linear_in_what_arrives() {
    let mut replies = Replies::default();
    for fed in 1..MAX_LINE {
        replies.feed(b"2");
        assert_eq!(replies.next(), Ok(None));
        assert_eq!(replies.searched, fed, "everything that arrived has been searched, and is not again");
    }
}
