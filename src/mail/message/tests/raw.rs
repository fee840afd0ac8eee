//! Messages that arrive whole: what is refused, and what changes in one that is taken.

use proptest::prelude::*;

use super::SMUGGLERS;
use crate::clock::Timestamp;
use crate::mail::address::AddressError;
use crate::mail::mailbox::MailboxError;
use crate::mail::message::MessageId;
use crate::mail::message::raw::{RawMessage, RawMessageError};

const HEAD: &str = "From: Ada <ada@example.com>\r\nTo: bob@example.net\r\nSubject: x\r\n";

fn parse(text: &str) -> Result<RawMessage, RawMessageError> {
    RawMessage::parse(text.as_bytes().to_vec())
}

#[test]
fn a_good_message_keeps_its_octets() {
    let octets = b"From: Ada <ada@example.com>\r\n\r\n\xff\xfe Gr\xfc\xdfe\r\n.\r\n..\r\n";
    assert_eq!(RawMessage::parse(octets.to_vec()).unwrap().as_bytes(), octets);
    for text in [
        format!("{HEAD}\r\nHi\r\n"),
        HEAD.to_owned(),
        format!("{HEAD}\r\n"),
        format!("{HEAD}X-Long:\r\n {}\r\n\r\n", "a".repeat(997)),
        format!("{HEAD}X-Folded: a\r\n\tb\r\n c\r\n\r\nFrom: not a header\r\n"),
        format!("{HEAD}\r\n{}\r\n", "a".repeat(998)),
        format!("{}{HEAD}\r\n", "Received: x\r\n".repeat(30)),
        format!("{}{HEAD}\r\n", "X-A: b\r\n".repeat(197)),
    ] {
        assert_eq!(parse(&text).unwrap().into_bytes(), text.as_bytes());
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    use RawMessageError as Error;
    for (text, expected) in [
        (String::new(), Error::Empty),
        (format!("{HEAD}\r\nHi"), Error::NoFinalLineEnd),
        (format!("{HEAD}\r\nHi\r"), Error::BareLineEnd(5)),
        (format!("{HEAD}\r\nHi\n"), Error::BareLineEnd(5)),
        (format!("{HEAD}\r\nHi\r\r\n"), Error::BareLineEnd(5)),
        (format!("\n{HEAD}"), Error::BareLineEnd(1)),
        (format!("{HEAD}\r\na\0b\r\n"), Error::Nul(5)),
        (format!("{HEAD}\r\n{}\r\n", "a".repeat(999)), Error::LongLine(5)),
        (format!("{HEAD}\r\n{}", "a".repeat(999)), Error::LongLine(5)),
        (format!("{HEAD}X: {}\r\n\r\n", "a".repeat(996)), Error::LongLine(4)),
        (format!("{HEAD}{}\r\n", format!("X: {}\r\n", "a".repeat(900)).repeat(80)), Error::LongHead),
        (format!("{}{HEAD}\r\n", "X-A: b\r\n".repeat(198)), Error::ManyHeaders),
        (format!("{}{HEAD}\r\n", "Received: x\r\n".repeat(31)), Error::Loop),
        (format!("{HEAD}no header\r\n\r\n"), Error::NotAHeader(4)),
        (format!("{HEAD}: no name\r\n\r\n"), Error::NotAHeader(4)),
        (format!("{HEAD}A name: x\r\n\r\n"), Error::NotAHeader(4)),
        (format!("{HEAD}Bcc : x@y.org\r\n\r\n"), Error::NotAHeader(4)),
        (format!("{HEAD}Näme: x\r\n\r\n"), Error::NotAHeader(4)),
        (format!("{HEAD} \r\nBcc: x@y.org\r\n\r\n"), Error::NotAHeader(4)),
        (format!(" {HEAD}"), Error::NotAHeader(1)),
        ("\r\nFrom: ada@example.com\r\n".to_owned(), Error::NoFrom),
        ("Subject: x\r\n\r\nFrom: ada@example.com\r\n".to_owned(), Error::NoFrom),
        (format!("{HEAD}from: eve@example.org\r\n\r\n"), Error::SeveralFrom),
    ] {
        assert_eq!(parse(&text), Err(expected), "{:?}", &text[..text.len().min(300)]);
    }
    let latin1 = b"From: ada@example.com\r\nSubject: Gr\xfc\xdfe\r\n\r\n";
    assert_eq!(RawMessage::parse(latin1.to_vec()), Err(RawMessageError::NotUtf8));
}

/// Security case C6.
#[test]
fn no_end_of_mail_is_smuggled() {
    for smuggler in SMUGGLERS {
        for text in
            [format!("{HEAD}\r\nHi{smuggler}MAIL FROM:<x@y.org>\r\n"), format!("{HEAD}X: a{smuggler}\r\n")]
        {
            let refused = parse(&text);
            let expected = matches!(refused, Err(RawMessageError::BareLineEnd(_) | RawMessageError::Nul(_)));
            assert!(expected, "{text:?}: {refused:?}");
        }
    }
}

#[test]
fn the_sender_is_read_as_every_reader_reads_it() {
    for (value, name, address) in [
        ("ada@example.com", None, "ada@example.com"),
        ("<ada@example.com>", None, "ada@example.com"),
        ("Ada King <ada@example.com>", Some("Ada King"), "ada@example.com"),
        ("\r\n Ada\r\n\tKing\r\n <ada@example.com>", Some("Ada King"), "ada@example.com"),
        ("\"King, Ada\" <ada@example.com>", Some("King, Ada"), "ada@example.com"),
        ("=?utf-8?q?J=C3=B6rg?= <ada@example.com>", Some("Jörg"), "ada@example.com"),
        ("root@example.com (Cron Daemon)", None, "root@example.com"),
        ("\"a@x.org\" <ada@example.com>", Some("a@x.org"), "ada@example.com"),
    ] {
        let message = parse(&format!("from:{value}\r\n\r\n")).unwrap();
        let from = message.from().unwrap();
        assert_eq!((from.name(), from.address().as_str()), (name, address), "{value}");
    }
    for (value, expected) in [
        ("", MailboxError::Address(AddressError::Empty)),
        ("Ada", MailboxError::Address(AddressError::NoAt)),
        ("a@x.org, b@y.org", MailboxError::Address(AddressError::Character(','))),
        ("a@x.org <b@y.org>", MailboxError::Unquoted),
        ("a@x.org (x <b@y.org>)", MailboxError::Unquoted),
        ("King, Ada <b@y.org>", MailboxError::Unquoted),
        ("friends: <b@y.org>;", MailboxError::Unquoted),
        ("(a@x.org) b@y.org", MailboxError::Address(AddressError::Invisible)),
        ("<a@x.org> (b@y.org)", MailboxError::SeveralAddresses),
        ("Ada <@x.org:b@y.org>", MailboxError::Address(AddressError::Character(':'))),
        ("<a@x.org> <b@y.org>", MailboxError::SeveralAddresses),
    ] {
        let refused = parse(&format!("From: {value}\r\n\r\n"));
        assert_eq!(refused, Err(RawMessageError::Sender(expected)), "{value}");
    }
}

#[test]
fn only_missing_lines_are_added() {
    let (date, id) = (Timestamp(1_656_583_060_954), MessageId::parse("<1@example.com>").unwrap());
    let id_line = "Message-ID: <1@example.com>\r\n";
    let date_line = "Date: Thu, 30 Jun 2022 09:57:40 +0000\r\n";
    for (own, added) in [
        ("", format!("{id_line}{date_line}")),
        ("date: x\r\n", id_line.to_owned()),
        ("MESSAGE-ID:\r\n <own@example.org>\r\n", date_line.to_owned()),
        ("Date: x\r\nMessage-Id: <own@example.org>\r\n", String::new()),
    ] {
        let text = format!("{HEAD}{own}\r\nDate: in the body\r\n");
        let mut message = parse(&text).unwrap();
        let own_id = own.to_ascii_lowercase().contains("message-id").then(|| "<own@example.org>".to_owned());
        assert_eq!(message.message_id(), own_id);
        message.add_missing(date, &id);
        assert_eq!(String::from_utf8(message.into_bytes()).unwrap(), format!("{added}{text}"));
    }
    let mut empty = parse(&format!("Message-ID:\r\n{HEAD}Date: \r\n\r\nHi\r\n")).unwrap();
    assert_eq!(empty.message_id(), None);
    empty.add_missing(date, &id);
    let text = String::from_utf8(empty.into_bytes()).unwrap();
    assert_eq!(text, format!("{id_line}{date_line}{HEAD}\r\nHi\r\n"), "an empty one is none");
}

#[test]
fn hidden_recipients_are_removed_from_the_headers_alone() {
    for (before, after) in [
        ("", ""),
        ("Bcc: x@y.org\r\n", ""),
        ("X-Bcc: a\r\nBCC: x@y.org,\r\n  z@y.org\r\n\tq@y.org\r\nX-B: b\r\n", "X-Bcc: a\r\nX-B: b\r\n"),
        ("bcc: x@y.org\r\nX-A: b\r\nBcc:\r\n", "X-A: b\r\n"),
        ("Resent-Bcc: x@y.org\r\n", ""),
    ] {
        let body = "\r\nBcc: in the body\r\n";
        let mut message = parse(&format!("{before}{HEAD}{body}")).unwrap();
        message.remove_bcc();
        assert_eq!(String::from_utf8(message.into_bytes()).unwrap(), format!("{after}{HEAD}{body}"));
        let mut message = parse(&format!("{HEAD}{before}")).unwrap();
        message.remove_bcc();
        assert_eq!(String::from_utf8(message.into_bytes()).unwrap(), format!("{HEAD}{after}"));
    }
}

#[test]
fn the_subject_is_read_as_people_read_it() {
    for (lines, expected) in [
        ("", ""),
        ("Subject:\r\n", ""),
        ("SUBJECT: Hello\r\n world\r\n", "Hello world"),
        ("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?b?IQ==?=\r\n", "Grüße!"),
        ("Subject: Grüße\r\n", "Grüße"),
        ("Subject: =?utf-8?q?a=00b=0D=0Ac?=\r\n", "a\u{fffd}b\u{fffd}\u{fffd}c"),
    ] {
        assert_eq!(parse(&format!("From: a@example.com\r\n{lines}\r\n")).unwrap().subject(), expected);
    }
}

#[test]
fn headers_beyond_ascii_need_smtputf8() {
    for (text, expected) in [
        (format!("{HEAD}\r\nGrüße\r\n"), false),
        ("From: Jörg <j@example.com>\r\n\r\n".to_owned(), true),
        ("From: j@example.com\r\nSubject: Grüße\r\n".to_owned(), true),
    ] {
        assert_eq!(parse(&text).unwrap().needs_smtputf8(), expected, "{text}");
    }
}

proptest! {
    /// Whatever is taken has only whole lines, and what is taken out of it is read again.
    #[test]
    fn whatever_is_taken_stays_good(
        lines in prop::collection::vec("(Bcc|From|Date|X-A|Message-ID|Received)?:?[ -~äö]{0,30}(\r\n|\r|\n|\0)?", 0..12),
    ) {
        let text = lines.concat();
        if let Ok(mut message) = parse(&text) {
            prop_assert_eq!(message.as_bytes(), text.as_bytes());
            let from = message.from();
            message.remove_bcc();
            message.add_missing(Timestamp(0), &MessageId::parse("<1@example.com>").unwrap());
            let again = RawMessage::parse(message.into_bytes()).expect("still good");
            prop_assert_eq!(again.from(), from);
            prop_assert!(again.message_id().is_some());
        }
    }
}

#[test]
fn a_message_that_was_here_three_times_is_a_loop() {
    let ours = "Received: by a.example (transports) with ESMTPSA id x;\r\n\tnow\r\n";
    let others = "Received: from b.example by c.example (Postfix) with ESMTP\r\n";
    assert!(parse(&format!("{}{}{HEAD}\r\n", ours.repeat(2), others.repeat(28))).is_ok());
    assert_eq!(parse(&format!("{}{HEAD}\r\n", ours.repeat(3))), Err(RawMessageError::Loop));
}

#[test]
fn those_whom_a_header_shows_are_read_with_their_names() {
    let text = format!(
        "{HEAD}Cc: \"Cy, D\" <cy@example.com>,\r\n =?utf-8?q?Gr=C3=BC=C3=9Fe?= <g@example.com>\r\nCc: team: a@example.com;\r\n\r\n"
    );
    let message = parse(&text).unwrap();
    let shown =
        |name| message.mailboxes(name).map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(shown("To"), Some(vec!["bob@example.net".to_owned()]));
    assert_eq!(
        shown("Cc"),
        Some(vec![
            "\"Cy, D\" <cy@example.com>".to_owned(),
            "Grüße <g@example.com>".to_owned(),
            "a@example.com".to_owned()
        ])
    );
    assert_eq!(shown("Bcc"), Some(Vec::new()));
    assert_eq!(
        parse("From: a@example.com\r\nTo: undisclosed-recipients:;\r\n\r\n").unwrap().mailboxes("To"),
        Some(Vec::new())
    );
    assert_eq!(parse("From: a@example.com\r\nTo: not an address\r\n\r\n").unwrap().mailboxes("To"), None);
}

proptest! {
    /// What the gateway does to a message: lines are added above it, named headers leave it, all else stays.
    #[test]
    fn no_octet_changes_but_the_named_headers(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("Bcc: x@y.org\r\n".to_owned()),
                Just("bcc:\r\n\tx@y.org,\r\n z@y.org\r\n".to_owned()),
                Just("X-Transports-Tag: a=b\r\n".to_owned()),
                "X-[A-Za-z-]{1,10}: [ -~]{0,40}[!-~]\r\n(\t[!-~]{1,40}\r\n)?",
            ],
            0..12,
        ),
        body in proptest::collection::vec(proptest::collection::vec(prop::num::u8::ANY, 0..60), 0..12),
    ) {
        let is_named = |line: &str| {
            let line = line.to_ascii_lowercase();
            line.starts_with("bcc:") || line.starts_with("x-transports-tag:")
        };
        let mut octets = format!("{HEAD}{}\r\n", lines.concat()).into_bytes();
        let rest: Vec<u8> = body
            .iter()
            .flat_map(|line| line.iter().copied().filter(|octet| !b"\r\n\0".contains(octet)).chain(*b"\r\n"))
            .collect();
        octets.extend(&rest);
        let mut message = RawMessage::parse(octets).unwrap();
        message.remove_bcc();
        let taken = message.take_headers(&["X-Transports-Tag"]);
        prop_assert_eq!(taken.len(), lines.iter().filter(|line| line.to_ascii_lowercase().starts_with("x-transports-tag:")).count());
        let kept: String = lines.iter().filter(|line| !is_named(line)).map(String::as_str).collect();
        let mut expected = format!("{HEAD}{kept}\r\n").into_bytes();
        expected.extend(&rest);
        prop_assert_eq!(message.as_bytes(), &expected[..]);
        message.add_missing(Timestamp(0), &MessageId::parse("<1@example.com>").unwrap());
        prop_assert!(message.as_bytes().ends_with(&expected));
    }
}
