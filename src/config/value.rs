//! Parses, describes and displays the value of one setting.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::host_pace::HostPace;
use crate::json::is_deceptive;
use crate::secret::Secret;

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    /// In the file, with a type.
    Toml(&'a toml::Value),
    /// In a variable, as text.
    Text(&'a str),
}

impl Input<'_> {
    /// The value for an error message. Never called for a secret.
    pub(super) fn show(self) -> String {
        match self {
            Self::Toml(value) => value.to_string(),
            Self::Text(text) => format!("{text:?}"),
        }
    }

    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Toml(value) => value.as_str().map(str::to_owned),
            Self::Text(text) => Some(text.trim().to_owned()),
        }
    }
}

/// What a value has to satisfy beyond its type. Of a list, every entry has to.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    Any,
    /// Both ends included.
    Between(i64, i64),
    StartsWith(&'static [&'static str]),
    /// A name that a page shows, of at most so many characters.
    Name(usize),
}

impl Rule {
    fn admits_number(self, number: i64) -> bool {
        match self {
            Self::Between(least, most) => (least..=most).contains(&number),
            _ => true,
        }
    }

    fn admits_text(self, text: &str) -> bool {
        match self {
            // There has to be something after the start.
            Self::StartsWith(starts) => {
                starts.iter().any(|start| text.strip_prefix(start).is_some_and(|rest| !rest.is_empty()))
            }
            Self::Name(most) => {
                (1..=most).contains(&text.trim().chars().count()) && !text.chars().any(is_deceptive)
            }
            _ => !text.is_empty(),
        }
    }

    fn describe_text(self, noun: &str) -> String {
        match self {
            Self::StartsWith(starts) => list_of(starts, &format!("{noun} that starts with")),
            Self::Name(most) => format!(
                "{noun} of 1 to {most} characters, without control characters and without those that turn the direction of \
                 reading"
            ),
            _ => noun.to_owned(),
        }
    }
}

pub(super) fn list_of(words: &[&str], before: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{before} {} or {last}", rest.join(", ")),
        _ => format!("{before} {}", quoted.join("")),
    }
}

/// A type that a setting may have.
pub(super) trait Value: Sized {
    const IS_SECRET: bool = false;

    /// What a value looks like, to follow "expected".
    fn expected(rule: Rule) -> String;

    /// None where the value is not as [`Value::expected`] says.
    fn read(input: Input<'_>, rule: Rule) -> Option<Self>;

    /// The same for a value of a file in this folder: a relative path begins there.
    fn relative_to(self, _folder: &Path) -> Self {
        self
    }

    /// What stands for a setting that is left out; only an optional one has it.
    fn unset() -> Option<Self> {
        None
    }

    /// As it would stand in the file, with `***` for a secret; what is not set is none.
    fn show(&self) -> Option<String>;
}

impl Value for String {
    fn expected(rule: Rule) -> String {
        rule.describe_text("a text")
    }

    fn read(input: Input<'_>, rule: Rule) -> Option<Self> {
        input.text().filter(|text| rule.admits_text(text))
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for Secret {
    const IS_SECRET: bool = true;

    fn expected(rule: Rule) -> String {
        rule.describe_text("a text")
    }

    fn read(input: Input<'_>, rule: Rule) -> Option<Self> {
        input.text().filter(|text| rule.admits_text(text)).map(Self::new)
    }

    fn show(&self) -> Option<String> {
        Some(quoted("***"))
    }
}

macro_rules! integer {
    ($($type:ty),+) => {$(
        impl Value for $type {
            fn expected(rule: Rule) -> String {
                let (least, most) = match rule {
                    Rule::Between(least, most) => (least, most),
                    _ => (0, i64::try_from(<$type>::MAX).unwrap_or(i64::MAX)),
                };
                format!("an integer from {least} to {most}")
            }

            fn read(input: Input<'_>, rule: Rule) -> Option<Self> {
                let number = match input {
                    Input::Toml(value) => value.as_integer()?,
                    Input::Text(text) => text.trim().parse().ok()?,
                };
                Self::try_from(number).ok().filter(|_| rule.admits_number(number))
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+};
}

integer!(u16, u32, u64, usize);

impl Value for bool {
    fn expected(_rule: Rule) -> String {
        "`true` or `false`".to_owned()
    }

    fn read(input: Input<'_>, _rule: Rule) -> Option<Self> {
        match input {
            Input::Toml(value) => value.as_bool(),
            Input::Text(text) => text.trim().parse().ok(),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! parsed {
    ($($type:ty: $expected:literal),+) => {$(
        impl Value for $type {
            fn expected(_rule: Rule) -> String {
                $expected.to_owned()
            }

            fn read(input: Input<'_>, _rule: Rule) -> Option<Self> {
                input.text()?.parse().ok()
            }

            fn show(&self) -> Option<String> {
                Some(quoted(&self.to_string()))
            }
        }
    )+};
}

parsed!(
    SocketAddr: "an IP address with a port, such as `127.0.0.1:8080` or `[::1]:8080`",
    IpNet: "a network, such as `10.0.0.0/8`",
    HostPace: "a host with at least one of `connections` (1 to 64), `per_minute`, `burst` and `per_day`, such as \
               `smtp.example.com per_minute=600`"
);

impl Value for PathBuf {
    fn expected(_rule: Rule) -> String {
        "a path".to_owned()
    }

    fn read(input: Input<'_>, _rule: Rule) -> Option<Self> {
        input.text().filter(|text| !text.is_empty()).map(Self::from)
    }

    fn relative_to(self, folder: &Path) -> Self {
        folder.join(self)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

impl<T: Value> Value for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn expected(rule: Rule) -> String {
        T::expected(rule)
    }

    /// An empty variable is as good as none: it is how a template leaves a setting out.
    fn read(input: Input<'_>, rule: Rule) -> Option<Self> {
        match input {
            Input::Text(text) if text.trim().is_empty() => Some(None),
            _ => T::read(input, rule).map(Some),
        }
    }

    fn relative_to(self, folder: &Path) -> Self {
        self.map(|value| value.relative_to(folder))
    }

    fn unset() -> Option<Self> {
        Some(None)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

impl<T: Value> Value for Vec<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn expected(rule: Rule) -> String {
        format!("a list, each entry {}", T::expected(rule))
    }

    fn read(input: Input<'_>, rule: Rule) -> Option<Self> {
        match input {
            Input::Toml(value) => {
                value.as_array()?.iter().map(|entry| T::read(Input::Toml(entry), rule)).collect()
            }
            Input::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty())
                .map(|entry| T::read(Input::Text(entry), rule))
                .collect(),
        }
    }

    fn show(&self) -> Option<String> {
        let entries: Vec<String> = self.iter().filter_map(T::show).collect();
        Some(format!("[{}]", entries.join(", ")))
    }
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
