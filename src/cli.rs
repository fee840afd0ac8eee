//! The command line. Data goes to standard output, notes and errors to standard error.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; `email-config` adds more.

mod api_keys;
mod backup;
mod config;
mod dev;
mod email_config;
mod erase;
mod init;
mod keys;
mod login;
mod moment;
mod openapi;
mod output;
mod profiles;
mod queue;
mod serve;
mod shell;
mod shell_words;
mod tenants;
mod token;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::{Config, warnings};
use crate::{process, store, telemetry};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

/// A multi-tenant email transport service where each tenant uses its own mail account.
#[derive(Debug, Parser)]
#[command(
    name = "transports",
    version,
    max_term_width = 100,
    after_help = "Try it: `transports dev` needs no configuration. Set it up: `transports init` writes one.\n\n\
                  Pages that messages name, such as docs/deploy.md, are in the archive of the release, and below \
                  /usr/share/doc/transports where the Debian package is installed."
)]
pub struct Arguments {
    /// TOML file with the settings; by default `transports.toml`, if it exists.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Box<init::Arguments>),
    Serve(serve::Arguments),
    Dev(dev::Arguments),
    Token(token::Arguments),
    Openapi(openapi::Arguments),
    Backup(backup::Arguments),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Tenants(tenants::Command),
    #[command(subcommand)]
    Queue(queue::Command),
    #[command(subcommand)]
    ApiKeys(api_keys::Command),
    Erase(erase::Arguments),
    #[command(subcommand)]
    Config(config::Command),
    EmailConfig(Box<email_config::Arguments>),
    Login(login::Login),
    Logout(login::Logout),
    Profiles(login::List),
    Completions(shell::Completions),
    Man(shell::Man),
    Version(shell::Version),
}

/// Commands that read no settings: `--config` has no meaning there.
const WITHOUT_SETTINGS: [&str; 8] =
    ["openapi", "email-config", "login", "logout", "profiles", "completions", "man", "version"];

/// The command line. Values of a closed set are accepted in any case, and `--config` is offered only where it counts.
fn command() -> clap::Command {
    let command = WITHOUT_SETTINGS.into_iter().fold(Arguments::command(), |command, name| {
        command.mut_subcommand(name, |command| command.arg(hidden_config()))
    });
    in_any_case(command)
}

/// Takes the place of the global option, so that help does not show it.
fn hidden_config() -> Arg {
    Arg::new("config").long("config").global(true).hide(true).value_parser(ValueParser::path_buf())
}

fn in_any_case(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let is_closed_set =
            argument.get_action().takes_values() && !argument.get_possible_values().is_empty();
        if is_closed_set { argument.ignore_case(true) } else { argument }
    });
    command.mut_subcommands(in_any_case)
}

fn parse() -> Result<Arguments, clap::Error> {
    let matches = command().try_get_matches()?;
    let arguments = Arguments::from_arg_matches(&matches)?;
    let name = matches.subcommand_name().unwrap_or_default();
    if arguments.config.is_some() && WITHOUT_SETTINGS.contains(&name) {
        let message = format!("--config has no meaning here: `transports {name}` reads no settings");
        return Err(command().error(ErrorKind::ArgumentConflict, message));
    }
    Ok(arguments)
}

/// Parses the arguments and runs the command. Wrong usage exits with 2.
pub async fn run() -> ExitCode {
    let arguments = parse().unwrap_or_else(|error| error.exit());
    let hardened = process::forbid_dumps().context("the memory of this process cannot be protected");
    let result = match hardened {
        Ok(()) => Box::pin(dispatch(arguments)).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::report(&error),
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let file = arguments.config.as_deref();
    match arguments.command {
        Command::Init(arguments) => init::run(*arguments, file).await,
        Command::Serve(arguments) => {
            let config = config::load_to_serve(file)?;
            let (_log, traces) = telemetry::init(&config.log, &config.telemetry)?;
            for warning in warnings(&config).into_iter().chain(store::warnings(&config.database)) {
                tracing::warn!(hint = warning.hint, "{}", warning.text);
            }
            serve::run(arguments, config, traces).await
        }
        Command::Dev(arguments) => {
            let mut config = Config::load(file)?;
            dev::use_readable_log(&mut config.log);
            let (_log, traces) = telemetry::init(&config.log, &config.telemetry)?;
            dev::run(arguments, config, traces).await
        }
        Command::Token(arguments) => token::run(&arguments, &config::load_or_dev(file)?.0),
        Command::Openapi(arguments) => openapi::run(&arguments),
        Command::Backup(arguments) => backup::run(arguments, &config::load_for_operator(file)?).await,
        Command::Keys(command) => keys::run(&command, || config::load_for_operator(file)).await,
        Command::Tenants(command) => tenants::run(&command, &config::load_for_operator(file)?).await,
        Command::Queue(command) => queue::run(&command, &config::load_for_operator(file)?).await,
        Command::ApiKeys(command) => api_keys::run(&command, &config::load_for_operator(file)?).await,
        Command::Erase(arguments) => erase::run(&arguments, &config::load_for_operator(file)?).await,
        Command::Config(command) => config::run(&command, file).await,
        Command::EmailConfig(arguments) => Ok(email_config::run(*arguments).await?),
        Command::Login(arguments) => Ok(login::login(arguments).await?),
        Command::Logout(arguments) => Ok(login::logout(&arguments)?),
        Command::Profiles(arguments) => Ok(login::list(&arguments)?),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Version(arguments) => shell::version(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
    }
}
