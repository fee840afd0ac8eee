//! Text for a header, such as a subject or a display name.

use crate::error::{Reason, ValueError};

/// Text that may stand in a header: no control characters, and of bounded length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderText(String);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderTextError {
    #[error("contains a line break or another control character")]
    ControlCharacter,
    #[error("is longer than {0} characters")]
    TooLong(usize),
}

impl ValueError for HeaderTextError {
    fn reason(&self) -> Reason {
        match self {
            Self::ControlCharacter => Reason::ControlCharacter,
            Self::TooLong(_) => Reason::TooLong,
        }
    }
}

impl HeaderText {
    pub const MAX_CHARACTERS: usize = 255;
    /// Of a subject.
    pub const MAX_SUBJECT_CHARACTERS: usize = 998;

    /// Text of at most [`HeaderText::MAX_CHARACTERS`].
    ///
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, HeaderTextError> {
        Self::parse_up_to(text, Self::MAX_CHARACTERS)
    }

    /// Text of at most [`HeaderText::MAX_SUBJECT_CHARACTERS`].
    ///
    /// # Errors
    /// As [`HeaderText::parse`].
    pub fn parse_subject(text: &str) -> Result<Self, HeaderTextError> {
        Self::parse_up_to(text, Self::MAX_SUBJECT_CHARACTERS)
    }

    fn parse_up_to(text: &str, max_characters: usize) -> Result<Self, HeaderTextError> {
        if text.chars().any(breaks_lines) {
            return Err(HeaderTextError::ControlCharacter);
        }
        if text.chars().count() > max_characters {
            return Err(HeaderTextError::TooLong(max_characters));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Controls, and the separators of lines and paragraphs, which break a line for those who read the decoded text.
pub(super) fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
