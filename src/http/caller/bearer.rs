//! Reads the API key or the token of the `Authorization` header, and says what is wrong with its form.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::auth::api_key;

/// What the header holds. Neither is verified yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bearer<'a> {
    Key(&'a str),
    Token(&'a str),
}

/// Why the header holds neither an API key nor a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeaderFault {
    Missing,
    Repeated,
    NotAscii,
    OtherScheme,
    Empty,
    SchemeTwice,
    Quoted,
    Blank,
    /// Neither the prefix of a key nor the three parts of a token.
    OtherForm,
}

impl HeaderFault {
    /// For the client.
    /// Whether no credential was sent.
    pub(super) fn is_empty(self) -> bool {
        matches!(self, Self::Missing | Self::Empty)
    }

    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::Missing => {
                "There is no Authorization header: send an API key or a token as Authorization: Bearer tsk_…"
            }
            Self::Repeated => "There is more than one Authorization header: send one.",
            Self::NotAscii => {
                "The Authorization header has a character that no API key or token has: copy the key again."
            }
            Self::OtherScheme => {
                "The Authorization header has to begin with the word Bearer: Authorization: Bearer tsk_…"
            }
            Self::Empty => {
                "The Authorization header holds no API key or token. Is the variable set that holds it?"
            }
            Self::SchemeTwice => "The word Bearer stands twice in the Authorization header: send it once.",
            Self::Quoted => "The API key or token is in quotes: send it without them.",
            Self::Blank => {
                "There is a blank in the API key or token: send it without blanks and line breaks."
            }
            Self::OtherForm => {
                "This is neither an API key of this service, which begins with tsk_, nor a token, which has three \
                 parts with dots between them."
            }
        }
    }
}

/// The content of exactly one `Authorization: Bearer …` header (RFC 6750 section 2.1; the scheme's case is free).
pub(super) fn read(headers: &HeaderMap) -> Result<Bearer<'_>, HeaderFault> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(HeaderFault::Missing)?;
    if values.next().is_some() {
        return Err(HeaderFault::Repeated);
    }
    let text = value.to_str().map_err(|_| HeaderFault::NotAscii)?;
    let text = text.trim();
    let (scheme, content) = text.split_once(' ').unwrap_or((text, ""));
    if !is_scheme(scheme) {
        return Err(HeaderFault::OtherScheme);
    }
    content_of(content.trim())
}

/// Of visible ASCII, tabs and spaces. A token has many hundred octets, so each look at them counts.
fn content_of(text: &str) -> Result<Bearer<'_>, HeaderFault> {
    let blank = memchr::memchr2(b' ', b'\t', text.as_bytes());
    let first_word = &text[..blank.unwrap_or(text.len())];
    if text.is_empty() {
        Err(HeaderFault::Empty)
    } else if is_scheme(first_word) {
        Err(HeaderFault::SchemeTwice)
    } else if text.starts_with(is_quote) || text.ends_with(is_quote) {
        Err(HeaderFault::Quoted)
    } else if blank.is_some() {
        Err(HeaderFault::Blank)
    } else if api_key::is_api_key(text) {
        Ok(Bearer::Key(text))
    } else if memchr::memchr_iter(b'.', text.as_bytes()).count() == 2 {
        Ok(Bearer::Token(text))
    } else {
        Err(HeaderFault::OtherForm)
    }
}

fn is_scheme(text: &str) -> bool {
    text.eq_ignore_ascii_case("Bearer")
}

fn is_quote(character: char) -> bool {
    ['"', '\'', '`'].contains(&character)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        values.map(|value| (AUTHORIZATION, value)).collect()
    }

    #[test]
    fn a_key_or_a_token_is_read_whatever_blanks_are_around_it() {
        for (value, expected) in [
            ("Bearer tsk_a", Bearer::Key("tsk_a")),
            ("bearer   tsk_a ", Bearer::Key("tsk_a")),
            ("BEARER a.b.c", Bearer::Token("a.b.c")),
            ("Bearer ..", Bearer::Token("..")),
        ] {
            assert_eq!(read(&headers(&[value])), Ok(expected), "{value}");
        }
    }

    #[test]
    fn every_other_form_has_a_fault_that_says_what_to_change() {
        for (values, expected) in [
            (&[][..], HeaderFault::Missing),
            (&["Bearer tsk_a", "Bearer tsk_a"], HeaderFault::Repeated),
            (&["Bearer “tsk_a”"], HeaderFault::NotAscii),
            (&["tsk_a"], HeaderFault::OtherScheme),
            (&["Basic dHNrX2E6"], HeaderFault::OtherScheme),
            (&[""], HeaderFault::OtherScheme),
            (&["Bearer"], HeaderFault::Empty),
            (&["Bearer "], HeaderFault::Empty),
            (&["Bearer Bearer tsk_a"], HeaderFault::SchemeTwice),
            (&["Bearer bearer"], HeaderFault::SchemeTwice),
            (&["Bearer \"tsk_a\""], HeaderFault::Quoted),
            (&["Bearer 'a.b.c"], HeaderFault::Quoted),
            (&["Bearer tsk_a b"], HeaderFault::Blank),
            (&["Bearer re_123"], HeaderFault::OtherForm),
            (&["Bearer sk_a"], HeaderFault::OtherForm),
            (&["Bearer a.b"], HeaderFault::OtherForm),
            (&["Bearer a.b.c.d"], HeaderFault::OtherForm),
        ] {
            let fault = read(&headers(values)).expect_err("no key and no token");
            assert_eq!(fault, expected, "{values:?}");
            assert!(fault.detail().ends_with(['.', '?', '…']), "{fault:?}");
        }
    }
}
