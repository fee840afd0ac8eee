//! A host's domain name in its one normal form: LDH labels in lower case, IDNA applied once, no final dot.
//!
//! Whether a name may be reached is not known here, nor whether it exists.

mod readable;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use crate::error::{Reason, ValueError};
pub use readable::to_unicode;

/// RFC 1035 section 2.3.4, without the root's empty label and its length octet.
const MAX_NAME_OCTETS: usize = 253;
/// RFC 1035 section 2.3.4.
const MAX_LABEL_OCTETS: usize = 63;
/// No text beyond this can become a name of 253 octets; IDNA's work grows with the square of a label.
const MAX_TEXT_BYTES: usize = 4 * MAX_NAME_OCTETS;

/// Each text ends a sentence that begins with what was read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DomainNameError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {MAX_NAME_OCTETS} characters")]
    TooLong,
    #[error("contains a space or a control character")]
    Blank,
    #[error("contains `{0}`, which no host name may hold")]
    Character(char),
    #[error("has an empty part between two dots")]
    EmptyLabel,
    #[error("has a part of more than {MAX_LABEL_OCTETS} characters between two dots")]
    LongLabel,
    #[error("has a part that begins or ends with a hyphen")]
    Hyphen,
    /// `127.1`, `0x7f.1`, `2130706433`: getaddrinfo takes them for addresses, so they are never names.
    #[error("ends in a number; enter a host name, or an IPv4 address of four plain decimal numbers")]
    Numeric,
    #[error("is not a valid internationalised name")]
    Idna,
}

impl ValueError for DomainNameError {
    fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::Empty,
            Self::TooLong => Reason::TooLong,
            Self::Blank => Reason::ContainsBlank,
            Self::Character(_) => Reason::InvalidCharacter,
            Self::Numeric => Reason::EndsInNumber,
            Self::EmptyLabel | Self::LongLabel | Self::Hyphen | Self::Idna => Reason::NotADomainName,
        }
    }
}

/// The normal form of a name that was typed.
///
/// # Errors
/// Not a host name (RFC 1123 section 2.1), also after UTS #46 processing.
pub fn normalise(text: &str) -> Result<String, DomainNameError> {
    if text.is_empty() {
        return Err(DomainNameError::Empty);
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(DomainNameError::TooLong);
    }
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            return Err(DomainNameError::Blank);
        }
        if c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.') {
            return Err(DomainNameError::Character(c));
        }
    }
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| DomainNameError::Idna)?;
    // The final dot is that of the root (RFC 1034 section 3.1): the same name.
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    check_labels(name)?;
    Ok(name.to_owned())
}

fn check_labels(name: &str) -> Result<(), DomainNameError> {
    let mut last = "";
    for label in name.split('.') {
        if label.is_empty() {
            return Err(DomainNameError::EmptyLabel);
        }
        if label.len() > MAX_LABEL_OCTETS {
            return Err(DomainNameError::LongLabel);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(DomainNameError::Hyphen);
        }
        last = label;
    }
    if name.len() > MAX_NAME_OCTETS {
        return Err(DomainNameError::TooLong);
    }
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err(DomainNameError::Numeric);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security case A22.
    #[test]
    fn a_name_is_normalised_once() {
        let cases = [
            ("smtp.example.com", "smtp.example.com"),
            ("SMTP.Example.COM.", "smtp.example.com"),
            ("例え.jp", "xn--r8jz45g.jp"),
            ("xn--r8jz45g.jp", "xn--r8jz45g.jp"),
            ("ｅxample.com", "example.com"),
            ("smtp。example。com。", "smtp.example.com"),
            ("r3---sn-apo3.example.com", "r3---sn-apo3.example.com"),
            ("straße.de", "xn--strae-oqa.de"),
            ("localhost", "localhost"),
            ("3com.com", "3com.com"),
        ];
        for (text, expected) in cases {
            let name = normalise(text);
            assert_eq!(name.as_deref(), Ok(expected), "{text}");
            assert_eq!(normalise(expected).as_deref(), Ok(expected), "the normal form of {text} stays");
        }
    }

    /// Security case A22.
    #[test]
    fn what_is_no_host_name_is_refused() {
        let long = format!("{}.com", "a".repeat(64));
        let longer = format!("{}com", "abcdefgh.".repeat(28));
        assert_eq!(longer.len(), 255);
        let longest = "é".repeat(600);
        let cases = [
            ("", DomainNameError::Empty),
            (".", DomainNameError::EmptyLabel),
            ("a..b", DomainNameError::EmptyLabel),
            (".a.b", DomainNameError::EmptyLabel),
            ("a.b..", DomainNameError::EmptyLabel),
            ("a b.com", DomainNameError::Blank),
            ("a\0b.com", DomainNameError::Blank),
            ("a.com\r\nb", DomainNameError::Blank),
            ("a.com\u{2028}", DomainNameError::Blank),
            ("a.com\u{85}", DomainNameError::Blank),
            ("a%00.com", DomainNameError::Character('%')),
            ("a_b.com", DomainNameError::Character('_')),
            ("a*b.com", DomainNameError::Character('*')),
            ("-a.b", DomainNameError::Hyphen),
            ("a-.b", DomainNameError::Hyphen),
            ("xn--example-.org", DomainNameError::Idna),
            ("a\u{202e}b.com", DomainNameError::Idna),
            ("①②⑦.⓪.⓪.①", DomainNameError::Numeric),
            ("127.0.0.1.", DomainNameError::Numeric),
            ("example.0x1f", DomainNameError::Numeric),
            (&long, DomainNameError::LongLabel),
            (&longer, DomainNameError::TooLong),
            (&longest, DomainNameError::TooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(normalise(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_longest_name_is_taken() {
        let name = format!("{}ab", "abcdefghi.".repeat(25));
        assert_eq!(name.len(), 252);
        assert_eq!(normalise(&name), Ok(name.clone()));
        let longest = format!("{name}c");
        assert_eq!(normalise(&longest), Ok(longest.clone()));
        assert_eq!(normalise(&format!("{longest}d")), Err(DomainNameError::TooLong));
    }
}
