//! A mail address with a display name, as people write it: `Ada Lovelace <ada@example.com>`.

use std::fmt;

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use crate::error::{Reason, ValueError};
use crate::mail::address::{AddressError, EmailAddress};
use crate::mail::message::{HeaderText, HeaderTextError};

/// An address, and the name that is shown for it. The name is neither empty nor has spaces at its edges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailbox {
    name: Option<HeaderText>,
    address: EmailAddress,
}

/// A display name as it stands in a text.
enum Name<'a> {
    Quoted(&'a str),
    Unquoted(&'a str),
}

/// Each text ends a sentence that begins with the field's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MailboxError {
    #[error("{0}")]
    Address(#[from] AddressError),
    #[error("has a display name that {0}")]
    Name(#[from] HeaderTextError),
    #[error("has a display name whose quotation marks do not close before `<`")]
    Quotes,
    #[error("contains a `<` or `>` that does not enclose the address")]
    Brackets,
    #[error("contains more than one address; enter each as a string of its own")]
    SeveralAddresses,
    #[error("has a display name with special characters, but without quotation marks")]
    Unquoted,
}

impl ValueError for MailboxError {
    fn reason(&self) -> Reason {
        match self {
            Self::Address(error) => error.reason(),
            Self::Name(error) => error.reason(),
            Self::SeveralAddresses => Reason::SeveralAddresses,
            Self::Quotes | Self::Brackets | Self::Unquoted => Reason::NotAnEmailAddress,
        }
    }
}

impl Mailbox {
    pub fn new(name: Option<&HeaderText>, address: EmailAddress) -> Self {
        let name = name.map(|name| name.as_str().trim()).filter(|name| !name.is_empty());
        // A part of a text without control characters has none, and is no longer.
        let name = name.and_then(|name| HeaderText::parse(name).ok());
        Self { name, address }
    }

    /// Reads `ada@example.com`, `<ada@example.com>`, `Ada <ada@example.com>` or `"Lovelace, Ada" <ada@example.com>`. A
    /// name of encoded words (RFC 2047) is decoded.
    ///
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, MailboxError> {
        Self::parse_with(text, |name| {
            let is_list =
                matches!(name, Name::Unquoted(name) if name.contains('@') && name.contains([',', ';']));
            if is_list { Err(MailboxError::SeveralAddresses) } else { Ok(()) }
        })
    }

    /// Reads the one mailbox of a header, as every reader reads it: a name with special characters is quoted, and no
    /// encoded word goes on beyond the name, where some readers look for its end.
    ///
    /// # Errors
    /// As [`Mailbox::parse`].
    pub fn parse_header(value: &str) -> Result<Self, MailboxError> {
        let is_special = |c| "()[]:;@\\,".contains(c);
        Self::parse_with(value, |name| {
            let is_plain = match name {
                Name::Quoted(name) => name.rfind("=?") <= name.rfind("?="),
                Name::Unquoted(name) => {
                    !name.contains(is_special) && (!name.contains("=?") || is_all_encoded(name))
                }
            };
            if is_plain { Ok(()) } else { Err(MailboxError::Unquoted) }
        })
    }

    fn parse_with(
        text: &str,
        check_name: impl Fn(&Name<'_>) -> Result<(), MailboxError>,
    ) -> Result<Self, MailboxError> {
        let text = text.trim_matches(' ');
        if let Some(quoted) = text.strip_prefix('"') {
            let (name, rest) = quoted_string(quoted).ok_or(MailboxError::Quotes)?;
            check_name(&Name::Quoted(&name))?;
            return Self::named(&name, rest.trim_start_matches(' '));
        }
        let Some(start) = text.find('<') else {
            return Ok(Self { name: None, address: EmailAddress::parse(text)? });
        };
        let (name, address) = text.split_at(start);
        let name = name.trim_matches(' ');
        if name.contains('>') {
            return Err(MailboxError::Brackets);
        }
        if name.contains('"') {
            return Err(MailboxError::Quotes);
        }
        check_name(&Name::Unquoted(name))?;
        Self::named(&decode_words(name), address)
    }

    fn named(name: &str, address: &str) -> Result<Self, MailboxError> {
        let address = address.strip_prefix('<').ok_or(MailboxError::Quotes)?;
        let (address, rest) = address.split_once('>').ok_or(MailboxError::Brackets)?;
        if rest.contains('@') {
            return Err(MailboxError::SeveralAddresses);
        }
        if !rest.is_empty() || address.contains('<') {
            return Err(MailboxError::Brackets);
        }
        let name = HeaderText::parse(name)?;
        Ok(Self::new(Some(&name), EmailAddress::parse(address)?))
    }

    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(HeaderText::as_str)
    }

    pub fn address(&self) -> &EmailAddress {
        &self.address
    }
}

impl From<EmailAddress> for Mailbox {
    fn from(address: EmailAddress) -> Self {
        Self { name: None, address }
    }
}

/// As [`Mailbox::parse`] reads it again.
impl fmt::Display for Mailbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = self.name() else { return write!(formatter, "{}", self.address) };
        // What is neither a sign of this syntax nor the start of an encoded word reads as itself.
        if name.contains(|c| "\"\\<>()[]:;@,".contains(c)) || name.contains("=?") {
            write!(formatter, "\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), self.address)
        } else {
            write!(formatter, "{name} <{}>", self.address)
        }
    }
}

/// The text up to the closing quotation mark, without its backslashes, and what follows the mark.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut plain = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((plain, &text[at + 1..])),
            '\\' => plain.push(characters.next()?.1),
            c => plain.push(c),
        }
    }
    None
}

