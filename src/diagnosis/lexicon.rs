//! What the words of a reply are about. The words are data, in `lexicon.toml`, by concept and language.
//!
//! A phrase is a row of words. `word*` is a stem, `*word` an ending, `one|other` either, and `..` up to three words
//! of any kind. `@from`, `@to`, `@` and `@ip` are a mail address (the sender's, the recipient's, any) and an IP
//! address. Chinese and Japanese are compared character by character.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use super::words::{self, Word};

/// What a reply can be about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Concept {
    SignInWanted,
    SignInFailed,
    Relaying,
    Sender,
    SenderRefused,
    SenderNotOwned,
    SenderNotVerified,
    SenderListed,
    Recipient,
    UserUnknown,
    MailboxUnavailable,
    MailboxDisabled,
    MailboxFull,
    OwnMailbox,
    Quota,
    RecipientRate,
    RecipientPolicy,
    TooManyRecipients,
    Amount,
    Credits,
    NotActivated,
    Sandbox,
    TooManyConnections,
    TooManySignIns,
    ClientRefused,
    ClientHost,
    ClientHostRefused,
    ClientAddress,
    ReverseDns,
    EhloName,
    Reputation,
    Spam,
    Virus,
    Content,
    MessageForm,
    MailLoop,
    MessageRefused,
    Policy,
    MailAuthentication,
    AntiSpoofing,
    AuthorizationCode,
    AppPassword,
    WeakPassword,
    BadCredentials,
    CredentialsEnded,
    ProtocolOff,
    AccountBlocked,
    ServiceSuspended,
    WebLogin,
    DomainNotFound,
    MxMissing,
    TooLarge,
    Later,
    NoRetry,
    ServerTrouble,
    Greylisting,
    Encryption,
    TlsVersion,
    MechanismUnsupported,
    AuthNotOffered,
    CommandSequence,
    CommandRefused,
}

/// The concepts of one reply, each with the last line that speaks of it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Concepts(BTreeMap<Concept, usize>);

impl Concepts {
    pub fn has(&self, concept: Concept) -> bool {
        self.0.contains_key(&concept)
    }

    /// Of two that both were said, whether the first was said on a later line.
    pub fn is_later(&self, one: Concept, other: Concept) -> bool {
        matches!((self.0.get(&one), self.0.get(&other)), (Some(one), Some(other)) if one > other)
    }

    #[cfg(test)]
    pub fn names(&self) -> Vec<Concept> {
        self.0.keys().copied().collect()
    }
}

/// The concepts in these words.
pub(super) fn concepts(words: &[Word]) -> Concepts {
    static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::parse(FILE).unwrap_or_default());
    LEXICON.find(words)
}

const FILE: &str = include_str!("lexicon.toml");

/// The longest run of words that `..` stands for.
const MAX_GAP: usize = 3;

#[derive(Default)]
struct Lexicon {
    phrases: Vec<(Concept, Vec<Part>)>,
    /// The phrases by the first character of their first word; those that begin with an ending have none.
    by_start: HashMap<char, Vec<usize>>,
    by_ending: Vec<usize>,
}

enum Part {
    Gap,
    OneOf(Vec<Pattern>),
}

enum Pattern {
    Whole(String),
    Stem(String),
    Ending(String),
    Inside(String),
}

impl Lexicon {
    /// # Errors
    /// Where the file is not of the right form.
    fn parse(file: &str) -> Result<Self, toml::de::Error> {
        let languages: BTreeMap<Concept, BTreeMap<String, Vec<String>>> = toml::from_str(file)?;
        let mut lexicon = Self::default();
        for (concept, phrases) in languages {
            for phrase in phrases.into_values().flatten() {
                lexicon.add(concept, &phrase);
            }
        }
        Ok(lexicon)
    }

    fn add(&mut self, concept: Concept, phrase: &str) {
        let parts = parts(phrase);
        let index = self.phrases.len();
        let mut starts = Vec::new();
        let mut by_ending = false;
        if let Some(Part::OneOf(patterns)) = parts.first() {
            for pattern in patterns {
                match pattern {
                    Pattern::Whole(text) | Pattern::Stem(text) => starts.extend(text.chars().next()),
                    Pattern::Ending(_) | Pattern::Inside(_) => by_ending = true,
                }
            }
        }
        starts.sort_unstable();
        starts.dedup();
        if by_ending {
            self.by_ending.push(index);
        } else {
            for start in starts {
                self.by_start.entry(start).or_default().push(index);
            }
        }
        self.phrases.push((concept, parts));
    }

