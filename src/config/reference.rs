//! Writes `docs/configuration.md` from the table of settings.

use std::fmt::Write as _;

use super::{DEFAULT_FILE, all, sections};

const EXAMPLE: &str = r#"[server]
listen = "0.0.0.0:8080"
trusted_proxies = ["10.0.0.0/8"]

[database]
url = "sqlite:///var/lib/transports/transports.db"

[encryption]
keys_file = "/etc/transports/keys"

[auth]
jwks_url = "https://login.example.com/.well-known/jwks.json"
issuer = "https://login.example.com"
audience = "transports"

[egress]
allow = ["10.1.2.0/24"]   # the relay in our own network
"#;

/// The whole page.
pub fn reference_markdown() -> String {
    let mut page = introduction();
    for (section, documentation) in sections() {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {section}\n\n{documentation}\n\n");
        page.push_str("| Key | Takes | Default | Meaning |\n|---|---|---|---|\n");
        for setting in all().iter().filter(|setting| setting.section == section) {
            let default = setting.default.map_or_else(|| "none".to_owned(), |text| format!("`{text}`"));
            let secret = if setting.is_secret { "; **secret**" } else { "" };
            let row = format!(
                "`{section}.{}` | {}{secret} | {default} | {}",
                setting.key, setting.expected, setting.documentation
            );
            let _ = writeln!(page, "| {row} |");
        }
    }
    page
}

fn introduction() -> String {
    let secrets: Vec<String> = all()
        .iter()
        .filter(|setting| setting.is_secret)
        .map(|setting| format!("`{}.{}`", setting.section, setting.key))
        .collect();
    format!(
        "# Configuration\n\
\n\
This page is generated from `src/config.rs`, and a test fails where the two differ.\n\
\n\
Settings come from a TOML file and from the environment; the environment wins.\n\
\n\
- **File.** `--config PATH` names it. Without the option `{DEFAULT_FILE}` in the working directory is read, \
if it is there. `transports init` writes one.\n\
- **Environment.** `TRANSPORTS_` + section + `__` + key, in capitals: `TRANSPORTS_SERVER__LISTEN`. A list is \
separated by commas. An empty value leaves an optional setting unset. Only names with `__` are settings. `TRANSPORTS_TOKEN`, or variables that an orchestrator injects for a service of that name, are not.\n\
- **Relative paths**, also that of an SQLite file, begin at the folder of the file that names them; in the environment \
they begin at the working directory.\n\
- **Changes** come into force when the service starts again. SIGHUP reads the keys again, and nothing else.\n\
- **Mistakes.** An unknown key is an error that names the nearest known one, a wrong value one that says what \
was expected. All are reported together, with missing settings and with files that cannot be used, each with its \
remedy. `transports config check` finds them without starting anything, and prints the settings in effect; on SQLite it also finds a file that its \
user cannot write, and keys that do not open what is stored. It and \
every other command exit with 2 where the settings are at fault.\n\
- **Secrets** are {secrets}. They never appear in messages, logs or output; `config check` prints `***`, and of `database.url` all but the password. Every process that can read the environment can read its secrets, so prefer files that only the service may read.\n\
\n\
```toml\n{EXAMPLE}```\n\
\n\
`transports serve` needs a key for encryption, a source of token keys, an issuer and an audience: `transports init` asks for them. The settings for an issuer are in `docs/keycloak.md`, `docs/entra-id.md` and, for Auth0 and Zitadel, `docs/tokens.md`. `transports dev` needs no settings.\n",
        secrets = secrets.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, check_for_serving};

    #[test]
    fn the_example_is_a_valid_configuration_that_serves() {
        let nothing: [(String, String); 0] = [];
        let config = Config::from_sources(Some(("example.toml", EXAMPLE)), nothing).unwrap();
        assert_eq!(check_for_serving(&config), []);
    }

    #[test]
    fn the_page_in_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let page = reference_markdown();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            stored == page,
            "docs/configuration.md is stale: run `UPDATE_DOCS=1 cargo test the_page_in_docs`"
        );
    }
}
