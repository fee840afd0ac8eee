//! The command line. Data goes to standard output, notes and errors to standard error.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; `email-config` adds more.

mod api_keys;
mod backup;
mod config;
mod dev;
mod email_config;
mod erase;
mod keys;
mod openapi;
mod output;
mod queue;
mod serve;
mod shell;
mod tenants;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::{Config, Invalid, check_for_serving, warnings};
use crate::{process, store, telemetry};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

/// A multi-tenant email transport service: every tenant brings its own mail account.
#[derive(Debug, Parser)]
#[command(
    name = "transports",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Try it: `transports dev` needs no configuration."
)]
pub struct Arguments {
    /// TOML file with the settings; by default `transports.toml`, where it exists.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    Completions(shell::Completions),
    Man(shell::Man),
}

/// Parses the arguments and runs the command. Wrong usage exits with 2.
pub async fn run() -> ExitCode {
    let arguments = Arguments::parse();
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
        Command::Serve(arguments) => {
            let config = Config::load(file)?;
            Invalid::unless_empty(check_for_serving(&config))?;
            let traces = telemetry::init(&config.log, &config.telemetry)?;
            for warning in warnings(&config).into_iter().chain(store::warnings(&config.database)) {
                tracing::warn!(hint = warning.hint, "{}", warning.text);
            }
            serve::run(arguments, config, traces).await
        }
        Command::Dev(arguments) => {
            let mut config = Config::load(file)?;
            dev::use_readable_log(&mut config.log);
            let traces = telemetry::init(&config.log, &config.telemetry)?;
            dev::run(arguments, config, traces).await
        }
        Command::Token(arguments) => token::run(&arguments, &Config::load(file)?),
        Command::Openapi(arguments) => openapi::run(&arguments),
        Command::Backup(arguments) => backup::run(arguments, &Config::load(file)?).await,
        Command::Keys(command) => keys::run(&command, || Ok(Config::load(file)?)).await,
        Command::Tenants(command) => tenants::run(&command, &Config::load(file)?).await,
        Command::Queue(command) => queue::run(&command, &Config::load(file)?).await,
        Command::ApiKeys(command) => api_keys::run(&command, &Config::load(file)?).await,
        Command::Erase(arguments) => erase::run(&arguments, &Config::load(file)?).await,
        Command::Config(command) => config::run(&command, &Config::load(file)?),
        Command::EmailConfig(arguments) => Ok(email_config::run(*arguments).await?),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
    }
}
