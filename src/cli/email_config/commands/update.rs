//! `transports email-config update`: PUT.

use std::path::PathBuf;

use clap::Args;
use hyper::Method;
use serde_json::{Map, Value};

use super::{done, print, progress};
use crate::cli::email_config::api::{Api, Call};
use crate::cli::email_config::failure::Failure;
use crate::cli::email_config::fields::{Microsoft365, Smtp, object};
use crate::cli::email_config::progress::Progress;
use crate::cli::email_config::style::{Colours, shown};
use crate::cli::email_config::{input, render, server_options};
use crate::cli::output;
use crate::email_config::{ProviderKind, fields};
use crate::secret::Secret;

const PROVIDER_CONFIG: &str = "providerConfig";

/// Create or replace the whole configuration, after a check against the mail server.
///
/// The document comes from a file, from options, or from both; options override the file. If a user name or a
/// client ID comes without its secret, update asks for it on a terminal. Without a new secret the stored one is
/// kept, as long as the server is the same. Exits with 1 if the check failed; the stored configuration is unchanged
/// then.
///
/// Example: transports email-config update -f account.json --email-password-file password
#[derive(Debug, Args)]
#[command(after_help = crate::cli::email_config::EXIT_CODES)]
pub(in super::super) struct Arguments {
    /// File with the request as JSON, as in PUT; - is standard input.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Provider; by default `Microsoft365` with a client ID, otherwise `BasicAuth`.
    #[arg(long = "serviceProvider", value_name = "NAME", value_enum)]
    service_provider: Option<ProviderKind>,

    /// Replace only the version with this `ETag` (ls shows it).
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,

    #[command(flatten)]
    smtp: Smtp,

    #[command(flatten)]
    microsoft365: Microsoft365,
}

pub(in super::super) async fn run(
    arguments: Arguments,
    server: &server_options::ServerOptions,
) -> Result<(), Failure> {
    server.one_from_stdin(&[
        ("-f", arguments.file.as_ref()),
        ("--email-password-file", arguments.smtp.email_password_file.as_ref()),
        ("--client-secret-file", arguments.microsoft365.client_secret_file.as_ref()),
    ])?;
    let api = server.api()?;
    let tag = arguments.if_match.clone();
    let (mut body, provider) = document(arguments)?;
    if let Some(Value::Object(members)) =
        body.get_mut(PROVIDER_CONFIG).filter(|_| input::may_ask(server.no_input))
    {
        add_typed_secret(members, provider, &api).await?;
    }
    let body = Value::Object(body);
    let call = Call::new(Method::PUT, "").with_body(&body).if_match(tag.as_deref()).live();
    let mut progress = progress(server);
    let answer = api.call(&call, &mut progress).await?;
    print(server, &answer, |_| String::new())?;
    if let Some(error) = answer.failed_check() {
        let diagnosis = &error["meta"]["diagnosis"];
        progress.transcript(diagnosis);
        if !server.quiet && !server.json && !server.raw {
            let text = render::diagnosis(diagnosis, "", Colours::of_stdout());
            output::data(&text).map_err(|error| Failure::output(&error))?;
            if diagnosis.is_object() {
                return Err(Failure::check_failed("the check failed, and nothing was stored"));
            }
        }
        let detail = error["detail"].as_str().unwrap_or("the mail server refused it");
        return Err(Failure::check_failed(format!("the check failed, and nothing was stored: {detail}")));
    }
    answer.check()?;
    let tag = answer.etag.as_deref().map(|tag| format!(" (ETag {})", shown(tag))).unwrap_or_default();
    done(server, &format!("The configuration was checked and stored{tag}."));
    Ok(())
}

/// The document of the file, with the fields that options override, and its provider.
fn document(arguments: Arguments) -> Result<(Map<String, Value>, Option<ProviderKind>), Failure> {
    let from_file = arguments.file.is_some();
    let mut body = object(arguments.file.as_deref().map(input::document).transpose()?)?;
    let mut set = arguments.smtp.set()?;
    set.extend(arguments.microsoft365.set()?);
    if !from_file && set.is_empty() {
        return Err(
            Failure::usage("nothing to store").hint("use -f FILE, or options such as --serverAddress")
        );
    }
    let has_client = set.iter().any(|(field, _)| *field == fields::CLIENT_ID);
    let default = if has_client { ProviderKind::Microsoft365 } else { ProviderKind::BasicAuth };
    if let Some(provider) = arguments.service_provider.or((!from_file).then_some(default)) {
        body.insert(fields::SERVICE_PROVIDER.to_owned(), Value::from(provider.as_str()));
    }
    let provider = body.get(fields::SERVICE_PROVIDER).and_then(Value::as_str).and_then(ProviderKind::parse);
    if !set.is_empty() {
        body.entry(PROVIDER_CONFIG).or_insert_with(|| Value::Object(Map::new()));
    }
    // Anything else than an object is the server's to refuse, unless there is something to put into it.
    match body.get_mut(PROVIDER_CONFIG) {
        Some(Value::Object(members)) => {
            members.extend(set.into_iter().map(|(field, value)| (field.to_owned(), value)));
        }
        Some(_) if !set.is_empty() => return Err(Failure::usage("-f: providerConfig is not a JSON object")),
        _ => {}
    }
    Ok((body, provider))
}

/// Prompts for the secret that goes with a user name or a client ID, on a terminal.
async fn add_typed_secret(
    members: &mut Map<String, Value>,
    provider: Option<ProviderKind>,
    api: &Api,
) -> Result<(), Failure> {
    let (owner, secret, kind) = match provider {
        Some(ProviderKind::Microsoft365) => (fields::CLIENT_ID, fields::CLIENT_SECRET, "Client secret"),
        Some(ProviderKind::BasicAuth) | None => (fields::USERNAME, fields::EMAIL_PASSWORD, "Password"),
    };
    let Some(name) = members.get(owner).and_then(Value::as_str).filter(|_| !members.contains_key(secret))
    else {
        return Ok(());
    };
    let keeps = match is_secret_stored(api).await {
        Some(true) => " (empty keeps the stored one)",
        Some(false) => "",
        None => " (empty keeps a stored one)",
    };
    if let Some(typed) = input::ask(&format!("{kind} of {}{keeps}: ", shown(name)), true)? {
        members.insert(secret.to_owned(), Value::from(Secret::expose(&typed)));
    }
    Ok(())
}

/// None where the service does not say: the PUT will show why.
async fn is_secret_stored(api: &Api) -> Option<bool> {
    let answer = api.call(&Call::new(Method::GET, ""), &mut Progress::new(false)).await.ok()?;
    answer.object().ok()?.get("passwordExists")?.as_bool()
}
