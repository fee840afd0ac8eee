//! The failures of an operation, and their exit codes.

use std::fmt;
use std::process::ExitCode;

use super::style::shown;
use crate::cli::output;

/// The numbers are documented in `--help` and in `docs/cli.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// The check failed, or the configuration is not valid.
    NegativeResult = 1,
    Usage = 2,
    /// 4xx.
    Refused = 3,
    /// Not reachable, too late, 5xx, or an answer that is not this API's.
    NoAnswer = 4,
    Output = 5,
}

/// A failure with its exit code. The texts hold neither the token nor a secret.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    /// Empty where the result has been printed already.
    text: String,
    hint: Option<String>,
}

impl Failure {
    /// The printed result is negative.
    pub(super) fn negative() -> Self {
        Self::new(Kind::NegativeResult, String::new())
    }

    pub(super) fn check_failed(text: impl Into<String>) -> Self {
        Self::new(Kind::NegativeResult, text)
    }

    pub(in crate::cli) fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, text)
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(Kind::Refused, text)
    }

    pub(super) fn no_answer(text: impl Into<String>) -> Self {
        Self::new(Kind::NoAnswer, text)
    }

    pub(in crate::cli) fn output(error: &anyhow::Error) -> Self {
        Self::new(Kind::Output, format!("the output could not be written: {error:#}"))
    }

    pub(in crate::cli) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), hint: None }
    }

    /// Prints it to standard error, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.text.is_empty() {
            for (number, line) in self.text.lines().enumerate() {
                let label = if number == 0 { "error: " } else { "  " };
                output::note(&format!("{label}{}", shown(line)));
            }
        }
        if let Some(hint) = &self.hint {
            output::note(&format!("  hint: {}", shown(hint)));
        }
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
