//! What is built is read again by a reader of its own, and is the same.

mod parsed;
mod raw;
mod reader;

use proptest::prelude::*;
use uuid::Uuid;

use self::reader::Mail;
use super::*;
use crate::mail::address::EmailAddress;

const HEADERS: [&str; 8] = [
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "subject",
    "to",
];

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

fn header(text: &str) -> HeaderText {
    HeaderText::parse(text).expect("fit for a header")
}

struct Parts {
    from: EmailAddress,
    sender_name: Option<HeaderText>,
    to: EmailAddress,
    subject: HeaderText,
    body: String,
}

impl Parts {
    fn plain() -> Self {
        Self {
            from: address("alice@example.com"),
            sender_name: None,
            to: address("bob@example.net"),
            subject: header("Hello"),
            body: "Hi Bob".to_owned(),
        }
    }

    fn built(&self, date: Timestamp) -> Message {
        let draft = Draft {
            message_id: &MessageId::random(&self.from),
            from: Some(&Mailbox::new(self.sender_name.as_ref(), self.from.clone())),
            reply_to: &[],
            to: &[self.to.clone().into()],
            cc: &[],
            subject: &self.subject,
            date,
            headers: &[],
            content: Content { text: Some(&self.body), ..Content::default() },
        };
        build(&draft).expect("these parts can be built")
    }

    /// Builds, reads, and compares each part.
    fn come_back(&self) {
        let message = self.built(Timestamp(1_767_225_600_000));
        let is_utf8 = self.from.needs_smtputf8() || self.to.needs_smtputf8();
        let mail = Mail::read(&message.bytes, is_utf8);
        assert_eq!(mail.names(), HEADERS);
        let name = self.sender_name.as_ref().map_or("", |name| name.as_str().trim());
        assert_eq!(mail.mailbox("from"), (name.to_owned(), self.from.to_string()));
        assert_eq!(mail.mailbox("to"), (String::new(), self.to.to_string()));
        assert_eq!(mail.subject(), self.subject.as_str());
        assert_eq!(mail.body(), lines(&self.body));
        assert_eq!(mail.header("message-id"), message.message_id);
    }
}

/// The body as it is meant: each line end is one, and the last one is no part of the text.
fn lines(body: &str) -> String {
    let body = body.replace('\0', "").replace("\r\n", "\n").replace('\r', "\n");
    body.strip_suffix('\n').unwrap_or(&body).replace('\n', "\r\n")
}

#[test]
fn a_mail_has_the_headers_that_a_mail_needs() {
    let parts = Parts { sender_name: Some(header("Alice Example")), ..Parts::plain() };
    let message = parts.built(Timestamp(1_656_583_060_954));
    let id = message.message_id.as_str();
    let uuid = id.strip_prefix('<').and_then(|id| id.strip_suffix("@example.com>")).unwrap();
    assert_eq!(Uuid::parse_str(uuid).unwrap().get_version_num(), 4);
    let text = String::from_utf8(message.bytes.clone()).unwrap();
    let expected = format!(
        "From: \"Alice Example\" <alice@example.com>\r\nTo: bob@example.net\r\nSubject: Hello\r\n\
         Date: Thu, 30 Jun 2022 09:57:40 +0000\r\nMessage-ID: {id}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHi Bob\r\n"
    );
    assert_eq!(text, expected);
    assert_ne!(parts.built(Timestamp(0)).message_id, message.message_id);
}

#[test]
fn a_date_that_cannot_be_written_is_moved_to_one_that_can() {
    for (date, expected) in [
        (Timestamp(0), "Thu, 01 Jan 1970 00:00:00 +0000"),
        (Timestamp(-1), "Thu, 01 Jan 1970 00:00:00 +0000"),
        (Timestamp(i64::MIN), "Thu, 01 Jan 1970 00:00:00 +0000"),
        (Timestamp(i64::MAX), "Thu, 31 Dec 9998 23:59:59 +0000"),
    ] {
        let mail = Mail::read(&Parts::plain().built(date).bytes, false);
        assert_eq!(mail.header("date"), expected);
    }
}

/// Security cases C4, C5.
#[test]
fn header_text_holds_no_control_character() {
    for text in [
        "hi\r\nBcc: e@x.org\r\n\r\nbody",
        "Eve\r\nBcc: e@x.org",
        "Eve\rBcc: e@x.org",
        "Eve\nBcc: e@x.org",
        "a\0b",
        "a\tb",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{2028}b",
        "a\u{2029}b",
    ] {
        assert_eq!(HeaderText::parse(text), Err(HeaderTextError::ControlCharacter), "{text:?}");
    }
    assert!(HeaderText::parse(&"é".repeat(255)).is_ok());
    assert_eq!(HeaderText::parse(&"é".repeat(256)), Err(HeaderTextError::TooLong(255)));
}

/// Security cases C4, C10.
#[test]
fn any_subject_comes_back() {
    for subject in [
        "",
        "Hello",
        "Grüße",
        "=?utf-8?B?QmNjOiBlQHg=?=",
        "a =?utf-8?q?=0D=0ABcc:_e@x.org?= b",
        "  two  spaces  ",
        "Bcc: e@x.org",
        &"x".repeat(255),
        &"word ".repeat(51),
        &format!("a{}b", " ".repeat(200)),
        &"ü".repeat(255),
        &"👨‍👩‍👧‍👦 ".repeat(30),
        "a ü b é c",
    ] {
        Parts { subject: header(subject), ..Parts::plain() }.come_back();
    }
}

