//! What `transports init` says when it is done: what was written, and which commands come next.

use std::path::Path;

use super::answers::{ADMIN, Answers, TokenKeys};
use super::differences::Differences;
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
    /// What of them is not in the new ones.
    pub differences: Option<&'a Differences>,
    /// Whether a unit of systemd serves with these settings.
    pub has_unit: bool,
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
        format!("wrote {path}{old}{kept}{}{}", self.about_the_old(), self.about_the_token())
    }

    fn about_the_old(&self) -> String {
        let Some((sentence, old)) = self.differences.and_then(Differences::sentence).zip(self.kept) else {
            return String::new();
        };
        format!("\n{sentence}. Copy what you still need from {}", old.display())
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
        let check = self.check();
        let serve = self.start();
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

    /// Checks the settings: for a unit as its user, since root can also read and write what the service cannot.
    fn check(&self) -> String {
        let command = self.command("config check");
        if self.has_unit { command.replacen("sudo ", "sudo -u transports ", 1) } else { command }
    }

    /// Starts the service. Run by root, `serve` would make a database that the unit's user cannot open.
    fn start(&self) -> String {
        match (self.has_unit, self.kept) {
            (false, _) => self.command("serve"),
            (true, None) => "sudo systemctl enable --now transports".to_owned(),
            (true, Some(_)) => {
                "sudo systemctl enable --now transports   # where it runs already: sudo systemctl restart transports".to_owned()
            }
        }
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
        // `serve` keeps its terminal, and a relative path means something in this folder alone.
        let place = match (self.has_unit, self.path.is_absolute()) {
            (true, true) => "",
            (true, false) => ", in this folder,",
            (false, true) => ", in another terminal,",
            (false, false) => ", in another terminal in this folder,",
        };
        let set_up = format!(
            "Then{place} set up the mail account of {whose}. Put in your mail server; the command asks for the password"
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

    /// A command that reads the settings; those of the unit are for root and the unit's user alone.
    fn command(&self, command: &str) -> String {
        let sudo = if self.has_unit { "sudo " } else { "" };
        if self.is_named {
            format!("{sudo}transports --config {} {command}", quoted(&self.path.display().to_string()))
        } else {
            format!("{sudo}transports {command}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DatabaseUrl;
    use crate::secret::Secret;

    fn steps(has_unit: bool, kept: Option<&Path>) -> String {
        let answers = Answers {
            listen: ([127, 0, 0, 1], 8080).into(),
            public_url: None,
            database: DatabaseUrl::new("sqlite:///var/lib/transports/transports.db"),
            token_keys: TokenKeys::Own(Secret::new("a secret".to_owned())),
            audience: "transports".to_owned(),
            first: None,
        };
        let (path, keys) = (Path::new("/etc/transports/transports.toml"), Path::new("/etc/transports/keys"));
        let steps = NextSteps {
            answers: &answers,
            path,
            is_named: true,
            keys,
            has_keys: true,
            kept,
            differences: None,
            has_unit,
        };
        steps.after()
    }

    #[test]
    fn the_service_of_a_unit_is_started_by_systemd() {
        let command = "transports --config /etc/transports/transports.toml";
        let by_hand = steps(false, None);
        for line in [&format!("\n  {command} serve\n"), "Then, in another terminal, set up"] {
            assert!(by_hand.contains(line), "{line}: {by_hand}");
        }
        assert!(!by_hand.contains("sudo"), "{by_hand}");

        let by_unit = steps(true, None);
        for line in [
            &format!(
                "\n  sudo -u transports {command} config check\n  sudo systemctl enable --now transports\n"
            ),
            "\nThen set up the mail account",
            &format!("TOKEN=$(sudo {command} token"),
            &format!("KEY=$(sudo {command} api-keys create"),
        ] {
            assert!(by_unit.contains(line), "{line}: {by_unit}");
        }
        assert!(!by_unit.contains(" serve\n"), "{by_unit}");
        let replaced = steps(true, Some(Path::new("/etc/transports/transports.toml.old")));
        assert!(replaced.contains("sudo systemctl restart transports\n"), "{replaced}");
    }
}
