//! Loads the texts of each language from its file, once.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Language;

/// Maps English texts to those of the language.
pub(super) type Catalogue = HashMap<String, String>;

/// One `[[text]]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The text in the source code.
    pub english: String,
    pub text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    text: Vec<Entry>,
}

/// `None` for English, which needs no file.
pub(super) fn texts(language: Language) -> Option<&'static Catalogue> {
    static GERMAN: LazyLock<Catalogue> = LazyLock::new(|| load(Language::German));
    match language {
        Language::English => None,
        Language::German => Some(&GERMAN),
    }
}

/// The file of a language, which is part of the binary.
pub(super) fn file(language: Language) -> &'static str {
    match language {
        Language::English => "text = []",
        Language::German => include_str!("de.toml"),
    }
}

/// The entries in their order.
///
/// # Errors
/// The file is malformed.
pub(super) fn entries(file: &str) -> Result<Vec<Entry>, toml::de::Error> {
    toml::from_str(file).map(|File { text }| text)
}

/// A malformed file would leave everything in English; the tests find that.
fn load(language: Language) -> Catalogue {
    let entries = entries(file(language)).unwrap_or_default();
    entries.into_iter().map(|entry| (entry.english, entry.text)).collect()
}
