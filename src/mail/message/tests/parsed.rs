//! Mails with everything in them, read again by the `mail-parser` library.

use mail_parser::{Address, Message as Parsed, MessageParser, MimeHeaders as _, PartType};
use proptest::prelude::*;

use super::reader::on_the_wire;
use super::{SMUGGLERS, addresses, bodies, header_texts, lines};
use crate::clock::Timestamp;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::{
    Attachment, Content, ContentId, ContentType, CustomHeader, Draft, Filename, HeaderText, Message,
    MessageId, build, from_line,
};

/// A draft that owns its parts.
#[derive(Clone, Debug)]
struct Mail {
    message_id: MessageId,
    from: Mailbox,
    reply_to: Vec<Mailbox>,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    subject: HeaderText,
    headers: Vec<CustomHeader>,
    text: Option<String>,
    html: Option<String>,
    attachments: Vec<Attachment>,
}

impl Mail {
    fn plain() -> Self {
        Self {
            message_id: MessageId::parse("<1@example.com>").unwrap(),
            from: mailbox("Ada <ada@example.com>"),
            reply_to: Vec::new(),
            to: vec![mailbox("bob@example.net")],
            cc: Vec::new(),
            subject: HeaderText::parse("Hello").unwrap(),
            headers: Vec::new(),
            text: Some("Hi".to_owned()),
            html: None,
            attachments: Vec::new(),
        }
    }

    fn build(&self, has_from: bool) -> Message {
        let draft = Draft {
            message_id: &self.message_id,
            from: has_from.then_some(&self.from),
            reply_to: &self.reply_to,
            to: &self.to,
            cc: &self.cc,
            subject: &self.subject,
            date: Timestamp(1_656_583_060_954),
            headers: &self.headers,
            content: Content {
                text: self.text.as_deref(),
                html: self.html.as_deref(),
                attachments: &self.attachments,
            },
        };
        build(&draft).expect("these parts can be built")
    }

    fn mailboxes(&self) -> impl Iterator<Item = &Mailbox> {
        std::iter::once(&self.from).chain(&self.reply_to).chain(&self.to).chain(&self.cc)
    }

    /// Builds, reads, and compares each part.
    fn comes_back(&self) {
        let message = self.build(true);
        let is_utf8 = self.mailboxes().any(|mailbox| mailbox.address().needs_smtputf8());
        assert_eq!(message.needs_smtputf8(), is_utf8);
        on_the_wire(&message.bytes, is_utf8);
        let without_from = self.build(false);
        assert_eq!([from_line(&self.from).into_bytes(), without_from.bytes].concat(), message.bytes);
        assert_eq!(self.build(true).bytes, message.bytes, "the same draft makes the same bytes");

        let parsed = MessageParser::default().parse(&message.bytes).expect("a mail");
        assert_eq!(listed(parsed.from()), names_and_addresses([&self.from]));
        assert_eq!(listed(parsed.reply_to()), names_and_addresses(&self.reply_to));
        assert_eq!(listed(parsed.to()), names_and_addresses(&self.to));
        assert_eq!(listed(parsed.cc()), names_and_addresses(&self.cc));
        assert_eq!(listed(parsed.bcc()), []);
        assert_eq!(parsed.subject().unwrap_or_default(), self.subject.as_str());
        assert_eq!(parsed.message_id(), self.message_id.as_str().trim_matches(['<', '>']).into());
        assert_eq!(parsed.date().map(mail_parser::DateTime::to_timestamp), Some(1_656_583_060));
        for header in &self.headers {
            let found = parsed.header_raw(header.name()).expect("the header is there");
            // In the others, encoded words have no meaning.
            let found =
                if header.is_text() { decoded(found) } else { found.replace("\r\n", "").trim().to_owned() };
            assert_eq!(found, header.value(), "{}", header.name());
        }
        self.content_comes_back(&parsed);
    }

