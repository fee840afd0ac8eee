//! Outcomes that the inbox plays for recipients whose address begins with a certain word.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::dev::mail::Envelope;

/// Attempts of a recipient that [`Outcome::Later`] refuses.
const REFUSED_ATTEMPTS: u32 = 2;

/// Recipients that are counted at once; beyond them counting starts over.
const MAX_COUNTED: usize = 1_000;

/// What happens to the mail of a recipient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The recipient is refused for good.
    Unknown,
    /// The first two attempts are refused for now.
    Later,
    /// The reply to the message takes some seconds.
    Slow,
    /// The message is caught, and the connection closes without a reply.
    Lost,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Later, Self::Slow, Self::Lost];

    /// How an address begins for which it is played.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Unknown => "nouser",
            Self::Later => "later",
            Self::Slow => "slow",
            Self::Lost => "lost",
        }
    }

    /// The outcome that an address asks for.
    pub fn find(address: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| {
            let start = address.as_bytes().get(..outcome.prefix().len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(outcome.prefix().as_bytes()))
        })
    }

    pub(super) fn is_of(self, envelope: &Envelope) -> bool {
        envelope.recipients.iter().any(|address| Self::find(address) == Some(self))
    }
}

/// Counts the attempts of recipients that are refused for now.
#[derive(Default)]
pub(super) struct LaterAttempts(Mutex<HashMap<String, u32>>);

impl LaterAttempts {
    /// Whether this attempt is refused. After it has been accepted, a recipient starts over.
    pub(super) fn refuses(&self, address: &str) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = counts.remove(address).unwrap_or_default();
        if refused >= REFUSED_ATTEMPTS {
            return false;
        }
        if counts.len() >= MAX_COUNTED {
            counts.clear();
        }
        counts.insert(address.to_owned(), refused + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_address_chooses_in_any_case() {
        for (address, outcome) in [
            ("nouser@example.org", Some(Outcome::Unknown)),
            ("NoUser.1@example.org", Some(Outcome::Unknown)),
            ("later+invoices@example.org", Some(Outcome::Later)),
            ("slow@example.org", Some(Outcome::Slow)),
            ("lost@example.org", Some(Outcome::Lost)),
            ("ada@slow.example", None),
            ("lo", None),
        ] {
            assert_eq!(Outcome::find(address), outcome, "{address}");
        }
    }

    #[test]
    fn two_attempts_of_a_recipient_are_refused_and_then_one_is_taken() {
        let attempts = LaterAttempts::default();
        let refused: Vec<_> = (0..6).map(|_| attempts.refuses("later@a.example")).collect();
        assert_eq!(refused, [true, true, false, true, true, false]);
        assert!(attempts.refuses("later@b.example"), "each by itself");
        for number in 0..=MAX_COUNTED {
            attempts.refuses(&format!("later{number}@c.example"));
        }
        assert!(attempts.0.lock().expect("not poisoned").len() <= MAX_COUNTED);
    }
}
