//! Prints data to standard output, and notes and errors to standard error.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::email_config::Failure;
use crate::config::{Invalid, Problem};

/// Exit code for wrong usage or configuration; the same as clap's.
const MISCONFIGURED: u8 = 2;

/// Writes data to standard output. A reader that closes the pipe early (`| head`) is no error.
pub(super) fn data(text: &str) -> anyhow::Result<()> {
    write_part(text).map(drop)
}

/// Writes a part of the data; false where the reader has closed the pipe.
pub(super) fn write_part(text: &str) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// Writes a line to standard error, and ignores that it may be closed.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
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
    note(&format!("error: {error:#}"));
    ExitCode::FAILURE
}

/// A problem, and its hint on a second line.
pub(super) fn render(label: &str, problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{label}: {}\n  hint: {hint}", problem.text),
        None => format!("{label}: {}", problem.text),
    }
}
