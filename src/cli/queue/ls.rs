//! `transports queue ls`: lists emails page by page.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::options::SelectionOptions;
use super::{counted, output};
use crate::cli::email_config::shown;
use crate::cli::moment;
use crate::cli::values::whole_number;
use crate::clock::Timestamp;
use crate::delivery::operator::{Operator, first};
use crate::id::TenantId;
use crate::outgoing::breaker::Stop;
use crate::outgoing::{Email, LastAttempt, Recipient, RecipientState};
use crate::store::email_selection::Position;

/// List emails, by tenant and time of acceptance.
///
/// Without --state only emails that have not ended: waiting, in progress or with an unknown outcome. DIAGNOSIS is that
/// of the recipients in these states, and +1 for each other one. Prints one page, and how many more there are.
///
/// Example: transports queue ls --tenant acme --state unknown
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    selection: SelectionOptions,

    /// Size of a page.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = whole_number::<u32>(1..=10_000))]
    limit: u32,

    /// Continue after this email, the last of the previous page: its tenant, a slash, its id.
    #[arg(long, value_name = "TENANT/EMAIL")]
    after: Option<String>,

    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// What has not ended.
const OPEN: [RecipientState; 5] = [
    RecipientState::Queued,
    RecipientState::Held,
    RecipientState::Deferred,
    RecipientState::Sending,
    RecipientState::Unknown,
];

const NAMES: [&str; 8] = ["TENANT", "EMAIL", "STATUS", "LANE", "RECIPIENTS", "DIAGNOSIS", "ACCEPTED", "NEXT"];

pub(super) async fn run(arguments: &Arguments, operator: &Operator) -> anyhow::Result<()> {
    let states: &[RecipientState] =
        if arguments.selection.state.is_empty() { &OPEN } else { &RecipientState::ALL };
    let selection = arguments.selection.to_selection(states, operator.now());
    let after = match &arguments.after {
        Some(after) => {
            position(after).ok_or_else(|| anyhow!("--after: write a tenant, a slash and an id"))?
        }
        None => first(&selection),
    };
    let limit = usize::try_from(arguments.limit)?;
    let (emails, more) = operator.list(&selection, after, limit).await?;
    let now = operator.now();
    let last = emails.last().filter(|_| more > 0).map(|(tenant, email)| format!("{tenant}/{}", email.id));
    if arguments.json {
        let stops = stops(&emails, operator).await?;
        let document = |(tenant, email): &(TenantId, Email)| document(tenant, email, stops.get(tenant), now);
        let listed: Vec<_> = emails.iter().map(document).collect();
        let document = json!({ "emails": listed, "more": more, "after": last });
        return output::data(&format!("{document}\n"));
    }
    if emails.is_empty() {
        output::note("No email matches.");
        return Ok(());
    }
    output::data(&table(&emails, &selection.states, &stops(&emails, operator).await?, now))?;
    if let Some(last) = last {
        let more = counted(more, "more email", "more emails");
        output::note(&format!("{more}: continue with --after={:?}", shown(&last)));
    }
    Ok(())
}

fn position(text: &str) -> Option<Position> {
    let (tenant, email) = text.rsplit_once('/')?;
    Some(Position { tenant: tenant.to_owned(), email: email.to_owned() })
}

/// Uses the names of the API. Of addresses only the domains.
pub(super) fn document(tenant: &TenantId, email: &Email, stop: Option<&Stop>, now: Timestamp) -> Value {
    let recipient = |recipient: &Recipient| {
        json!({
            "domain": domain(recipient),
            "kind": recipient.kind.as_str(),
            "state": recipient.state.as_str(),
            "attempts": recipient.attempts,
            "copies": recipient.copies,
            "next_attempt_at": next(recipient, stop).map(Timestamp::to_iso),
            "code": code(recipient, stop),
            "smtp_code": recipient.last.as_ref().and_then(|last| last.smtp_code),
            "stage": recipient.last.as_ref().map(|last| last.stage.as_str()),
        })
    };
    json!({
        "tenantId": tenant.as_str(),
        "id": email.id.to_string(),
        "status": email.status(now).as_str(),
        "lane": email.lane.as_str(),
        "created_at": email.created_at.to_iso(),
        "scheduled_at": email.scheduled_at.map(Timestamp::to_iso),
        "expires_at": email.expires_at.to_iso(),
        "on_unknown": email.on_unknown.as_str(),
        "bytes": email.size,
        "content": if email.has_content { "available" } else { "erased" },
        "recipients": email.recipients.iter().map(recipient).collect::<Vec<_>>(),
    })
}

