//! `transports email-config`: a client of the API for terminals and scripts, against any server.
//!
//! It follows the public command line of Qlik Cloud (`qlik transport email-config`); `docs/cli.md` marks additions.

mod answer;
mod api;
mod commands;
mod events;
mod failure;
mod fields;
mod input;
mod progress;
mod render;
mod server_options;
mod sign_in;
mod style;

use clap::{Args, Subcommand};

pub use failure::Failure;
pub(super) use server_options::variable;
pub(super) use sign_in::sign_in;
pub(super) use style::shown;

use server_options::ServerOptions;

use commands::{patch, rm, send_test_email, simple, update};

pub(super) const EXIT_CODES: &str = "\
Exit codes: 0 success; 1 the check failed, or the configuration is not valid; 2 wrong usage, or an unusable file; \
3 refused by the server (4xx); 4 no usable answer: unreachable, timed out, or a server error (5xx); 5 the output \
could not be written.";

/// Read, change and check a tenant's email configuration on a server.
///
/// The token decides about tenant and rights. Set the server with --server or `TRANSPORTS_SERVER`, the token with
/// `TRANSPORTS_TOKEN` or --token-file, or store both with `transports login`.
///
/// Example: transports email-config ls --server $URL --token-file token
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(simple::Ls),
    Update(Box<update::Arguments>),
    Patch(patch::Arguments),
    Rm(rm::Arguments),
    SendTestEmail(send_test_email::Arguments),
    Validate(simple::Validate),
    VerifyConnection(simple::VerifyConnection),
}

/// Runs one operation and prints its result. A failure carries the exit code.
pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { server, command } = arguments;
    match command {
        Command::Ls(_) => simple::ls(&server).await,
        Command::Update(arguments) => update::run(*arguments, &server).await,
        Command::Patch(arguments) => patch::run(arguments, &server).await,
        Command::Rm(arguments) => rm::run(arguments, &server).await,
        Command::SendTestEmail(arguments) => send_test_email::run(arguments, &server).await,
        Command::Validate(_) => simple::validate(&server).await,
        Command::VerifyConnection(_) => simple::verify_connection(&server).await,
    }
}
