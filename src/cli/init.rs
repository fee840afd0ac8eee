//! `transports init`: writes the settings and keys of a new installation, and prints a first token.

mod answers;
mod dialogue;
mod differences;
mod files;
mod next_steps;
mod settings;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{config, output};
use crate::app;
use crate::auth::token;
use crate::clock::Clock;
use crate::config::{Config, DEFAULT_FILE, Invalid, Loaded, Problem};
use crate::secret::Secret;
use answers::{Answers, TokenKeys};
use dialogue::Dialogue;
use differences::Differences;

/// How long the first token is valid.
const TOKEN_SECONDS: i64 = 24 * 3600;

/// Set up the service: write its settings and keys, and print a first token.
///
/// Asks where the service listens, where its database is, how tokens are signed, and who the first administrator is. An
/// option answers its question beforehand. Writes the settings to `transports.toml`, or to the file that `--config` names,
/// and beside it the key that seals the tenants' secrets. Only their owner can read both files; where root writes them to a
/// folder of another group, that group can too.
///
/// A settings file that exists is replaced only on request, and kept under another name. A key file that exists stays in
/// use. The result passes `config check`, and `serve` starts with it.
///
/// The token is written to standard output, and nothing else. Standard error has the commands that come next, up to the
/// first email.
///
/// Example: TOKEN=$(transports init --yes --tenant acme --admin anna)
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// Address of the API and the console: an IP address with a port, or a port on this machine alone [default:
    /// 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Where browsers and clients find the service, such as `https://mail.example.com`. The console's sign-in needs it,
    /// with `--console-client-id`; otherwise it stands only in the commands that are printed.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`. A relative path begins at the folder of the settings.
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// Issuer of the tokens, such as `https://login.example.com/realms/platform`. It is asked where its keys are. Without it
    /// the service gets a secret of its own, and `transports token` signs.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,

    /// Where the keys of the issuer are; then it is not asked.
    #[arg(long, value_name = "URL", requires = "issuer")]
    jwks_url: Option<String>,

    /// What the issuer's tokens name as their audience.
    #[arg(long, value_name = "NAME", default_value = "transports")]
    audience: String,

    /// Id of the console as a client of the issuer, so that people can sign in to it.
    #[arg(long, value_name = "ID", requires_all = ["issuer", "public_url"])]
    console_client_id: Option<String>,

    /// First tenant, for which a token is printed. Not with an issuer, which signs the tokens itself.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,

    /// Administrator of the first tenant [default: admin].
    #[arg(long, value_name = "ID")]
    admin: Option<String>,

    /// Ask nothing: what no option says takes its default, and there is no first tenant.
    #[arg(long)]
    yes: bool,

    /// Replace settings that exist. They are kept in a file whose name ends in `.old`, and those that the new file does not
    /// have are named.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(arguments: Arguments, file: Option<&Path>) -> anyhow::Result<()> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let asks = !arguments.yes && io::stdin().is_terminal();
    if !asks && !arguments.yes {
        let problem = Problem::new("init: there is no terminal to ask on");
        return Err(
            Invalid::from(problem.with_hint("add --yes: what no option says takes its default")).into()
        );
    }
    files::check_folder(path)?;
    let replaces = may_replace(path, arguments.force, asks)?;
    let mut input = io::stdin().lock();
    let dialogue = asks.then(|| Dialogue::new(&mut input, io::stderr()));
    let answers =
        Answers::collect(&arguments, path, dialogue, &app::http_client(&Config::default())?).await?;
    write(&answers, path, replaces, file.is_some())
}

/// Whether a file that exists is replaced.
fn may_replace(path: &Path, force: bool, asks: bool) -> anyhow::Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let shown = path.display();
    let question = format!("{shown} exists. Replace it? The old one is kept beside it.");
    if force || (asks && output::confirm(&question)?) {
        return Ok(true);
    }
    let problem = Problem::new(format!("init: {shown} exists, and is not replaced")).with_hint(format!(
        "check it with `transports --config {shown} config check`, name another file with --config, or add --force, \
         which keeps the old one beside it"
    ));
    Err(Invalid::from(problem).into())
}

/// Writes the files, and prints the token and what to do next. The keys come first, since the settings name them.
fn write(answers: &Answers, path: &Path, replaces: bool, is_named: bool) -> anyhow::Result<()> {
    let keys = files::keys_path(path);
    let has_keys = keys.exists();
    let text = settings::text(answers)?;
    let config = {
        if !has_keys {
            let key = crate::vault::generate_key("k1")?;
            files::create(&keys, &format!("{}\n", key.expose()))?;
        }
        let checked = check(path, &text);
        if checked.is_err() && !has_keys {
            let _ = std::fs::remove_file(&keys);
        }
        checked?
    };
    let differences =
        if replaces { old_config(path).map(|old| Differences::new(&old, &config)) } else { None };
    let kept = if replaces { Some(files::keep_old(path)?) } else { None };
    files::create(path, &text)?;
    let token = first_token(answers, &config)?;
    let has_unit = files::has_unit(path);
    let steps = next_steps::NextSteps {
        answers,
        path,
        is_named,
        keys: &keys,
        has_keys,
        kept: kept.as_deref(),
        differences: differences.as_ref(),
        has_unit,
    };
    output::note(&steps.before());
    if let Some(token) = &token {
        output::data(&format!("{}\n", token.expose()))?;
    }
    output::note(&steps.after());
    Ok(())
}

/// The settings as `serve` would load them, without this process's environment.
fn check(path: &Path, text: &str) -> anyhow::Result<Config> {
    let nothing: [(String, String); 0] = [];
    let name = path.to_str().context("the settings' path is not UTF-8")?;
    Ok(Loaded::from_sources(Some((name, text)), nothing)?.check(config::find_problems)?)
}

/// The settings that are replaced. None where they cannot be read: they stay as they are, under another name.
fn old_config(path: &Path) -> Option<Config> {
    let text = std::fs::read_to_string(path).ok()?;
    let nothing: [(String, String); 0] = [];
    Config::from_sources(Some((path.to_str()?, &text)), nothing).ok()
}

fn first_token(answers: &Answers, config: &Config) -> anyhow::Result<Option<Secret>> {
    let (Some(first), TokenKeys::Own(secret)) = (&answers.first, &answers.token_keys) else {
        return Ok(None);
    };
    let now = Clock::System.now();
    let token = token::issue(secret, &config.auth, &first.tenant, &first.admin, true, TOKEN_SECONDS, now)?;
    Ok(Some(token))
}

/// The folder of the settings.
fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}
