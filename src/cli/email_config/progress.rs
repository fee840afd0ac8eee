//! The stages of a check on standard error, as they happen.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use super::style::{Colours, shown};
use crate::cli::output;

/// Shows stages, or leaves them out.
pub(super) struct Progress {
    shown: bool,
    /// A line that is under way can be written over.
    terminal: bool,
    colours: Colours,
    /// Something was shown.
    pub any: bool,
}

impl Progress {
    pub fn new(shown: bool) -> Self {
        Self { shown, terminal: io::stderr().is_terminal(), colours: Colours::of_stderr(), any: false }
    }

    /// The data of a `stage` event. What is no such data is left out: it is for people, the result says all.
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

    /// The steps that a diagnosis holds, where the server told none while they happened.
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

/// A stage in words; one that is not known stands as it came.
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
