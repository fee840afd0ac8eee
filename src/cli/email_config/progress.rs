//! Prints the stages of a check to standard error as they happen.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use super::style::{Colours, shown};
use crate::cli::output;

pub(super) struct Progress {
    shown: bool,
    /// On a terminal a line can be overwritten.
    terminal: bool,
    colours: Colours,
    /// Whether a stage was printed.
    pub any: bool,
}

impl Progress {
    pub fn new(shown: bool) -> Self {
        Self { shown, terminal: io::stderr().is_terminal(), colours: Colours::of_stderr(), any: false }
    }

    /// Prints the data of a `stage` event; ignores malformed data.
    pub fn stage(&mut self, data: &str) {
        let Ok(stage) = serde_json::from_str::<Value>(data) else { return };
        if !self.shown {
            return;
        }
        self.any = true;
        let name = label(stage["stage"].as_str().unwrap_or("?"));
        let detail = shown(stage["detail"].as_str().unwrap_or_default());
        let milliseconds = stage["elapsedMs"].as_u64();
        match stage["state"].as_str() {
            Some("started") => {
                if self.terminal {
                    let _ =
                        write!(io::stderr().lock(), "…       {name}\r").and_then(|()| io::stderr().flush());
                }
            }
            Some("failed") => self.line(&self.colours.bad("failed"), &name, milliseconds, &detail),
            _ => self.line(&self.colours.good("ok    "), &name, milliseconds, &detail),
        }
    }

    /// Prints the steps of a diagnosis, if the server sent no stages.
    pub fn transcript(&mut self, diagnosis: &Value) {
        let steps = diagnosis["transcript"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !self.shown || self.any {
            return;
        }
        for step in steps {
            let name = label(step["stage"].as_str().unwrap_or("?"));
            self.line(
                "      ",
                &name,
                step["ms"].as_u64(),
                &shown(step["detail"].as_str().unwrap_or_default()),
            );
        }
    }

    fn line(&self, state: &str, name: &str, milliseconds: Option<u64>, detail: &str) {
        let time = milliseconds.map(|ms| format!("{ms} ms")).unwrap_or_default();
        let clear = if self.terminal { "\r\u{1b}[K" } else { "" };
        output::note(format!("{clear}{state}  {name:<14}{time:>8}  {detail}").trim_end());
    }
}

/// The label of a stage; an unknown one is shown unchanged.
pub(super) fn label(stage: &str) -> String {
    match stage {
        "policy" => "destination",
        "dns" => "name",
        "connect" => "connection",
        "tls" | "starttls" => "encryption",
        "ehlo" => "capabilities",
        "auth" => "sign-in",
        "mail_from" => "sender",
        "rcpt_to" => "recipient",
        "data" => "message",
        "graph" => "Graph",
        other => return shown(other),
    }
    .to_owned()
}
