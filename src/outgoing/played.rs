//! Outcomes that are played for recipients whose address begins with a certain word: by the inbox of `transports dev`, and for
//! mail of test keys.

/// Attempts of a recipient that [`PlayedOutcome::Later`] refuses.
pub const REFUSED_ATTEMPTS: u32 = 2;

/// What happens to the mail of a recipient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlayedOutcome {
    /// The recipient is refused for good.
    Unknown,
    /// The first two attempts are refused for now.
    Later,
    /// The reply to the message takes some seconds.
    Slow,
    /// The message is taken, and no reply comes.
    Lost,
}

impl PlayedOutcome {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_address_chooses_in_any_case() {
        for (address, outcome) in [
            ("nouser@example.org", Some(PlayedOutcome::Unknown)),
            ("NoUser.1@example.org", Some(PlayedOutcome::Unknown)),
            ("later+invoices@example.org", Some(PlayedOutcome::Later)),
            ("slow@example.org", Some(PlayedOutcome::Slow)),
            ("lost@example.org", Some(PlayedOutcome::Lost)),
            ("ada@slow.example", None),
            ("lo", None),
        ] {
            assert_eq!(PlayedOutcome::find(address), outcome, "{address}");
        }
    }
}
