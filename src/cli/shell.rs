//! `transports completions`, `man` and `version`: print completion scripts, manual pages and the version.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap_complete::Shell;

use super::output;

/// Print a completion script for a shell.
///
/// Example: transports completions bash > /usr/share/bash-completion/completions/transports
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Print the manual page, or write the pages of all commands to a folder.
///
/// Example: transports man > transports.1 && man ./transports.1
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Man {
    /// Folder for the pages of all commands, such as /usr/local/share/man/man1; created if missing.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Print the version.
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Version {}

pub(super) fn version(_arguments: &Version) -> anyhow::Result<()> {
    output::data(concat!("transports ", env!("CARGO_PKG_VERSION"), "\n"))
}

pub(super) fn completions(arguments: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "transports", &mut script);
    output::data(&String::from_utf8(script)?)
}

pub(super) fn man(arguments: &Man) -> anyhow::Result<()> {
    let command = super::command();
    let Some(folder) = &arguments.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return output::data(&String::from_utf8(page)?);
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.with_context(|| format!("--out {}: the pages cannot be written", folder.display()))
}
