//! Translates what people read: diagnosis, advice, setup help, presets and messages.
//!
//! English is the source and stands in the code. Every other language is one file that maps English texts with
//! placeholders to its own; a missing text is rendered in English. `http` applies the language; below it a text is a
//! [`Text`]. See docs/translating.md.

mod catalogue;
mod negotiation;
#[cfg(test)]
mod tests;
mod text;

pub use text::{StoredText, Text};
pub(crate) use text::{fill, texts, values_in};

/// A language of the API.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Language {
    /// The source of all texts, and the default.
    #[default]
    English,
    German,
}

impl Language {
    /// In order of preference for a client that accepts any.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The tag of RFC 5646, for `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// Chooses the language for these values of `Accept-Language`; English where none matches.
    pub fn accepted<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        negotiation::accepted(values)
    }

    /// The template in this language; the English one where it is missing.
    pub fn text(self, english: &str) -> &str {
        catalogue::texts(self).and_then(|texts| texts.get(english)).map_or(english, String::as_str)
    }
}
