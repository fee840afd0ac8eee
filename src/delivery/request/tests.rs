//! Requests to send, as tables: what is read, and what is refused, where and why.

mod attachments;
mod properties;
mod raw;
mod repetition;
mod times;

use serde_json::{Value, json};

use super::*;
use crate::error::{Reason, Source};

const NOW: Timestamp = Timestamp(1_796_112_000_000);
const DAY: i64 = 24 * 60 * 60 * 1000;

fn parse(value: Value) -> Result<EmailRequest, RequestFaults> {
    EmailRequest::parse(value, NOW)
}

/// A good request, with these members instead of its own; null removes one.
fn request(changes: &Value) -> Value {
    let mut request = json!({"to": "ada@example.com", "subject": "Hello", "text": "Hi"});
    for (name, value) in changes.as_object().expect("an object") {
        request[name] = value.clone();
    }
    request
}

fn good(changes: &Value) -> EmailRequest {
    parse(request(changes)).expect("a good request")
}

/// The faults: pointer, reason, name.
fn faults(value: Value) -> Vec<(String, Reason, &'static str)> {
    let faults = parse(value).expect_err("is refused");
    faults
        .as_slice()
        .iter()
        .map(|fault| {
            let Source::Pointer(pointer) = &fault.input.source else { panic!("no pointer: {}", fault.input) };
            (pointer.clone(), fault.input.reason, fault.name.as_str())
        })
        .collect()
}

const INVALID: &str = "validation_error";
const MISSING: &str = "missing_required_field";
const ATTACHMENT: &str = "invalid_attachment";

fn whole(message: &str) -> Value {
    use base64::Engine as _;
    json!(base64::engine::general_purpose::STANDARD.encode(message))
}

fn octets(request: &EmailRequest) -> String {
    let id = MessageId::parse("<1@example.com>").unwrap();
    let from = Mailbox::parse("Acme <acme@example.com>").unwrap();
    let message = request.build(&id, Some(&from), Timestamp(0)).expect("it can be built");
    String::from_utf8(message.bytes).expect("UTF-8")
}

#[test]
fn the_whole_example_is_read() {
    let request = parse(json!({
        "from": "Acme <billing@acme.example>",
        "to": "ada@example.com",
        "cc": ["Bob <bob@example.com>"],
        "bcc": ["c@example.com", "ada@example.com"],
        "reply_to": "help@acme.example",
        "subject": "Invoice 8841",
        "text": "Hi",
        "html": "<img src=\"cid:logo\">",
        "headers": {"X-Entity-Ref-ID": "8841"},
        "attachments": [
            {"filename": "8841.pdf", "content": "UERG"},
            {"content": [80, 78, 71], "content_type": "image/png", "content_id": "logo"},
        ],
        "tags": [{"name": "kind", "value": "invoice"}, {"name": "bare"}],
        "scheduled_at": "2026-12-02T08:00:00+01:00",
        "ttl_seconds": 600,
        "lane": "bulk",
        "on_unknown": "hold",
        "metadata": {"invoice": "8841"},
        "template": null,
    }))
    .expect("a good request");
    assert_eq!(
        request.from.as_ref().map(ToString::to_string).as_deref(),
        Some("Acme <billing@acme.example>")
    );
    let recipients: Vec<_> = request
        .recipients()
        .iter()
        .map(|recipient| (recipient.position, recipient.kind.as_str(), recipient.address.to_string()))
        .collect();
    let expected = [(0, "to", "ada@example.com"), (1, "cc", "bob@example.com"), (2, "bcc", "c@example.com")];
    assert_eq!(recipients, expected.map(|(position, kind, address)| (position, kind, address.to_owned())));
    assert_eq!(request.subject(), "Invoice 8841");
    let tag = |name: &str, value: &str| Tag { name: name.to_owned(), value: value.to_owned() };
    assert_eq!(request.tags, [tag("kind", "invoice"), tag("bare", "")]);
    assert_eq!(request.metadata["invoice"], "8841");
    assert_eq!(request.scheduled_at, Some(Timestamp(1_796_194_800_000)));
    assert_eq!(request.expires_at(NOW, DAY), Timestamp(1_796_194_800_000 + 600_000));
    assert_eq!((request.lane, request.on_unknown), (Lane::Bulk, Some(OnUnknown::Hold)));
    let octets = octets(&request);
    assert!(octets.contains("\r\nAuto-Submitted: auto-generated\r\n"));
    for part in [
        "Cc: Bob <bob@example.com>",
        "Reply-To: help@acme.example",
        "filename=\"8841.pdf\"",
        "Content-ID: <logo>",
    ] {
        assert!(octets.contains(part), "{part}");
    }
    assert!(!octets.contains("c@example.com"), "a hidden recipient stands nowhere");
}

