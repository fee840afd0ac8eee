//! What the commands print.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::email_config::Failure;
use crate::config::{Invalid, Problem};

/// Wrong usage or configuration; the same number that clap ends with.
const MISCONFIGURED: u8 = 2;

/// Writes data to standard output.
///
/// # Errors
/// Where it cannot be written. A reader that has seen enough (`| head`) is no error.
pub(super) fn data(text: &str) -> anyhow::Result<()> {
    part(text).map(drop)
}

/// Writes a part of the data, and says whether there is still a reader for the next one.
///
/// # Errors
/// As [`data`].
pub(super) fn part(text: &str) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// Writes a line for people to standard error. Where that is closed, nobody is there to be told.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Tells what went wrong and what to do, and says how the process ends.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(invalid) = error.downcast_ref::<Invalid>() {
        for problem in &invalid.problems {
            note(&lines("error", problem));
        }
        return ExitCode::from(MISCONFIGURED);
    }
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.report();
    }
    note(&format!("error: {error:#}"));
    ExitCode::FAILURE
}

/// A problem, and its remedy on a line of its own.
pub(super) fn lines(label: &str, problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{label}: {}\n  hint: {hint}", problem.text),
        None => format!("{label}: {}", problem.text),
    }
}
