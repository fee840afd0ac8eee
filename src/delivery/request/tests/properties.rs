//! Any request is read or refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::String),
        prop::sample::select(vec![
            "a@example.com",
            "Ada <a@b.org>",
            "UERG",
            "2026-12-02T08:00:00Z",
            "bulk",
            "hold"
        ])
        .prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name =
            prop::sample::select(vec!["name", "value", "content", "filename", "path", "X-A", "to", "from"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    /// A request is read or refused with a place for each fault; what is read can be built, and only as it should be.
    #[test]
    fn any_request_is_read_or_refused(
        members in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "from", "to", "cc", "bcc", "reply_to", "subject", "text", "html", "headers", "attachments", "tags",
                    "metadata", "scheduled_at", "expires_at", "ttl_seconds", "lane", "on_unknown", "raw", "envelope",
                ]),
                values(),
            ),
            0..4,
        ),
    ) {
        let members: serde_json::Map<String, Value> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        match parse(request(&Value::Object(members))) {
            Ok(read) => {
                let octets = octets(&read);
                RawMessage::parse(octets.into_bytes()).expect("it would be taken as a whole");
                prop_assert!((1..=MAX_RECIPIENTS).contains(&read.recipients().len()));
            }
            Err(faults) => {
                for fault in faults.into_inputs() {
                    prop_assert!(matches!(fault.source, Source::Pointer(_)), "{}", fault);
                }
            }
        }
    }
}
