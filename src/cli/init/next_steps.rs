//! What `transports init` says when it is done: what was written, and which commands come next.

use std::path::Path;

use super::answers::{Answers, TokenKeys};

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
        let (tenant, admin) = (quoted(&first.tenant), quoted(&first.admin));
        let command = self.command(&format!("token --tenant {tenant} --user {admin} --admin"));
        format!(
            "\na token of the administrator {} of the tenant {}, for a day; later ones: {command}",
            first.admin, first.tenant
        )
    }

    /// Behind the token.
    pub fn after(&self) -> String {
        let check = self.command("config check");
        let serve = self.command("serve");
        format!("\nNext:\n  {check}\n  {serve}\n{}", self.use_of_the_service())
    }

    fn use_of_the_service(&self) -> String {
        let answers = self.answers;
        let listen = answers.listen;
        let local = if listen.ip().is_unspecified() {
            format!("127.0.0.1:{}", listen.port())
        } else {
            listen.to_string()
        };
        let url = answers.public_url.clone().unwrap_or_else(|| format!("http://{local}"));
        let first_requests = format!(
            "Then, with a token of a tenant's administrator as TOKEN:\n  \
               curl {url}/api/v1/transports/email-config -H \"Authorization: Bearer $TOKEN\"\n  \
               TRANSPORTS_SERVER={url} TRANSPORTS_TOKEN=$TOKEN transports email-config update --help"
        );
        match &answers.token_keys {
            TokenKeys::Own(_) => first_requests,
            TokenKeys::Issuer { console_client_id: Some(_), .. } => format!(
                "Then people sign in at {url}/console/. At the issuer, register {url}/console/callback as a redirect URI; \
                 docs/tokens.md says which claims a token needs.\n{first_requests}"
            ),
            TokenKeys::Issuer { .. } => {
                format!("docs/tokens.md says which claims a token of the issuer needs.\n{first_requests}")
            }
        }
    }

    fn command(&self, command: &str) -> String {
        if self.is_named {
            format!("transports --config {} {command}", quoted(&self.path.display().to_string()))
        } else {
            format!("transports {command}")
        }
    }
}

/// In quotes where a shell would read it as more than one word.
fn quoted(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-:@+".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
