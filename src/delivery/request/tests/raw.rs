//! Messages that come whole.

use super::*;
use crate::mail::message::received::Received;

#[test]
fn a_whole_message_keeps_its_octets() {
    let message = "From: Ada <ada@example.com>\r\nTo: x@y.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
                   Bcc: hidden@example.com\r\n\r\nHi\r\n";
    let request = parse(json!({"raw": whole(message), "to": "bob@example.com", "tags": [{"name": "a"}]}));
    let request = request.expect("a good request");
    assert_eq!(request.from.as_ref().map(ToString::to_string).as_deref(), Some("Ada <ada@example.com>"));
    assert_eq!((request.subject(), request.own_message_id()), ("Grüße".to_owned(), None));
    let expected = format!(
        "Message-ID: <1@example.com>\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n{}",
        message.replace("Bcc: hidden@example.com\r\n", "")
    );
    assert_eq!(octets(&request), expected);

    let own = format!("Message-ID: <own@example.org>\r\nDate: x\r\n{message}");
    let envelope =
        json!({"from": "bounce@example.com", "to": ["a@example.com", "b@example.com", "a@example.com"]});
    let request = parse(json!({"raw": whole(&own), "envelope": envelope})).expect("a good request");
    assert_eq!(request.envelope.from.as_ref().map(EmailAddress::as_str), Some("bounce@example.com"));
    let recipients = request.recipients();
    let recipients: Vec<_> = recipients.iter().map(|one| (one.kind, one.address.as_str())).collect();
    assert_eq!(recipients, [(RecipientKind::To, "a@example.com"), (RecipientKind::To, "b@example.com")]);
    let message = request.build(&MessageId::parse("<1@example.com>").unwrap(), None, NOW).unwrap();
    assert_eq!(message.message_id, "<own@example.org>");
}

#[test]
fn a_whole_message_stands_alone() {
    use Reason::*;
    let message = whole("From: a@example.com\r\n\r\n");
    let to = "bob@example.com";
    for (value, expected) in [
        (json!({"raw": message}), vec![("/to", Required)]),
        (json!({"raw": 1, "to": to}), vec![("/raw", NotAString)]),
        (json!({"raw": "*", "to": to}), vec![("/raw", NotBase64)]),
        (json!({"raw": "", "to": to}), vec![("/raw", Empty)]),
        (json!({"raw": whole("Subject: x\r\n\r\n"), "to": to}), vec![("/raw", NotAMessage)]),
        (json!({"raw": whole("From: a@example.com\n"), "to": to}), vec![("/raw", NotAMessage)]),
        (json!({"raw": message, "to": to, "from": "a@example.com"}), vec![("/from", Conflict)]),
        (
            json!({"raw": message, "to": to, "subject": "x", "text": "x", "html": "x", "headers": {},
                   "attachments": [], "reply_to": "x"}),
            vec![
                ("/reply_to", Conflict),
                ("/subject", Conflict),
                ("/text", Conflict),
                ("/html", Conflict),
                ("/headers", Conflict),
                ("/attachments", Conflict),
            ],
        ),
        (
            json!({"raw": message, "to": to, "envelope": {"to": to}, "cc": to}),
            vec![("/to", Conflict), ("/cc", Conflict)],
        ),
        (
            json!({"raw": message, "to": to, "envelope": {"from": "x"}}),
            vec![("/envelope/from", NotAnEmailAddress)],
        ),
        (json!({"raw": message, "to": to, "envelope": {"size": 1}}), vec![("/envelope/size", UnknownField)]),
        (
            json!({"raw": message, "envelope": {"to": ["a@example.com", "A <b@example.com>"]}}),
            vec![("/envelope/to/1", DisplayName)],
        ),
    ] {
        let found: Vec<_> =
            faults(value.clone()).into_iter().map(|(pointer, reason, _)| (pointer, reason)).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(pointer, reason)| (pointer.to_owned(), reason)).collect();
        assert_eq!(found, expected, "{value}");
    }
}

fn submitted(lines: &str, to: &[&str]) -> Result<(EmailRequest, Option<IdempotencyKey>), SubmittedError> {
    let message = format!(
        "{lines}From: Ada <ada@example.com>\r\nTo: Bob <bob@example.com>\r\nCc: \"C, D\" <Cy@example.com>\r\n\r\nHi\r\n"
    );
    let envelope = Envelope {
        from: Some(EmailAddress::parse("ada@example.com").unwrap()),
        to: to.iter().map(|address| EmailAddress::parse(address).unwrap()).collect(),
    };
    let received = Received { by: "mail.example.com".to_owned(), smtputf8: false };
    EmailRequest::from_message(message.into_bytes(), envelope, received, NOW)
}

