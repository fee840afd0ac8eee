//! The options of all commands: server, token, retries and output.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::api::Api;
use super::failure::Failure;
use super::input;
use crate::cli::output;
use crate::config::Config;
use crate::egress::http_client::HttpClient;
use crate::egress::{Dialer, Policy, Resolver, tls};
use crate::secret::Secret;

/// Variables of the client; settings of the service have `__` in their names.
const SERVER_VARIABLE: &str = "TRANSPORTS_SERVER";
const TOKEN_VARIABLE: &str = "TRANSPORTS_TOKEN";

#[derive(Debug, Args)]
#[command(next_help_heading = "Server and output")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(super) struct ServerOptions {
    /// URL of the server, such as `https://mail.example.com`; `TRANSPORTS_SERVER` by default.
    #[arg(short, long, global = true, value_name = "URL")]
    server: Option<String>,

    /// Bearer token. Other users of this machine can see it: prefer `TRANSPORTS_TOKEN`.
    #[arg(long, global = true, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<SecretArgument>,

    /// File with the bearer token; - is standard input.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with more certificate authorities to trust, in PEM form.
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Retries if the server is busy (429) or unreachable. ls, validate, update and rm are idempotent and are also
    /// retried after 503 and a lost response.
    #[arg(long, global = true, value_name = "TIMES", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=10))]
    retry: u32,

    /// Seconds between attempts; a longer Retry-After of the server takes precedence.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,

    /// Seconds for one attempt.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
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
        let base = self.base()?;
        let token = self.token()?;
        if !base.starts_with("https://") && !is_this_machine(&base) {
            output::note(
                "warning: over http:// anyone on the network path can read the token and the password; use https://",
            );
        }
        let ca_file = self.ca_file.as_deref();
        let tls = tls::client_config_with(ca_file, "--ca-file")
            .map_err(|error| Failure::usage(format!("{error:#}")))?;
        // The policy restricts destinations of tenants; the operator's server is none.
        let policy = Policy::new(&Config::default().egress).map_err(|error| Failure::usage(error.reason))?;
        let dialer = Dialer { policy: Arc::new(policy), resolver: Resolver::system() };
        Ok(Api {
            client: HttpClient { dialer, tls },
            base,
            token,
            time_limit: Duration::from_secs(self.timeout),
            retries: self.retry,
            interval: Duration::from_secs(self.interval),
            verbose: self.verbose,
        })
    }

    /// The URL before `/api/v1/transports`, without a slash at its end.
    fn base(&self) -> Result<String, Failure> {
        let hint = "name it by --server URL or TRANSPORTS_SERVER, such as https://mail.example.com";
        let Some(url) = self.server.clone().or_else(|| variable(SERVER_VARIABLE)) else {
            return Err(Failure::usage("no server is named").hint(hint));
        };
        let refuse = |reason: &str| Err(Failure::usage(format!("--server: {reason}")).hint(hint));
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

    fn token(&self) -> Result<Secret, Failure> {
        let hint = "set TRANSPORTS_TOKEN, or name a file by --token-file";
        let token = match (&self.token, &self.token_file) {
            (Some(typed), _) => {
                warn_of_visible_secret("--token", "set TRANSPORTS_TOKEN, or use --token-file");
                typed.clone().into_secret()
            }
            (None, Some(path)) => input::secret_file("--token-file", path)?,
            (None, None) => match variable(TOKEN_VARIABLE) {
                Some(token) => Secret::new(token),
                None => return Err(Failure::usage("no token is given").hint(hint)),
            },
        };
        let text = token.expose().trim();
        let text = text.strip_prefix("Bearer ").unwrap_or(text);
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage("the token is empty, or has characters that no token has").hint(hint));
        }
        Ok(Secret::new(text.to_owned()))
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

pub(super) fn warn_of_visible_secret(option: &str, remedy: &str) {
    output::note(&format!(
        "warning: other users of this machine can see what stands behind {option} (in its list of processes); {remedy}"
    ));
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.trim().is_empty())
}

fn is_this_machine(base: &str) -> bool {
    crate::config::check_operator_url(base).is_ok()
}