    fn content_comes_back(&self, parsed: &Parsed<'_>) {
        let mut texts = Vec::new();
        let mut files = Vec::new();
        for part in &parsed.parts {
            match &part.body {
                PartType::Multipart(_) => {}
                PartType::Text(text) if part.content_disposition().is_none() => texts.push(text.to_string()),
                PartType::Html(html) if part.content_disposition().is_none() => texts.push(html.to_string()),
                _ => files.push(part),
            }
        }
        let mut expected: Vec<_> =
            [&self.text, &self.html].into_iter().flatten().map(|text| lines(text)).collect();
        if expected.is_empty() {
            expected.push(String::new());
        }
        assert_eq!(texts.len(), expected.len());
        for (text, expected) in texts.iter().zip(&expected) {
            // The line end that ends the message is no part of the text.
            assert_eq!(
                text.strip_prefix(expected.as_str()).map(|rest| rest.replace("\r\n", "")),
                Some(String::new())
            );
            assert!(text.len() <= expected.len() + 2);
        }

        let is_inline = |file: &&Attachment| self.html.is_some() && file.content_id.is_some();
        let (inline, attached): (Vec<_>, Vec<_>) = self.attachments.iter().partition(is_inline);
        let sent: Vec<_> = inline.iter().chain(&attached).copied().collect();
        assert_eq!(files.len(), sent.len());
        for (file, sent) in files.iter().zip(sent) {
            assert_eq!(file.attachment_name(), sent.filename.as_ref().map(Filename::as_str));
            assert_eq!(file.content_id(), sent.content_id.as_ref().map(ContentId::as_str));
            let disposition = file.content_disposition().map(mail_parser::ContentType::ctype);
            assert_eq!(disposition, Some(if is_inline(&sent) { "inline" } else { "attachment" }));
            let content_type = file.content_type().expect("a type");
            let named = format!("{}/{}", content_type.ctype(), content_type.subtype().unwrap_or_default());
            assert!(sent.content_type.as_str().starts_with(&named));
            // The library decodes the characters of texts, so that not all octets are left.
            if !named.starts_with("text/") {
                assert_eq!(file.contents(), sent.content);
            }
        }
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a mailbox")
}

fn names_and_addresses<'a>(
    mailboxes: impl IntoIterator<Item = &'a Mailbox>,
) -> Vec<(Option<String>, String)> {
    mailboxes
        .into_iter()
        .map(|mailbox| (mailbox.name().map(str::to_owned), mailbox.address().to_string()))
        .collect()
}

fn listed(address: Option<&Address<'_>>) -> Vec<(Option<String>, String)> {
    let Some(address) = address else { return Vec::new() };
    address
        .iter()
        .map(|mailbox| (mailbox.name().map(str::to_owned), mailbox.address().unwrap_or_default().to_owned()))
        .collect()
}

fn decoded(raw: &str) -> String {
    let mut stream = mail_parser::parsers::MessageStream::new(raw.as_bytes());
    stream.parse_unstructured().as_text().unwrap_or_default().to_owned()
}

fn file(name: Option<&str>, content_type: &str, id: Option<&str>, content: &[u8]) -> Attachment {
    Attachment {
        filename: name.map(|name| Filename::parse(name).expect("a filename")),
        content_type: ContentType::parse(content_type).expect("a type"),
        content_id: id.map(|id| ContentId::parse(id).expect("an id")),
        content: content.to_vec(),
    }
}

#[test]
fn parts_are_nested_as_readers_expect() {
    let logo = file(Some("logo.png"), "image/png", Some("logo"), b"PNG");
    let pdf = file(Some("a.pdf"), "application/pdf", None, b"PDF");
    let (text, html) = (Some("Hi".to_owned()), Some("<p>Hi".to_owned()));
    for (text, html, attachments, expected) in [
        (&text, &None, vec![], "text/plain"),
        (&None, &html, vec![], "text/html"),
        (&None, &None, vec![], "text/plain"),
        (&text, &html, vec![], "multipart/alternative(text/plain text/html)"),
        (&text, &None, vec![&pdf], "multipart/mixed(text/plain application/pdf)"),
        (&None, &None, vec![&pdf], "multipart/mixed(text/plain application/pdf)"),
        (&None, &html, vec![&logo], "multipart/related(text/html image/png)"),
        (&text, &None, vec![&logo], "multipart/mixed(text/plain image/png)"),
        (
            &text,
            &html,
            vec![&pdf, &logo],
            "multipart/mixed(multipart/alternative(text/plain multipart/related(text/html image/png)) \
             application/pdf)",
        ),
    ] {
        let attachments = attachments.into_iter().cloned().collect();
        let mail = Mail { text: text.clone(), html: html.clone(), attachments, ..Mail::plain() };
        mail.comes_back();
        let bytes = mail.build(true).bytes;
        let parsed = MessageParser::default().parse(&bytes).expect("a mail");
        assert_eq!(tree(&parsed, 0), expected);
    }
}

