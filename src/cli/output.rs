//! Prints data to standard output, and notes and errors to standard error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use super::email_config::Failure;
use crate::config::{Invalid, Problem};
use crate::json::is_deceptive;

/// Exit code for wrong usage or configuration; the same as clap's.
const MISCONFIGURED: u8 = 2;

/// Writes data to standard output. A reader that closes the pipe early (`| head`) is no error.
pub(super) fn data(text: &str) -> anyhow::Result<()> {
    write_part(text).map(drop)
}

/// Writes a part of the data; false where the reader has closed the pipe.
pub(super) fn write_part(text: &str) -> anyhow::Result<bool> {
    let text = if io::stdout().is_terminal() { for_terminal(text) } else { text.into() };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// The text with what could steer the terminal written as JSON escapes, which a program reads the same. ASCII stays: in
/// JSON its controls are escaped already, elsewhere they are ours.
fn for_terminal(text: &str) -> Cow<'_, str> {
    let is_foreign = |character: char| !character.is_ascii() && is_deceptive(character);
    if !text.contains(is_foreign) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_foreign(character) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// Writes a line to standard error, and ignores that it may be closed.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes to standard error without a line end, for an answer on the same line.
pub(super) fn prompt(text: &str) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{text}").and_then(|()| err.flush());
}

/// Refuses a command that changes something if no terminal can ask and `--yes` is missing.
pub(super) fn require_answer(command: &str, yes: bool) -> Result<(), Invalid> {
    if yes || io::stdin().is_terminal() {
        return Ok(());
    }
    let problem =
        Problem::new(format!("{command}: cannot ask for confirmation without a terminal; use --yes"));
    Err(problem.into())
}

/// Asks on the terminal; only `yes` is a yes.
pub(super) fn confirm(question: &str) -> io::Result<bool> {
    note(&format!("{question} Type yes to continue:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Prints the error with its hints, and returns the exit code.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(invalid) = error.downcast_ref::<Invalid>() {
        for problem in &invalid.problems {
            note(&render("error", problem));
        }
        return ExitCode::from(MISCONFIGURED);
    }
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.report();
    }
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<Problem>()?.hint.clone());
    note(&render("error", &Problem { text: format!("{error:#}"), hint }));
    ExitCode::FAILURE
}

/// A problem, and its hint on a second line.
pub(super) fn render(label: &str, problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{label}: {}\n  hint: {hint}", problem.text),
        None => format!("{label}: {}", problem.text),
    }
}

#[cfg(test)]
mod tests {
    use super::for_terminal;

    /// Security case I3.
    #[test]
    fn on_a_terminal_json_of_a_hostile_server_steers_nothing_and_reads_the_same() {
        let hostile = "a\u{9b}2J\u{202e}b\u{2028}Grüße";
        let json = format!("{:#}\n", serde_json::json!({ "message": hostile, "bell": "\u{7}" }));
        let shown = for_terminal(&json);
        assert!(!shown.contains(['\u{9b}', '\u{202e}', '\u{2028}']), "{shown:?}");
        let value: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!((&value["message"], &value["bell"]), (&hostile.into(), &"\u{7}".into()));
    }
}