#[test]
fn the_least_request_has_defaults() {
    let request = good(&json!({}));
    assert_eq!((&request.from, &request.cc, &request.tags), (&None, &vec![], &vec![]));
    assert_eq!(
        (request.lane, request.on_unknown, request.lifetime),
        (Lane::Transactional, None, Lifetime::Default)
    );
    assert_eq!((request.due_at(NOW), request.expires_at(NOW, DAY)), (NOW, Timestamp(NOW.0 + DAY)));
    assert!(octets(&request).starts_with("From: Acme <acme@example.com>\r\nTo: ada@example.com\r\n"));
    assert_eq!(request.own_message_id(), None);
}

#[test]
fn one_fault_has_a_place_a_reason_and_a_name() {
    use Reason::*;
    let long = "x".repeat(999);
    let many = vec!["ada@example.com"; 101];
    for (changes, pointer, reason, name) in [
        (json!({"from": "Acme"}), "/from", NotAnEmailAddress, "invalid_from_address"),
        (json!({"from": ["a@example.com"]}), "/from", NotAString, "invalid_from_address"),
        (json!({"to": null}), "/to", Required, MISSING),
        (json!({"to": []}), "/to", Empty, MISSING),
        (json!({"to": 1}), "/to", NotAString, INVALID),
        (json!({"to": ["ada@example.com", "ada"]}), "/to/1", NotAnEmailAddress, INVALID),
        (json!({"to": ["a@example.com", null]}), "/to/1", NotAString, INVALID),
        (json!({"to": "a@x.org, b@y.org"}), "/to", SeveralAddresses, INVALID),
        (json!({"to": many}), "/to", TooMany, INVALID),
        (json!({"to": many[..50], "cc": many[..51]}), "/to", TooMany, INVALID),
        (json!({"cc": "ada"}), "/cc", NotAnEmailAddress, INVALID),
        (json!({"bcc": ["a@b.org\r\nX: y"]}), "/bcc/0", ContainsBlank, INVALID),
        (json!({"reply_to": {}}), "/reply_to", NotAString, INVALID),
        (json!({"subject": null}), "/subject", Required, MISSING),
        (json!({"subject": 1}), "/subject", NotAString, INVALID),
        (json!({"subject": "a\nb"}), "/subject", ControlCharacter, INVALID),
        (json!({"subject": long}), "/subject", TooLong, INVALID),
        (json!({"text": null}), "/text", Required, MISSING),
        (json!({"text": 1}), "/text", NotAString, INVALID),
        (json!({"html": "a\u{0}b"}), "/html", ControlCharacter, INVALID),
        (json!({"template": {"id": "1"}}), "/template", NotSupported, INVALID),
        (json!({"topic_id": "1"}), "/topic_id", NotSupported, INVALID),
        (json!({"region": "eu"}), "/region", NotSupported, INVALID),
        (json!({"replyTo": "a@example.com"}), "/replyTo", UnknownField, INVALID),
        (json!({"lane": "fast"}), "/lane", NotOneOf, INVALID),
        (json!({"on_unknown": "retry"}), "/on_unknown", NotOneOf, INVALID),
        (json!({"envelope": {"to": "a@example.com"}, "to": null}), "/envelope", Conflict, INVALID),
        (json!({"headers": []}), "/headers", NotAnObject, INVALID),
        (json!({"headers": {"X-A": 1}}), "/headers/X-A", NotAString, INVALID),
        (json!({"headers": {"Bcc": "x@y.org"}}), "/headers/Bcc", HeaderNotAllowed, INVALID),
        (
            json!({"headers": {"X-Transports-Lane": "x"}}),
            "/headers/X-Transports-Lane",
            HeaderNotAllowed,
            INVALID,
        ),
        (json!({"headers": {"X-A": "a\r\nBcc: x"}}), "/headers/X-A", ControlCharacter, INVALID),
        (json!({"headers": {"X-A\r\nBcc": "a"}}), "/headers", InvalidCharacter, INVALID),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), "/headers/x-a", Duplicate, INVALID),
        (json!({"tags": {}}), "/tags", NotAnArray, INVALID),
        (json!({"tags": ["a"]}), "/tags/0", NotAnObject, INVALID),
        (json!({"tags": [{"value": "a"}]}), "/tags/0/name", Required, MISSING),
        (json!({"tags": [{"name": ""}]}), "/tags/0/name", Empty, INVALID),
        (json!({"tags": [{"name": "a b"}]}), "/tags/0/name", InvalidCharacter, INVALID),
        (json!({"tags": [{"name": "ä"}]}), "/tags/0/name", InvalidCharacter, INVALID),
        (json!({"tags": [{"name": "a", "value": "x".repeat(257)}]}), "/tags/0/value", TooLong, INVALID),
        (json!({"tags": [{"name": "a", "color": "x"}]}), "/tags/0/color", UnknownField, INVALID),
        (json!({"tags": [{"name": "a"}, {"name": "a"}]}), "/tags/1/name", Duplicate, INVALID),
        (json!({"tags": vec![json!({"name": "a"}); 11]}), "/tags", TooMany, INVALID),
        (json!({"metadata": "a"}), "/metadata", NotAnObject, INVALID),
        (json!({"metadata": {"a/b": 1}}), "/metadata/a~1b", NotAString, INVALID),
        (json!({"metadata": {"a": "\u{0}"}}), "/metadata/a", ControlCharacter, INVALID),
        (json!({"metadata": {"a": "x".repeat(2048)}}), "/metadata", TooLong, INVALID),
        (json!({"attachments": {}}), "/attachments", NotAnArray, ATTACHMENT),
        (json!({"attachments": vec![json!({"content": ""}); 51]}), "/attachments", TooMany, ATTACHMENT),
    ] {
        let value = request(&changes);
        assert_eq!(faults(value), [(pointer.to_owned(), reason, name)], "{changes}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for (bytes, reason) in [
        (&b"[]"[..], Reason::NotAnObject),
        (b"\"x\"", Reason::NotAnObject),
        (b"{", Reason::NotJson),
        (br#"{"to":"a@b.org","to":"c@d.org"}"#, Reason::Duplicate),
    ] {
        let faults = EmailRequest::from_bytes(bytes, NOW).expect_err("is refused");
        assert_eq!(faults.as_slice()[0].input.reason, reason);
        assert_eq!(faults.as_slice()[0].input.source, Source::Pointer(String::new()));
    }
    let body = br#"{"to":"a@b.org","subject":"x","html":"<p>"}"#;
    assert!(EmailRequest::from_bytes(body, NOW).is_ok());
}

#[test]
fn all_faults_are_told_at_once() {
    let value = json!({
        "from": "x", "to": ["a", "b@example.com", "c"], "html": 1, "color": "red", "lane": "x",
        "attachments": [{"filename": "a/b", "path": "https://example.com"}],
        "headers": {"To": "x", "X-A": ""}, "scheduled_at": "in 1 min",
    });
    let found: Vec<_> = faults(value.clone()).into_iter().map(|(pointer, ..)| pointer).collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    let expected = [
        "/attachments/0/filename",
        "/attachments/0/path",
        "/color",
        "/from",
        "/headers/To",
        "/headers/X-A",
        "/html",
        "/lane",
        "/scheduled_at",
        "/subject",
        "/to/0",
        "/to/2",
    ];
    assert_eq!(sorted, expected);
    let faults = parse(value).expect_err("is refused");
    assert_eq!(faults.name(), ErrorName::ValidationError, "they have several names");
    let in_batch = faults.of_batch(3).into_inputs();
    let pointers = in_batch.iter().map(|fault| fault.source.clone()).collect::<Vec<_>>();
    assert!(pointers.contains(&Source::Pointer("/3/to/0".to_owned())), "{pointers:?}");
    let sentences: Vec<_> = in_batch.iter().map(ToString::to_string).collect();
    let expected = "emails[3].to[0] is not an email address: there is no @";
    assert!(sentences.iter().any(|sentence| sentence.starts_with(expected)), "{sentences:?}");
    let whole = parse(json!("x")).expect_err("is refused").of_batch(3).into_inputs();
    assert_eq!(whole[0].to_string(), "emails[3] is not an object");
    assert_eq!(whole[0].source, Source::Pointer("/3".to_owned()));
    let only = parse(json!({"to": "a@example.com"})).expect_err("is refused");
    assert_eq!((only.name(), only.as_slice().len()), (ErrorName::MissingRequiredField, 2));
    let unknown: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("x{n}"), json!(1))).collect();
    assert_eq!(parse(Value::Object(unknown)).expect_err("is refused").as_slice().len(), 50);
}

