//! The commands and their common output.

pub(super) mod patch;
pub(super) mod rm;
pub(super) mod send_test_email;
pub(super) mod simple;
pub(super) mod update;

use serde_json::Value;

use super::answer::Answer;
use super::failure::Failure;
use super::progress::Progress;
use super::render;
use super::server_options;
use super::style::Colours;
use crate::cli::output;

/// Stages are printed for people; programs get them with --verbose only.
fn progress(server: &server_options::ServerOptions) -> Progress {
    let is_for_program = server.json || server.raw || server.quiet;
    Progress::new(!is_for_program || server.verbose)
}

/// Prints a response raw, as JSON, or rendered. A refusal is printed for programs only; people read the error.
fn print(
    server: &server_options::ServerOptions,
    answer: &Answer,
    in_words: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    let text = if server.raw {
        String::from_utf8_lossy(&answer.body).into_owned()
    } else if server.json {
        match answer.json() {
            Some(json) => format!("{json:#}\n"),
            None => String::new(),
        }
    } else {
        answer.object().map(|body| in_words(&body)).unwrap_or_default()
    };
    output::data(&text).map_err(|error| Failure::output(&error))
}

/// Prints the result of a check or test mail; fails where it is negative.
fn print_result(
    server: &server_options::ServerOptions,
    answer: &Answer,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let body = answer.json().unwrap_or_default();
    progress.transcript(&body["diagnosis"]);
    let words = |body: &Value| {
        if server.quiet { String::new() } else { render::result(body, Colours::of_stdout()) }
    };
    print(server, answer, words)?;
    if answer.object()?["success"] == true { Ok(()) } else { Err(Failure::negative()) }
}

/// Prints to standard error what was done, unless --quiet.
fn done(server: &server_options::ServerOptions, text: &str) {
    if !server.quiet {
        output::note(text);
    }
}
