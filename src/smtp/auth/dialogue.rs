//! The state machine of AUTH (RFC 4954 section 4), without I/O.

use zeroize::Zeroizing;

use super::{Credentials, Mechanism, opening};

/// One attempt to sign in.
pub(in crate::smtp) struct Dialogue {
    mechanism: Mechanism,
    responses: Vec<Zeroizing<String>>,
    /// How many of the responses have been sent.
    sent: usize,
}

/// What follows a reply.
pub(in crate::smtp) enum NextStep {
    /// Send this line, CR LF included.
    Send(Zeroizing<String>),
    SignedIn,
    /// XOAUTH2: this 334 holds the reason, and the reply that decides comes after an empty line.
    TokenRefused,
    /// The reply is a refusal, or unexpected here.
    Refused,
}

impl Dialogue {
    /// The attempt, and the command that begins it.
    pub fn begin(mechanism: Mechanism, credentials: &Credentials<'_>) -> (Self, Zeroizing<String>) {
        let responses = credentials.responses(mechanism);
        let (command, first_sent) = opening(mechanism, &responses[0]);
        (Self { mechanism, responses, sent: usize::from(first_sent) }, command)
    }

    /// Ends after as many rounds as the mechanism has responses, so that no server can go on for ever. A 235 before
    /// the secret was sent proves nothing, and is no success.
    pub fn next(&mut self, code: u16) -> NextStep {
        match (code, self.responses.get(self.sent)) {
            (334, Some(response)) => {
                self.sent += 1;
                NextStep::Send(Zeroizing::new(format!("{}\r\n", response.as_str())))
            }
            (334, None) if self.mechanism == Mechanism::XOAuth2 => NextStep::TokenRefused,
            (235, None) => NextStep::SignedIn,
            _ => NextStep::Refused,
        }
    }
}
