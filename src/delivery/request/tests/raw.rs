//! Messages that come whole.

use super::*;

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