fn tree(parsed: &Parsed<'_>, part: usize) -> String {
    let part = &parsed.parts[part];
    let content_type = part.content_type().expect("a type");
    let name = format!("{}/{}", content_type.ctype(), content_type.subtype().expect("a subtype"));
    match &part.body {
        PartType::Multipart(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| tree(parsed, *part as usize)).collect();
            format!("{name}({})", parts.join(" "))
        }
        _ => name,
    }
}

#[test]
fn a_mail_with_everything_is_written_as_expected() {
    let mail = Mail {
        from: mailbox("Acme <billing@example.com>"),
        reply_to: vec![mailbox("help@example.com")],
        to: vec![mailbox("\"Lovelace, Ada\" <ada@example.com>"), mailbox("Jörg <joerg@example.com>")],
        cc: vec![mailbox("c@example.com"), mailbox("Dora D. <d@example.com>")],
        headers: vec![
            CustomHeader::parse("X-Entity-Ref-ID", "8841").unwrap(),
            CustomHeader::parse("Organization", "Müller").unwrap(),
        ],
        html: Some("<img src=\"cid:logo\">".to_owned()),
        attachments: vec![
            file(Some("logo.png"), "image/png", Some("logo"), b"PNG"),
            file(Some("März.pdf"), "application/pdf", None, b"PDF"),
        ],
        ..Mail::plain()
    };
    let text = String::from_utf8(mail.build(true).bytes).unwrap();
    let boundary = |number: usize| {
        let marks: Vec<_> = text.match_indices("boundary=\"").collect();
        let start = marks[number].0 + "boundary=\"".len();
        text[start..start + 32].to_owned()
    };
    let (mixed, alternative, related) = (boundary(0), boundary(1), boundary(2));
    let expected = format!(
        "From: Acme <billing@example.com>\r\nReply-To: help@example.com\r\n\
         To: =?utf-8?b?TG92ZWxhY2UsIEFkYQ==?= <ada@example.com>,\r\n =?utf-8?b?SsO2cmc=?= <joerg@example.com>\r\n\
         Cc: c@example.com, \"Dora D.\" <d@example.com>\r\nSubject: Hello\r\n\
         Date: Thu, 30 Jun 2022 09:57:40 +0000\r\nMessage-ID: <1@example.com>\r\nX-Entity-Ref-ID: 8841\r\n\
         Organization: =?utf-8?B?TcO8bGxlcg==?=\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed;\r\n boundary=\"{mixed}\"\r\n\r\n\
         --{mixed}\r\nContent-Type: multipart/alternative;\r\n boundary=\"{alternative}\"\r\n\r\n\
         --{alternative}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHi\r\n\
         --{alternative}\r\nContent-Type: multipart/related; type=\"text/html\";\r\n boundary=\"{related}\"\r\n\r\n\
         --{related}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         <img src=\"cid:logo\">\r\n\
         --{related}\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <logo>\r\n\
         Content-Disposition: inline; filename=\"logo.png\"\r\n\r\nUE5H\r\n--{related}--\r\n\
         --{alternative}--\r\n\
         --{mixed}\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment;\r\n filename*0*=utf-8''M%C3%A4rz.pdf\r\n\r\nUERG\r\n--{mixed}--\r\n"
    );
    assert_eq!(text, expected);
    mail.comes_back();
    let other = Mail { message_id: MessageId::parse("<2@example.com>").unwrap(), ..mail };
    let other = String::from_utf8(other.build(true).bytes).unwrap();
    assert!(![mixed, alternative, related].iter().any(|boundary| other.contains(boundary.as_str())));
}

#[test]
fn a_hundred_recipients_are_folded() {
    for name in ["", "Ada ", "\"Lovelace, Ada\" ", "Jörg Müller ", "Ada King Countess of Lovelace "] {
        let to = (0..100).map(|number| mailbox(&format!("{name}<recipient-{number}@example.com>"))).collect();
        let mail = Mail { to, ..Mail::plain() };
        mail.comes_back();
        let text = String::from_utf8(mail.build(true).bytes).unwrap();
        let longest = text.split("\r\n").map(str::len).max();
        assert!(longest <= Some(78), "{name}: {longest:?}");
    }
}