#[test]
fn a_lifetime_that_is_over_is_told_with_the_other_faults() {
    let over = json!({"scheduled_at": "in 1 min", "expires_at": "2020-01-01T00:00:00Z"});
    let faults = parse(request(&over)).expect_err("is refused").into_inputs();
    let sources: Vec<_> = faults.into_iter().map(|fault| fault.source).collect();
    let pointer = |text: &str| Source::Pointer(text.to_owned());
    assert_eq!(sources, [pointer("/scheduled_at"), pointer("/expires_at")]);
    // As the only fault it is reported later: the request may repeat one that was accepted in time.
    good(&json!({"expires_at": "2020-01-01T00:00:00Z"}));
}

#[test]
fn sentences_name_the_place() {
    for (changes, expected) in [
        (json!({"to": ["x"]}), "to[0] is not an email address: there is no @"),
        (json!({"subject": null}), "subject is required"),
        (
            json!({"to": 5}),
            "to is not a string but a number: write an address such as \"ada@example.com\", or a list of addresses",
        ),
        (json!({"to": [5]}), "to[0] is not a string but a number: write it in quotes"),
        (json!({"replyTo": "a@example.com"}), "replyTo is not a known field: write reply_to"),
        (
            json!({"Scheduled-At": "2026-12-01T08:00:00Z"}),
            "Scheduled-At is not a known field: write scheduled_at",
        ),
        (
            json!({"attachments": [{"content": "", "contentType": "text/plain"}]}),
            "contentType is not a known field: write content_type",
        ),
        (
            json!({"headers": "x"}),
            "headers is not an object but a string: write names with their values, such as {\"X-Entity-Ref-ID\": \"8841\"}",
        ),
        (json!({"headers": {"X-A": 1}}), "headers.X-A is not a string but a number: write it in quotes"),
        (
            json!({"attachments": {}}),
            "attachments is not an array but an object: write a list such as [{\"filename\": \"8841.pdf\", \"content\": \
             \"<Base64>\"}]",
        ),
        (
            json!({"tags": "a"}),
            "tags is not an array but a string: write a list such as [{\"name\": \"kind\", \"value\": \"invoice\"}]",
        ),
        (
            json!({"scheduled_at": 5}),
            "scheduled_at is not a string but a number: write a time such as \"2026-12-01T08:00:00Z\"",
        ),
        (json!({"attachments": [{"content": "?"}]}), "attachments[0].content is not Base64"),
        (
            json!({"attachments": [{"path": "https://example.com/a.pdf"}]}),
            "attachments[0].path is not supported: no file is fetched from elsewhere; put it into content",
        ),
        (
            json!({"headers": {"To": "x"}}),
            "headers.To is not a header that can be set; these can: In-Reply-To",
        ),
        (
            json!({"scheduled_at": "in 1 min"}),
            "scheduled_at is not a time such as 2026-12-01T08:00:00Z (RFC 3339)",
        ),
    ] {
        let faults = parse(request(&changes)).expect_err("is refused").into_inputs();
        assert!(faults[0].to_string().starts_with(expected), "{}", faults[0]);
    }
}

