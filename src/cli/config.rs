//! `transports config`: checks and prints the settings without starting anything.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use clap::Subcommand;

use super::{dev, output};
use crate::config::{Config, DEFAULT_FILE, Invalid, Loaded, Problem, check_for_serving, warnings};
use crate::egress::Policy;
use crate::submission::Certificate;
use crate::{app, store, telemetry};

/// Inspect settings.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    /// Validate the settings and print the effective values.
    ///
    /// Reports at once every reason for which `serve` would refuse to start, as far as the settings show it: unknown keys,
    /// invalid values, missing keys, and files that cannot be read or used. Then prints every setting in effect as TOML,
    /// with *** for secrets. Makes no connection. On SQLite also checks that this user can write the file, and that the
    /// keys open what is stored in it; changes nothing there.
    ///
    /// Example: transports --config /etc/transports/transports.toml config check
    #[command(after_help = super::EXIT_CODES)]
    Check,
}

pub(super) async fn run(command: &Command, file: Option<&Path>) -> anyhow::Result<()> {
    match command {
        Command::Check => {
            let config = load_to_serve(file)?;
            Invalid::unless_empty(find_database_problems(&config).await)?;
            for warning in warnings(&config).into_iter().chain(store::warnings(&config.database)) {
                output::note(&output::render("warning", &warning));
            }
            output::note("configuration is valid");
            output::data(&effective(&config))
        }
    }
}

/// Loads the settings of a command that works on the database: in a folder without settings those of the data of
/// `transports dev`, where it is there.
///
/// # Errors
/// Every fault of the settings; or that there are none, and no database either.
pub(super) fn load_for_operator(file: Option<&Path>) -> anyhow::Result<Config> {
    let (config, is_bare) = load_or_dev(file)?;
    if is_bare && app::require_database_file(&config).is_err() {
        let text = format!(
            "no settings: there is neither {DEFAULT_FILE} nor a database in this folder, and the environment has no settings"
        );
        let hint = "name the settings with --config FILE; for the data of `transports dev` run this in the folder where dev was \
                    started, or set TRANSPORTS_DATABASE__URL=sqlite://FOLDER/transports.db with the folder of its --data-dir";
        return Err(Invalid::from(Problem::new(text).with_hint(hint)).into());
    }
    Ok(config)
}

/// Loads the settings, and says whether none is set. Then the data of `transports dev` in this folder is
/// used, unless there is a database at the default place.
///
/// # Errors
/// Every fault of the settings.
pub(super) fn load_or_dev(file: Option<&Path>) -> anyhow::Result<(Config, bool)> {
    let loaded = Loaded::load(file)?;
    let is_bare = loaded.is_bare();
    let mut config = loaded.check(|_| Vec::new())?;
    if is_bare && app::require_database_file(&config).is_err() && dev::use_data(&mut config)? {
        output::note("note: no settings here: this is about the data of `transports dev`");
    }
    Ok((config, is_bare))
}

/// Loads the settings for serving.
///
/// # Errors
/// Every fault at once: of the file and the environment, of the values together, and of the files that they name.
pub(super) fn load_to_serve(file: Option<&Path>) -> Result<Config, Invalid> {
    let loaded = Loaded::load(file)?;
    let is_bare = loaded.is_bare();
    loaded.check(find_problems).map_err(|mut invalid| {
        if is_bare {
            invalid.problems.insert(0, no_settings());
        }
        invalid
    })
}

/// The first fault where somebody runs the service in a folder without its settings.
fn no_settings() -> Problem {
    let text = format!(
        "no settings: there is no {DEFAULT_FILE} in this folder, and the environment has none either"
    );
    Problem::new(text).with_hint(
        "`transports init` writes them; --config names a file elsewhere; `transports dev` runs without any, to try it",
    )
}

/// Why `serve` could not use the file of SQLite that the settings name. Not looked for when `serve` starts: a folder that is
/// mounted a moment later is no fault of the settings.
async fn find_database_problems(config: &Config) -> Vec<Problem> {
    let Some(path) = config.database.sqlite_path() else { return Vec::new() };
    if let Err(error) = store::check_writable(path) {
        let hint = "run this as the user of the service, to whom the folder and the file have to belong";
        return vec![Problem::from(error).with_hint(hint)];
    }
    app::check_stored_keys(config).await.err().map(Problem::from).into_iter().collect()
}

