//! The identifier of a message (RFC 5322 section 3.6.4).

use std::fmt;

use uuid::Uuid;

use crate::mail::address::EmailAddress;

/// `<left@right>`, as it stands in the header: printable ASCII without spaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageId(String);

impl MessageId {
    /// Fits on a line, with the header's name.
    const MAX_OCTETS: usize = 900;

    /// One that no other message has.
    pub fn random(sender: &EmailAddress) -> Self {
        Self(format!("<{}@{}>", Uuid::new_v4(), sender.domain()))
    }

    /// `None` for what is no identifier in angle brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let (left, right) = text.strip_prefix('<')?.strip_suffix('>')?.split_once('@')?;
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>@\"\\".contains(&byte))
        };
        let fits = text.len() <= Self::MAX_OCTETS && is_plain(left) && is_plain(right);
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_two_parts_in_angle_brackets() {
        for (text, good) in [
            ("<a.b-c_d$1@example.com>", true),
            ("<1@[10.0.0.1]>", true),
            ("a@example.com", false),
            ("<a>", false),
            ("<@example.com>", false),
            ("<a@>", false),
            ("<a@b@c>", false),
            ("<a b@example.com>", false),
            ("<a@example.com>\r\nBcc: <x@y.org>", false),
            ("<a\r\n@example.com>", false),
            ("<\"a\"@example.com>", false),
            ("<ä@example.com>", false),
        ] {
            assert_eq!(MessageId::parse(text).is_some(), good, "{text:?}");
        }
        assert_eq!(MessageId::parse(&format!("<{}@example.com>", "a".repeat(900))), None);
    }
}
