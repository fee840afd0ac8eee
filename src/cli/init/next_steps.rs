//! What `transports init` says when it is done: what was written, and which commands come next.

use std::path::Path;

use super::answers::{ADMIN, Answers, TokenKeys};
use crate::cli::shell_words::quoted;

/// Stands for a tenant that is not known yet.
const TENANT: &str = "TENANT";

pub struct NextSteps<'a> {
    pub answers: &'a Answers,
    /// Of the settings.
    pub path: &'a Path,
    /// Whether `--config` named it.
    pub is_named: bool,
    pub keys: &'a Path,
    /// Whether the key file was there before.
    pub has_keys: bool,
    /// The settings from before.
    pub kept: Option<&'a Path>,
}

impl NextSteps<'_> {
    /// Before the token.
    pub fn before(&self) -> String {
        let (path, keys) = (self.path.display(), self.keys.display());
        let old = self.kept.map_or_else(String::new, |old| format!(" (the old one is {})", old.display()));
        let kept = if self.has_keys {
            format!("; the keys in {keys} stay in use")
        } else {
            format!(
                " and {keys}. Back {keys} up separately from the database: without it no stored secret can be opened"
            )
        };
        format!("wrote {path}{old}{kept}{}", self.about_the_token())
    }

    fn about_the_token(&self) -> String {
        let Answers { first: Some(first), token_keys: TokenKeys::Own(_), .. } = self.answers else {
            return String::new();
        };
        format!(
            "\na token of the administrator {} of the tenant {}, for a day; later ones: {}",
            first.admin,
            first.tenant,
            self.token_command()
        )
    }

    /// Behind the token.
    pub fn after(&self) -> String {
        let check = self.command("config check");
        let serve = self.command("serve");
        let url = self.url();
        let account = self.account(&url);
        let key = self.command(&format!("api-keys create --tenant {} --name first", self.tenant()));
        format!(
            "\nNext:\n  {check}\n  {serve}\n{account}\n\
             Make an API key, and send the first email with it:\n  \
               KEY=$({key})\n  \
               curl -X POST {url}/api/v1/transports/emails -H \"Authorization: Bearer $KEY\" \\\n    \
                 -H 'Content-Type: application/json' \\\n    \
                 -d '{{\"to\": \"you@example.com\", \"subject\": \"Hello\", \"text\": \"The first email.\"}}'"
        )
    }

    /// Of the API and the console, without a slash at its end.
    fn url(&self) -> String {
        let listen = self.answers.listen;
        let local = if listen.ip().is_unspecified() {
            format!("http://127.0.0.1:{}", listen.port())
        } else {
            format!("http://{listen}")
        };
        self.answers.public_url.clone().unwrap_or(local)
    }

    /// How the tenant's mail account is set up.
    fn account(&self, url: &str) -> String {
        let update = format!(
            "TRANSPORTS_SERVER={url} TRANSPORTS_TOKEN=$TOKEN transports email-config update \\\n    \
               --serverAddress smtp.example.com --serverPort 587 --securityType StartTLS \\\n    \
               --username mail@example.com --emailAddress mail@example.com"
        );
        let whose = self.answers.first.as_ref().map_or_else(
            || format!("a tenant (put its id for {TENANT})"),
            |first| format!("the tenant {}", first.tenant),
        );
        // A relative path means something in this folder alone.
        let place = if self.path.is_absolute() { "" } else { " in this folder" };
        let set_up = format!(
            "Then, in another terminal{place}, set up the mail account of {whose}. Put in your mail server; the command \
             asks for the password"
        );
        match &self.answers.token_keys {
            TokenKeys::Own(_) => format!("\n{set_up}:\n  TOKEN=$({})\n  {update}", self.token_command()),
            TokenKeys::Issuer { console_client_id: Some(_), .. } => format!(
                "\nAt the issuer, register {url}/console/callback as a redirect URI; docs/tokens.md says which claims a token \
                 needs.\n\
                 Then sign in at {url}/console/, and set up the mail account of your tenant (put its id for {TENANT})."
            ),
            TokenKeys::Issuer { .. } => format!(
                "\n{set_up}.\nTOKEN is a token of the issuer for an administrator of that tenant; docs/tokens.md says which \
                 claims it needs:\n  {update}"
            ),
        }
    }

    /// Signs another token like the first.
    fn token_command(&self) -> String {
        let admin = self.answers.first.as_ref().map_or(ADMIN, |first| &first.admin);
        self.command(&format!("token --tenant {} --user {} --admin", self.tenant(), quoted(admin)))
    }

    /// The first tenant, or a word in its place.
    fn tenant(&self) -> String {
        self.answers.first.as_ref().map_or_else(|| TENANT.to_owned(), |first| quoted(&first.tenant))
    }

    fn command(&self, command: &str) -> String {
        if self.is_named {
            format!("transports --config {} {command}", quoted(&self.path.display().to_string()))
        } else {
            format!("transports {command}")
        }
    }
}
