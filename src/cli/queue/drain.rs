//! `transports queue drain`: waits until nothing is being sent.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::time::{Instant, sleep};

use super::options::parse_age;
use super::output;
use crate::cli::moment;
use crate::delivery::operator::Operator;
use crate::id::TenantId;
use crate::store::email_selection::UnderWay;

/// Wait until no attempt is in progress and nothing is due.
///
/// Changes nothing: the service continues to send and to accept emails. Scheduled and held emails stay in the queue.
/// After `queue hold` it waits for the attempts in progress. Exits with 1 after the timeout.
///
/// Example: transports queue hold --all --yes && transports queue drain --timeout 5m
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    /// Only emails of this tenant, exactly as in its tokens.
    #[arg(long, value_parser = TenantId::from_argument)]
    tenant: Option<TenantId>,

    /// Stop waiting after this time, such as 90s, 15m, 2h or 3d.
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    timeout: Option<Duration>,
}

const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(arguments: &Arguments, operator: &Operator) -> anyhow::Result<()> {
    let tenant = &arguments.tenant;
    let begun = Instant::now();
    let mut shown = None;
    loop {
        let asked = Instant::now();
        let UnderWay { in_flight, settled_by, due } = operator.under_way(tenant.as_ref()).await?;
        if (in_flight, due) == (0, 0) {
            return output::data("drained: nothing is in progress or due\n");
        }
        let settled = settled_by.map_or_else(String::new, |at| format!(", settled by {}", moment::utc(at)));
        let progress = format!("{in_flight} in progress{settled}, {due} due");
        if arguments.timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
            bail!("timed out: {progress}");
        }
        if shown.as_ref() != Some(&progress) {
            output::note(&progress);
            shown = Some(progress);
        }
        // A long queue takes long to count.
        sleep(INTERVAL.max(asked.elapsed() * 10)).await;
    }
}
