//! `transports token`: signs a bearer token.

use clap::Args;

use super::output;
use super::values::whole_number;
use crate::auth::token;
use crate::clock::Clock;
use crate::config::{Config, Invalid, Problem};

const SECONDS_PER_MINUTE: i64 = 60;

/// Sign a bearer token with `auth.hs256_secret`.
///
/// For services that check tokens with a shared secret, and for tests. The token carries auth.issuer
/// and auth.audience where they are set. It is written to standard output only.
///
/// Example: curl -H "Authorization: Bearer $(transports token --tenant t1 --user anna --admin)" …
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// Tenant of the token.
    #[arg(long, value_name = "ID", required_unless_present = "platform")]
    tenant: Option<String>,

    /// User of the token.
    #[arg(long, value_name = "ID")]
    user: String,

    /// Make the user a tenant admin.
    #[arg(long)]
    admin: bool,

    /// Issue a platform token instead of a tenant's: it works on the emails of every tenant.
    #[arg(long, conflicts_with_all = ["tenant", "admin"])]
    platform: bool,

    /// Lifetime in minutes; at most a year.
    #[arg(long, default_value_t = 60, value_parser = whole_number::<i64>(1..=525_600))]
    minutes: i64,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let Some(secret) = &config.auth.hs256_secret else {
        let problem = Problem::new("auth.hs256_secret: must be set to sign a token").with_hint(
            "name the settings that have it with --config, or set TRANSPORTS_AUTH__HS256_SECRET to at least 32 random \
             bytes; with another source of token keys, its issuer signs the tokens",
        );
        return Err(Invalid::from(problem).into());
    };
    let (user, seconds) = (&arguments.user, arguments.minutes * SECONDS_PER_MINUTE);
    let (auth, now) = (&config.auth, Clock::System.now());
    let token = match &arguments.tenant {
        Some(tenant) => token::issue(secret, auth, tenant, user, arguments.admin, seconds, now)?,
        None => token::issue_for_platform(secret, auth, user, seconds, now)?,
    };
    output::data(&format!("{}\n", token.expose()))
}
