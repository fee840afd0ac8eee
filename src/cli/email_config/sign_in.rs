//! Checks a server and a token for `transports login`.

use std::path::Path;

use hyper::Method;

use super::api::{Api, Call};
use super::failure::Failure;
use super::input;
use super::progress::Progress;
use super::server_options::{SERVER_VARIABLE, TOKEN_VARIABLE, check_token, parse_base, variable};
use crate::secret::Secret;

/// A server that has accepted a token.
pub(in crate::cli) struct SignedIn {
    pub server: String,
    pub token: Secret,
    /// None where nothing is configured, and for a token that may not read it.
    pub tenant: Option<String>,
    pub is_admin: bool,
}

/// Takes server and token from options, the environment or the terminal, and reads the configuration with them.
pub(in crate::cli) async fn sign_in(
    server: Option<String>,
    token_file: Option<&Path>,
    ca_file: Option<&Path>,
) -> Result<SignedIn, Failure> {
    let server = match server.or_else(|| variable(SERVER_VARIABLE)) {
        Some(server) => server,
        None => input::ask_line("Server, such as https://mail.example.com: ")?
            .ok_or_else(|| Failure::usage("no server specified").hint("use --server URL"))?,
    };
    let base = parse_base(&server)?;
    let token = match (token_file, variable(TOKEN_VARIABLE)) {
        (Some(path), _) => input::secret_file("--token-file", path)?,
        (None, Some(token)) => Secret::new(token),
        (None, None) => input::ask("Token (not shown): ", true)?.ok_or_else(|| {
            Failure::usage("no token specified").hint("use --token-file FILE, or set TRANSPORTS_TOKEN")
        })?,
    };
    let token = check_token(&token)?;
    let api = Api::new(base.clone(), check_token(&token)?, ca_file)?;
    let answer = api.call(&Call::new(Method::GET, ""), &mut Progress::new(false)).await?;
    let is_admin = !answer.is_refused_role();
    let tenant = if is_admin { answer.object()?["tenantId"].as_str().map(str::to_owned) } else { None };
    Ok(SignedIn { server: base, token, tenant, is_admin })
}
