//! The languages of what a person reads: texts of diagnosis, advice, setup help and presets.
//!
//! English is the source and stands where a text is made. Every other language is one file that maps the
//! English text, with its placeholders, to its own; what is missing there is said in English. The language is
//! applied at the rim, in `http`: inside, a text travels as [`Text`], or as the failure that it tells of.

mod catalogue;
mod negotiation;
#[cfg(test)]
mod tests;
mod text;

pub use text::Text;
pub(crate) use text::{fill, texts, values_in};

/// A language in which the API can speak.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Language {
    /// The source of all texts, and what is spoken where nothing else is asked for.
    #[default]
    English,
    German,
}

impl Language {
    /// In the order in which they are offered to somebody who takes any.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The tag of RFC 5646, for `Content-Language`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language for a request with these values of `Accept-Language`: English where none is asked for that
    /// there is.
    #[must_use]
    pub fn accepted<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        negotiation::accepted(values)
    }

    /// The text in this language, its placeholders still in braces; the English one where there is no other.
    #[must_use]
    pub fn text(self, english: &str) -> &str {
        catalogue::of(self).and_then(|texts| texts.get(english)).map_or(english, String::as_str)
    }
}
