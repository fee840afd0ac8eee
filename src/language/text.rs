//! Texts with placeholders, rendered later in a chosen language.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Language;

/// Declares texts as constants, with `TEXTS` for the test that every language has them all.
macro_rules! texts {
    ($($(#[$meta:meta])* $visibility:vis $name:ident = $text:expr;)+) => {
        $($(#[$meta])* $visibility const $name: &str = $text;)+
        /// All of the above.
        #[cfg(test)]
        pub(crate) const TEXTS: &[&str] = &[$($name),+];
    };
}
pub(crate) use texts;

/// An English template with values, to be rendered in a language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    template: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Text {
    pub fn new(template: &'static str) -> Self {
        Self { template, values: Vec::new() }
    }

    /// Adds a value for the placeholder `{name}`. Values are not translated.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    pub fn render(&self, language: Language) -> String {
        fill(language.text(self.template), |name| {
            self.values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        })
    }
}

/// A [`Text`] as it is stored: a later version renders it although its own texts are others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredText {
    template: String,
    values: BTreeMap<String, String>,
}

impl From<Text> for StoredText {
    fn from(text: Text) -> Self {
        let values = text.values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { template: text.template.to_owned(), values }
    }
}

impl StoredText {
    pub fn render(&self, language: Language) -> String {
        fill(language.text(&self.template), |name| self.values.get(name).cloned().unwrap_or_default())
    }
}

/// Fills a template in one pass, so that values that look like placeholders are not filled again.
pub(crate) fn fill(template: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut text = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, behind)) => {
                text.push_str(&value(name));
                rest = behind;
            }
            None => rest = after,
        }
    }
    text.push_str(rest);
    text
}

/// The inverse of [`fill`]: the values with which `template` renders as `text`, by name. `None` where there are none.
///
/// A value ends at the first occurrence of the template's next words; the last one ends with the text.
pub(crate) fn values_in<'t, 'v>(template: &'t str, text: &'v str) -> Option<Vec<(&'t str, &'v str)>> {
    let mut pieces = template.split('{');
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut values: Vec<(&str, &str)> = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let (name, words) = piece.split_once('}')?;
        let end = if pieces.peek().is_none() {
            rest.len().checked_sub(words.len()).filter(|end| rest.get(*end..) == Some(words))?
        } else {
            rest.find(words)?
        };
        let value = &rest[..end];
        if values.iter().any(|(known, other)| *known == name && *other != value) {
            return None;
        }
        values.push((name, value));
        rest = &rest[end + words.len()..];
    }
    rest.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_like_placeholders_stay_what_they_are() {
        let text = Text::new("{a} and {b} {").with("a", "{b}").with("b", "{a}");
        assert_eq!(text.render(Language::English), "{b} and {a} ");
    }

    #[test]
    fn what_was_filled_can_be_read_back() {
        type Values = Option<&'static [(&'static str, &'static str)]>;
        let cases: [(&str, &str, Values); 9] = [
            ("No sign", "No sign", Some(&[])),
            ("No sign", "No sign.", None),
            ("{host} refused", "mail.example.com refused", Some(&[("host", "mail.example.com")])),
            ("Port {port} of {host}!", "Port 25 of a!!", Some(&[("port", "25"), ("host", "a!")])),
            ("Not complete: {missing}", "Not complete: a, b", Some(&[("missing", "a, b")])),
            ("{a}, {a}", "x, x", Some(&[("a", "x"), ("a", "x")])),
            ("{a}, {a}", "x, y", None),
            ("{host} refused", "something else", None),
            ("at {a} ü", "at ü", None),
        ];
        for (template, text, values) in cases {
            assert_eq!(values_in(template, text).as_deref(), values, "{template}");
        }
    }
}
