//! Fuzz target: JSON with members that stand twice.

use serde_json::Value;

use super::{DUPLICATE, parse};

/// What is taken is what `serde_json` takes, but for members that stand twice, and a refusal quotes nothing.
pub fn json(data: &[u8]) {
    let theirs: Result<Value, _> = serde_json::from_slice(data);
    let twice = theirs.as_ref().is_ok_and(|value| members_written(data) != members_kept(value));
    match parse(data) {
        Ok(value) => {
            assert!(!twice);
            assert_eq!(value, theirs.expect("both take it"));
            let again = parse(value.to_string().as_bytes()).expect("what is written is good");
            // A fraction may lose its last digit on the way: nothing here is one.
            assert!(again == value || has_fraction(&value));
        }
        Err(problem) => {
            assert!(theirs.is_err() || twice, "{problem}");
            let problem = problem.to_string();
            let (what, place) = problem.split_once(" at line ").expect("the place is named");
            assert!(["is not valid JSON", DUPLICATE].contains(&what), "{what}");
            let (line, column) = place.split_once(", column ").expect("the place is named");
            assert!(line.parse::<usize>().is_ok() && column.parse::<usize>().is_ok(), "{place}");
            assert!(!twice || what == DUPLICATE);
        }
    }
}

/// The colons outside strings of a good document: one for each member.
fn members_written(text: &[u8]) -> usize {
    let (mut members, mut in_string, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => members += 1,
            _ => {}
        }
    }
    members
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

fn members_kept(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len() + members.values().map(members_kept).sum::<usize>(),
        Value::Array(items) => items.iter().map(members_kept).sum(),
        _ => 0,
    }
}