#[test]
fn control_lines_are_obeyed_and_removed() {
    let lines = "X-Transports-Idempotency-Key: order-17\r\nx-transports-tag: kind=invoice, team\r\n\
                 X-Transports-Tag: a=b\r\nX-Transports-Lane: bulk\r\nX-Transports-Expires: 600\r\n\
                 X-Transports-Metadata: {\"invoice\":\r\n \"8841\"}\r\nX-Transports-Other: stays\r\n";
    let (request, key) = submitted(lines, &["bob@example.com"]).expect("a good message");
    assert_eq!(key.as_ref().map(IdempotencyKey::as_str), Some("order-17"));
    let tags: Vec<_> = request.tags.iter().map(|tag| (tag.name.as_str(), tag.value.as_str())).collect();
    assert_eq!(tags, [("kind", "invoice"), ("team", ""), ("a", "b")]);
    assert_eq!((request.lane, request.lifetime), (Lane::Bulk, Lifetime::Milliseconds(600_000)));
    assert_eq!(request.metadata.get("invoice").map(String::as_str), Some("8841"));
    let RequestBody::Raw(message) = &request.body else { panic!("a whole message") };
    let text = std::str::from_utf8(message.as_bytes()).unwrap();
    assert!(text.starts_with("X-Transports-Other: stays\r\nFrom: Ada"), "{text}");

    // As Python's library writes them.
    let encoded =
        "X-Transports-Metadata: =?utf-8?q?=7B=22invoice=22=3A_=22f=C3=BCr?=\r\n =?utf-8?q?_8841=22=7D?=\r\n";
    let (request, _) = submitted(encoded, &["bob@example.com"]).expect("a good message");
    assert_eq!(request.metadata.get("invoice").map(String::as_str), Some("für 8841"));

    let (request, _) =
        submitted("X-Transports-Expires: 1970-01-02T00:00:00Z\r\n", &["bob@example.com"]).unwrap();
    assert_eq!(request.lifetime, Lifetime::Until(Timestamp(24 * 3_600_000)));
}

#[test]
fn a_control_line_that_cannot_be_obeyed_is_refused_by_its_name() {
    for (line, expected) in [
        ("X-Transports-Lane: fast", "X-Transports-Lane: is neither transactional nor bulk"),
        ("X-Transports-Lane: bulk\r\nX-Transports-Lane: bulk", "X-Transports-Lane: stands more than once"),
        ("X-Transports-Tag: a b", "X-Transports-Tag: tags[0].name contains a character"),
        ("X-Transports-Tag: a=1, a=2", "X-Transports-Tag: tags[1].name is the name of another tag"),
        ("X-Transports-Tag:", "X-Transports-Tag: tags[0].name is empty"),
        ("X-Transports-Expires: soon", "X-Transports-Expires: is not a time"),
        ("X-Transports-Expires: 0", "X-Transports-Expires: is not a whole number"),
        ("X-Transports-Metadata: a=b", "X-Transports-Metadata: is not a JSON object"),
        ("X-Transports-Metadata: {\"a\":1}", "X-Transports-Metadata: metadata.a is not a string"),
        ("X-Transports-Metadata: {\"a\":\"1\",\"a\":\"2\"}", "X-Transports-Metadata: is not a JSON object"),
        ("X-Transports-Idempotency-Key: a b", "X-Transports-Idempotency-Key: "),
        ("X-Transports-Idempotency-Key:", "X-Transports-Idempotency-Key: "),
    ] {
        let refused = submitted(&format!("{line}\r\n"), &["bob@example.com"]).expect_err(line).to_string();
        assert!(refused.starts_with(expected), "{line}: {refused}");
    }
}

#[test]
fn the_recipients_are_those_of_the_envelope_and_shown_as_the_header_shows_them() {
    let to = ["eve@example.com", "bob@example.com", "cy@example.com"];
    let (request, _) = submitted("Bcc: mallory@example.com\r\n", &to).expect("a good message");
    let shown = |list: &[Mailbox]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&request.to), ["Bob <bob@example.com>"]);
    assert_eq!(shown(&request.cc), ["cy@example.com"], "with the spelling of the envelope");
    assert_eq!(shown(&request.bcc), ["eve@example.com"]);
    assert_eq!(request.recipients().len(), 3);
}
