//! Command lines (RFC 5321 section 4.1): verbs, and the arguments of MAIL, RCPT and BDAT.

use super::Transaction;
use super::reply::{FixedReply, SYNTAX, UNKNOWN_PARAMETER};

/// Octets of a command line with its CR LF (RFC 5321 section 4.5.3.1.4).
const MAX_LINE: usize = 512;
/// SIZE, BODY, SMTPUTF8 and AUTH make MAIL longer (RFC 1870, 6152, 6531, 4954).
const MAX_ENVELOPE_LINE: usize = 4_096;
/// RFC 4954 section 4.
pub(super) const MAX_AUTH_LINE: usize = 12_288;

/// Octets of a path with its brackets (RFC 5321 section 4.5.3.1.3).
const MAX_PATH: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    /// A command of RFC 821 or a later RFC that this server does not have.
    NotImplemented,
    /// A browser was led here: what it sends next may look like commands.
    Http,
    Unknown,
}

impl Verb {
    fn parse(text: &str) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "EHLO" => Self::Ehlo,
            "HELO" => Self::Helo,
            "STARTTLS" => Self::StartTls,
            "AUTH" => Self::Auth,
            "MAIL" => Self::Mail,
            "RCPT" => Self::Rcpt,
            "DATA" => Self::Data,
            "BDAT" => Self::Bdat,
            "RSET" => Self::Rset,
            "NOOP" => Self::Noop,
            "VRFY" => Self::Vrfy,
            "EXPN" => Self::Expn,
            "HELP" => Self::Help,
            "QUIT" => Self::Quit,
            "TURN" | "ETRN" | "ATRN" | "SEND" | "SOML" | "SAML" | "BURL" => Self::NotImplemented,
            "GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "CONNECT" | "DELETE" | "PATCH" | "TRACE" => {
                Self::Http
            }
            _ => Self::Unknown,
        }
    }

    /// Octets of the longest line with its CR LF. What is unknown is refused as that, however long.
    pub(super) fn max_line(self) -> usize {
        match self {
            Self::Auth | Self::Unknown => MAX_AUTH_LINE,
            Self::Mail | Self::Rcpt => MAX_ENVELOPE_LINE,
            _ => MAX_LINE,
        }
    }
}

/// A line's verb and arguments.
pub(super) fn split(line: &str) -> (Verb, &str) {
    let (verb, arguments) = line.split_once(' ').unwrap_or((line, ""));
    (Verb::parse(verb.trim_end()), arguments.trim())
}

/// `<address>` and its parameters.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Path<'a> {
    /// Without brackets and route; empty for `<>`.
    pub address: &'a str,
    pub parameters: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Path<'a> {
    /// `keyword` is `FROM` or `TO`. None where the syntax is wrong.
    pub(super) fn parse(arguments: &'a str, keyword: &str) -> Option<Self> {
        let (name, rest) = arguments.split_once(':')?;
        if !name.trim_end().eq_ignore_ascii_case(keyword) {
            return None;
        }
        // Many clients send a space here, although the RFC has none.
        let rest = rest.trim_start().strip_prefix('<')?;
        let end = end_of_path(rest)?;
        let (path, rest) = (&rest[..end], &rest[end + 1..]);
        if path.len() + 2 > MAX_PATH || path.chars().any(char::is_control) {
            return None;
        }
        if !(rest.is_empty() || rest.starts_with(' ')) {
            return None;
        }
        let parameters = rest
            .split_ascii_whitespace()
            .map(|parameter| match parameter.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (parameter, None),
            })
            .collect();
        Some(Self { address: without_route(path)?, parameters })
    }
}

impl Path<'_> {
    /// The transaction that MAIL begins.
    ///
    /// # Errors
    /// A parameter is unknown, malformed, or stands twice.
    pub(super) fn transaction(&self) -> Result<Transaction, FixedReply> {
        let sender = self.address.to_owned();
        let (mut size, mut body, mut auth, mut smtputf8) = (None, None, None, false);
        for (name, value) in &self.parameters {
            match (name.to_ascii_uppercase().as_str(), *value) {
                ("SIZE", Some(text)) if size.is_none() => {
                    let octets = parse_size(text).ok_or(SYNTAX)?;
                    size = Some(usize::try_from(octets).unwrap_or(usize::MAX));
                }
                ("BODY", Some(text)) if body.is_none() => {
                    let is_eight_bit = text.eq_ignore_ascii_case("8BITMIME");
                    if !is_eight_bit && !text.eq_ignore_ascii_case("7BIT") {
                        return Err(UNKNOWN_PARAMETER);
                    }
                    body = Some(is_eight_bit);
                }
                ("AUTH", Some(text)) if auth.is_none() => {
                    auth = Some(()).filter(|()| text == "<>" || is_xtext(text));
                    auth.ok_or(SYNTAX)?;
                }
                ("SMTPUTF8", None) if !smtputf8 => smtputf8 = true,
                ("SIZE" | "BODY" | "AUTH" | "SMTPUTF8", _) => return Err(SYNTAX),
                _ => return Err(UNKNOWN_PARAMETER),
            }
        }
        let is_eight_bit = body.unwrap_or_default();
        Ok(Transaction { sender, recipients: Vec::new(), size, is_eight_bit, smtputf8 })
    }
}

/// A route is accepted and ignored (RFC 5321 section 4.1.1.3 and appendix C).
fn without_route(path: &str) -> Option<&str> {
    if !path.starts_with('@') {
        return Some(path);
    }
    let mut is_literal = false;
    let end = path.find(|c| {
        is_literal = c == '[' || is_literal && c != ']';
        c == ':' && !is_literal
    })?;
    Some(&path[end + 1..]).filter(|address| !address.is_empty())
}

/// The index of the closing bracket, outside of quoted strings. A space is allowed in quoted strings only.
fn end_of_path(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            b' ' | b'<' if !quoted => return None,
            _ => {}
        }
    }
    None
}

/// Whether a parameter's value is xtext (RFC 3461 section 4).
pub(super) fn is_xtext(value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let is_valid = match byte {
            b'+' => [bytes.next(), bytes.next()]
                .into_iter()
                .all(|digit| digit.is_some_and(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'))),
            b'=' => false,
            _ => byte.is_ascii_graphic(),
        };
        if !is_valid {
            return false;
        }
    }
    true
}

/// The size that stands in a parameter or in BDAT: 1 to 20 digits (RFC 1870 section 4, RFC 3030 section 2).
pub(super) fn parse_size(text: &str) -> Option<u128> {
    let is_number = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// The arguments of BDAT: the octets that follow, and whether they are the last.
pub(super) fn parse_chunk(arguments: &str) -> Option<(u128, bool)> {
    let mut words = arguments.split_ascii_whitespace();
    let size = parse_size(words.next()?)?;
    let is_last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
    };
    words.next().is_none().then_some((size, is_last))
}

/// The name that a client gives itself, as [`super::Client::hello`] promises; none where it cannot be one.
pub(super) fn parse_hello(arguments: &str) -> Option<String> {
    let name = arguments.split_ascii_whitespace().next()?;
    if name.len() > 255 || name.chars().any(char::is_control) {
        return None;
    }
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    Some(name.chars().map(|c| if is_harmless(c) { c } else { '?' }).collect())
}
