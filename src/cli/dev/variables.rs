//! The shell variables of `transports dev`, in a file of its data folder: addresses, tokens and passwords for the
//! commands that people paste.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::welcome::{Port, Ports};
use crate::cli::shell_words::quoted;
use crate::dev::smtp::USER;
use crate::secret::Secret;

/// The name of the file.
pub(super) const FILE: &str = "env";

/// The names of those that are printed.
const PRINTED: [&str; 6] = ["API", "TOKEN", "USER_TOKEN", "KEY", "PASSWORD", "CA"];

pub(super) struct Variables<'a> {
    pub ports: Ports,
    /// Of an administrator, and of a user without that role.
    pub tokens: [Secret; 2],
    /// With it programs send.
    pub api_key: &'a Secret,
    /// Of the inbox's SMTP server.
    pub password: &'a Secret,
    /// Of the fake Microsoft 365.
    pub client_secret: &'a str,
    /// Who has signed the certificates of the inbox and the gateway.
    pub authority_file: &'a Path,
}

impl Variables<'_> {
    /// The lines that are printed at the start, too: for people who look for a token, and for programs that read them.
    pub(super) fn printed(&self) -> String {
        let text = self.text();
        let is_printed = |line: &&str| {
            let name = line.split('=').next();
            name.is_some_and(|name| PRINTED.contains(&name))
        };
        text.lines().filter(is_printed).fold(String::new(), |lines, line| lines + line + "\n")
    }

    /// The content of the file.
    pub(super) fn text(&self) -> String {
        let [token, user_token] = &self.tokens;
        let Ports { api: Port { bound: api, .. }, smtp, smtps, gateway, gateway_tls } = self.ports;
        let number = |port: Port| port.bound.to_string();
        let variables = [
            ("API", format!("http://127.0.0.1:{api}/api/v1/transports")),
            ("TOKEN", token.expose().to_owned()),
            ("USER_TOKEN", user_token.expose().to_owned()),
            ("KEY", self.api_key.expose().to_owned()),
            ("ACCOUNT", self.account()),
            ("INBOX", format!("http://127.0.0.1:{api}/dev/inbox")),
            ("SMTP_PORT", number(smtp)),
            ("SMTPS_PORT", number(smtps)),
            ("PASSWORD", self.password.expose().to_owned()),
            ("GATEWAY_PORT", number(gateway)),
            ("GATEWAY_TLS_PORT", number(gateway_tls)),
            ("CA", self.authority_file.display().to_string()),
            ("CLIENT_SECRET", self.client_secret.to_owned()),
        ];
        let mut text = "# Written by `transports dev` at each start, for a shell to load. docs/first-requests.md says what each is.\n"
            .to_owned();
        for (name, value) in variables {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}={}", quoted(&value));
        }
        text
    }

    /// The body of a PUT that makes the inbox the mail account.
    fn account(&self) -> String {
        let account = json!({
            "serviceProvider": "BasicAuth",
            "providerConfig": {
                "serverAddress": "localhost", "serverPort": self.ports.smtp.bound, "securityType": "StartTLS", "username": USER,
                "emailPassword": self.password.expose(), "emailAddress": "platform@example.com",
            },
        });
        account.to_string()
    }
}
