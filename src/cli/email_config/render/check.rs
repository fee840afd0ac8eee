//! Renders the result of a check or test mail, and the diagnosis.

use std::fmt::Write as _;

use serde_json::Value;

use super::{text, texts};
use crate::cli::email_config::progress::label;
use crate::cli::email_config::style::{Colours, shown};

/// The answer of verify-connection and send-test-email.
pub fn result(body: &Value, colours: Colours) -> String {
    let mut out = String::new();
    let message = text(body, "message");
    let word = if body["success"] == true { colours.good("OK") } else { colours.bad("FAILED") };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "{word}  {message}");
    if let Some(code) = body["smtpResponseCode"].as_u64() {
        let line = format!("Reply code: {code} {}", text(body, "enhancedStatusCode"));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for (label, member) in [("Accepted", "accepted"), ("Rejected", "rejected")] {
        let addresses = texts(body, member);
        if !addresses.is_empty() {
            let _ = writeln!(out, "{label}: {}", addresses.join(", "));
        }
    }
    let unproved = texts(body, "unproved");
    if !unproved.is_empty() && body["success"] == true {
        let words: Vec<&str> = unproved.iter().map(|word| not_verified_label(word)).collect();
        let _ = writeln!(out, "This check does not prove {}.", joined(&words));
    }
    out.push_str(&diagnosis(&body["diagnosis"], &message, colours));
    out
}

/// Empty where there is no diagnosis. Its title is left out where the message has said it.
pub fn diagnosis(diagnosis: &Value, message: &str, colours: Colours) -> String {
    let mut out = String::new();
    if !diagnosis.is_object() {
        return out;
    }
    let (title, code) = (text(diagnosis, "title"), text(diagnosis, "code"));
    if message.starts_with(title.trim_end_matches('.')) {
        let _ = writeln!(out, "Diagnosis: {code}");
    } else {
        let _ = writeln!(out, "\n{}", colours.heading(&format!("{title} ({code})")));
    }
    if let Some(stage) = diagnosis["stage"].as_str() {
        let _ = writeln!(out, "Stage: {}", label(stage));
    }
    let meaning = text(diagnosis, "meaning");
    if !meaning.is_empty() {
        let _ = writeln!(out, "{meaning}");
    }
    let owner = text(diagnosis, "owner");
    match owner.as_str() {
        "" => {}
        "nobody" => out.push_str("Nothing needs to be fixed.\n"),
        _ => {
            let _ = writeln!(out, "Who can fix it: {}", owner_label(&owner));
        }
    }
    if diagnosis["retryable"] == true {
        let _ = writeln!(out, "Trying again later may help.");
    }
    for (number, step) in texts(diagnosis, "steps").iter().enumerate() {
        let _ = writeln!(out, "  {}. {step}", number + 1);
    }
    for link in texts(diagnosis, "links") {
        let _ = writeln!(out, "  {}", shown(&link));
    }
    out
}

/// An owner that only a newer server knows is shown unchanged.
fn owner_label(owner: &str) -> &str {
    match owner {
        "tenant_admin" => "the tenant's administrator",
        "mail_host" => "the mail provider",
        "microsoft365_admin" => "the Microsoft 365 administrator",
        "workspace_admin" => "the Google Workspace administrator",
        "dns_owner" => "whoever manages the DNS",
        "operator" => "the operator of this service",
        other => other,
    }
}

/// `a`, `a or b`, `a, b or c`.
fn joined(words: &[&str]) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}

fn not_verified_label(word: &str) -> &str {
    match word {
        "sender_address" => "that the server accepts the sender address",
        "send_permission" => "that the app may send",
        "delivery" => "delivery",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_says_who_can_fix_it_or_that_nobody_has_to() {
        for (owner, line) in [
            ("mail_host", "Who can fix it: the mail provider\n"),
            ("somebody_new", "Who can fix it: somebody_new\n"),
            ("nobody", "Nothing needs to be fixed.\n"),
        ] {
            let body = json!({"code": "GREYLISTED", "title": "Try again later", "owner": owner});
            let text = diagnosis(&body, "", Colours::none());
            assert_eq!(text, format!("\nTry again later (GREYLISTED)\n{line}"));
        }
    }
}
