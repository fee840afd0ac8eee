//! The commands, and what they have in common.

pub(super) mod patch;
pub(super) mod send_test_email;
pub(super) mod simple;
pub(super) mod update;

use serde_json::Value;

use super::answer::Answer;
use super::connection;
use super::failure::Failure;
use super::progress::Progress;
use super::render;
use super::style::Colours;
use crate::cli::output;

/// Stages are for people: not where a program reads, unless it asks for them.
fn progress(connection: &connection::Connection) -> Progress {
    let for_a_program = connection.json || connection.raw || connection.quiet;
    Progress::new(!for_a_program || connection.verbose)
}

/// Prints an answer: as it came, as JSON, or in the words that are made of it. A refusal is printed for programs
/// only; people read the error.
fn print(
    connection: &connection::Connection,
    answer: &Answer,
    in_words: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    let text = if connection.raw {
        String::from_utf8_lossy(&answer.body).into_owned()
    } else if connection.json {
        match answer.json() {
            Some(json) => format!("{json:#}\n"),
            None => String::new(),
        }
    } else {
        answer.good().map(|body| in_words(&body)).unwrap_or_default()
    };
    output::data(&text).map_err(|error| Failure::output(&error))
}

/// Prints how a check or a test mail ended; fails where it did not end well.
fn print_result(
    connection: &connection::Connection,
    answer: &Answer,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let body = answer.json().unwrap_or_default();
    progress.transcript(&body["diagnosis"]);
    let words = |body: &Value| {
        if connection.quiet { String::new() } else { render::result(body, Colours::of_stdout()) }
    };
    print(connection, answer, words)?;
    if answer.good()?["success"] == true { Ok(()) } else { Err(Failure::not_good()) }
}

/// Says on standard error what was done, where nobody asked for silence.
fn done(connection: &connection::Connection, text: &str) {
    if !connection.quiet {
        output::note(text);
    }
}
