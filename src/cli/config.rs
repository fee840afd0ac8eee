//! `transports config`: checks and prints the settings without starting anything.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use clap::Subcommand;

use super::output;
use crate::config::{Config, Egress, Invalid, Problem, check_for_serving, warnings};
use crate::egress::{Policy, PolicyError};
use crate::submission::Certificate;
use crate::{store, telemetry};

/// Inspect settings.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    /// Validate the settings and print the effective values.
    ///
    /// Reports every reason for which `serve` would refuse to start, as far as the settings show it: unknown
    /// keys, invalid values, missing keys, and files that cannot be read or used. Then prints every setting in
    /// effect as TOML, with *** for secrets. Opens no database and makes no connection.
    ///
    /// Example: transports --config /etc/transports/transports.toml config check
    #[command(after_help = super::EXIT_CODES)]
    Check,
}

pub(super) fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Check => {
            Invalid::unless_empty(problems(config, |egress| Policy::new(egress).map(|_| ())))?;
            crate::app::check_settings(config)?;
            Certificate::configured(&config.submission)?;
            for warning in warnings(config).into_iter().chain(store::warnings(&config.database)) {
                output::note(&output::render("warning", &warning));
            }
            output::note("configuration is valid");
            output::data(&effective(config))
        }
    }
}

fn problems(config: &Config, policy: impl FnOnce(&Egress) -> Result<(), PolicyError>) -> Vec<Problem> {
    let mut problems = check_for_serving(config);
    problems.extend(telemetry::check_filter(&config.log.filter).err());
    problems.extend(policy(&config.egress).err().map(|error| Problem::new(error.to_string())));
    let files = [
        ("encryption.keys_file", &config.encryption.keys_file),
        ("encryption.vault_token_file", &config.encryption.vault_token_file),
        ("auth.public_key_file", &config.auth.public_key_file),
        ("tls.ca_file", &config.tls.ca_file),
        ("submission.certificate_file", &config.submission.certificate_file),
        ("submission.key_file", &config.submission.key_file),
    ];
    for (key, path) in files {
        problems.extend(path.as_deref().and_then(|path| check_readable(key, path)));
    }
    problems
}

fn check_readable(key: &str, path: &Path) -> Option<Problem> {
    let error = match File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => return None,
        Ok(_) => "it is not a file".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(
        Problem::new(format!("{key}: {} cannot be read: {error}", path.display()))
            .with_hint("check the path, and that the user of this process can read it"),
    )
}

/// The settings in effect as a TOML file; unset ones are comments.
fn effective(config: &Config) -> String {
    let mut page = String::new();
    let mut section = "";
    for setting in config.shown() {
        if setting.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = setting.section;
            let _ = writeln!(page, "{gap}[{section}]");
        }
        let _ = match setting.value {
            Some(value) => writeln!(page, "{} = {value}", setting.key),
            None => writeln!(page, "# {} is not set", setting.key),
        };
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVING: &str = r#"
        [encryption]
        keys = ["k1:c2VjcmV0"]
        [auth]
        hs256_secret = "0123456789abcdef0123456789abcdef"
        issuer = "https://login.example.com"
        audience = "transports"
    "#;

    fn config(more: &str) -> Config {
        let nothing: [(String, String); 0] = [];
        Config::from_sources(Some(("test.toml", &format!("{SERVING}{more}"))), nothing).unwrap()
    }

    #[test]
    fn a_configuration_that_serves_has_no_problem() {
        assert_eq!(problems(&config(""), |_| Ok(())), []);
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let config = config("[tls]\nca_file = '/nowhere/ca.pem'\n[log]\nfilter = 'transports=loud'");
        let refused =
            |_: &Egress| Err(PolicyError { key: "egress.allow", reason: "0.0.0.0/0 is too wide".to_owned() });
        let found = problems(&config, refused);
        let starts = [
            "log.filter: ",
            "egress.allow: 0.0.0.0/0 is too wide",
            "tls.ca_file: /nowhere/ca.pem cannot be read",
        ];
        assert_eq!(found.len(), starts.len(), "{found:?}");
        for (problem, start) in found.iter().zip(starts) {
            assert!(problem.text.starts_with(start), "{}", problem.text);
        }
    }

    #[test]
    fn a_folder_is_not_a_key_file() {
        let problem = check_readable("encryption.keys_file", Path::new("/")).unwrap();
        assert_eq!(problem.text, "encryption.keys_file: / cannot be read: it is not a file");
    }

    #[test]
    fn the_settings_in_effect_load_again_and_hold_no_secret() {
        let shown = effective(&config(""));
        assert!(shown.contains("hs256_secret = \"***\"\n"), "{shown}");
        assert!(shown.contains("keys = [\"***\"]\n"), "{shown}");
        assert!(shown.contains("# jwks_url is not set\n"), "{shown}");
        assert!(!shown.contains("0123456789abcdef") && !shown.contains("c2VjcmV0"), "{shown}");
        // Only the secret of the database is bound by a rule that `***` breaks.
        let again = shown.replace("url = \"***\"", "");
        let nothing: [(String, String); 0] = [];
        assert!(Config::from_sources(Some(("shown.toml", &again)), nothing).is_ok(), "{again}");
    }
}
