//! `transports email-config patch`: PATCH.

use std::path::PathBuf;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::{done, print, progress};
use crate::cli::email_config::api::{Api, Call};
use crate::cli::email_config::failure::Failure;
use crate::cli::email_config::fields::Smtp;
use crate::cli::email_config::server_options::{SecretArgument, warn_of_visible_secret};
use crate::cli::email_config::{input, server_options};
use crate::email_config::fields;
use crate::secret::Secret;

const PASSWORD_PATH: &str = "/emailPassword";

/// Change single fields of an SMTP account. Makes no connection: check the result with verify-connection.
///
/// Takes one operation by --op, --path and --value, several from a file, or replaces each field that has an
/// option. The password may come from --email-password-file; with --path /emailPassword and no --value, patch asks for
/// it on a terminal. `update` replaces the whole configuration after a check.
///
/// Example: transports email-config patch --op replace --path /senderName --value Acme
///
/// Example: transports email-config patch --serverAddress smtp.example.com --email-password-file password
#[derive(Debug, Args)]
#[command(after_help = crate::cli::email_config::EXIT_CODES)]
pub(in super::super) struct Arguments {
    /// File with the operations as JSON, as in PATCH; - is standard input. Options follow after them.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Operation.
    #[arg(long, value_parser = ["replace", "remove", "add"], requires = "path")]
    op: Option<String>,

    /// Field of the operation, such as /serverAddress.
    #[arg(long, value_name = "FIELD", requires = "op")]
    path: Option<String>,

    /// Value of the operation.
    #[arg(long, value_name = "VALUE", requires = "path")]
    value: Option<SecretArgument>,

    /// Change only the version with this `ETag` (ls shows it).
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,

    #[command(flatten)]
    smtp: Smtp,
}

pub(in super::super) async fn run(
    arguments: Arguments,
    server: &server_options::ServerOptions,
) -> Result<(), Failure> {
    server.one_from_stdin(&[
        ("-f", arguments.file.as_ref()),
        ("--email-password-file", arguments.smtp.email_password_file.as_ref()),
    ])?;
    let api = server.api()?;
    let tag = arguments.if_match.clone();
    let body = document(arguments, !server.no_input)?;
    // RFC 5789 does not promise that a patch may be sent twice.
    let call = Call::new(Method::PATCH, "").with_body(&body).if_match(tag.as_deref()).repeatable(false);
    let had_password = may_drop_password(&body) && has_password(&api, server).await;
    let answer = api.call(&call, &mut progress(server)).await?;
    print(server, &answer, |_| String::new())?;
    answer.check()?;
    if had_password && !has_password(&api, server).await {
        done(server, PASSWORD_DROPPED);
    } else {
        done(server, "The configuration was changed; check it with verify-connection.");
    }
    Ok(())
}

const PASSWORD_DROPPED: &str = "\
The configuration was changed, and the stored password was deleted: it was entered for another server, port, user name or \
security. Enter it for the new ones:
  transports email-config patch --email-password-file FILE";

/// Whether the operations change what a password is bound to, and bring no new one.
fn may_drop_password(operations: &Value) -> bool {
    let operations = operations.as_array().map(Vec::as_slice).unwrap_or_default();
    let changes = |field: &str| {
        operations.iter().any(|operation| {
            operation["path"].as_str().and_then(|path| path.strip_prefix('/')) == Some(field)
        })
    };
    let binding = [fields::SERVER_ADDRESS, fields::SERVER_PORT, fields::USERNAME, fields::SECURITY_TYPE];
    binding.into_iter().any(changes) && !changes(fields::EMAIL_PASSWORD)
}

/// False also where this cannot be read: it decides about a note only.
async fn has_password(api: &Api, server: &server_options::ServerOptions) -> bool {
    let answer = api.call(&Call::new(Method::GET, ""), &mut progress(server)).await;
    answer.and_then(|answer| answer.object()).is_ok_and(|body| body["passwordExists"] == true)
}

fn document(arguments: Arguments, may_ask: bool) -> Result<Value, Failure> {
    let mut operations = match arguments.file.as_deref().map(input::document).transpose()? {
        None => Vec::new(),
        Some(Value::Array(operations)) => operations,
        Some(_) => return Err(Failure::usage("-f: the document is not a JSON array of operations")),
    };
    let set = arguments.smtp.set()?;
    if let (Some(op), Some(path)) = (arguments.op, arguments.path) {
        operations.push(operation(&op.to_ascii_lowercase(), &path, arguments.value, may_ask)?);
    }
    operations.extend(
        set.into_iter()
            .map(|(field, value)| json!({"op": "replace", "path": format!("/{field}"), "value": value})),
    );
    if operations.is_empty() {
        return Err(Failure::usage("nothing to change")
            .hint("use --op with --path, -f FILE, or options such as --serverAddress"));
    }
    Ok(Value::Array(operations))
}

fn operation(op: &str, path: &str, value: Option<SecretArgument>, may_ask: bool) -> Result<Value, Failure> {
    let is_password = path == PASSWORD_PATH;
    if is_password && value.is_some() {
        warn_of_visible_secret("--value", "use --email-password-file");
    }
    let value = match value.map(SecretArgument::into_secret) {
        None if is_password && op != "remove" => input::ask("Password: ", may_ask)?,
        value => value,
    };
    match value {
        Some(value) => Ok(json!({"op": op, "path": path, "value": Secret::expose(&value)})),
        None if op == "remove" => Ok(json!({"op": op, "path": path})),
        None => Err(Failure::usage(format!("--op {op} needs --value"))),
    }
}
