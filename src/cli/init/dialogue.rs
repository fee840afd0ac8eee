//! Asks questions on a terminal, and repeats one until its answer can be used.

use std::io::{BufRead, Write};

use anyhow::bail;

/// Questions go to one side, answers come from the other.
pub struct Dialogue<'a> {
    input: &'a mut dyn BufRead,
    output: Box<dyn Write + 'a>,
}

impl<'a> Dialogue<'a> {
    pub fn new(input: &'a mut dyn BufRead, output: impl Write + 'a) -> Self {
        Self { input, output: Box::new(output) }
    }

    /// The first usable answer. An empty line takes `default`.
    ///
    /// # Errors
    /// The terminal was closed.
    pub async fn ask<T>(
        &mut self,
        question: &str,
        default: &str,
        check: impl AsyncFn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            let shown = if default.is_empty() { "empty: none".to_owned() } else { default.to_owned() };
            write!(self.output, "{question} [{shown}]: ")?;
            self.output.flush()?;
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                bail!("the terminal was closed before all questions were answered; nothing was written");
            }
            let answer = line.trim();
            match check(if answer.is_empty() { default } else { answer }).await {
                Ok(value) => return Ok(value),
                Err(fault) => writeln!(self.output, "  {answer} cannot be used: {fault}")?,
            }
        }
    }

    pub fn say(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.output, "{text}")?)
    }
}
