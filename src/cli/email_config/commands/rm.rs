//! `transports email-config rm`: DELETE, after a question.

use std::io::{self, IsTerminal as _};

use clap::Args;
use hyper::Method;
use serde_json::Value;

use super::{done, print, progress};
use crate::cli::email_config::api::{Api, Call};
use crate::cli::email_config::failure::Failure;
use crate::cli::email_config::server_options::ServerOptions;
use crate::cli::email_config::style::shown;
use crate::cli::output;
use crate::email_config::fields;

/// Delete the configuration, with its secret.
///
/// It cannot be restored: the secret has to be entered again. Asks for confirmation on a terminal.
///
/// Example: transports email-config rm --yes
#[derive(Debug, Args)]
#[command(after_help = crate::cli::email_config::EXIT_CODES)]
pub(in super::super) struct Arguments {
    /// Delete only the version with this `ETag` (ls shows it).
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,

    /// Do not ask for confirmation. Required without a terminal.
    #[arg(long)]
    yes: bool,
}

pub(in super::super) async fn run(arguments: Arguments, server: &ServerOptions) -> Result<(), Failure> {
    if !arguments.yes && (server.no_input || !io::stdin().is_terminal()) {
        return Err(Failure::usage("rm: cannot ask for confirmation without a terminal; use --yes"));
    }
    let api = server.api()?;
    if !arguments.yes {
        confirm(&api, server).await?;
    }
    let call = Call::new(Method::DELETE, "").if_match(arguments.if_match.as_deref());
    let answer = api.call(&call, &mut progress(server)).await?;
    // The answer to an earlier try was lost, and now there is nothing left: that try deleted it.
    let deleted_before = answer.status == 404 && answer.outcome_unknown;
    if !deleted_before {
        print(server, &answer, |_| String::new())?;
        answer.check()?;
    }
    done(server, "The configuration was deleted.");
    Ok(())
}

/// Shows whose configuration it is, and asks.
async fn confirm(api: &Api, server: &ServerOptions) -> Result<(), Failure> {
    let answer = api.call(&Call::new(Method::GET, ""), &mut progress(server)).await?;
    let body = answer.object()?;
    if body.get(fields::SERVICE_PROVIDER).is_none() {
        return Ok(());
    }
    let question = format!("Delete the configuration of {}, with its secret?", described(&body));
    match output::confirm(&question) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::check_failed("nothing was deleted")),
        Err(error) => Err(Failure::usage(format!("the terminal cannot be read: {error}"))),
    }
}

/// `the tenant "acme" (platform@example.com, smtp.example.com)`.
fn described(body: &Value) -> String {
    let details = [&body["emailAddress"], &body["serverAddress"]];
    let details: Vec<_> = details.iter().filter_map(|value| value.as_str()).map(shown).collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    format!("the tenant {:?}{details}", shown(body["tenantId"].as_str().unwrap_or_default()))
}