/// The domain of a recipient's address; none once it was erased.
pub(super) fn domain(recipient: &Recipient) -> Option<String> {
    recipient.address.as_ref().map(|address| address.domain().to_string())
}

/// The account's stop, where the recipient is held for it and not for its API key.
fn stop_of<'a>(recipient: &Recipient, stop: Option<&'a Stop>) -> Option<&'a Stop> {
    stop.filter(|_| recipient.is_held_for_account() && !recipient.waits_for_its_key())
}

/// The diagnosis that it waits or has ended for: of its account, or of its last attempt.
pub(super) fn code<'a>(recipient: &'a Recipient, stop: Option<&'a Stop>) -> Option<&'a str> {
    let of_attempt = || recipient.last.as_ref().and_then(LastAttempt::code);
    stop_of(recipient, stop).map(|stop| &*stop.code).or_else(of_attempt)
}

/// When it is tried next: what is held for an account has no time of its own.
pub(super) fn next(recipient: &Recipient, stop: Option<&Stop>) -> Option<Timestamp> {
    recipient.next_attempt_at.or(stop_of(recipient, stop).and_then(|stop| stop.probe_at))
}

/// Why accounts do not send that a failure has stopped.
type Stops = HashMap<TenantId, Stop>;

/// Those of the accounts for which recipients are held.
async fn stops(emails: &[(TenantId, Email)], operator: &Operator) -> anyhow::Result<Stops> {
    let is_held = |email: &Email| email.recipients.iter().any(Recipient::is_held_for_account);
    let held = emails.iter().filter(|(_, email)| is_held(email)).map(|(tenant, _)| tenant);
    let mut stops = Stops::new();
    for tenant in held.collect::<HashSet<_>>() {
        stops.extend(operator.stop(tenant).await?.map(|stop| (tenant.clone(), stop)));
    }
    Ok(stops)
}

fn table(emails: &[(TenantId, Email)], states: &[RecipientState], stops: &Stops, now: Timestamp) -> String {
    let names = NAMES.map(str::to_owned);
    let lines: Vec<_> = std::iter::once(names)
        .chain(emails.iter().map(|(tenant, email)| cells(tenant, email, states, stops.get(tenant), now)))
        .collect();
    columns(&lines)
}

/// The diagnoses of the recipients in these states: one, and how many others there are.
fn diagnoses(email: &Email, states: &[RecipientState], stop: Option<&Stop>) -> String {
    let wanted = email.recipients.iter().filter(|recipient| states.contains(&recipient.state));
    let codes: BTreeSet<_> = wanted.filter_map(|recipient| code(recipient, stop)).collect();
    match (codes.first(), codes.len()) {
        (None, _) => "-".to_owned(),
        (Some(code), 1) => (*code).to_owned(),
        (Some(code), count) => format!("{code} +{}", count - 1),
    }
}

fn cells(
    tenant: &TenantId,
    email: &Email,
    states: &[RecipientState],
    stop: Option<&Stop>,
    now: Timestamp,
) -> [String; 8] {
    let next = email.recipients.iter().filter_map(|recipient| next(recipient, stop)).min();
    [
        shown(tenant.as_str()),
        email.id.to_string(),
        email.status(now).as_str().to_owned(),
        email.lane.as_str().to_owned(),
        email.recipients.len().to_string(),
        diagnoses(email, states, stop),
        moment::utc(email.created_at),
        moment::utc_or_hyphen(next),
    ]
}

/// Lines whose cells stand below each other.
pub(in crate::cli) fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |index: usize| lines.iter().map(|line| line[index].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(widths) {
            // Writing to a String cannot fail.
            let _ = write!(row, "{cell:width$}  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
