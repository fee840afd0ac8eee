//! `transports queue drain`: waits until nothing is sent any more.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::time::{Instant, sleep};

use super::options::parse_age;
use super::output;
use crate::delivery::operator::Operator;
use crate::id::TenantId;

/// Wait until no attempt is under way and nothing is due.
///
/// Changes nothing: the service goes on to send and to take mail. What waits for a later time, and what is held, stays in the
/// queue. After `queue hold` it waits for the attempts that have begun. Ends with 1 where the time is up.
///
/// Example: transports queue hold --all --yes && transports queue drain --timeout 5m
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    /// Mail of this tenant, exactly as its tokens name it.
    #[arg(long, value_parser = TenantId::from_argument)]
    tenant: Option<TenantId>,

    /// Give up after so long: 90s, 15m, 2h, 3d.
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
        let (in_flight, due) = operator.under_way(tenant.as_ref()).await?;
        if (in_flight, due) == (0, 0) {
            return output::data("drained: nothing is under way or due\n");
        }
        let progress = format!("{in_flight} under way, {due} due");
        if arguments.timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
            bail!("the time is up: {progress}");
        }
        if shown.as_ref() != Some(&progress) {
            output::note(&progress);
            shown = Some(progress);
        }
        // A long queue takes long to count.
        sleep(INTERVAL.max(asked.elapsed() * 10)).await;
    }
}
