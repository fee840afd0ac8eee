//! Renders the configuration as a table.

use std::fmt::Write as _;

use serde_json::Value;

use super::{row, text};
use crate::cli::email_config::style::{Colours, shown};
use crate::cli::moment;
use crate::email_config::{ProviderKind, fields};

/// Label and member, in the order of the form.
const SETTINGS: [(&str, &str); 8] = [
    ("Server", "serverAddress"),
    ("Port", "serverPort"),
    ("Security", "securityType"),
    ("User name", "username"),
    ("Client ID", "clientId"),
    ("Directory", "providerTenantId"),
    ("Sender address", "emailAddress"),
    ("Sender name", "senderName"),
];

/// Renders the response of GET.
pub fn config(body: &Value, etag: Option<&str>, colours: Colours) -> String {
    let mut out = String::new();
    row(&mut out, "Tenant", &text(body, "tenantId"));
    let provider = text(body, fields::SERVICE_PROVIDER);
    row(&mut out, "Provider", &provider);
    for (label, member) in SETTINGS {
        let inner = &body["providerConfig"][member];
        let value = if inner.is_null() { &body[member] } else { inner };
        let value = match value {
            Value::String(text) => shown(text),
            Value::Null => String::new(),
            other => shown(&other.to_string()),
        };
        row(&mut out, label, &value);
    }
    if body.get(fields::SERVICE_PROVIDER).is_none() {
        row(&mut out, "Configuration", "none");
    } else {
        let is_set = body["passwordExists"] == true;
        let label = match ProviderKind::parse(&provider) {
            Some(ProviderKind::Microsoft365) => "Client secret",
            Some(ProviderKind::BasicAuth) | None => "Password",
        };
        row(&mut out, label, if is_set { "set" } else { "not set" });
    }
    let valid = if body["isValid"] == true { colours.good("yes") } else { colours.bad("no") };
    row(&mut out, "Valid", &valid);
    row(&mut out, "Status", &status(body));
    if let Some(count) = body["authFailures"].as_i64().filter(|count| *count > 0) {
        row(&mut out, "Refused sign-ins", &count.to_string());
    }
    // In the console's words. The second time is also that of a change of the status.
    row(&mut out, "Last changed", &time(body, "modificationTime"));
    row(&mut out, "Status updated", &time(body, "lastUpdated"));
    if body["lastCheck"].is_object() {
        row(&mut out, "Last tested", &last_check(&body["lastCheck"], colours));
    }
    row(&mut out, "ETag", &shown(etag.unwrap_or_default()));
    for advice in body["advice"].as_array().into_iter().flatten() {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "\n{}", colours.heading(&format!("Advice: {}", text(advice, "title"))));
        for member in ["meaning", "link"] {
            let line = text(advice, member);
            if !line.is_empty() {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    out
}

/// A time as people read it; unchanged where a server writes another form.
fn time(value: &Value, member: &str) -> String {
    let text = text(value, member);
    moment::from_iso(&text).unwrap_or(text)
}

fn last_check(check: &Value, colours: Colours) -> String {
    let code = text(&check["diagnosis"], "code");
    let word = match check["success"].as_bool() {
        Some(true) => colours.good("OK"),
        _ if code.is_empty() => colours.bad("FAILED"),
        _ => colours.bad(&code),
    };
    let operation = text(check, "operation");
    let means = match operation.as_str() {
        "put" => "the check when it was saved",
        "verify-connection" => "a check of the connection",
        "send-test-email" => "a test email",
        "delivery" => "an email of the platform",
        other => other,
    };
    format!("{word} at {} by {means}", time(check, "at"))
}

fn status(body: &Value) -> String {
    let (code, reason) = (text(body, "errorCode"), text(&body["status"], "statusReason"));
    if reason.is_empty() || reason == code { code } else { format!("{code}: {reason}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_configuration_is_said_in_two_lines() {
        let text = config(&json!({"isValid": false, "passwordExists": false}), None, Colours::none());
        assert_eq!(text, "Configuration     none\nValid             no\n");
    }

    #[test]
    fn the_last_check_is_one_line() {
        let line = |operation, success, diagnosis| {
            let body = json!({"serviceProvider": "BasicAuth", "lastCheck": {
                "at": "2026-01-01T00:00:00.000Z", "operation": operation, "success": success, "diagnosis": diagnosis,
            }});
            let text = config(&body, None, Colours::none());
            text.lines().find_map(|line| line.strip_prefix("Last tested       ")).map(str::to_owned)
        };
        for (line, expected) in [
            (
                line("delivery", true, json!(null)),
                "OK at 2026-01-01 00:00:00 UTC by an email of the platform",
            ),
            (
                line("send-test-email", false, json!({"code": "AUTH_REJECTED"})),
                "AUTH_REJECTED at 2026-01-01 00:00:00 UTC by a test email",
            ),
            (
                line("put", false, json!(null)),
                "FAILED at 2026-01-01 00:00:00 UTC by the check when it was saved",
            ),
            (line("later", true, json!(null)), "OK at 2026-01-01 00:00:00 UTC by later"),
        ] {
            assert_eq!(line.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_stranger_in_a_field_stays_in_its_line() {
        let body = json!({"serviceProvider": "BasicAuth", "username": "a\nValid   yes\u{1b}[2J"});
        let text = config(&body, None, Colours::none());
        assert!(text.contains("User name         a Valid   yes?[2J\n"), "{text}");
    }
}
