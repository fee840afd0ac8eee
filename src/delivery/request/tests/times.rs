//! Scheduling and lifetimes.

use super::*;

#[test]
fn times_are_rfc_3339_and_within_bounds() {
    let iso = |days: i64, milliseconds: i64| Timestamp(NOW.0 + days * DAY + milliseconds).to_iso();
    for (changes, expected) in [
        (json!({"scheduled_at": iso(30, 0)}), None),
        (json!({"scheduled_at": iso(-300, 0)}), None),
        (json!({"scheduled_at": "2026-12-01T08:00:00.123456+00:00"}), None),
        (json!({"scheduled_at": iso(30, 1)}), Some(("/scheduled_at", Reason::OutOfRange))),
        (json!({"scheduled_at": "in 1 min"}), Some(("/scheduled_at", Reason::NotATimestamp))),
        (json!({"scheduled_at": "2026-12-01"}), Some(("/scheduled_at", Reason::NotATimestamp))),
        (json!({"scheduled_at": "2026-12-01T08:00:00"}), Some(("/scheduled_at", Reason::NotATimestamp))),
        (json!({"scheduled_at": 1_796_112_000}), Some(("/scheduled_at", Reason::NotAString))),
        (json!({"expires_at": iso(7, 0)}), None),
        (json!({"expires_at": iso(7, 1)}), Some(("/expires_at", Reason::OutOfRange))),
        (json!({"expires_at": iso(27, 0), "scheduled_at": iso(20, 0)}), None),
        (
            json!({"expires_at": iso(27, 1), "scheduled_at": iso(20, 0)}),
            Some(("/expires_at", Reason::OutOfRange)),
        ),
        (json!({"expires_at": "soon"}), Some(("/expires_at", Reason::NotATimestamp))),
        (json!({"ttl_seconds": 1}), None),
        (json!({"ttl_seconds": 604_800}), None),
        (json!({"ttl_seconds": 604_801}), Some(("/ttl_seconds", Reason::OutOfRange))),
        (json!({"ttl_seconds": 0}), Some(("/ttl_seconds", Reason::OutOfRange))),
        (json!({"ttl_seconds": 1.5}), Some(("/ttl_seconds", Reason::OutOfRange))),
        (json!({"ttl_seconds": "600"}), Some(("/ttl_seconds", Reason::OutOfRange))),
        (json!({"ttl_seconds": 1, "expires_at": iso(1, 0)}), Some(("/ttl_seconds", Reason::Conflict))),
    ] {
        let result = parse(request(&changes));
        let found = result.err().map(RequestFaults::into_inputs).unwrap_or_default();
        let expected = expected.map(|(pointer, reason)| (Source::Pointer(pointer.to_owned()), reason));
        let found: Vec<_> = found.iter().map(|fault| (fault.source.clone(), fault.reason)).collect();
        assert_eq!(found, Vec::from_iter(expected), "{changes}");
    }
}

#[test]
fn a_lifetime_is_counted_from_the_time_at_which_the_email_is_due() {
    let at = |days: i64| Timestamp(NOW.0 + days * DAY);
    for (changes, due, expires, is_good) in [
        (json!({}), at(0), at(3), true),
        (json!({"scheduled_at": at(-1).to_iso()}), at(0), at(3), true),
        (json!({"scheduled_at": at(2).to_iso()}), at(2), at(5), true),
        (json!({"ttl_seconds": 86400}), at(0), at(1), true),
        (json!({"ttl_seconds": 86400, "scheduled_at": at(2).to_iso()}), at(2), at(3), true),
        (json!({"expires_at": at(1).to_iso()}), at(0), at(1), true),
        (json!({"expires_at": at(0).to_iso()}), at(0), at(0), false),
        (json!({"expires_at": at(-1).to_iso()}), at(0), at(-1), false),
        (json!({"expires_at": at(1).to_iso(), "scheduled_at": at(2).to_iso()}), at(2), at(1), false),
    ] {
        let request = good(&changes);
        assert_eq!((request.due_at(NOW), request.expires_at(NOW, 3 * DAY)), (due, expires), "{changes}");
        let checked = request.check_lifetime(NOW).map_err(|fault| fault.input.source);
        let expected = if is_good { Ok(()) } else { Err(Source::Pointer("/expires_at".to_owned())) };
        assert_eq!(checked, expected, "{changes}");
    }
}
