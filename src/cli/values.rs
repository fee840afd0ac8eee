//! Parses the values of options, with faults that say what to write.

use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use uuid::Uuid;

use crate::auth::api_key;

/// Parses a whole number within a range.
pub(super) fn whole_number<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("write a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Parses an id. The fault does not repeat what is none: it may be a secret.
#[derive(Clone, Copy)]
pub(super) enum IdParser {
    /// Of an API key; the key itself, or its beginning up to the second `_`, names it too.
    ApiKey,
    Email,
}

impl IdParser {
    fn read(self, text: &str) -> Option<Uuid> {
        let id = Uuid::try_parse(text.trim()).ok();
        id.or_else(|| matches!(self, Self::ApiKey).then(|| api_key::id_of(text.trim())).flatten())
    }

    fn fault(self) -> &'static str {
        match self {
            Self::ApiKey => {
                "this is no id of an API key: write one such as 0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a, or the beginning of \
                 the key with its id, tsk_…; `transports api-keys ls --tenant TENANT` lists the keys with their ids and names"
            }
            Self::Email => {
                "this is no id of an email: write one such as 019b77d2-51b3-7c1a-9c4e-5d7a1e0b2f63; `transports queue ls` \
                 lists them, and the send API and the log name them"
            }
        }
    }
}

impl TypedValueParser for IdParser {
    type Value = Uuid;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Uuid, clap::Error> {
        let id = value.to_str().and_then(|text| self.read(text));
        id.ok_or_else(|| command.clone().error(ErrorKind::ValueValidation, self.fault()))
    }
}

/// Parses the name of a profile.
pub(super) fn profile_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("write 1 to 64 letters, digits, dots, hyphens or underscores".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_to_write() {
        let port = whole_number::<u16>(1..=65_535);
        assert_eq!((port("587"), port(" 25 ")), (Ok(587), Ok(25)));
        for text in ["abc", "0", "65536", "-1", "5.5", "", "99999999999999999999"] {
            assert_eq!(port(text), Err("write a whole number from 1 to 65535".to_owned()), "{text}");
        }
        assert!(profile_name("eu-west.1").is_ok());
        for text in ["", "a b", "../a", "ä", &"a".repeat(65)] {
            assert!(profile_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_named_by_its_id_or_its_beginning_and_what_is_neither_is_not_repeated() {
        const ID: &str = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a";
        let parse = |parser: IdParser, text: &str| {
            parser.parse_ref(&Command::new("transports"), None, OsStr::new(text))
        };
        let expected = Uuid::try_parse(ID).unwrap();
        let beginning = format!("tsk_{}", expected.simple());
        let whole = format!("{beginning}_SECRET");
        for text in [ID, &beginning, &whole, &format!(" {ID} ")] {
            assert_eq!(parse(IdParser::ApiKey, text).unwrap(), expected, "{text}");
        }
        for (parser, text, list) in [
            (IdParser::ApiKey, "first", "api-keys ls"),
            (IdParser::ApiKey, "tsk_SECRET", "api-keys ls"),
            (IdParser::Email, "nonsense", "queue ls"),
            (IdParser::Email, whole.as_str(), "queue ls"),
        ] {
            let fault = parse(parser, text).unwrap_err().to_string();
            assert!(fault.contains(list) && !fault.contains(text) && !fault.contains("SECRET"), "{fault}");
        }
    }
}
