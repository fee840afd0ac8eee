//! What makes a request the same as an earlier one.

use super::*;

#[test]
fn an_idempotency_key_is_visible_ascii() {
    let long = "k".repeat(256);
    for good in ["a", "order-8841/1", "~!\"#", long.as_str()] {
        assert_eq!(
            IdempotencyKey::parse(good.as_bytes()).map(|key| key.as_str().to_owned()),
            Ok(good.to_owned())
        );
    }
    let longer = "k".repeat(257);
    for (bad, reason) in [
        (&b""[..], Reason::Empty),
        (b"a b", Reason::InvalidCharacter),
        (b"a\r\n", Reason::InvalidCharacter),
        (b"\xff", Reason::InvalidCharacter),
        ("ä".as_bytes(), Reason::InvalidCharacter),
        (longer.as_bytes(), Reason::TooLong),
    ] {
        let fault = IdempotencyKey::parse(bad).expect_err("is refused");
        assert_eq!((fault.name, fault.input.reason), (ErrorName::InvalidIdempotencyKey, reason));
        assert_eq!(fault.input.source, Source::Header("Idempotency-Key"));
    }
}

#[test]
fn a_fingerprint_is_that_of_what_was_read() {
    let base = json!({"to": "ada@example.com", "headers": {"X-A": "1", "X-B": "2"}, "cc": null});
    let same = [
        json!({"to": ["ada@EXAMPLE.com"], "headers": {"X-B": "2", "X-A": "1"}}),
        json!({"to": " <ada@example.com> ", "headers": {"x-a": " 1", "X-B": "2"}, "tags": [], "metadata": {}}),
        json!({"to": "ada@example.com", "headers": {"X-A": "1", "X-B": "2"}, "lane": "transactional"}),
    ];
    let print = |changes: &Value| good(changes).fingerprint();
    for changes in &same {
        assert_eq!(print(changes), print(&base), "{changes}");
    }
    let mut seen = vec![print(&base)];
    for changes in [
        json!({}),
        json!({"to": "bob@example.com"}),
        json!({"to": "Ada <ada@example.com>"}),
        json!({"to": "ada@example.com", "cc": "bob@example.com"}),
        json!({"to": "ada@example.com", "bcc": "bob@example.com"}),
        json!({"to": ["ada@example.com", "bob@example.com"]}),
        json!({"from": "ada@example.com"}),
        json!({"reply_to": "ada@example.com"}),
        json!({"subject": "Hello!"}),
        json!({"text": "Hello"}),
        json!({"html": "Hi"}),
        json!({"text": null, "html": "Hi"}),
        json!({"attachments": [{"content": "UERG"}]}),
        json!({"attachments": [{"content": "UERG", "filename": "a"}]}),
        json!({"attachments": [{"content": "UERG", "content_id": "a"}]}),
        json!({"attachments": [{"content": "UE5H"}]}),
        json!({"tags": [{"name": "a"}]}),
        json!({"tags": [{"name": "a", "value": "b"}]}),
        json!({"metadata": {"a": "b"}}),
        json!({"scheduled_at": "2026-12-02T08:00:00Z"}),
        json!({"expires_at": "2026-12-02T08:00:00Z"}),
        json!({"ttl_seconds": 600}),
        json!({"lane": "bulk"}),
        json!({"on_unknown": "hold"}),
        json!({"on_unknown": "retry_once"}),
    ] {
        let print = print(&changes);
        assert!(!seen.contains(&print), "{changes}");
        seen.push(print);
    }
    let later = EmailRequest::parse(request(&json!({"ttl_seconds": 600})), Timestamp(NOW.0 + DAY)).unwrap();
    assert_eq!(later.fingerprint(), print(&json!({"ttl_seconds": 600})), "the time of asking does not count");
    let message = whole("From: a@example.com\r\n\r\n");
    let raw =
        |envelope: Value| parse(json!({"raw": message, "envelope": envelope})).expect("good").fingerprint();
    let two = raw(json!({"to": ["a@example.com", "b@example.com"]}));
    assert_ne!(two, raw(json!({"from": "a@example.com", "to": "b@example.com"})));
    let [one, other] = [good(&json!({})), good(&json!({"html": "x"}))];
    assert_ne!(Fingerprint::of_batch([&one, &other]), Fingerprint::of_batch([&other, &one]));
    assert_ne!(Fingerprint::of_batch([&one]), one.fingerprint());
}
