//! `transports queue summary`: counts the waiting emails.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::output;
use crate::cli::email_config::shown;
use crate::clock::Timestamp;
use crate::delivery::operator::{Operator, Summary};
use crate::id::TenantId;

/// Count waiting emails by lane, accounts that do not send, and the tenants with the longest queues.
///
/// Counting a million emails takes a few seconds.
///
/// Example: transports queue summary --json
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    /// Only emails of this tenant, exactly as in its tokens.
    #[arg(long, value_parser = TenantId::from_argument)]
    tenant: Option<TenantId>,

    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Tenants that are named.
const LONGEST: i64 = 10;

pub(super) async fn run(arguments: &Arguments, operator: &Operator) -> anyhow::Result<()> {
    let summary = match &arguments.tenant {
        Some(tenant) => operator.summary_of(tenant).await?,
        None => operator.summary(LONGEST).await?,
    };
    output::data(&if arguments.json { document(&summary) } else { text(&summary, operator.now()) })
}

fn document(summary: &Summary) -> String {
    let lanes = summary.lanes.iter().map(|(lane, oldest)| {
        json!({
            "lane": lane.lane,
            "emails": lane.emails,
            "bytes": lane.octets,
            "oldest_due_at": oldest.map(Timestamp::to_iso),
        })
    });
    let tenants = summary.longest.iter().map(
        |(tenant, emails, octets)| json!({ "tenantId": tenant.as_str(), "emails": emails, "bytes": octets }),
    );
    let accounts: serde_json::Map<_, _> =
        summary.accounts.iter().map(|(state, count)| (state.clone(), json!(count))).collect();
    let document = json!({
        "in_flight": summary.in_flight,
        "due": summary.due,
        "lanes": lanes.collect::<Vec<_>>(),
        "accounts": accounts,
        "tenants": tenants.collect::<Vec<_>>(),
    });
    format!("{document}\n")
}

fn text(summary: &Summary, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "{:<24}  {:>9}", "In progress", summary.in_flight);
    let _ = writeln!(text, "{:<24}  {:>9}", "Due", summary.due);
    let _ = writeln!(text, "\n{:<24}  {:>9}  {:>14}  OLDEST DUE FOR", "LANE", "EMAILS", "BYTES");
    for (lane, oldest) in &summary.lanes {
        let age = oldest.map_or_else(|| "-".to_owned(), |at| format!("{} s", (now.0 - at.0).max(0) / 1_000));
        let _ = writeln!(text, "{:<24}  {:>9}  {:>14}  {age}", lane.lane, lane.emails, lane.octets);
    }
    if !summary.accounts.is_empty() {
        let _ = writeln!(text, "\nACCOUNTS THAT DO NOT SEND");
    }
    for (state, count) in &summary.accounts {
        let _ = writeln!(text, "{state:<40}  {count:>9}");
    }
    if !summary.longest.is_empty() {
        let _ = writeln!(text, "\n{:<24}  {:>9}  {:>14}", "LONGEST QUEUES", "EMAILS", "BYTES");
    }
    for (tenant, emails, octets) in &summary.longest {
        let _ = writeln!(text, "{:<24}  {emails:>9}  {octets:>14}", shown(tenant.as_str()));
    }
    text
}
