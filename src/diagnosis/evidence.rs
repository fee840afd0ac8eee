//! What speaks for one verdict or another: what the words are about, what is known of the session, and, last, the
//! numbers of the reply.

use super::lexicon::{Concept, Concepts};
use super::observation::matches_pattern;
use crate::mail::transcript::Stage;

/// The evidence of one refusal.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts of one session")]
pub(super) struct Evidence<'a> {
    pub concepts: Concepts,
    pub stage: Option<Stage>,
    /// The reply answers the message itself, not a command.
    pub answers_message: bool,
    /// The basic code of the reply.
    pub code: u16,
    /// The enhanced code, as it is written.
    pub enhanced: Option<&'a str>,
    /// In lower case.
    pub host: &'a str,
    /// A user name is configured.
    pub has_user_name: bool,
    /// The server offered AUTH.
    pub offers_auth: bool,
    /// The message is not larger than the server says it takes.
    pub fits_size: bool,
    /// The connection is encrypted.
    pub encrypted: bool,
}

/// What can be asked of the evidence besides the words.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Fact {
    /// A sign-in went before, and the server took it.
    SignedIn,
    NobodySignedIn,
    AnswersMessage,
    Stage(Stage),
    /// The first digit of the reply (RFC 5321 section 4.2.1).
    Class(u16),
    /// A pattern of the basic code: `53?`.
    Code(&'static str),
    /// A pattern of the enhanced code: `5.1.?`.
    Enhanced(&'static str),
    Host(&'static str),
    OffersAuth,
    /// The message may be too large: nothing is known that says otherwise.
    MayBeTooLarge,
    Unencrypted,
    /// The first concept is spoken of on a later line than the second.
    Later(Concept, Concept),
}

impl Evidence<'_> {
    pub fn says(&self, concept: Concept) -> bool {
        self.concepts.has(concept)
    }

    pub fn holds(&self, fact: Fact) -> bool {
        let after_sign_in = matches!(self.stage, Some(Stage::MailFrom | Stage::RcptTo | Stage::Data));
        match fact {
            Fact::SignedIn => after_sign_in && self.has_user_name,
            Fact::NobodySignedIn => !(after_sign_in && self.has_user_name),
            Fact::AnswersMessage => self.answers_message,
            Fact::Stage(stage) => self.stage == Some(stage),
            Fact::Class(class) => self.code / 100 == class,
            Fact::Code(pattern) => matches_pattern(pattern, &self.code.to_string()),
            Fact::Enhanced(pattern) => self.enhanced.is_some_and(|code| matches_pattern(pattern, code)),
            Fact::Host(pattern) => matches_pattern(pattern, self.host),
            Fact::OffersAuth => self.offers_auth,
            Fact::MayBeTooLarge => !self.fits_size,
            Fact::Unencrypted => !self.encrypted,
            Fact::Later(one, other) => self.concepts.is_later(one, other),
        }
    }
}