/// One fault of a setting hides further ones of the same setting.
pub(super) fn find_problems(config: &Config) -> Vec<Problem> {
    let mut problems = check_for_serving(config);
    let files = [
        ("encryption.keys_file", &config.encryption.keys_file),
        ("encryption.vault_token_file", &config.encryption.vault_token_file),
        ("auth.public_key_file", &config.auth.public_key_file),
        ("tls.ca_file", &config.tls.ca_file),
        ("submission.certificate_file", &config.submission.certificate_file),
        ("submission.key_file", &config.submission.key_file),
    ];
    let policy = Policy::faults(&config.egress).into_iter().map(|error| Problem::new(error.to_string()));
    let certificate = Certificate::configured(&config.submission).err().map(Problem::from);
    let database = store::check_url(&config.database.url).err().map(Problem::from);
    let database = database.map(|problem| problem.with_hint("docs/configuration.md#database has both forms"));
    let found = telemetry::check_filter(&config.log.filter).err().into_iter().chain(database);
    let found = found.chain(policy.map(|problem| problem.with_hint("correct the entry, or remove it")));
    let found = found.chain(
        files
            .into_iter()
            .filter_map(|(key, path)| path.as_deref().and_then(|path| check_readable(key, path))),
    );
    let certificate =
        certificate.map(|problem| problem.with_hint("docs/smtp-gateway.md describes both files"));
    let found = found.chain(app::find_problems(config)).chain(certificate);
    for problem in found {
        if !problems.iter().any(|known| known.key() == problem.key()) {
            problems.push(problem);
        }
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
        keys = ["k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
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
        assert_eq!(find_problems(&config("")), []);
    }

    #[test]
    fn all_problems_are_reported_at_once_each_with_a_hint_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        std::fs::write(&keys, "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
        std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let text = format!(
            "[encryption]\nkeys_file = {keys:?}\n[auth]\nhs256_secret = 'short'\nissuer = 'x'\njwks_url = 'http://x'\n\
             public_key_file = '/nowhere/key.pem'\n[console]\noidc_client_id = 'c'\noidc_issuer = 'http://x'\n\
             [egress]\nallow = ['0.0.0.0/0']\nports = []\nehlo_name = 'a b'\n[tls]\nca_file = '/nowhere/ca.pem'\n\
             [server]\ninstallation = 'Ä'\n[microsoft365]\nsmtp_server = 'x'\n[telemetry]\notlp_endpoint = 'http://x'\n\
             [log]\nfilter = 'transports=loud'"
        );
        let nothing: [(String, String); 0] = [];
        let found = find_problems(&Config::from_sources(Some(("test.toml", &text)), nothing).unwrap());
        let mut keys: Vec<&str> = found.iter().map(Problem::key).collect();
        keys.sort_unstable();
        let expected = [
            "auth.audience",
            "auth.hs256_secret",
            "auth.jwks_url",
            "auth.public_key_file",
            "console.oidc_issuer",
            "console.public_url",
            "console.session_secret",
            "egress.allow",
            "egress.ehlo_name",
            "egress.ports",
            "encryption.keys_file",
            "log.filter",
            "microsoft365.smtp_server",
            "server.installation",
            "telemetry.otlp_endpoint",
            "tls.ca_file",
        ];
        assert_eq!(keys, expected, "{found:#?}");
        for problem in &found {
            assert!(problem.hint.is_some(), "{problem:?}");
        }
        let starts = ["egress.allow: 0.0.0.0/0 is", "tls.ca_file: /nowhere/ca.pem cannot be read"];
        for start in starts {
            assert!(found.iter().any(|problem| problem.text.starts_with(start)), "{start}: {found:#?}");
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
        assert!(!shown.contains("0123456789abcdef") && !shown.contains("AAECAwQF"), "{shown}");
        assert!(shown.contains("url = \"sqlite://transports.db\"\n"), "{shown}");
        let nothing: [(String, String); 0] = [];
        assert!(Config::from_sources(Some(("shown.toml", &shown)), nothing).is_ok(), "{shown}");
    }
}
