//! Mail addresses: one mailbox of RFC 5321, in the form of the wire.

use std::fmt;
use std::net::IpAddr;

use crate::error::{Reason, ValueError};
use crate::mail::domain_name::{self, DomainNameError};

/// RFC 5321 section 4.5.3.1.1, in octets of UTF-8.
const MAX_LOCAL_PART: usize = 64;
/// RFC 5321 section 4.5.3.1.3: a path has 256 octets, and `<` and `>` belong to it.
const MAX_ADDRESS: usize = 254;

/// A mailbox `local-part@domain`: no CR, LF, NUL or space, no quoted local part, no address literal;
/// the domain is ASCII after IDNA, in lower case, with at least two labels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// Each text ends a sentence that begins with the field's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    #[error("is empty")]
    Empty,
    #[error("is not an email address: there is no @")]
    NoAt,
    #[error("contains more than one @; enter exactly one email address")]
    ManyAts,
    #[error("contains a space, a line break or another invisible character")]
    Invisible,
    #[error("has a quoted part before the @, which is not supported")]
    Quoted,
    #[error("contains `<`; enter exactly one email address, without a name")]
    DisplayName,
    #[error("contains `{0}`; enter exactly one email address, without a name")]
    Character(char),
    #[error("has nothing before the @")]
    NoLocalPart,
    #[error("has more than {MAX_LOCAL_PART} bytes before the @")]
    LongLocalPart,
    #[error("is longer than {MAX_ADDRESS} bytes")]
    TooLong,
    #[error("has a dot at the beginning or the end of the part before the @, or two in a row")]
    Dots,
    #[error("is in encoded form; enter the address itself")]
    EncodedWord,
    #[error("has an IP address after the @; enter a domain name")]
    AddressLiteral,
    #[error("has a domain of one part only after the @; enter the whole domain, such as example.com")]
    SingleLabel,
    #[error("has no valid domain: what follows the @ {0}")]
    Domain(#[from] DomainNameError),
}

impl ValueError for AddressError {
    fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::Empty,
            Self::Invisible => Reason::ContainsBlank,
            Self::DisplayName | Self::Character('>') => Reason::DisplayName,
            Self::ManyAts | Self::Character(',' | ';') => Reason::SeveralAddresses,
            Self::Character(_) => Reason::InvalidCharacter,
            Self::LongLocalPart | Self::TooLong => Reason::TooLong,
            Self::SingleLabel => Reason::IncompleteDomain,
            Self::AddressLiteral | Self::Domain(_) => Reason::NotADomainName,
            Self::NoAt | Self::Quoted | Self::NoLocalPart | Self::Dots | Self::EncodedWord => {
                Reason::NotAnEmailAddress
            }
        }
    }
}

