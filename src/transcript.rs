//! What happened on the way to a mail server, step by step, with times: what an administrator is shown.
//!
//! It must not hold a secret: whoever adds an entry replaces what follows `AUTH` by `<hidden>`.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// Where in a check or a sending something happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Whether this installation may connect there at all.
    Policy,
    Dns,
    Connect,
    Tls,
    Greeting,
    Ehlo,
    Starttls,
    /// The token endpoint of an OAuth 2.0 provider.
    Token,
    Auth,
    MailFrom,
    RcptTo,
    Data,
    /// Microsoft Graph.
    Graph,
}

impl Stage {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::Starttls => "starttls",
            Self::Token => "token",
            Self::Auth => "auth",
            Self::MailFrom => "mail_from",
            Self::RcptTo => "rcpt_to",
            Self::Data => "data",
            Self::Graph => "graph",
        }
    }
}

/// One step of a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Entry {
    pub stage: Stage,
    /// How long the step took, in milliseconds.
    pub ms: u64,
    /// Printable ASCII, 512 characters at most, without a secret.
    pub detail: String,
}

/// The steps of one session in their order.
#[derive(Clone, Default, Debug)]
pub struct Transcript {
    entries: Vec<Entry>,
}

impl Transcript {
    /// The most entries that are kept: a hostile server cannot make the answer grow beyond this.
    const MAX_ENTRIES: usize = 64;

    /// The longest detail that is kept, in characters.
    pub const MAX_DETAIL: usize = 512;

    pub fn add(&mut self, stage: Stage, took: Duration, detail: &str) {
        if self.entries.len() < Self::MAX_ENTRIES {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.entries.push(Entry { stage, ms, detail: printable(detail) });
        }
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// `text` as it may be shown: printable ASCII, everything else as `?`, cut at [`Transcript::MAX_DETAIL`].
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .take(Transcript::MAX_DETAIL)
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_what_a_server_says_is_shown_as_short_printable_ascii() {
        let hostile = format!("\u{1b}]0;x\u{7}\u{202e}{}\r\n\0", "a".repeat(2000));
        let shown = printable(&hostile);
        assert_eq!(shown.len(), Transcript::MAX_DETAIL);
        assert!(shown.bytes().all(|b| (b' '..=b'~').contains(&b)));
    }

    #[test]
    fn a_transcript_stops_growing() {
        let mut transcript = Transcript::default();
        for _ in 0..1000 {
            transcript.add(Stage::Ehlo, Duration::from_millis(3), "x");
        }
        assert_eq!(transcript.entries().len(), Transcript::MAX_ENTRIES);
    }
}
