//! The options of all commands: server, token, retries and output.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::api::Api;
use super::failure::Failure;
use super::input;
use crate::cli::output;
use crate::cli::profiles::{self, Profile};
use crate::cli::values::{profile_name, whole_number};
use crate::config::Config;
use crate::egress::http_client::HttpClient;
use crate::egress::{Dialer, Policy, Resolver, tls};
use crate::secret::Secret;

/// Variables of the client; settings of the service have `__` in their names.
pub(super) const SERVER_VARIABLE: &str = "TRANSPORTS_SERVER";
pub(super) const TOKEN_VARIABLE: &str = "TRANSPORTS_TOKEN";

const SERVER_HINT: &str =
    "use --server URL, set TRANSPORTS_SERVER, or store a server with `transports login`";
const TOKEN_HINT: &str =
    "use --token-file FILE, set TRANSPORTS_TOKEN, or store a token with `transports login`";

#[derive(Debug, Args)]
#[command(next_help_heading = "Server and output")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(super) struct ServerOptions {
    /// URL of the server, such as `https://mail.example.com`; by default `TRANSPORTS_SERVER`, then the profile.
    #[arg(short, long, global = true, value_name = "URL")]
    server: Option<String>,

    /// Profile of `transports login` with server and token; by default `TRANSPORTS_PROFILE`, then `default`. Options
    /// and environment override it.
    #[arg(long, global = true, value_name = "NAME", value_parser = profile_name)]
    profile: Option<String>,

    /// Bearer token. Other users of this machine can see it: prefer `TRANSPORTS_TOKEN`.
    #[arg(long, global = true, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<SecretArgument>,

    /// File with the bearer token; - is standard input.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with more certificate authorities to trust, in PEM form.
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Number of retries if the server is busy (429) or unreachable. ls, validate, update and rm are idempotent and
    /// are also retried after 503 and a lost response.
    #[arg(long, global = true, value_name = "TIMES", default_value_t = 0,
          value_parser = whole_number::<u32>(0..=10))]
    retry: u32,

    /// Seconds between attempts; a longer Retry-After of the server takes precedence.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 1,
          value_parser = whole_number::<u64>(1..=3600))]
    interval: u64,

    /// Time limit of one attempt, in seconds.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60,
          value_parser = whole_number::<u64>(1..=3600))]
    timeout: u64,

    /// Print the server's response as JSON, also a refusal.
    #[arg(long, global = true)]
    pub json: bool,

    /// Print the body of the server's response unchanged, also of a refusal.
    #[arg(long, global = true, conflicts_with = "json")]
    pub raw: bool,

    /// Print only the tenant's id (ls), or nothing; use the exit code.
    #[arg(short, long, global = true, conflicts_with_all = ["json", "raw"])]
    pub quiet: bool,

    /// Print requests and responses to standard error, without the token and the bodies.
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// Never ask for a password, even on a terminal.
    #[arg(long, global = true)]
    pub no_input: bool,
}

/// A secret that was typed on the command line. `Debug` hides it; clap wants `Clone`.
#[derive(Clone)]
pub(super) struct SecretArgument(String);

impl SecretArgument {
    pub fn into_secret(self) -> Secret {
        Secret::new(self.0)
    }
}

impl From<&str> for SecretArgument {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretArgument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl ServerOptions {
    /// Builds the client. Warns where the token would travel without TLS.
    pub fn api(&self) -> Result<Api, Failure> {
        let profile = self.profile()?;
        let base = self.base(profile.as_ref())?;
        let token = self.token(profile.as_ref(), &base)?;
        let profile_ca_file = profile.and_then(|(_, profile)| profile.ca_file);
        let api =
            Api::new(base, token, self.ca_file.as_ref().or(profile_ca_file.as_ref()).map(PathBuf::as_path))?;
        Ok(Api {
            time_limit: Duration::from_secs(self.timeout),
            retries: self.retry,
            interval: Duration::from_secs(self.interval),
            verbose: self.verbose,
            ..api
        })
    }

    /// The profile, read only where an option names it or something is missing.
    fn profile(&self) -> Result<Option<(String, Profile)>, Failure> {
        let has_server = self.server.is_some() || variable(SERVER_VARIABLE).is_some();
        let has_token =
            self.token.is_some() || self.token_file.is_some() || variable(TOKEN_VARIABLE).is_some();
        if has_server && has_token && self.profile.is_none() {
            return Ok(None);
        }
        profiles::selected(self.profile.as_deref())
    }

