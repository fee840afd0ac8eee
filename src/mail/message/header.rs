//! The headers that a caller may set by themselves, beside those that are made of the message's parts.

use crate::error::{Reason, ValueError};

use super::text::breaks_lines;

/// The names that may be set. One with a star stands for all that begin with what is before it.
pub const ALLOWED_NAMES: [&str; 9] = [
    "In-Reply-To",
    "References",
    "List-*",
    "Auto-Submitted",
    "Precedence",
    "Importance",
    "X-*",
    "Feedback-ID",
    "Organization",
];

/// Names that this service gives a meaning of its own.
const RESERVED_PREFIX: &str = "X-Transports-";
/// Those of the allowed headers that are text for people (RFC 5322 `unstructured`, or a phrase): only there may a
/// reader expect encoded words.
const TEXT_NAMES: [&str; 3] = ["X-*", "Organization", "List-Id"];

/// A header that a caller may set, with a value that stays within it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustomHeader {
    name: HeaderName,
    value: HeaderValue,
}

/// One of [`ALLOWED_NAMES`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderName(String);

/// Without control characters, not empty, without spaces at its edges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderValue(String);

/// Each text ends a sentence that begins with the header's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderError {
    #[error("is not a header that can be set; these can: {}", ALLOWED_NAMES.join(", "))]
    NameNotAllowed,
    #[error("is reserved for this service: names that begin with {RESERVED_PREFIX} cannot be set")]
    NameReserved,
    #[error("is longer than {} characters", HeaderName::MAX_OCTETS)]
    NameTooLong,
    #[error("is not the name of a header: only letters, digits and hyphens can stand there")]
    NameCharacter,
    #[error("is empty")]
    Empty,
    #[error("contains a line break or another control character")]
    ControlCharacter,
    #[error("is longer than {} bytes", HeaderValue::MAX_BYTES)]
    TooLong,
    #[error("contains more than {} characters without a space between them", HeaderValue::MAX_WORD)]
    LongWord,
    #[error("contains a character beyond ASCII, which cannot be encoded in this header")]
    NotAscii,
}

impl ValueError for HeaderError {
    fn reason(&self) -> Reason {
        match self {
            Self::NameNotAllowed | Self::NameReserved => Reason::HeaderNotAllowed,
            Self::Empty => Reason::Empty,
            Self::ControlCharacter => Reason::ControlCharacter,
            Self::NameTooLong | Self::TooLong | Self::LongWord => Reason::TooLong,
            Self::NameCharacter | Self::NotAscii => Reason::InvalidCharacter,
        }
    }
}

impl HeaderName {
    /// Of a name in characters, so that it fits on a folded line with its colon.
    const MAX_OCTETS: usize = 70;

    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the name.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        if text.is_empty() {
            return Err(HeaderError::Empty);
        }
        if text.len() > Self::MAX_OCTETS {
            return Err(HeaderError::NameTooLong);
        }
        // RFC 5322 lets more characters in. Some programs stumble over them, and no header in use has any.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(HeaderError::NameCharacter);
        }
        if starts_with_ignore_case(text, RESERVED_PREFIX) {
            return Err(HeaderError::NameReserved);
        }
        if !ALLOWED_NAMES.iter().any(|pattern| matches_name(pattern, text)) {
            return Err(HeaderError::NameNotAllowed);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_text(&self) -> bool {
        TEXT_NAMES.iter().any(|pattern| matches_name(pattern, &self.0))
    }
}

