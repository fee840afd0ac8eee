//! Faults of the settings, for the operator.

use std::fmt;

/// One thing to fix. It never holds the value of a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Which setting, where it stands, and what is wrong with it.
    pub text: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The setting that the text begins with, or its section.
    pub fn key(&self) -> &str {
        self.text.split([':', ' ']).next().unwrap_or_default()
    }

    /// Whether the text or the hint names this setting.
    pub fn names(&self, key: &str) -> bool {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let names = |text: &str| {
            text.match_indices(key).any(|(start, _)| {
                let rest = &text[start + key.len()..];
                !text[..start].ends_with(is_part) && !rest.starts_with(is_part)
            })
        };
        names(&self.text) || self.hint.as_deref().is_some_and(names)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Problem {}

impl From<anyhow::Error> for Problem {
    /// The whole text, with the hint of the problem inside.
    fn from(error: anyhow::Error) -> Self {
        let hint = error.chain().find_map(|cause| cause.downcast_ref::<Self>()?.hint.clone());
        Self { text: format!("{error:#}"), hint }
    }
}

/// Settings that the service does not start with: every problem that was found, never only the first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid {
    pub problems: Vec<Problem>,
}

impl Invalid {
    /// Ok where there is nothing to fix.
    pub fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl From<Problem> for Invalid {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            formatter.write_str(&problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
