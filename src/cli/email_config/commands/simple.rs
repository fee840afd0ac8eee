//! `transports email-config ls`, `validate` and `verify-connection`: the commands without options of their own.

use clap::Args;
use hyper::Method;

use super::{print, print_result, progress};
use crate::cli::email_config::api::Call;
use crate::cli::email_config::failure::Failure;
use crate::cli::email_config::render;
use crate::cli::email_config::server_options;
use crate::cli::email_config::style::{Colours, shown};

/// Show the configuration without its secret, and its status.
///
/// With --json the response's `ETag` is there as `etag`, for --if-match.
///
/// Example: transports email-config ls --json | jq -r .etag
#[derive(Debug, Args)]
#[command(after_help = crate::cli::email_config::EXIT_CODES)]
pub(in super::super) struct Ls {}

/// Report whether the configuration is complete and not known to fail. Makes no connection.
///
/// Exits with 1 if it is not valid, or if there is none.
///
/// Example: transports email-config validate -q || echo 'mail does not work'
#[derive(Debug, Args)]
#[command(after_help = crate::cli::email_config::EXIT_CODES)]
pub(in super::super) struct Validate {}

/// Connect to the mail server, sign in, and ask whether it accepts the sender. Sends no mail.
///
/// Prints the stages to standard error as they happen, then the diagnosis: what happened, who can fix it, and the
/// steps. Exits with 1 if the check failed.
///
/// Example: transports email-config verify-connection --json > result.json
#[derive(Debug, Args)]
#[command(after_help = crate::cli::email_config::EXIT_CODES)]
pub(in super::super) struct VerifyConnection {}

pub(in super::super) async fn ls(server: &server_options::ServerOptions) -> Result<(), Failure> {
    let call = Call::new(Method::GET, "");
    let mut answer = server.api()?.call(&call, &mut progress(server)).await?;
    if server.json {
        answer.add_etag();
    }
    print(server, &answer, |body| {
        if server.quiet {
            body["tenantId"].as_str().map(|id| format!("{}\n", shown(id))).unwrap_or_default()
        } else {
            render::config(body, answer.etag.as_deref(), Colours::of_stdout())
        }
    })?;
    answer.object().map(drop)
}

pub(in super::super) async fn validate(server: &server_options::ServerOptions) -> Result<(), Failure> {
    let call = Call::new(Method::POST, "/actions/validate").repeatable(true);
    let answer = server.api()?.call(&call, &mut progress(server)).await?;
    print(server, &answer, |body| {
        let code = shown(body["errorCode"].as_str().unwrap_or_default());
        match (server.quiet, body["isValid"] == true) {
            (true, _) => String::new(),
            (false, true) => format!("{}\n", Colours::of_stdout().good("valid")),
            (false, false) => format!("{}: {code}\n", Colours::of_stdout().bad("not valid")),
        }
    })?;
    let body = answer.object()?;
    if body["isValid"] == true {
        return Ok(());
    }
    let hint = match body["errorCode"].as_str() {
        Some("CONFIG_NOT_SET") => "`transports email-config update` creates a configuration",
        Some("INCOMPLETE_CONFIG") => "`transports email-config ls` shows what is missing",
        _ => "`transports email-config verify-connection` shows why",
    };
    let is_for_people = !server.json && !server.raw && !server.quiet;
    Err(if is_for_people { Failure::negative().hint(hint) } else { Failure::negative() })
}

pub(in super::super) async fn verify_connection(
    server: &server_options::ServerOptions,
) -> Result<(), Failure> {
    // Each try signs in, and a refused sign-in counts: it is not repeated where it may have happened.
    let call = Call::new(Method::POST, "/actions/verify-connection").live();
    let mut progress = progress(server);
    let answer = server.api()?.call(&call, &mut progress).await?;
    print_result(server, &answer, &mut progress)
}
