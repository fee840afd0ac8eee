//! Parses the values of options, with faults that say what to write.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

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
}
