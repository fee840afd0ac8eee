//! Finds a secret in what a server says, in the forms in which servers repeat it.
//!
//! Servers cut off what they echo, and change its case, character set or encoding. So a text is searched for a few
//! characters in a row of the secret, on both sides without what gets lost on the way. Only keyed hashes of such runs
//! are kept, never the secret.

mod forms;

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use self::forms::{condense, fold};
use super::Secret;

/// Stands in place of a reply that holds a part of a secret.
pub const NOT_SHOWN: &str = "[not shown: it holds a part of the secret]";

/// So many characters in a row tell a secret.
const RUN: usize = 6;

/// Of a token, which has thousands of characters, a part as short as [`RUN`] is worth nothing, and is met by chance.
const LONG_RUN: usize = 12;

/// The longest secret that is looked for by [`RUN`], in characters.
const LONGEST_PASSWORD: usize = 64;

/// Below this many characters a secret is looked for as a word of its own: as a part, it is in every text.
const SHORTEST_PART: usize = 4;

/// Words of ordinary replies. That a secret shares such a word with a reply tells nothing of it; the characters
/// around the word do.
const ORDINARY_WORDS: &str = "accepted access account address authenticate authenticated authentication authorization \
    available basic blocked client command connection correct credentials delivery denied disabled domain enabled error \
    example exceeded expired external failed failure google hotmail incorrect internal invalid limited locked login \
    mailbox message microsoft office365 outlook password passwords permission please policy postmaster protocol quota \
    received recipient rejected relaying request required security sender server service smtp submission support \
    syntax system temporarily temporary tenant transport unauthenticated unauthorized unavailable unknown unsuccessful \
    username welcome";

/// The runs of these words, of each length that a run may have.
static ORDINARY_RUNS: LazyLock<HashSet<Box<[u32]>>> = LazyLock::new(|| {
    let lengths = [RUN, LONG_RUN].map(lengths_in_plain_words).concat();
    let mut runs = HashSet::new();
    for word in ORDINARY_WORDS.split_whitespace().map(fold) {
        runs.extend(lengths.iter().flat_map(|length| word.windows(*length)).map(Box::from));
    }
    runs
});

/// The secrets of one session or call.
#[derive(Default)]
pub struct Redactor {
    hasher: RandomState,
    /// Hashes of the whole secrets, so that none is taken apart twice.
    secrets: HashSet<u64>,
    /// Runs of ASCII letters and digits, in lower case.
    folded: Runs,
    /// Runs of characters other than blanks, in lower case.
    condensed: Runs,
    words: Vec<Zeroizing<String>>,
}

/// Hashes of runs by the number of their characters.
type Runs = BTreeMap<usize, HashSet<u64>>;

impl Redactor {
    pub fn new(secret: &Secret, public: &[&str]) -> Self {
        let mut redactor = Self::default();
        redactor.add(secret, public);
        redactor
    }

    /// From now on `secret` is found. What it shares with `public` (user name, host) or an ordinary word is no sign
    /// of it.
    pub fn add(&mut self, secret: &Secret, public: &[&str]) {
        let secret = secret.expose();
        if secret.is_empty() || !self.secrets.insert(self.hasher.hash_one(secret)) {
            return;
        }
        let run = run_of(secret);
        let public = self.public_runs(public, run);
        self.add_plain(secret, run, &public);
        for form in forms::encoded(secret) {
            let length = form.length(run).min(form.text.len());
            if length >= form.shortest {
                let hashes = self.specific_runs(&form.text, length, &public);
                self.folded.entry(length).or_default().extend(hashes);
            }
        }
    }

    fn add_plain(&mut self, secret: &str, run: usize, public: &HashSet<u64>) {
        let (folded, condensed) = (fold(secret), condense(secret));
        if condensed.len() < SHORTEST_PART {
            self.words.push(Zeroizing::new(secret.to_owned()));
            return;
        }
        let folded = self.specific_runs(&folded, run, public);
        let runs = self.specific_runs(&condensed, run, public);
        if runs.is_empty() {
            // Too short for a run, or an ordinary word itself.
            let whole = self.hasher.hash_one(&condensed[..]);
            self.condensed.entry(condensed.len()).or_default().insert(whole);
        }
        self.condensed.entry(run).or_default().extend(runs);
        self.folded.entry(run).or_default().extend(folded);
    }

    /// The hashes of the runs of `text` that are no part of an ordinary word or of what is public.
    fn specific_runs(&self, text: &[u32], length: usize, public: &HashSet<u64>) -> Vec<u64> {
        let runs = text.windows(length).filter(|run| !ORDINARY_RUNS.contains(*run));
        runs.map(|run| self.hasher.hash_one(run)).filter(|hash| !public.contains(hash)).collect()
    }

    /// The hashes of the runs of what is public.
    fn public_runs(&self, public: &[&str], run: usize) -> HashSet<u64> {
        let mut hashes = HashSet::new();
        for word in public {
            for word in [fold(word), condense(word)] {
                for length in lengths_in_plain_words(run) {
                    hashes.extend(word.windows(length).map(|run| self.hasher.hash_one(run)));
                }
            }
        }
        hashes
    }

    /// Whether `text` holds a part of a secret. Linear in `text`.
    pub fn finds(&self, text: &str) -> bool {
        if self.secrets.is_empty() {
            return false;
        }
        self.occurs(&self.folded, &fold(text))
            || self.occurs(&self.condensed, &condense(text))
            || self.words.iter().any(|word| has_word(text, word))
    }

    fn occurs(&self, runs: &Runs, text: &[u32]) -> bool {
        runs.iter().any(|(length, hashes)| {
            !hashes.is_empty() && text.windows(*length).any(|run| hashes.contains(&self.hasher.hash_one(run)))
        })
    }

    /// `text`, or [`NOT_SHOWN`] where it holds a part of a secret.
    pub fn redact(&self, text: String) -> String {
        if self.finds(&text) { NOT_SHOWN.to_owned() } else { text }
    }
}

/// The lengths in which a word as it is can be met: in an escaped form it is as it is, and the runs are longer.
fn lengths_in_plain_words(run: usize) -> [usize; 2] {
    [run, run + 2]
}

fn run_of(secret: &str) -> usize {
    if secret.chars().count() > LONGEST_PASSWORD { LONG_RUN } else { RUN }
}

/// Whether `word` stands in `text` with neither a letter nor a digit beside it.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests;
