//! `transports serve`: the service, in production.

use clap::Args;

use crate::config::Config;

/// Run the service.
///
/// Everything comes from the settings; see docs/configuration.md. It refuses to start without a key for
/// the tenants' secrets, without a source of token keys, an issuer and an audience, and with a key that
/// does not open what is stored. SIGTERM and Ctrl-C let requests in flight end first.
///
/// Example: transports --config /etc/transports.toml serve
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {}

pub async fn run(_arguments: Arguments, _config: Config) -> anyhow::Result<()> {
    anyhow::bail!("the server is not part of this build")
}
