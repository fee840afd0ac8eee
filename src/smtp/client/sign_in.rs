//! AUTH with one mechanism. A password is sent unencrypted only to addresses that the operator opened.

use tokio::time::Instant;

use super::Session;
use super::exchange::{ReplyResult, Step, record};
use crate::mail::transcript::{Stage, Transcript};
use crate::smtp::auth::{self, Credentials, Dialogue, Mechanism, NextStep};
use crate::smtp::{Error, ErrorKind, timeouts};

const AUTH: Step<'_> = Step {
    stage: Stage::Auth,
    verb: Some("AUTH"),
    shown: "AUTH",
    limit: timeouts::COMMAND,
    accepts: |code| code == 235,
};

impl Session {
    /// Signs in with one mechanism; returns the reply that accepts it.
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorKind::ClearTextSignIn`] before anything is sent.
    pub async fn sign_in(
        &mut self,
        credentials: &Credentials<'_>,
        transcript: &mut Transcript,
    ) -> ReplyResult {
        transcript.begin(Stage::Auth);
        let started = Instant::now();
        let mechanism = match self.choose(credentials) {
            Ok(mechanism) => mechanism,
            Err(kind) => {
                let surplus = self.require_no_surplus(&AUTH).await;
                let error = surplus.err().unwrap_or_else(|| self.error(&AUTH, kind));
                record(&AUTH, started, Err(&error), transcript);
                return Err(error);
            }
        };
        credentials.add_to(&mut self.redactor, &[]);
        let shown = format!("AUTH {} <hidden>", mechanism.as_str());
        let answer = self.authenticate(mechanism, credentials).await;
        record(&Step { shown: &shown, ..AUTH }, started, answer.as_ref(), transcript);
        answer
    }

    /// The mechanism, where the password may be sent at all.
    fn choose(&self, credentials: &Credentials<'_>) -> Result<Mechanism, ErrorKind> {
        let encrypted = self.stream.is_encrypted();
        let offered = &self.capabilities.auth;
        if !encrypted && !self.opened_by_operator {
            Err(ErrorKind::ClearTextSignIn)
        } else if offered.is_empty() {
            Err(ErrorKind::AuthNotOffered { encrypted })
        } else {
            let none = || ErrorKind::NoCommonMechanism { offered: offered.clone() };
            credentials.mechanism(offered).ok_or_else(none)
        }
    }

    async fn authenticate(&mut self, mechanism: Mechanism, credentials: &Credentials<'_>) -> ReplyResult {
        let (mut dialogue, command) = Dialogue::begin(mechanism, credentials);
        let mut reply = self.exchange_unjudged(&AUTH, command.as_bytes()).await?;
        loop {
            reply = match dialogue.next(reply.code) {
                NextStep::Send(line) => self.exchange_unjudged(&AUTH, line.as_bytes()).await?,
                NextStep::SignedIn => return Ok(reply),
                NextStep::TokenRefused => {
                    let challenge = auth::challenge(&reply.text(), &self.redactor);
                    return Err(self.finish_refused_token(challenge).await);
                }
                NextStep::Refused => return self.judge(&Step { accepts: |_| false, ..AUTH }, reply),
            }
        }
    }

    /// The 334 holds the reason; the reply that decides comes after an empty line.
    async fn finish_refused_token(&mut self, challenge: String) -> Error {
        let error = match self.exchange_unjudged(&AUTH, b"\r\n").await {
            Ok(reply) if reply.is_refusal() => self.refused(&AUTH, reply),
            Ok(reply) => return self.unexpected(&AUTH, &reply),
            Err(error) => error,
        };
        Error { kind: ErrorKind::OAuthRefused { challenge }, ..error }
    }
}
