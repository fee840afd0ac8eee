//! Whose turn it is in AUTH (RFC 4954 section 4), without a connection.

use zeroize::Zeroizing;

use super::{Credentials, Mechanism, opening};

/// One attempt to sign in.
pub(in crate::smtp) struct Dialogue {
    mechanism: Mechanism,
    responses: Vec<Zeroizing<String>>,
    /// How many of the responses have been said.
    said: usize,
}

/// What follows a reply.
pub(in crate::smtp) enum NextStep {
    /// We say this line, CR LF included.
    Say(Zeroizing<String>),
    SignedIn,
    /// XOAUTH2: this 334 holds the reason, and the reply that decides comes after an empty line.
    TokenRefused,
    /// The reply is a refusal, or has no meaning at this place.
    No,
}

impl Dialogue {
    /// The attempt, and the command that begins it.
    pub fn begin(mechanism: Mechanism, credentials: &Credentials<'_>) -> (Self, Zeroizing<String>) {
        let responses = credentials.responses(mechanism);
        let (command, first_said) = opening(mechanism, &responses[0]);
        (Self { mechanism, responses, said: usize::from(first_said) }, command)
    }

    /// At most three rounds, so that no server can ask for ever: it is answered exactly what the mechanism has to
    /// say. A 235 before the secret was sent would say nothing about it, and is no success.
    pub fn next(&mut self, code: u16) -> NextStep {
        match (code, self.responses.get(self.said)) {
            (334, Some(response)) => {
                self.said += 1;
                NextStep::Say(Zeroizing::new(format!("{}\r\n", response.as_str())))
            }
            (334, None) if self.mechanism == Mechanism::XOAuth2 => NextStep::TokenRefused,
            (235, None) => NextStep::SignedIn,
            _ => NextStep::No,
        }
    }
}