impl EmailAddress {
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        // Nearly every address has these alone.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_+".contains(&byte);
        if !text.bytes().all(is_plain) {
            check_characters(text)?;
        }
        let (local_part, domain) = text.split_once('@').ok_or(AddressError::NoAt)?;
        if domain.contains('@') {
            return Err(AddressError::ManyAts);
        }
        check_local_part(local_part)?;
        let domain = mail_domain(domain)?;
        let text = [local_part, "@", &domain].concat();
        if text.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        Ok(Self { text, at: local_part.len() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// As people read it: the domain in its own script, where it cannot be mistaken for another one.
    pub fn to_unicode(&self) -> String {
        format!("{}@{}", self.local_part(), domain_name::to_unicode(self.domain()))
    }

    /// Whether both name the same mailbox: as nearly every server does, without a difference between capital and small
    /// letters.
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }

    /// Whether the server must offer SMTPUTF8 (RFC 6531): a local part beyond ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local_part().is_ascii()
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What no address holds, in the order in which it tells the mistake.
fn check_characters(text: &str) -> Result<(), AddressError> {
    if text.chars().any(|c| is_invisible(c) && c != ' ') {
        return Err(AddressError::Invisible);
    }
    // What tells the mistake comes before the blanks that go with it: `Ann <ann@example.com>`, `a@x.org, b@y.org`.
    if text.contains('<') {
        return Err(AddressError::DisplayName);
    }
    if text.contains(' ') {
        let separator = text.chars().find(|c| matches!(c, ';' | ','));
        return Err(separator.map_or(AddressError::Invisible, AddressError::Character));
    }
    if text.contains('"') {
        return Err(AddressError::Quoted);
    }
    if let Some(c) = text.chars().find(|c| ">(),;:\\".contains(*c)) {
        // An IPv6 literal has colons.
        return Err(if text.contains("@[") {
            AddressError::AddressLiteral
        } else {
            AddressError::Character(c)
        });
    }
    Ok(())
}

/// A dot-string of RFC 5321 section 4.1.2, with the characters that RFC 6531 section 3.3 adds.
fn check_local_part(local_part: &str) -> Result<(), AddressError> {
    if local_part.is_empty() {
        return Err(AddressError::NoLocalPart);
    }
    if local_part.len() > MAX_LOCAL_PART {
        return Err(AddressError::LongLocalPart);
    }
    if local_part.contains("=?") {
        return Err(AddressError::EncodedWord);
    }
    // The percent sign is one of `atext`, but stands for a route (RFC 5321 appendix F.2) or an escape.
    let is_dot_string =
        |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$&'*+-/=?^_`{|}~.".contains(c);
    if let Some(c) = local_part.chars().find(|c| !is_dot_string(*c)) {
        return Err(AddressError::Character(c));
    }
    if local_part.split('.').any(str::is_empty) {
        return Err(AddressError::Dots);
    }
    Ok(())
}

fn mail_domain(domain: &str) -> Result<String, AddressError> {
    if domain.starts_with('[') || domain.parse::<IpAddr>().is_ok() {
        return Err(AddressError::AddressLiteral);
    }
    let domain = domain_name::normalise(domain)?;
    if domain.contains('.') { Ok(domain) } else { Err(AddressError::SingleLabel) }
}

/// Invisible characters, and those that change how others are shown: spaces, controls, and the format characters
/// (general category Cf of Unicode 16, with the tags and the noncharacters beside them).
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_form_that_goes_on_the_wire() {
        let cases = [
            ("alice@example.com", "alice@example.com", false),
            ("Alice.B+tag@Example.COM", "Alice.B+tag@example.com", false),
            ("o'neil_{x}~=/?^`|!#$&*-@a-b.example", "o'neil_{x}~=/?^`|!#$&*-@a-b.example", false),
            ("info@例え.jp", "info@xn--r8jz45g.jp", false),
            ("jörg@example.com", "jörg@example.com", true),
            ("用户@例え.jp", "用户@xn--r8jz45g.jp", true),
            ("हिन्दी@example.com", "हिन्दी@example.com", true),
            ("a@example.com.", "a@example.com", false),
        ];
        for (text, expected, utf8) in cases {
            let address = EmailAddress::parse(text).unwrap();
            assert_eq!((address.as_str(), address.needs_smtputf8()), (expected, utf8), "{text}");
            assert_eq!(format!("{}@{}", address.local_part(), address.domain()), expected);
        }
    }

    /// Security case C1.
    #[test]
    fn no_line_break_in_any_form_is_taken() {
        for text in [
            "b@x>\r\nRCPT TO:<evil@y",
            "b@x.org\r\nRCPT TO:<evil@y.org>",
            "b@x.org\r",
            "b@x.org\n",
            "\nb@x.org",
            "b\r@x.org",
            "b@x\n.org",
            "b\0@x.org",
            "b@x.org\0",
            "b\u{2028}@x.org",
            "b@x.org\u{2029}",
            "b\u{85}c@x.org",
            "b\u{202e}c@x.org",
            "b\u{200b}@x.org",
            "b\u{feff}@x.org",
            "b\u{e0041}@x.org",
        ] {
            assert_eq!(EmailAddress::parse(text), Err(AddressError::Invisible), "{text:?}");
        }
        for text in ["b%0d%0a@x.org", "b@x%0d%0a.org", "b\\u000d\\u000a@x.org"] {
            assert!(EmailAddress::parse(text).is_err(), "{text:?}");
        }
    }

    /// Security case C2.
    #[test]
    fn exactly_one_address_is_taken() {
        let cases = [
            ("a@x.org,b@y.org", AddressError::Character(',')),
            ("a@x.org;b@y.org", AddressError::Character(';')),
            ("a@x.org b@y.org", AddressError::Invisible),
            ("a@x.org\tb@y.org", AddressError::Invisible),
            ("group:a@x.org,b@y.org;", AddressError::Character(':')),
            ("<a@x.org>", AddressError::DisplayName),
            ("Ann <a@x.org>", AddressError::DisplayName),
            ("Lee, Ann <a@x.org>", AddressError::DisplayName),
            ("a@x.org, b@y.org", AddressError::Character(',')),
            ("a@x.org; b@y.org", AddressError::Character(';')),
            ("a@x.org@y.org", AddressError::ManyAts),
            ("a.x.org", AddressError::NoAt),
            ("", AddressError::Empty),
        ];
        for (text, expected) in cases {
            assert_eq!(EmailAddress::parse(text), Err(expected), "{text:?}");
        }
    }

    /// Security case C3.
    #[test]
    fn no_quoting_no_comments_no_encoded_words_no_literals() {
        let cases = [
            ("\"evil@x.org x\"@y.org", AddressError::Invisible),
            ("\"evil@x.org\"@y.org", AddressError::Quoted),
            ("<a@x>b@y", AddressError::DisplayName),
            ("a(comment)@x.org", AddressError::Character('(')),
            ("a@(comment)x.org", AddressError::Character('(')),
            ("=?utf-8?q?x?=@x.org", AddressError::EncodedWord),
            ("=?utf-8?q?..?=@x.org", AddressError::EncodedWord),
            ("a@[127.0.0.1]", AddressError::AddressLiteral),
            ("a@[IPv6:::1]", AddressError::AddressLiteral),
            ("a@127.0.0.1", AddressError::AddressLiteral),
            ("a@127.1", AddressError::Domain(DomainNameError::Numeric)),
            ("a@x.123", AddressError::Domain(DomainNameError::Numeric)),
            ("a@localhost", AddressError::SingleLabel),
            ("a@x_y.test", AddressError::Domain(DomainNameError::Character('_'))),
            ("a@", AddressError::Domain(DomainNameError::Empty)),
            ("@x.org", AddressError::NoLocalPart),
            (".a@x.org", AddressError::Dots),
            ("a.@x.org", AddressError::Dots),
            ("a..b@x.org", AddressError::Dots),
            ("a%b@x.org", AddressError::Character('%')),
            ("a[@x.org", AddressError::Character('[')),
        ];
        for (text, expected) in cases {
            assert_eq!(EmailAddress::parse(text), Err(expected), "{text:?}");
        }
    }

    /// Security case C12.
    #[test]
    fn an_address_is_as_long_as_a_path_may_be() {
        let domain = |octets: usize| format!("{}com", "abcdefgh.".repeat(octets / 9));
        let local = "a".repeat(64);
        assert!(EmailAddress::parse(&format!("{local}@{}", domain(180))).is_ok());
        assert_eq!(EmailAddress::parse(&format!("a{local}@example.com")), Err(AddressError::LongLocalPart));
        assert_eq!(
            EmailAddress::parse(&format!("{}@example.com", "é".repeat(33))),
            Err(AddressError::LongLocalPart)
        );
        assert_eq!(EmailAddress::parse(&format!("{local}@{}", domain(198))), Err(AddressError::TooLong));
        assert!(EmailAddress::parse(&"a".repeat(321)).is_err());
        assert!(EmailAddress::parse(&format!("{local}@{}", "a.".repeat(128))).is_err());
    }
}
