//! Prepares text for a terminal: colours where wanted, and no control characters from untrusted text.

use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::json::is_deceptive;

/// Colours of one stream. None where it is no terminal, and where `NO_COLOR` is set.
#[derive(Clone, Copy)]
pub(super) struct Colours {
    on: bool,
}

impl Colours {
    pub fn of_stdout() -> Self {
        Self { on: AutoStream::choice(&io::stdout()) != ColorChoice::Never }
    }

    pub fn of_stderr() -> Self {
        Self { on: AutoStream::choice(&io::stderr()) != ColorChoice::Never }
    }

    #[cfg(test)]
    pub fn none() -> Self {
        Self { on: false }
    }

    pub fn good(self, text: &str) -> String {
        self.styled(AnsiColor::Green.on_default(), text)
    }

    pub fn bad(self, text: &str) -> String {
        self.styled(AnsiColor::Red.on_default().bold(), text)
    }

    pub fn heading(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Makes untrusted text safe on one line: line breaks become spaces; control characters and direction marks become `?`.
pub(in crate::cli) fn shown(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' => ' ',
            character if is_deceptive(character) => '?',
            character => character,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn server_text_cannot_control_the_terminal() {
        let hostile = "a\u{1b}]0;title\u{7}b\r\nc\u{9b}31m\u{202e}d\u{0}e\u{2028}f\u{61c}Grüße";
        assert_eq!(shown(hostile), "a?]0;title?b? c?31m?d?e?f?Grüße");
    }
}