    fn find(&self, words: &[Word]) -> Concepts {
        let mut found = Concepts::default();
        for (at, word) in words.iter().enumerate() {
            let start = word.text.chars().next().and_then(|start| self.by_start.get(&start));
            for index in start.into_iter().flatten().chain(&self.by_ending) {
                let (concept, parts) = &self.phrases[*index];
                if let Some(last) = end_of(parts, words, at) {
                    let line = found.0.entry(*concept).or_default();
                    *line = words[last].line.max(*line);
                }
            }
        }
        // "Will be deferred; retrying will not succeed" promises nothing for later.
        if found.has(Concept::NoRetry) {
            found.0.remove(&Concept::Later);
        }
        found
    }
}

/// The last word of the phrase, where it begins at `at`.
fn end_of(parts: &[Part], words: &[Word], at: usize) -> Option<usize> {
    match parts {
        [] => at.checked_sub(1),
        [Part::Gap, rest @ ..] => (at..=at + MAX_GAP).find_map(|at| end_of(rest, words, at)),
        [Part::OneOf(patterns), rest @ ..] => {
            let word = &words.get(at)?.text;
            if patterns.iter().any(|pattern| pattern.matches(word)) {
                end_of(rest, words, at + 1)
            } else {
                None
            }
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let bare = text.trim_matches('*').to_owned();
        match (text.starts_with('*'), text.ends_with('*')) {
            (true, true) => Self::Inside(bare),
            (true, false) => Self::Ending(bare),
            (false, true) => Self::Stem(bare),
            (false, false) => Self::Whole(bare),
        }
    }

    fn matches(&self, word: &str) -> bool {
        match self {
            Self::Whole(text) => word == text,
            Self::Stem(text) => word.starts_with(text.as_str()),
            Self::Ending(text) => word.ends_with(text.as_str()),
            Self::Inside(text) => word.contains(text.as_str()),
        }
    }
}

fn parts(phrase: &str) -> Vec<Part> {
    let phrase = words::fold_phrase(phrase);
    let mut parts = Vec::new();
    for word in phrase.split_whitespace() {
        if word == ".." {
            parts.push(Part::Gap);
        } else if word.contains(words::is_ideograph) {
            // Each character is a word; letters between them stay together.
            let texts = words::read([word], words::Known::default());
            parts.extend(texts.into_iter().map(|word| Part::OneOf(vec![Pattern::Whole(word.text)])));
        } else {
            parts.push(Part::OneOf(word.split('|').map(Pattern::parse).collect()));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Concept> {
        concepts(&words::read([text], words::Known::default())).names()
    }

    #[test]
    fn the_file_can_be_read_and_every_phrase_begins_with_a_word() {
        let lexicon = Lexicon::parse(FILE).expect("the lexicon");
        assert!(lexicon.phrases.len() > 500);
        for (concept, parts) in &lexicon.phrases {
            assert!(matches!(parts.first(), Some(Part::OneOf(_))), "{concept:?}");
            assert!(matches!(parts.last(), Some(Part::OneOf(_))), "{concept:?}");
        }
    }

    #[test]
    fn whole_words_count_and_no_parts_of_them() {
        assert_eq!(found("rejected as spam"), [Concept::Spam]);
        assert!(!found("OutboundSpamException").contains(&Concept::Spam));
    }

    #[test]
    fn words_that_deny_a_retry_promise_nothing_for_later() {
        assert_eq!(found("will be deferred, retrying will NOT succeed"), [Concept::NoRetry]);
        assert_eq!(found("dauerhaft gesperrt, bitte nicht erneut versuchen"), [Concept::NoRetry]);
        assert!(found("deferred, please retry").contains(&Concept::Later));
    }

    #[test]
    fn a_later_line_is_known_as_later() {
        let words = words::read(["mailbox unavailable", "try again later"], words::Known::default());
        let concepts = concepts(&words);
        assert!(concepts.is_later(Concept::Later, Concept::MailboxUnavailable));
        assert!(!concepts.is_later(Concept::MailboxUnavailable, Concept::Later));
    }
}