/// Whether a name consists of encoded words, each with its charset, its encoding and its text between question marks.
fn is_all_encoded(name: &str) -> bool {
    let is_word = |word: &str| {
        let inner = word.strip_prefix("=?").and_then(|word| word.strip_suffix("?="));
        inner.is_some_and(|inner| inner.split('?').count() == 3)
    };
    !name.is_empty() && name.split(' ').filter(|word| !word.is_empty()).all(is_word)
}

/// A name that consists of encoded words, decoded; any other as it is.
fn decode_words(name: &str) -> String {
    if !is_all_encoded(name) {
        return name.to_owned();
    }
    match MessageStream::new(format!("{name}\n").as_bytes()).parse_unstructured() {
        HeaderValue::Text(decoded) => decoded.into_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Result<(Option<String>, String), MailboxError> {
        let mailbox = Mailbox::parse(text)?;
        Ok((mailbox.name().map(str::to_owned), mailbox.address().to_string()))
    }

    #[test]
    fn every_usual_form_is_read() {
        for (text, name, address) in [
            ("ada@example.com", None, "ada@example.com"),
            (" ada@example.com ", None, "ada@example.com"),
            ("<ada@example.com>", None, "ada@example.com"),
            ("Ada <ada@Example.COM>", Some("Ada"), "ada@example.com"),
            ("Ada<ada@example.com>", Some("Ada"), "ada@example.com"),
            ("Ada  King  <ada@example.com>", Some("Ada  King"), "ada@example.com"),
            ("Jörg Müller <jörg@例え.jp>", Some("Jörg Müller"), "jörg@xn--r8jz45g.jp"),
            ("Lovelace, Ada <ada@example.com>", Some("Lovelace, Ada"), "ada@example.com"),
            ("Acme (Billing) <ada@example.com>", Some("Acme (Billing)"), "ada@example.com"),
            ("ada@example.com <ada@example.com>", Some("ada@example.com"), "ada@example.com"),
            ("\"Lovelace, Ada\" <ada@example.com>", Some("Lovelace, Ada"), "ada@example.com"),
            ("\"a \\\"b\\\" \\\\ <c>\"<ada@example.com>", Some("a \"b\" \\ <c>"), "ada@example.com"),
            ("\"a@x.org, b@y.org\" <ada@example.com>", Some("a@x.org, b@y.org"), "ada@example.com"),
            ("\"\" <ada@example.com>", None, "ada@example.com"),
            ("\"  \" <ada@example.com>", None, "ada@example.com"),
            ("=?utf-8?q?J=C3=B6rg?= <a@example.com>", Some("Jörg"), "a@example.com"),
            ("=?UTF-8?B?SsO2?= =?utf-8?b?cmc=?= <a@example.com>", Some("Jörg"), "a@example.com"),
            ("Ada =?utf-8?q?x?= <a@example.com>", Some("Ada =?utf-8?q?x?="), "a@example.com"),
            ("=?x?y?z?= <a@example.com>", Some("=?x?y?z?="), "a@example.com"),
            ("\"=?utf-8?q?x?=\" <a@example.com>", Some("=?utf-8?q?x?="), "a@example.com"),
        ] {
            let expected = (name.map(str::to_owned), address.to_owned());
            assert_eq!(parts(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_one_mailbox_is_refused() {
        let long = format!("{} <a@example.com>", "n".repeat(256));
        for (text, expected) in [
            ("", MailboxError::Address(AddressError::Empty)),
            ("Ada", MailboxError::Address(AddressError::NoAt)),
            ("Ada <>", MailboxError::Address(AddressError::Empty)),
            ("Ada <ada>", MailboxError::Address(AddressError::NoAt)),
            ("Ada <ada@example.com", MailboxError::Brackets),
            ("Ada ada@example.com>", MailboxError::Address(AddressError::Invisible)),
            ("Ada <<ada@example.com>>", MailboxError::Brackets),
            ("Ada > <ada@example.com>", MailboxError::Brackets),
            ("Ada <ada@example.com> x", MailboxError::Brackets),
            ("<a@x.org> <b@y.org>", MailboxError::SeveralAddresses),
            ("Ada <a@x.org>, Bob <b@y.org>", MailboxError::SeveralAddresses),
            ("a@x.org, Bob <b@y.org>", MailboxError::SeveralAddresses),
            ("a@x.org; Bob <b@y.org>", MailboxError::SeveralAddresses),
            ("a@x.org,b@y.org", MailboxError::Address(AddressError::Character(','))),
            ("\"Ada <ada@example.com>", MailboxError::Quotes),
            ("\"Ada\\", MailboxError::Quotes),
            ("\"Ada\" ada@example.com", MailboxError::Quotes),
            ("Ada \"x\" <ada@example.com>", MailboxError::Quotes),
            (&long, MailboxError::Name(HeaderTextError::TooLong(255))),
        ] {
            assert_eq!(parts(text), Err(expected), "{text:?}");
        }
    }

    /// Security cases C1, C5.
    #[test]
    fn no_mailbox_holds_a_line_break() {
        for text in [
            "Eve\r\nBcc: x@y.org <a@example.com>",
            "Eve\r <a@example.com>",
            "\"Eve\n\" <a@example.com>",
            "\"Eve\\\n\" <a@example.com>",
            "Eve\0 <a@example.com>",
            "Eve\u{2028} <a@example.com>",
            "=?utf-8?q?Eve=0D=0ABcc:_x@y.org?= <a@example.com>",
            "=?utf-8?b?RXZlDQpCY2M6IHhAeS5vcmc=?= <a@example.com>",
        ] {
            assert_eq!(parts(text), Err(MailboxError::Name(HeaderTextError::ControlCharacter)), "{text:?}");
        }
        for text in ["Ada <a@example.com\r\n>", "a@example.com\n", "\ta@example.com", "<a@example.com>\r\n"] {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_header_is_read_only_where_no_two_readers_differ() {
        for text in ["ada@example.com", "Ada K. <ada@example.com>", "\"a@x.org\" <ada@example.com>"] {
            assert_eq!(Mailbox::parse_header(text).unwrap().address().as_str(), "ada@example.com");
        }
        for text in ["a@x.org <ada@example.com>", "Lovelace, Ada <ada@example.com>", "x: <ada@example.com>"] {
            assert_eq!(Mailbox::parse_header(text), Err(MailboxError::Unquoted), "{text:?}");
        }
        // Some readers see one encoded word, up to the second `?=`.
        for text in [
            "=?utf-8?q?J?= =?utf-8?q?_M <?=@example.com>",
            "=?utf-8?q?M<?=@example.com>",
            "J =?utf-8?q?M?= <ada@example.com>",
            "\"=?utf-8?q?M\" <?=@example.com>",
            "\"=?utf-8?q?M?= =?utf-8?q?J\" <?=@example.com>",
        ] {
            assert_eq!(Mailbox::parse_header(text), Err(MailboxError::Unquoted), "{text:?}");
        }
        for text in ["=?utf-8?q?M?= =?utf-8?q?J?= <ada@example.com>", "\"=?utf-8?q?M?=\" <ada@example.com>"] {
            assert!(Mailbox::parse_header(text).is_ok(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(name in "\\PC{0,40}|[ -~]{0,40}") {
            let address = EmailAddress::parse("ada@example.com").unwrap();
            let name = HeaderText::parse(&name);
            prop_assume!(name.is_ok());
            let mailbox = Mailbox::new(name.ok().as_ref(), address);
            prop_assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox));
        }

        #[test]
        fn no_text_leads_to_a_line_break(text in any::<String>()) {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                prop_assert!(!mailbox.to_string().contains(['\r', '\n', '\0']));
            }
        }
    }
}
