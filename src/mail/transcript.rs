//! Records the steps of a dialogue with a mail server, with their times, for an administrator to read at the end or as
//! they happen.
//!
//! It must not hold a secret: the caller replaces what follows `AUTH` by `<hidden>`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use utoipa::ToSchema;

use crate::telemetry::spans;

/// Where in a check or a sending something happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
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
    /// In the order in which a session goes through them.
    pub const ALL: [Self; 13] = [
        Self::Policy,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Greeting,
        Self::Ehlo,
        Self::Starttls,
        Self::Token,
        Self::Auth,
        Self::MailFrom,
        Self::RcptTo,
        Self::Data,
        Self::Graph,
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }

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

    /// The name of the step in a trace.
    fn span_name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Dns => "dns lookup",
            Self::Connect => "connect",
            Self::Tls => "tls handshake",
            Self::Greeting => "smtp greeting",
            Self::Ehlo => "smtp EHLO",
            Self::Starttls => "smtp STARTTLS",
            Self::Token => "oauth token",
            Self::Auth => "smtp AUTH",
            Self::MailFrom => "smtp MAIL",
            Self::RcptTo => "smtp RCPT",
            Self::Data => "smtp DATA",
            Self::Graph => "graph sendMail",
        }
    }
}

/// One step of a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    pub stage: Stage,
    /// How long the step took, in milliseconds.
    pub ms: u64,
    /// Printable, 512 characters at most, without a secret.
    pub detail: String,
}

/// What becomes of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Started,
    Done,
    Failed,
}

/// A step that has started or ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    pub stage: Stage,
    pub state: StepState,
    /// How long the step took, in milliseconds; `None` where it has started only.
    pub ms: Option<u64>,
    /// As in [`Entry::detail`]; `None` where it has started only.
    pub detail: Option<String>,
}

/// Receives each step as it happens. Unbounded, but gets at most twice as many messages as a transcript has entries.
pub type ProgressSender = UnboundedSender<Progress>;

/// The steps of one session in their order.
#[derive(Clone, Default, Debug)]
pub struct Transcript {
    entries: Vec<Entry>,
    started: usize,
    progress: Option<ProgressSender>,
    /// The running step, as a span of the request's trace.
    step: Option<(Stage, tracing::Span)>,
}

impl Transcript {
    /// The most entries that are kept, so that a hostile server cannot make the answer grow.
    const MAX_ENTRIES: usize = 64;

    /// The longest detail that is kept, in characters.
    pub const MAX_DETAIL: usize = 512;

    /// A transcript that also sends its steps as they happen.
    pub fn with_progress(progress: Option<&ProgressSender>) -> Self {
        Self { progress: progress.cloned(), ..Self::default() }
    }

    /// Begins a step, for the progress and the trace; an entry is added when it ends.
    pub fn begin(&mut self, stage: Stage) {
        if self.started < Self::MAX_ENTRIES {
            self.started += 1;
            self.step = Some((stage, spans::step(stage.span_name(), stage.as_str())));
            self.report(Progress { stage, state: StepState::Started, ms: None, detail: None });
        }
    }

    /// A step has been done.
    pub fn add(&mut self, stage: Stage, took: Duration, detail: &str) {
        self.end(stage, StepState::Done, took, detail);
    }

    /// A step has failed.
    pub fn fail(&mut self, stage: Stage, took: Duration, detail: &str) {
        self.end(stage, StepState::Failed, took, detail);
    }

    /// The span of the running step, as the parent of what the step calls.
    pub fn span(&self) -> tracing::Span {
        self.step.as_ref().map_or_else(tracing::Span::none, |(_, span)| span.clone())
    }

    fn end(&mut self, stage: Stage, ended: StepState, took: Duration, detail: &str) {
        if let Some((_, span)) = self.step.take_if(|(begun, _)| *begun == stage) {
            let failed = ended == StepState::Failed;
            spans::end_step(&span, !failed);
            // Another address may answer yet.
            if failed && stage == Stage::Connect {
                self.step = Some((stage, span));
            }
        }
        if self.entries.len() < Self::MAX_ENTRIES {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let detail = printable(detail);
            self.report(Progress { stage, state: ended, ms: Some(ms), detail: Some(detail.clone()) });
            self.entries.push(Entry { stage, ms, detail });
        }
    }

    fn report(&self, step: Progress) {
        if let Some(progress) = &self.progress {
            // The receiver may have gone.
            let _ = progress.send(step);
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// `text` as it may be shown, cut at [`Transcript::MAX_DETAIL`] characters.
pub fn printable(text: &str) -> String {
    make_printable(text).chars().take(Transcript::MAX_DETAIL).collect()
}

/// `text` without control characters, which become `?`, and without invisible characters and marks that change the
/// direction of writing.
pub fn make_printable(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii() || !is_invisible(*c))
        .map(|c| if c.is_ascii_control() { '?' } else { c })
        .collect()
}

/// Controls, marks of direction, characters without width, and those that have no meaning of their own.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fffd}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security case I3.
    #[test]
    fn what_a_server_says_is_shown_as_short_printable_text() {
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

    #[test]
    fn a_watcher_hears_of_each_step_and_of_no_more_than_are_kept() {
        let (progress, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let mut transcript = Transcript::with_progress(Some(&progress));
        for _ in 0..1000 {
            transcript.begin(Stage::Ehlo);
            transcript.fail(Stage::Ehlo, Duration::from_millis(3), "x\n");
        }
        let started = Progress { stage: Stage::Ehlo, state: StepState::Started, ms: None, detail: None };
        let detail = Some("x?".to_owned());
        let failed = Progress { stage: Stage::Ehlo, state: StepState::Failed, ms: Some(3), detail };
        assert_eq!((heard.try_recv(), heard.try_recv()), (Ok(started), Ok(failed)));
        assert_eq!(heard.len(), 2 * Transcript::MAX_ENTRIES - 2);
    }
}
