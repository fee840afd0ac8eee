//! Parses a host name or address as a tenant writes it, into one normal form.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::error::{Reason, ValueError};
use crate::mail::domain_name::{self, DomainNameError};

/// A host: a DNS name (ASCII, lower case, no final dot) or an IP literal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Host {
    Name(String),
    /// Canonical: an IPv4-mapped address is its IPv4 address.
    Address(IpAddr),
}

/// Each text ends a sentence that begins with the field's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostError {
    #[error("is a URL; enter only the name of the server")]
    Url,
    #[error("is an email address; enter the name of the mail server")]
    EmailAddress,
    #[error("contains a port; put the port into its own field")]
    Port,
    #[error("contains brackets; enter an IPv6 address without them")]
    Brackets,
    #[error("is an IPv6 address with a zone, which has a meaning on one machine only")]
    Scoped,
    #[error("is not a valid IPv6 address")]
    Ipv6,
    #[error("{0}")]
    Name(#[from] DomainNameError),
}

impl ValueError for HostError {
    fn reason(&self) -> Reason {
        match self {
            Self::Url => Reason::HostIsUrl,
            Self::EmailAddress => Reason::HostIsEmailAddress,
            Self::Port => Reason::HostHasPort,
            Self::Brackets => Reason::HostHasBrackets,
            Self::Scoped | Self::Ipv6 => Reason::NotAnIpAddress,
            Self::Name(error) => error.reason(),
        }
    }
}

impl Host {
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        // The standard library takes four plain decimal numbers only, and no leading zeros.
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        if text.contains("://") || text.contains(['/', '\\', '?', '#']) {
            return Err(HostError::Url);
        }
        if text.contains('@') {
            return Err(HostError::EmailAddress);
        }
        if text.contains(['[', ']']) {
            return Err(HostError::Brackets);
        }
        if let Some((before, after)) = text.split_once(':') {
            return Err(match text.split_once('%') {
                Some((address, _)) if address.parse::<Ipv6Addr>().is_ok() => HostError::Scoped,
                _ if !before.is_empty() && !after.contains(':') => HostError::Port,
                _ => HostError::Ipv6,
            });
        }
        Ok(Self::Name(domain_name::normalise(text)?))
    }

    /// As it is displayed, without a copy where it is a name.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Name(name) => Cow::Borrowed(name),
            Self::Address(address) => Cow::Owned(address.to_string()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_normal_form() {
        let cases = [
            ("SMTP.Example.com.", "smtp.example.com"),
            ("例え.jp", "xn--r8jz45g.jp"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("0:0:0:0:0:ffff:7f00:1", "127.0.0.1"),
            ("::127.0.0.1", "::7f00:1"),
        ];
        for (text, expected) in cases {
            let host = Host::parse(text).unwrap();
            assert_eq!(host.to_string(), expected, "{text}");
            assert_eq!(Host::parse(&host.to_string()), Ok(host), "{text}");
        }
        assert!(matches!(Host::parse("1.2.3.4.example.com"), Ok(Host::Name(_))));
    }

    /// Security case A2.
    #[test]
    fn only_a_strict_dotted_quad_is_an_ipv4_address() {
        let spellings = [
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0",
            "0x7f.1",
            "127.0.0.01",
            "2852039166",
            "0251.0376.0251.0376",
            "127.0.0.1.",
            "127.0.0.0x1",
            "0X7F.1",
            "1.2.3.4.5",
            "256.1.1.1",
            "１２７.0.0.1",
            "①②⑦.⓪.⓪.①",
        ];
        for text in spellings {
            assert_eq!(Host::parse(text), Err(HostError::Name(DomainNameError::Numeric)), "{text}");
        }
    }

    /// Security case A22.
    #[test]
    fn a_mistake_is_named() {
        let cases = [
            ("", HostError::Name(DomainNameError::Empty)),
            ("user@host", HostError::EmailAddress),
            ("host:25", HostError::Port),
            ("127.0.0.1:25", HostError::Port),
            ("host:", HostError::Port),
            ("host%eth0:25", HostError::Port),
            ("http://h", HostError::Url),
            ("smtp://user@h:25/", HostError::Url),
            ("h/path", HostError::Url),
            ("a\\b", HostError::Url),
            ("[::1]", HostError::Brackets),
            ("[::1]:25", HostError::Brackets),
            ("fe80::1%1", HostError::Scoped),
            ("fe80::1%eth0", HostError::Scoped),
            ("1::2::3", HostError::Ipv6),
            ("::ffff:127.1", HostError::Ipv6),
            (":25", HostError::Ipv6),
            ("%00", HostError::Name(DomainNameError::Character('%'))),
            ("a\0b", HostError::Name(DomainNameError::Blank)),
            ("a b", HostError::Name(DomainNameError::Blank)),
            (" 127.0.0.1", HostError::Name(DomainNameError::Blank)),
        ];
        for (text, expected) in cases {
            assert_eq!(Host::parse(text), Err(expected), "{text:?}");
        }
    }
}
