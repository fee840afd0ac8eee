//! Each language has every text and no other, with the same placeholders and commands.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use super::Language;
use super::catalogue::{entries, file};
use crate::http::api::checks;
use crate::providers::microsoft365::setup;
use crate::{dev, diagnosis, email_config, mail_services, providers};

/// Every English text that a client can read and that is translated, once each.
fn all_texts() -> Vec<&'static str> {
    let mut texts = diagnosis::texts();
    texts.extend(email_config::texts());
    texts.extend(setup::TEXTS);
    texts.extend(providers::texts());
    texts.extend(mail_services::texts());
    texts.extend(checks::texts());
    texts.extend(dev::pages::texts());
    let mut seen = HashSet::new();
    texts.retain(|text| seen.insert(*text));
    texts
}

fn translated() -> impl Iterator<Item = Language> {
    Language::ALL.into_iter().filter(|language| *language != Language::English)
}

/// `{host}` and the like.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|rest| rest.split_once('}').expect(text).0).collect()
}

/// What stays as it is in every language: commands and their arguments, protocols, addresses, codes and numbers.
fn fixed_words(english: &str) -> BTreeSet<&str> {
    let outside_braces =
        english.split('{').map(|rest| rest.split_once('}').map_or(rest, |(_, behind)| behind));
    let words =
        outside_braces.flat_map(|text| text.split(|c: char| c.is_whitespace() || "(),;:>'".contains(c)));
    words.map(|word| word.trim_matches(['.', '?', '!', '-'])).filter(|word| is_fixed(word)).collect()
}

fn is_fixed(word: &str) -> bool {
    let letters: Vec<char> = word.chars().collect();
    let is_cmdlet =
        word.split('-').count() == 2 && word.split('-').all(|part| part.starts_with(char::is_uppercase));
    let has_capitals_inside = letters.windows(2).any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
    let is_all_capitals = letters.len() > 1 && letters.iter().all(|c| c.is_uppercase() || *c == '-');
    let has_sign = word.starts_with('$') || word.trim_matches('/').contains(['.', '_', '/', '@', '=']);
    let has_digit = word.contains(|c: char| c.is_ascii_digit()) && !word.contains('-');
    is_cmdlet || has_capitals_inside || is_all_capitals || has_sign || has_digit
}

/// Whether `word` stands in `text` as it is, alone or as a part of a compound with hyphens.
fn keeps(text: &str, word: &str) -> bool {
    let bounds = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(word).any(|(start, _)| {
        bounds(text[..start].chars().next_back()) && bounds(text[start + word.len()..].chars().next())
    })
}

#[test]
fn every_language_has_every_text() {
    for language in translated() {
        let known: Vec<String> = entries(file(language))
            .expect("the file is good")
            .into_iter()
            .map(|entry| entry.english)
            .collect();
        let known: HashSet<&str> = known.iter().map(String::as_str).collect();
        let mut missing = String::new();
        for text in all_texts().into_iter().filter(|text| !known.contains(text)) {
            let _ = write!(missing, "\n[[text]]\nenglish = {text:?}\ntext = \"\"\n");
        }
        assert!(missing.is_empty(), "src/language/{}.toml lacks:\n{missing}", language.tag());
    }
}

#[test]
fn no_language_has_unused_texts() {
    let asked: HashSet<&str> = all_texts().into_iter().collect();
    for language in translated() {
        let mut seen = HashSet::new();
        for entry in entries(file(language)).expect("the file is good") {
            assert!(asked.contains(&*entry.english), "{}: stale: {:?}", language.tag(), entry.english);
            assert!(seen.insert(entry.english.clone()), "{}: twice: {:?}", language.tag(), entry.english);
        }
    }
}

#[test]
fn a_text_has_the_same_placeholders_in_every_language() {
    for language in translated() {
        for entry in entries(file(language)).expect("the file is good") {
            assert_eq!(placeholders(&entry.text), placeholders(&entry.english), "{}", entry.text);
        }
    }
}

#[test]
fn a_text_is_whole_and_ends_as_the_english_one() {
    let end = |text: &str| text.chars().last().filter(|sign| ".:!?".contains(*sign));
    for language in translated() {
        for entry in entries(file(language)).expect("the file is good") {
            let (english, text) = (&entry.english, &entry.text);
            assert!(!text.trim().is_empty(), "empty: {english}");
            assert!(text.trim() == text && !text.contains("  ") && !text.contains('\n'), "{text:?}");
            assert_eq!(end(text), end(english), "{english}\n{text}");
        }
    }
}

#[test]
fn names_of_commands_protocols_and_addresses_are_not_translated() {
    for language in translated() {
        for entry in entries(file(language)).expect("the file is good") {
            let (english, text) = (&entry.english, &entry.text);
            let lost: Vec<_> = fixed_words(english).into_iter().filter(|word| !keeps(text, word)).collect();
            assert!(lost.is_empty(), "{lost:?} in\n{english}\n{text}");
        }
    }
}

/// Arguments of commands have no form of their own: a command is kept from its name to the end of the text, in backticks.
#[test]
fn commands_are_kept_whole() {
    let mut commands = 0;
    for language in translated() {
        for entry in entries(file(language)).expect("the file is good") {
            let names = ["Set-", "Add-", "New-"].iter();
            let Some(start) = names.filter_map(|name| entry.english.find(&format!("`{name}"))).min() else {
                continue;
            };
            let command = &entry.english[start..];
            assert!(entry.text.ends_with(command), "{command}\n{}", entry.text);
            commands += 1;
        }
    }
    assert!(commands >= 5 * translated().count(), "the rules for Microsoft 365 have commands");
}

#[test]
fn fixed_words_are_recognised() {
    let text = "Run Set-CASMailbox {user} -SmtpClientAuthenticationDisabled $false by SMTP at 587 with SendAs, see \
                https://example.com/a. The e-mail of 2-Step is no word of that kind.";
    let found: Vec<_> = fixed_words(text).into_iter().collect();
    let expected = [
        "$false",
        "//example.com/a",
        "587",
        "SMTP",
        "SendAs",
        "Set-CASMailbox",
        "SmtpClientAuthenticationDisabled",
    ];
    assert_eq!(found, expected);
    assert!(keeps("Die SMTP-Anmeldung", "SMTP") && !keeps("SMTPUTF8", "SMTP"));
}

#[test]
fn missing_texts_are_rendered_in_english() {
    for language in Language::ALL {
        assert_eq!(language.text("No file has this."), "No file has this.");
    }
    assert_eq!(Language::German.text("the server"), "der Server");
}