    /// The URL before `/api/v1/transports`, without a slash at its end.
    fn base(&self, profile: Option<&(String, Profile)>) -> Result<String, Failure> {
        if let Some(url) = self.server.clone().or_else(|| variable(SERVER_VARIABLE)) {
            let base = parse_base(&url)?;
            if let Some((name, profile)) = profile.filter(|(_, profile)| profile.server != base)
                && self.profile.is_some()
                && self.server.is_none()
            {
                output::note(&format!(
                    "warning: TRANSPORTS_SERVER overrides the server of the profile {name:?}: {base} instead of {}",
                    profile.server
                ));
            }
            return Ok(base);
        }
        let profile = profile.ok_or_else(|| Failure::usage("no server specified").hint(SERVER_HINT))?;
        parse_base(&profile.1.server)
    }

    /// The token of a profile is sent to the server of that profile only.
    fn token(&self, profile: Option<&(String, Profile)>, base: &str) -> Result<Secret, Failure> {
        let token = match (&self.token, &self.token_file) {
            (Some(typed), _) => {
                warn_of_visible_secret("--token", "set TRANSPORTS_TOKEN, or use --token-file");
                typed.clone().into_secret()
            }
            (None, Some(path)) => input::secret_file("--token-file", path)?,
            (None, None) => match (variable(TOKEN_VARIABLE), profile) {
                (Some(token), _) => Secret::new(token),
                (None, Some((_, profile))) if profile.server == base => {
                    Secret::new(profile.token.expose().to_owned())
                }
                (None, Some((name, profile))) => {
                    let text = format!("the token of the profile {name:?} is for {} only", profile.server);
                    return Err(Failure::usage(text).hint(TOKEN_HINT));
                }
                (None, None) => return Err(Failure::usage("no token specified").hint(TOKEN_HINT)),
            },
        };
        check_token(&token)
    }

    /// Only one thing can be read from standard input.
    pub fn one_from_stdin(&self, others: &[(&str, Option<&PathBuf>)]) -> Result<(), Failure> {
        let all = others.iter().copied().chain([("--token-file", self.token_file.as_ref())]);
        let named: Vec<&str> = all
            .filter(|(_, path)| path.is_some_and(|path| input::is_stdin(path)))
            .map(|(name, _)| name)
            .collect();
        match named[..] {
            [first, second, ..] => {
                Err(Failure::usage(format!("{first} and {second} both read standard input")))
            }
            _ => Ok(()),
        }
    }
}

impl Api {
    /// Makes one attempt of a minute for each call. Warns where the token would travel without TLS.
    pub fn new(base: String, token: Secret, ca_file: Option<&Path>) -> Result<Self, Failure> {
        if !base.starts_with("https://") && !is_this_machine(&base) {
            output::note(
                "warning: over http:// anyone on the network path can read the token and the password; use https://",
            );
        }
        let tls = tls::client_config_with(ca_file, "--ca-file")
            .map_err(|error| Failure::usage(format!("{error:#}")))?;
        // The policy restricts destinations of tenants; the operator's server is none.
        let policy = Policy::new(&Config::default().egress).map_err(|error| Failure::usage(error.reason))?;
        let dialer = Dialer { policy: Arc::new(policy), resolver: Resolver::system() };
        Ok(Self {
            client: HttpClient { dialer, tls },
            base,
            token,
            time_limit: Duration::from_mins(1),
            retries: 0,
            interval: Duration::from_secs(1),
            verbose: false,
        })
    }
}

/// The URL before `/api/v1/transports`, without a slash at its end.
pub(super) fn parse_base(url: &str) -> Result<String, Failure> {
    let refuse = |reason: &str| {
        let failure = Failure::usage(format!("--server: {reason}"));
        Err(failure.hint("write a URL such as https://mail.example.com"))
    };
    let url = url.trim();
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return refuse("it begins neither with https:// nor with http://");
    }
    if url.contains(['?', '#', '@']) {
        return refuse("it holds a query, a fragment or a user name");
    }
    let base = url.trim_end_matches('/');
    Ok(base.strip_suffix("/api/v1").unwrap_or(base).to_owned())
}

/// The token without `Bearer` and white space around it.
pub(super) fn check_token(token: &Secret) -> Result<Secret, Failure> {
    let text = token.expose().trim();
    let text = text.strip_prefix("Bearer ").unwrap_or(text);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let failure = Failure::usage("the token is empty, or has characters that no token has");
        return Err(failure.hint(TOKEN_HINT));
    }
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn warn_of_visible_secret(option: &str, remedy: &str) {
    output::note(&format!(
        "warning: other users of this machine can see the value of {option} in the list of processes; {remedy}"
    ));
}

/// A variable that is set to something.
pub(in crate::cli) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.trim().is_empty())
}

fn is_this_machine(base: &str) -> bool {
    crate::config::check_operator_url(base).is_ok()
}