#[test]
fn long_headers_are_folded() {
    let references =
        (0..40).map(|number| format!("<message-{number}@example.com>")).collect::<Vec<_>>().join(" ");
    let headers = [
        ("References", references.as_str()),
        ("X-Note", &"word ".repeat(300)),
        ("X-Note-2", &"ä".repeat(1000)),
        ("X-Token", &"t".repeat(3000)),
        (&format!("X-{}", "a".repeat(68)), "ä"),
        ("X-Spaces", &format!("{}  {}", "a".repeat(60), "b".repeat(60))),
        ("X-Word", "=?utf-8?q?as_it_is?="),
    ];
    let headers = headers.map(|(name, value)| CustomHeader::parse(name, value).unwrap()).to_vec();
    let subject = HeaderText::parse_subject(&"s".repeat(998)).unwrap();
    let mail = Mail { subject, headers, ..Mail::plain() };
    mail.comes_back();
    let text = String::from_utf8(mail.build(true).bytes).unwrap();
    let long: Vec<_> = text.split("\r\n").filter(|line| line.len() > 78).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn any_filename_comes_back() {
    for name in [
        "a.pdf",
        "Rechnung März 2026.pdf",
        "a \"b\" c.txt",
        "a;b=c.txt",
        "a'b%20c.txt",
        "报告.docx",
        &"n".repeat(255),
        &"ü".repeat(255),
        &"word ".repeat(50),
    ] {
        let attachments = vec![file(Some(name), "application/pdf", None, b"PDF")];
        Mail { attachments, ..Mail::plain() }.comes_back();
    }
}

fn mailboxes() -> impl Strategy<Value = Mailbox> {
    (prop::option::of(header_texts()), addresses())
        .prop_map(|(name, address)| Mailbox::new(name.as_ref(), address))
}

fn custom_headers() -> impl Strategy<Value = CustomHeader> {
    let name = prop_oneof!["X-[A-Za-z0-9-]{1,68}", "List-Unsubscribe", "References", "Organization"];
    let value = prop_oneof![
        "[ -~]{1,300}",
        "\\PC{1,300}",
        "([!-~]{1,60} ){1,50}",
        header_texts().prop_map(|text| text.as_str().to_owned())
    ];
    (name, value).prop_filter_map("no header", |(name, value)| CustomHeader::parse(&name, &value).ok())
}

fn attachments() -> impl Strategy<Value = Attachment> {
    let filename = prop_oneof!["\\PC{1,60}", "[ -~]{1,120}", "[a-zA-Z0-9]{1,30}\\.(pdf|png|txt)"];
    let filename =
        prop::option::of(filename.prop_filter_map("no filename", |name| Filename::parse(&name).ok()));
    let content_type =
        prop::sample::select(vec!["application/pdf", "image/png", "text/csv", "x/y; a=\"b c\""])
            .prop_map(|text| ContentType::parse(text).expect("a type"));
    let id = prop::option::of("[a-z0-9.@-]{1,40}".prop_map(|id| ContentId::parse(&id).expect("an id")));
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::sample::select(SMUGGLERS.to_vec()).prop_map(|text| text.as_bytes().to_vec())
    ];
    (filename, content_type, id, content).prop_map(|(filename, content_type, content_id, content)| {
        Attachment { filename, content_type, content_id, content }
    })
}

/// The last of those with the same name; a reader shows one.
fn distinct(headers: Vec<CustomHeader>) -> Vec<CustomHeader> {
    let mut kept: Vec<CustomHeader> = Vec::new();
    for header in headers {
        if !kept.iter().any(|other| other.is(header.name())) {
            kept.push(header);
        }
    }
    kept
}

fn mails() -> impl Strategy<Value = Mail> {
    let people = (
        mailboxes(),
        prop::collection::vec(mailboxes(), 0..3),
        prop::collection::vec(mailboxes(), 1..8),
        prop::collection::vec(mailboxes(), 0..3),
    );
    let content = (
        prop::option::of(bodies()),
        prop::option::of(bodies()),
        prop::collection::vec(attachments(), 0..4),
        prop::collection::vec(custom_headers(), 0..4).prop_map(distinct),
    );
    (people, header_texts(), content).prop_map(|(people, subject, content)| {
        let (from, reply_to, to, cc) = people;
        let (text, html, attachments, headers) = content;
        let message_id = MessageId::random(from.address());
        Mail { message_id, from, reply_to, to, cc, subject, headers, text, html, attachments }
    })
}

proptest! {
    /// `PROPTEST_CASES=1000000` for a long run.
    /// Security case C13.
    #[test]
    fn any_mail_with_everything_comes_back(mail in mails()) {
        mail.comes_back();
    }
}
