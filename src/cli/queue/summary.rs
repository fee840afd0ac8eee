//! `transports queue summary`: counts the waiting emails.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::output;
use crate::cli::email_config::shown;
use crate::cli::moment;
use crate::clock::Timestamp;
use crate::delivery::operator::{ClosedAccounts, NAMED, Operator, Summary};
use crate::id::TenantId;
use crate::store::email_selection::UnderWay;

/// Count waiting emails by lane, accounts that do not send, and the tenants with the longest queues.
///
/// The lane `held` has what waits for an account that does not send. An email that is held until a time, as its
/// recipient got too many, is counted in its own lane, and once more as held until a time. An attempt that was
/// interrupted, such as by a kill of the process, counts as in progress until the time that is named; then its outcome
/// is unknown. Counting a million emails takes a few seconds.
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
        summary.accounts.iter().map(|(state, closed)| (state.clone(), json!(closed.count))).collect();
    let document = json!({
        "in_flight": summary.under_way.in_flight,
        "settled_by": summary.under_way.settled_by.map(Timestamp::to_iso),
        "due": summary.under_way.due,
        "held_until": summary.held_until,
        "lanes": lanes.collect::<Vec<_>>(),
        "accounts": accounts,
        "tenants": tenants.collect::<Vec<_>>(),
    });
    format!("{document}\n")
}

fn text(summary: &Summary, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let UnderWay { in_flight, settled_by, due } = summary.under_way;
    let settled = settled_by.map_or_else(String::new, |at| {
        format!("  settled by {}, also if a process was killed", moment::utc(at))
    });
    let _ = writeln!(text, "{:<24}  {in_flight:>9}{settled}", "In progress");
    let _ = writeln!(text, "{:<24}  {due:>9}", "Due");
    let _ = writeln!(text, "{:<24}  {:>9}", "Held until a time", summary.held_until);
    let _ = writeln!(text, "\n{:<24}  {:>9}  {:>14}  OLDEST DUE FOR", "LANE", "EMAILS", "BYTES");
    for (lane, oldest) in &summary.lanes {
        let age = oldest.map_or_else(|| "-".to_owned(), |at| format!("{} s", (now.0 - at.0).max(0) / 1_000));
        let _ = writeln!(text, "{:<24}  {:>9}  {:>14}  {age}", lane.lane, lane.emails, lane.octets);
    }
    if !summary.accounts.is_empty() {
        let _ = writeln!(text, "\nACCOUNTS THAT DO NOT SEND");
    }
    for (state, ClosedAccounts { count, first }) in &summary.accounts {
        let first: Vec<String> = first.iter().map(|tenant| shown(tenant.as_str())).collect();
        let more = if *count > NAMED { ", …" } else { "" };
        let _ = writeln!(text, "{state:<40}  {count:>9}  {}{more}", first.join(", "));
    }
    if !summary.longest.is_empty() {
        let _ = writeln!(text, "\n{:<24}  {:>9}  {:>14}", "LONGEST QUEUES", "EMAILS", "BYTES");
    }
    for (tenant, emails, octets) in &summary.longest {
        let _ = writeln!(text, "{:<24}  {emails:>9}  {octets:>14}", shown(tenant.as_str()));
    }
    text
}