#[test]
fn an_empty_text_beside_html_is_none() {
    let request = good(&json!({"text": "", "html": "<p>Hi"}));
    assert!(octets(&request).contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
    let request = good(&json!({"text": ""}));
    assert!(octets(&request).contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
}

#[test]
fn one_click_unsubscribing_needs_an_https_address() {
    let one_click = "List-Unsubscribe=One-Click";
    for (headers, faults_expected) in [
        (json!({"List-Unsubscribe": "<mailto:a@example.com>"}), vec![]),
        (
            json!({"List-Unsubscribe": "<mailto:a@example.com>, <https://example.com/u>", "List-Unsubscribe-Post": one_click}),
            vec![],
        ),
        (json!({"list-unsubscribe": "<HTTPS://example.com/u>", "list-unsubscribe-post": one_click}), vec![]),
        (json!({"List-Unsubscribe-Post": one_click}), vec![Reason::Conflict]),
        (
            json!({"List-Unsubscribe": "<http://example.com/u>", "List-Unsubscribe-Post": one_click}),
            vec![Reason::Conflict],
        ),
        (
            json!({"List-Unsubscribe": "<mailto:a@example.com?x=https://example.com>", "List-Unsubscribe-Post": "x"}),
            vec![Reason::NotOneOf, Reason::Conflict],
        ),
    ] {
        let result = parse(request(&json!({"headers": headers})));
        let found = result.err().map(RequestFaults::into_inputs).unwrap_or_default();
        let reasons: Vec<_> = found.iter().map(|fault| fault.reason).collect();
        assert_eq!(reasons, faults_expected, "{headers}");
        let is_there = |fault: &crate::error::InputFault| {
            fault.source == Source::Pointer("/headers/List-Unsubscribe-Post".to_owned())
        };
        assert!(found.iter().all(is_there));
    }
}

#[test]
fn the_caller_may_say_who_made_the_mail() {
    for (headers, expected) in [
        (json!({}), "Auto-Submitted: auto-generated\r\n"),
        (json!({"auto-submitted": "no"}), "auto-submitted: no\r\n"),
    ] {
        let octets = octets(&good(&json!({"headers": headers})));
        assert!(octets.contains(expected));
        assert_eq!(octets.to_ascii_lowercase().matches("auto-submitted").count(), 1);
    }
}
