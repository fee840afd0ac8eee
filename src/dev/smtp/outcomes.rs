//! Plays the outcomes that the inbox has for recipients whose address begins with a certain word.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::dev::mail::Envelope;
pub use crate::outgoing::played::PlayedOutcome as Outcome;
use crate::outgoing::played::REFUSED_ATTEMPTS;

/// Recipients that are counted at once; beyond them counting starts over.
const MAX_COUNTED: usize = 1_000;

/// Whether a recipient of the mail asks for this outcome.
pub(super) fn is_asked_for(outcome: Outcome, envelope: &Envelope) -> bool {
    envelope.recipients.iter().any(|address| Outcome::find(address) == Some(outcome))
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