/// Security case C5.
#[test]
fn any_display_name_comes_back() {
    for name in [
        "Alice",
        "Alice Example",
        "Example, Alice",
        "Alice \"the\" \\ Example",
        "<evil@x.org>",
        "evil@x.org <",
        "a (comment)",
        "=?utf-8?q?Eve?=",
        "Jörg Müller",
        "用户",
        "🏢 9",
        "=",
        ".",
        ";",
        "\"",
        "\\",
        "a\"",
        " ",
        &"n".repeat(255),
        &"ö".repeat(255),
        &"word \"x\" ".repeat(28),
    ] {
        Parts { sender_name: Some(header(name)), ..Parts::plain() }.come_back();
    }
}

/// What ends a mail for one server and not for another.
const SMUGGLERS: [&str; 10] = [
    "\n.\n",
    "\n.\r\n",
    "\r.\r",
    "\r.\n",
    "\r.\r\n",
    "\r\n.\r",
    "\r\n.\n",
    "\r\n.\r\r\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
];

/// Security cases C6, C7.
#[test]
fn no_body_leaves_a_bare_line_end() {
    let command = "MAIL FROM:<z@z.org>\r\nRCPT TO:<y@y.org>\r\nDATA\r\n";
    for smuggler in SMUGGLERS.into_iter().chain(["\r\n.\r\n"]) {
        for position in (0..100).chain(8_192 - 50..8_192 + 50) {
            let filling = ["a", "ab\r\n", "ü"][position % 3];
            let before: String = filling.chars().cycle().take(position).collect();
            let body = format!("{before}{smuggler}{command}");
            Parts { body, ..Parts::plain() }.come_back();
        }
    }
    // NUL goes, and CR LF around it is one line end.
    for body in ["a\r\0\nb", "\r.\r\0\n.\n", "a\0\r\0\0\n\0b", "a\r\0b"] {
        Parts { body: body.to_owned(), ..Parts::plain() }.come_back();
    }
}

/// Security case C10.
#[test]
fn long_lines_and_odd_characters_are_encoded() {
    let long = "x".repeat(5_000);
    let cases = [
        ("", "7bit"),
        ("short\r\nlines", "7bit"),
        (long.as_str(), "quoted-printable"),
        ("Grüße aus Köln, mit viel ASCII dahinter", "quoted-printable"),
        ("用户用户", "base64"),
        ("a space at the end \r\nof a line", "quoted-printable"),
        ("escape \u{1b}[2J", "quoted-printable"),
    ];
    for (body, encoding) in cases {
        let parts = Parts { body: body.to_owned(), ..Parts::plain() };
        let mail = Mail::read(&parts.built(Timestamp(0)).bytes, false);
        assert_eq!(mail.header("content-transfer-encoding"), encoding, "{body:?}");
        parts.come_back();
    }
}

/// Whoever stores mail in a mailbox file would put `>` before it, and break a signature.
#[test]
fn no_line_of_a_body_begins_like_a_mail_in_a_mailbox_file() {
    let bodies = [
        "From me to you".to_owned(),
        "Hello\r\nFrom here on\r\n From there\r\nFrom \r\nFrom".to_owned(),
        "Grüße\nFrom Köln, mit viel ASCII dahinter".to_owned(),
        format!("From {}", "x".repeat(200)),
        format!("From {}\nend", "From ".repeat(60)),
        format!("{}From {}", "y".repeat(75), "From y ".repeat(30)),
        format!("ü\nFrom {}", "z".repeat(70)),
        format!("ü\nFrom {}=", "z".repeat(69)),
    ];
    for body in bodies {
        let parts = Parts { body, ..Parts::plain() };
        let bytes = parts.built(Timestamp(0)).bytes;
        let mail = String::from_utf8(bytes).unwrap();
        let text = mail.split_once("\r\n\r\n").unwrap().1;
        assert!(text.split("\r\n").all(|line| !line.starts_with("From ") && line.len() <= 76), "{text}");
        assert!(text.contains("=46rom "), "{text}");
        parts.come_back();
    }
}

fn addresses() -> impl Strategy<Value = EmailAddress> {
    let ascii = "[a-zA-Z0-9!#$&'*+/=?^_`{|}~-]{1,12}(\\.[a-zA-Z0-9!#$&'*+/=?^_`{|}~-]{1,12}){0,3}";
    let local = prop_oneof![4 => ascii, 1 => "\\PC{1,12}", 1 => "[a-zäöü用户हिन्दी]{1,20}"];
    let domain =
        prop_oneof!["[a-z0-9]{1,12}(-[a-z0-9]{1,8})?\\.(com|org|example)", "[a-zäöü]{1,10}\\.例え\\.jp"];
    (local, domain).prop_filter_map("no address", |(local, domain)| {
        EmailAddress::parse(&format!("{local}@{domain}")).ok()
    })
}

fn header_texts() -> impl Strategy<Value = HeaderText> {
    let pieces = prop_oneof![
        4 => "\\PC{0,20}",
        2 => "[ -~]{0,40}",
        1 => prop::sample::select(vec!["=?", "?=", "=?utf-8?b?", " ", "  ", "\"", "\\", "<", ">", ",", ": "])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(pieces, 0..6)
        .prop_filter_map("no header text", |pieces| HeaderText::parse(&pieces.concat()).ok())
}

fn bodies() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => "\\PC{0,60}",
        2 => "[ -~]{0,120}",
        1 => any::<String>(),
        2 => prop::sample::select(SMUGGLERS.to_vec()).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["\r", "\n", "\0", "\r\n", ".", " ", "\t", "=", "From "])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// `PROPTEST_CASES=1000000` for a long run.
    /// Security case C13.
    #[test]
    fn any_mail_comes_back(
        from in addresses(),
        sender_name in prop::option::of(header_texts()),
        to in addresses(),
        subject in header_texts(),
        body in bodies(),
    ) {
        Parts { from, sender_name, to, subject, body }.come_back();
    }
}
