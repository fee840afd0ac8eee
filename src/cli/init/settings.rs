//! The text of the settings file that `transports init` writes.

use super::answers::{Answers, TokenKeys};
use super::files::KEYS;
use crate::dev::folder::random_secret;

/// # Errors
/// The system has no randomness.
pub fn text(answers: &Answers) -> anyhow::Result<String> {
    Ok(format!(
        "\
# Written by `transports init`. docs/configuration.md describes every setting; `transports config check` checks a change.
# Relative paths begin at the folder of this file.

[server]
listen = {listen}
# The proxies in front whose X-Forwarded-For is believed, so that rate limits and the audit see the clients' own addresses.
# trusted_proxies = [\"127.0.0.1/32\", \"::1/128\"]
# An address of its own for /metrics and the probes, where the proxy does not lead. Without it they are at `listen`.
# metrics_listen = \"127.0.0.1:9090\"

[database]
url = {database}

[encryption]
# Back it up separately from the database: without it no stored secret can be opened.
keys_file = {keys}

{auth}
{console}",
        listen = quoted(&answers.listen.to_string()),
        database = quoted(answers.database.expose()),
        keys = quoted(KEYS),
        auth = auth(answers),
        console = console(answers)?,
    ))
}

fn auth(answers: &Answers) -> String {
    let audience = quoted(&answers.audience);
    match &answers.token_keys {
        TokenKeys::Own(secret) => format!(
            "\
[auth]
# Signs and checks tokens: `transports token` makes one. Whoever has it can act for every tenant.
hs256_secret = {}
issuer = \"transports\"
audience = {audience}
",
            quoted(secret.expose())
        ),
        TokenKeys::Issuer { keys, .. } => format!(
            "\
[auth]
jwks_url = {}
issuer = {}
audience = {audience}
# The claims of its tokens; see docs/keycloak.md, docs/entra-id.md, or docs/tokens.md for Auth0 and Zitadel.
# tenant_claim = \"tenantId\"
# roles_claim = \"roles\"
",
            quoted(&keys.jwks_url),
            quoted(&keys.issuer)
        ),
    }
}

/// Signing in to the console; as a comment where too little of it is known.
fn console(answers: &Answers) -> anyhow::Result<String> {
    let TokenKeys::Issuer { keys, console_client_id } = &answers.token_keys else { return Ok(String::new()) };
    let (Some(client), Some(url)) = (console_client_id, &answers.public_url) else {
        return Ok("# [console] would let people sign in at /console/; see docs/console.md.\n".to_owned());
    };
    Ok(format!(
        "\
[console]
oidc_issuer = {issuer}
oidc_client_id = {client}
# oidc_client_secret = \"…\"   # unless it is a public client
public_url = {url}
session_secret = {secret}
",
        issuer = quoted(&keys.issuer),
        client = quoted(client),
        url = quoted(url),
        secret = quoted(random_secret(32)?.expose()),
    ))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
