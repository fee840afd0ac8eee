//! `transports email-config`: the operations of the API, from a terminal or a script, against any server.
//!
//! In the shape of the public command line of Qlik Cloud (`qlik transport email-config`); what is ours is named
//! in `docs/cli.md`.

mod answer;
mod api;
mod commands;
mod connection;
mod events;
mod failure;
mod fields;
mod input;
mod progress;
mod render;
mod style;

use clap::{Args, Subcommand};

pub use failure::Failure;
pub(super) use style::shown;

use connection::Connection;

use commands::{patch, send_test_email, simple, update};

const EXIT_CODES: &str = "\
Exit codes: 0 done, and good; 1 the check failed, or the configuration is not valid; 2 wrong usage, or a file that \
cannot be used; 3 refused by the server (4xx); 4 no usable answer: not reachable, too late, or an error of the \
server (5xx); 5 the output could not be written.";

/// Read, change and check a tenant's email configuration on a server.
///
/// Tenant and rights come from the token. The server is named by --server or `TRANSPORTS_SERVER`, the token by
/// `TRANSPORTS_TOKEN` or --token-file.
///
/// Example: transports email-config ls --server $URL --token-file token
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(simple::Ls),
    Update(Box<update::Arguments>),
    Patch(patch::Arguments),
    Rm(simple::Rm),
    SendTestEmail(send_test_email::Arguments),
    Validate(simple::Validate),
    VerifyConnection(simple::VerifyConnection),
}

/// Runs one operation. What it says goes out before it returns; the failure says how the process ends.
pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { connection, command } = arguments;
    match command {
        Command::Ls(_) => simple::ls(&connection).await,
        Command::Update(arguments) => update::run(*arguments, &connection).await,
        Command::Patch(arguments) => patch::run(arguments, &connection).await,
        Command::Rm(arguments) => simple::rm(arguments, &connection).await,
        Command::SendTestEmail(arguments) => send_test_email::run(arguments, &connection).await,
        Command::Validate(_) => simple::validate(&connection).await,
        Command::VerifyConnection(_) => simple::verify_connection(&connection).await,
    }
}