impl HeaderValue {
    /// References of a long thread are the longest that is seen.
    pub const MAX_BYTES: usize = 4096;
    /// Fits on a line of 998 octets (RFC 5322 section 2.1.1), with the header's name.
    const MAX_WORD: usize = 900;

    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the name.
    pub fn parse(name: &HeaderName, text: &str) -> Result<Self, HeaderError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(HeaderError::Empty);
        }
        if text.chars().any(breaks_lines) {
            return Err(HeaderError::ControlCharacter);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(HeaderError::TooLong);
        }
        if !name.is_text() {
            if !text.is_ascii() {
                return Err(HeaderError::NotAscii);
            }
            if text.split(' ').any(|word| word.len() > Self::MAX_WORD) {
                return Err(HeaderError::LongWord);
            }
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CustomHeader {
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the name.
    pub fn parse(name: &str, value: &str) -> Result<Self, HeaderError> {
        let name = HeaderName::parse(name)?;
        let value = HeaderValue::parse(&name, value)?;
        Ok(Self { name, value })
    }

    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    pub fn value(&self) -> &str {
        self.value.as_str()
    }

    /// Whether its value is text that may be written as encoded words.
    pub(super) fn is_text(&self) -> bool {
        self.name.is_text()
    }

    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }
}

/// Whether a name is meant by a pattern of [`ALLOWED_NAMES`].
fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.len() > prefix.len() && starts_with_ignore_case(name, prefix),
        None => name.eq_ignore_ascii_case(pattern),
    }
}

fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_headers_can_be_set() {
        for name in [
            "In-Reply-To",
            "in-reply-to",
            "REFERENCES",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "Auto-Submitted",
            "Precedence",
            "Importance",
            "X-Entity-Ref-ID",
            "x-a",
            "X-A_B",
            "Feedback-ID",
            "Organization",
        ] {
            assert_eq!(HeaderName::parse(name).map(|name| name.0), Ok(name.to_owned()));
        }
        for name in [
            "Bcc",
            "To",
            "From",
            "Sender",
            "Reply-To",
            "Subject",
            "Date",
            "Message-ID",
            "Received",
            "DKIM-Signature",
            "Content-Type",
            "MIME-Version",
            "Return-Path",
            "Resent-To",
            "X-",
            "List-",
            "X",
            "Listing",
            "Precedence-X",
        ] {
            assert_eq!(HeaderName::parse(name), Err(HeaderError::NameNotAllowed), "{name}");
        }
        for (name, expected) in [
            ("X-Transports-Lane", HeaderError::NameReserved),
            ("x-transports-tenant", HeaderError::NameReserved),
            ("", HeaderError::Empty),
            ("X-ä", HeaderError::NameCharacter),
        ] {
            assert_eq!(HeaderName::parse(name), Err(expected), "{name}");
        }
        assert_eq!(HeaderName::parse(&format!("X-{}", "a".repeat(69))), Err(HeaderError::NameTooLong));
    }

    /// Security case C4.
    #[test]
    fn neither_name_nor_value_holds_a_line_break() {
        for name in ["X-A\r\nBcc", "X-A\n", "X-A:", "X-A: b", "X A", "X-A\t", "X-\0"] {
            assert_eq!(HeaderName::parse(name), Err(HeaderError::NameCharacter), "{name:?}");
        }
        for value in ["a\r\nBcc: x@y.org", "a\r\n b", "a\n", "a\rb", "a\0b", "a\tb", "a\u{2028}b", "a\u{85}b"]
        {
            assert_eq!(CustomHeader::parse("X-A", value), Err(HeaderError::ControlCharacter), "{value:?}");
        }
    }

    #[test]
    fn a_value_fits_its_header() {
        let long = "a".repeat(901);
        for (name, value, expected) in [
            ("X-A", "  Grüße  ", Ok("Grüße")),
            ("Organization", "Müller", Ok("Müller")),
            ("List-ID", "Müller <a.example.com>", Ok("Müller <a.example.com>")),
            ("X-A", &long, Ok(long.as_str())),
            ("X-A", "", Err(HeaderError::Empty)),
            ("X-A", "   ", Err(HeaderError::Empty)),
            ("References", "<ä@example.com>", Err(HeaderError::NotAscii)),
            ("List-Unsubscribe", "<https://example.com/ü>", Err(HeaderError::NotAscii)),
            ("References", &long, Err(HeaderError::LongWord)),
            ("X-A", &"a ".repeat(2050), Err(HeaderError::TooLong)),
        ] {
            let header = CustomHeader::parse(name, value);
            assert_eq!(
                header.as_ref().map(CustomHeader::value),
                expected.as_ref().copied(),
                "{name}: {value}"
            );
        }
    }
}
