//! `transports queue show`: shows the recipients and events of one email.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::ls::{code, columns, document, domain, next};
use super::output;
use crate::cli::email_config::shown;
use crate::cli::moment;
use crate::cli::values::IdParser;
use crate::clock::Timestamp;
use crate::delivery::operator::Operator;
use crate::id::TenantId;
use crate::outgoing::breaker::Stop;
use crate::outgoing::{Email, Recipient};
use crate::store::email_events::StoredEvent;

/// Show the recipients and events of one email.
///
/// Shows no subject, no content, and only the domains of addresses.
///
/// Example: transports queue show 019b77d2-51b3-7c1a-9c4e-5d7a1e0b2f63
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    /// Id of the email, as in the API and the log.
    #[arg(value_parser = IdParser::Email)]
    email: Uuid,

    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, operator: &Operator) -> anyhow::Result<()> {
    let keys = operator.keys_of(&[arguments.email]).await?;
    let found = match keys.first() {
        Some(key) => operator.show(key).await?.map(|(email, events)| (key.0.clone(), email, events)),
        None => None,
    };
    let Some((tenant, email, events)) = found else {
        bail!("no email is stored with the id {}", arguments.email);
    };
    let now = operator.now();
    let is_held = email.recipients.iter().any(Recipient::is_held_for_account);
    let stop = if is_held { operator.stop(&tenant).await? } else { None };
    if arguments.json {
        let mut document = document(&tenant, &email, stop.as_ref(), now);
        document["events"] = events.iter().map(event_document).collect();
        return output::data(&format!("{document}\n"));
    }
    output::data(&text(&tenant, &email, &events, stop.as_ref(), now))
}

fn event_document(stored: &StoredEvent) -> serde_json::Value {
    let details = &stored.event.details;
    json!({
        "at": stored.event.at.to_iso(),
        "type": stored.event.kind.as_str(),
        "state": details.state,
        "attempt": details.attempt,
        "recipients": details.positions,
        "code": details.last.as_ref().and_then(|last| last.code()),
    })
}

/// `stop` is why the account does not send for which recipients are held.
fn text(
    tenant: &TenantId,
    email: &Email,
    events: &[StoredEvent],
    stop: Option<&Stop>,
    now: Timestamp,
) -> String {
    let mut text = String::new();
    let content = if email.has_content { "available" } else { "erased" };
    for (name, value) in [
        ("Email", email.id.to_string()),
        ("Tenant", shown(tenant.as_str())),
        ("Status", email.status(now).as_str().to_owned()),
        ("Lane", email.lane.as_str().to_owned()),
        ("Accepted", moment::utc(email.created_at)),
        ("Scheduled", moment::utc_or_hyphen(email.scheduled_at)),
        ("Expires", moment::utc(email.expires_at)),
        ("If unknown", email.on_unknown.as_str().to_owned()),
        ("Content", format!("{content}, {} bytes", email.size)),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:12}{value}");
    }
    let mut lines =
        vec![["RECIPIENT", "STATE", "ATTEMPTS", "COPIES", "DIAGNOSIS", "REPLY", "NEXT"].map(str::to_owned)];
    lines.extend(email.recipients.iter().map(|recipient| {
        let last = recipient.last.as_ref();
        let reply = last.and_then(|last| last.smtp_code).map(|code| code.to_string());
        [
            format!("…@{}", domain(recipient).unwrap_or_else(|| "(erased)".to_owned())),
            recipient.state.as_str().to_owned(),
            recipient.attempts.to_string(),
            recipient.copies.to_string(),
            code(recipient, stop).unwrap_or("-").to_owned(),
            reply.unwrap_or_else(|| "-".to_owned()),
            moment::utc_or_hyphen(next(recipient, stop)),
        ]
    }));
    text.push('\n');
    text.push_str(&columns(&lines));
    let mut lines = vec![["AT", "EVENT", "ATTEMPT", "RECIPIENTS", "DIAGNOSIS"].map(str::to_owned)];
    lines.extend(events.iter().map(|stored| {
        let details = &stored.event.details;
        [
            moment::utc(stored.event.at),
            stored.event.kind.as_str().to_owned(),
            details.attempt.to_string(),
            details.positions.len().to_string(),
            details.last.as_ref().and_then(|last| last.code()).unwrap_or("-").to_owned(),
        ]
    }));
    text.push('\n');
    text.push_str(&columns(&lines));
    text
}
