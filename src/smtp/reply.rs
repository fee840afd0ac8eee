//! Replies (RFC 5321 section 4.2) and enhanced status codes (RFC 3463), parsed from bytes within limits.

mod decode;
mod parse;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use parse::{MAX_LINE, MAX_LINES, MAX_REPLY};
pub(super) use parse::{Malformed, Replies};

use crate::secret::{NOT_SHOWN, Redactor};

/// `5.7.8`: class, subject, detail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl std::fmt::Display for EnhancedCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One whole reply. The lines' text is printable, without the code and without the enhanced code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub code: u16,
    pub enhanced: Option<EnhancedCode>,
    pub lines: Vec<String>,
}

impl Reply {
    /// The lines in one, separated by a space.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// As it may be shown and stored: without its text where that holds a part of a secret.
    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        if redactor.finds(&self.text()) { Self { lines: vec![NOT_SHOWN.to_owned()], ..self } } else { self }
    }

    /// A 4yz reply: the same may succeed later.
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// A 4yz or 5yz reply.
    pub(super) fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// The server ends the session with this reply, whatever the command (RFC 5321 section 3.8).
    pub(super) fn closes(&self) -> bool {
        self.code == 421
    }
}

/// `250 2.0.0 OK`, the lines in one.
impl std::fmt::Display for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(formatter, " {enhanced}")?;
        }
        let text = self.text();
        if text.is_empty() { Ok(()) } else { write!(formatter, " {text}") }
    }
}
