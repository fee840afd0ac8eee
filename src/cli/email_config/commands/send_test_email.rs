//! `transports email-config send-test-email`.

use std::path::PathBuf;

use clap::Args;
use hyper::Method;
use serde_json::Value;

use super::{print_result, progress};
use crate::cli::email_config::api::Call;
use crate::cli::email_config::failure::Failure;
use crate::cli::email_config::fields::object;
use crate::cli::email_config::{input, server_options};

/// Send one test mail with the stored configuration.
///
/// Exits with 1 if sending failed, and prints the reason. It is not retried if the mail may have been sent.
///
/// Example: transports email-config send-test-email --recipient you@example.com
#[derive(Debug, Args)]
#[command(after_help = crate::cli::email_config::EXIT_CODES)]
pub(in super::super) struct Arguments {
    /// Address that the mail goes to.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "file")]
    recipient: Option<String>,

    /// Subject; the server's default otherwise.
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// Text; the server's default otherwise.
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,

    /// File with the request as JSON; - is standard input. Options override it.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(in super::super) async fn run(
    arguments: Arguments,
    server: &server_options::ServerOptions,
) -> Result<(), Failure> {
    server.one_from_stdin(&[("-f", arguments.file.as_ref())])?;
    let mut members = object(arguments.file.as_deref().map(input::document).transpose()?)?;
    let options =
        [("recipient", arguments.recipient), ("subject", arguments.subject), ("body", arguments.body)];
    for (name, value) in options {
        if let Some(value) = value {
            members.insert(name.to_owned(), Value::String(value));
        }
    }
    let body = Value::Object(members);
    let call = Call::new(Method::POST, "/actions/send-test-email").with_body(&body);
    let mut progress = progress(server);
    let answer = server.api()?.call(&call, &mut progress).await?;
    print_result(server, &answer, &mut progress)
}
