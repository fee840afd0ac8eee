//! How a text of a request stood before it became lines of a message, so that it is shown as it was given.

use serde::{Deserialize, Serialize};

/// What a message does not keep of a text: all its lines end with CRLF, and whether the last one does is for the
/// structure of the message to say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenText {
    /// Lines that all end alike.
    Lines { end: LineEnd, at_the_end: usize },
    /// Line ends of several kinds, in their order: never the text, which goes before these details do.
    Mixed(Vec<LineEnd>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    Lf,
    CrLf,
    Cr,
}

impl LineEnd {
    fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Cr => "\r",
        }
    }
}

impl GivenText {
    pub fn new(text: &str) -> Self {
        let ends = line_ends(text);
        let end = ends.first().copied().unwrap_or(LineEnd::Lf);
        if ends.iter().any(|other| *other != end) {
            return Self::Mixed(ends);
        }
        let without = text.trim_end_matches(end.as_str());
        Self::Lines { end, at_the_end: (text.len() - without.len()) / end.as_str().len() }
    }

    /// The text as it was given; `sent` is that of the message.
    pub fn restore(&self, sent: &str) -> String {
        let sent = sent.trim_end_matches("\r\n");
        match self {
            Self::Lines { end, at_the_end } => {
                sent.replace("\r\n", end.as_str()) + &end.as_str().repeat(*at_the_end)
            }
            Self::Mixed(ends) => {
                let mut lines = sent.split("\r\n");
                let mut text = lines.next().unwrap_or_default().to_owned();
                for end in ends {
                    text.push_str(end.as_str());
                    text.push_str(lines.next().unwrap_or_default());
                }
                text
            }
        }
    }
}

fn line_ends(text: &str) -> Vec<LineEnd> {
    let bytes = text.as_bytes();
    let mut ends = Vec::new();
    for at in memchr::memchr2_iter(b'\r', b'\n', bytes) {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\n', _) if at > 0 && bytes[at - 1] == b'\r' => {}
            (b'\n', _) => ends.push(LineEnd::Lf),
            (_, Some(b'\n')) => ends.push(LineEnd::CrLf),
            _ => ends.push(LineEnd::Cr),
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `mail::message` writes a text, and a reader of it.
    fn sent(text: &str) -> String {
        let lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        format!("{}\r\n", lines.strip_suffix("\r\n").unwrap_or(&lines))
    }

    #[test]
    fn every_text_comes_back_as_it_was_given() {
        for text in [
            "",
            "Hi",
            "Hi\n",
            "Hi\r\n",
            "Hi\r",
            "a\nb",
            "a\r\nb\r\n",
            "a\rb\r",
            "\n",
            "\n\n",
            "\r\n\r\n",
            "a\n\n",
            "a\nb\r\n",
            "a\r\nb\n",
            "a\r\n\n",
            "a\r\rb\n",
            " a \n\tb ",
        ] {
            let given = GivenText::new(text);
            let sent = sent(text);
            for sent in [sent.as_str(), sent.trim_end_matches("\r\n")] {
                assert_eq!(given.restore(sent), text, "{text:?} {given:?}");
            }
            let stored = serde_json::to_string(&given).expect("JSON");
            assert_eq!(serde_json::from_str::<GivenText>(&stored).expect("the same"), given);
        }
    }
}
