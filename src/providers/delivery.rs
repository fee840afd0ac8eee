//! Hands mail over for delivery: an account that stays open between mails, and an outcome for each recipient.

mod played;

use std::time::Duration;

use tokio::time::Instant;

use super::basic_auth::{self, SmtpAccount};
use super::microsoft365::{self, Call};
use super::{Outbound, UnlockedAccount};
use crate::diagnosis::{Facts, Failure, Finding, diagnose};
use crate::email_config::Settings;
use crate::mail::address::EmailAddress;
use crate::mail::message::Message;
use crate::mail::transcript::{Stage, Transcript};
use crate::smtp::{Delivery, Envelope, ErrorKind, Reply, Session};
pub use played::play;

/// An account that is open for handing mail over.
pub struct Sender {
    session: OpenSession,
    /// Mails that it has handed over.
    sent: u32,
}

enum OpenSession {
    Smtp(Box<Session>),
    /// Each call stands for itself.
    Graph,
}

/// How a hand-over ended for one recipient.
#[derive(Debug)]
pub enum Handover {
    /// The server took the message; none is the reply of Graph.
    Accepted(Option<Reply>),
    Failed(Box<FailedHandover>),
}

/// A hand-over that failed, understood.
#[derive(Clone, Debug)]
pub struct FailedHandover {
    pub finding: Finding,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
    /// The server may have taken the message.
    pub is_unknown: bool,
    /// The server refused for good: a 5yz reply, or its like.
    pub is_permanent: bool,
}

impl FailedHandover {
    fn new(failure: &Failure, facts: &Facts, log: &Transcript) -> Self {
        let (retry_after, is_unknown, is_permanent) = match failure {
            Failure::Smtp(error) => (
                None,
                error.kind == ErrorKind::OutcomeUnknown,
                error.reply.as_ref().is_some_and(|reply| reply.code >= 500)
                    || matches!(error.kind, ErrorKind::SmtpUtf8Missing | ErrorKind::TooLarge { .. }),
            ),
            Failure::Microsoft365(error) => (
                error.retry_after.map(Duration::from_secs),
                error.kind == microsoft365::ErrorKind::OutcomeUnknown,
                matches!(
                    error.kind,
                    microsoft365::ErrorKind::Refused | microsoft365::ErrorKind::TooLarge { .. }
                ),
            ),
            _ => (None, false, false),
        };
        Self { finding: diagnose(failure, facts, log.entries()), retry_after, is_unknown, is_permanent }
    }
}

/// The failure of an account without a configuration.
pub fn not_configured() -> Box<FailedHandover> {
    without_connecting(&Failure::ConfigNotSet)
}

/// The failure of an account of which fields are missing.
pub fn incomplete(missing: Vec<&'static str>) -> Box<FailedHandover> {
    without_connecting(&Failure::ConfigIncomplete { missing })
}

/// The failure of an account whose stored secret does not open.
pub fn unreadable() -> Box<FailedHandover> {
    without_connecting(&Failure::SecretUnreadable)
}

/// The failure of an email whose API key may not be used any more.
pub fn key_refused() -> Box<FailedHandover> {
    without_connecting(&Failure::ApiKeyRefused)
}

/// The failure of an email whose sender is not allowed any more.
pub fn sender_not_allowed(sender: &EmailAddress) -> Box<FailedHandover> {
    let facts = Facts { sender: Some(sender.to_string()), ..Facts::default() };
    Box::new(FailedHandover::new(&Failure::SenderNotAllowed, &facts, &Transcript::default()))
}

/// Why a mail to this recipient has to wait: too many others went there.
pub fn recipient_flood(recipient: &EmailAddress) -> Box<FailedHandover> {
    let facts = Facts { recipient: Some(recipient.to_string()), ..Facts::default() };
    Box::new(FailedHandover::new(&Failure::RecipientFlood, &facts, &Transcript::default()))
}

fn without_connecting(failure: &Failure) -> Box<FailedHandover> {
    Box::new(FailedHandover::new(failure, &Facts::default(), &Transcript::default()))
}

/// Connects and signs in.
///
/// # Errors
/// Why the account cannot send, understood.
pub async fn open(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    deadline: Instant,
) -> Result<Sender, Box<FailedHandover>> {
    let mut log = Transcript::default();
    let opened = match account.settings {
        Settings::BasicAuth(basic) => match SmtpAccount::new(basic, account) {
            Ok(smtp) => smtp.sign_in(outbound, deadline, &mut log).await.map(|signed_in| signed_in.session),
            Err(failure) => Err(failure),
        }
        .map(|session| OpenSession::Smtp(Box::new(session))),
        Settings::Microsoft365(settings) => match Call::new(outbound, account, settings, deadline) {
            Ok(call) if call.uses_smtp() => call
                .sign_in_with_cached_token(&mut log)
                .await
                .map(|session| OpenSession::Smtp(Box::new(session))),
            Ok(_) => Ok(OpenSession::Graph),
            Err(failure) => Err(failure),
        },
    };
    let failed =
        |failure| Box::new(FailedHandover::new(&failure, &facts(outbound, account, None, None), &log));
    opened.map(|session| Sender { session, sent: 0 }).map_err(failed)
}

