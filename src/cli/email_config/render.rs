//! Renders responses as text. Pure: from JSON to text.

mod check;
mod config;

use std::fmt::Write as _;

use serde_json::Value;

use super::style::shown;

pub(super) use check::{diagnosis, result};
pub(super) use config::config;

/// A text member as it may be shown; empty where it is missing.
fn text(value: &Value, member: &str) -> String {
    shown(value[member].as_str().unwrap_or_default())
}

/// The texts of an array.
fn texts(value: &Value, member: &str) -> Vec<String> {
    let items = value[member].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(shown).collect()
}

/// One line of a table of two columns. Writing to a String cannot fail.
fn row(into: &mut String, label: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(into, "{label:<18}{value}");
    }
}
