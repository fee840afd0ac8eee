//! `transports login`, `logout` and `profiles`: store servers with their tokens, remove and list them.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::email_config::{Failure, shown, sign_in};
use super::output;
use super::profiles::{self, Profile, Profiles};
use super::queue::columns;
use super::values::profile_name;

/// Store a server and its token, for `transports email-config`.
///
/// On a terminal it asks for what no option and no variable gives. Checks both with a request before it stores them,
/// in a file that only you can read: `transports/profiles.toml` in `$XDG_CONFIG_HOME` or ~/.config. The token is
/// never printed.
///
/// Example: transports login --server <https://mail.example.com> --token-file token --profile work
#[derive(Debug, Args)]
#[command(after_help = super::email_config::EXIT_CODES)]
pub struct Login {
    /// URL of the server; `TRANSPORTS_SERVER` by default.
    #[arg(short, long, value_name = "URL")]
    server: Option<String>,

    /// File with the bearer token; - is standard input. `TRANSPORTS_TOKEN` by default.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// File with more certificate authorities to trust, in PEM form. The profile keeps its path.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Name of the profile; `TRANSPORTS_PROFILE` by default, otherwise `default`.
    #[arg(long, value_name = "NAME", value_parser = profile_name)]
    profile: Option<String>,
}

/// Remove a server and its token from the stored profiles.
///
/// The token itself stays valid until it expires.
///
/// Example: transports logout --profile work
#[derive(Debug, Args)]
#[command(after_help = super::email_config::EXIT_CODES)]
pub struct Logout {
    /// Name of the profile; `TRANSPORTS_PROFILE` by default, otherwise `default`.
    #[arg(long, value_name = "NAME", value_parser = profile_name)]
    profile: Option<String>,
}

/// List the stored profiles with their servers, without the tokens.
///
/// Example: transports profiles --json
#[derive(Debug, Args)]
#[command(after_help = super::email_config::EXIT_CODES)]
pub struct List {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) async fn login(arguments: Login) -> Result<(), Failure> {
    let name = profiles::selected_name(arguments.profile.as_deref())?;
    let ca_file = arguments.ca_file.map(std::path::absolute).transpose();
    let ca_file = ca_file.map_err(|error| Failure::usage(format!("--ca-file: {error}")))?;
    let mut stored = Profiles::load()?;
    let signed_in = sign_in(arguments.server, arguments.token_file.as_deref(), ca_file.as_deref()).await?;
    let server = signed_in.server.clone();
    let profile = Profile { server: signed_in.server, token: signed_in.token, ca_file };
    stored.profiles.insert(name.clone(), profile);
    let path = stored.store()?;
    let tenant = signed_in.tenant.map(|tenant| format!(", tenant {:?}", shown(&tenant))).unwrap_or_default();
    output::note(&format!(
        "Profile {name:?}: {}{tenant}. The token is stored in {}.",
        shown(&server),
        path.display()
    ));
    if !signed_in.is_admin {
        output::note(
            "The token is valid, but not of a tenant admin: it checks the connection, and neither reads nor changes the configuration.",
        );
    }
    Ok(())
}

pub(super) fn logout(arguments: &Logout) -> Result<(), Failure> {
    let name = profiles::selected_name(arguments.profile.as_deref())?;
    let mut stored = Profiles::load()?;
    if stored.profiles.remove(&name).is_none() {
        return Err(profiles::no_such_profile(&name));
    }
    stored.store()?;
    output::note(&format!("Profile {name:?} was removed. Its token stays valid until it expires."));
    Ok(())
}

pub(super) fn list(arguments: &List) -> Result<(), Failure> {
    let stored = Profiles::load()?.profiles;
    let text = if arguments.json {
        let listed = stored.iter().map(|(name, profile)| json!({ "name": name, "server": profile.server }));
        format!("{}\n", json!({ "profiles": listed.collect::<Vec<_>>() }))
    } else if stored.is_empty() {
        output::note("No profiles. `transports login` stores one.");
        String::new()
    } else {
        let names = ["PROFILE", "SERVER"].map(str::to_owned);
        let lines = stored.iter().map(|(name, profile)| [name.clone(), shown(&profile.server)]);
        columns(&std::iter::once(names).chain(lines).collect::<Vec<_>>())
    };
    output::data(&text).map_err(|error| Failure::output(&error))
}