impl Sender {
    /// Hands one message over to each recipient of the envelope. The outcomes have the recipients' order.
    ///
    /// # Errors
    /// Nothing was handed over, and another session may be opened at once.
    pub async fn send(
        &mut self,
        outbound: &Outbound,
        account: &UnlockedAccount<'_>,
        envelope: &Envelope<'_>,
        message: &Message,
        deadline: Instant,
    ) -> Result<Vec<Handover>, SessionUnusable> {
        let mut log = Transcript::default();
        let size = u64::try_from(message.bytes.len()).ok();
        let failed = |failure: &Failure, recipient: &EmailAddress, log: &Transcript| {
            let facts = facts(outbound, account, Some(recipient), size);
            Handover::Failed(Box::new(FailedHandover::new(failure, &facts, log)))
        };
        let result = match (&mut self.session, account.settings) {
            (OpenSession::Smtp(session), _) => {
                session.set_deadline(deadline);
                session.deliver(envelope, message, &mut log).await
            }
            (OpenSession::Graph, Settings::Microsoft365(settings)) => {
                let sent = graph(outbound, account, settings, message, deadline, &mut log).await;
                let outcome = |recipient| match &sent {
                    Ok(()) => Handover::Accepted(None),
                    Err(failure) => failed(failure, recipient, &log),
                };
                return Ok(envelope.to.iter().map(outcome).collect());
            }
            (OpenSession::Graph, Settings::BasicAuth(_)) => return Err(SessionUnusable::Gone),
        };
        let delivery = match result {
            Ok(Delivery { result: Some(Err(error)), .. }) if knows_no_bdat(&error) => {
                return Err(SessionUnusable::WithoutChunking);
            }
            Ok(delivery) => delivery,
            Err(error) if self.sent > 0 && is_gone(&error) => return Err(SessionUnusable::Gone),
            Err(error) => {
                let failure = Failure::Smtp(error);
                return Ok(envelope.to.iter().map(|recipient| failed(&failure, recipient, &log)).collect());
            }
        };
        self.sent += 1;
        let outcome = |recipient: &EmailAddress| {
            let refused = delivery.rejected.iter().find(|rejected| rejected.recipient == *recipient);
            match (refused, &delivery.result) {
                (Some(refused), _) => failed(&Failure::Smtp(refused.error()), recipient, &log),
                (None, Some(Ok(reply))) => Handover::Accepted(Some(reply.clone())),
                (None, Some(Err(error))) => failed(&Failure::Smtp(error.clone()), recipient, &log),
                (None, None) => failed(&Failure::ConfigNotSet, recipient, &log),
            }
        };
        Ok(envelope.to.iter().map(outcome).collect())
    }

    /// Sends no message by BDAT.
    pub fn avoid_chunking(&mut self) {
        if let OpenSession::Smtp(session) = &mut self.session {
            session.avoid_chunking();
        }
    }

    /// Whether another mail may follow.
    pub fn is_usable(&self) -> bool {
        match &self.session {
            OpenSession::Smtp(session) => session.is_in_step(),
            OpenSession::Graph => true,
        }
    }

    /// The mails that it has handed over.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// Ends the session.
    pub async fn close(self) {
        if let OpenSession::Smtp(session) = self.session {
            session.quit().await;
        }
    }
}

/// Why a session handed nothing over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionUnusable {
    /// It had been used before, and was gone before it took the sender.
    Gone,
    /// The server offers CHUNKING and does not know BDAT.
    WithoutChunking,
}

/// Whether the server had ended the session, or had lost its place in it, before it was asked anything.
fn is_gone(error: &crate::smtp::Error) -> bool {
    let closes = error.reply.as_ref().is_some_and(|reply| reply.code == 421);
    error.stage == Stage::MailFrom
        && (closes || matches!(error.kind, ErrorKind::ConnectionLost | ErrorKind::Protocol(_)))
}

/// Whether the server does not know the command: what it made of the message that followed is not known, and so the
/// session is over.
fn knows_no_bdat(error: &crate::smtp::Error) -> bool {
    let is_unknown = error.reply.as_ref().is_some_and(|reply| matches!(reply.code, 500 | 502));
    error.command == Some("BDAT") && is_unknown
}

async fn graph(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    settings: &crate::email_config::Microsoft365,
    message: &Message,
    deadline: Instant,
    log: &mut Transcript,
) -> Result<(), Failure> {
    let call = Call::new(outbound, account, settings, deadline)?;
    call.send_by_graph(message, log).await.map_err(|(failure, _)| failure)
}

fn facts(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    recipient: Option<&EmailAddress>,
    message_size: Option<u64>,
) -> Facts {
    let facts = match account.settings {
        Settings::BasicAuth(basic) => basic_auth::facts(outbound, basic, account.secret, recipient),
        Settings::Microsoft365(settings) => microsoft365::facts(outbound, settings, recipient),
    };
    // Each step of a hand-over has a limit of its own; that of a check does not hold.
    Facts { message_size, timeout_seconds: 0, ..facts }
}
