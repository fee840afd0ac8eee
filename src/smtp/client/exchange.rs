//! Sends commands and reads, judges and records their replies, each within its time limit.

use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::mail::transcript::{Stage, Transcript};
use crate::smtp::reply::Malformed;
use crate::smtp::stream::StreamError;
use crate::smtp::{Capabilities, Error, ErrorKind, Reply, TlsFailure, timeouts};

/// A command as errors and transcripts name it.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub stage: Stage,
    /// `None` where the server speaks first.
    pub verb: Option<&'static str>,
    /// What the transcript shows of the command: never a secret.
    pub shown: &'a str,
    /// How long the reply may take.
    pub limit: Duration,
    /// The reply codes that mean success.
    pub accepts: fn(u16) -> bool,
}

/// RFC 5321 section 4.3.2 names 250 and, for RCPT, 251; other codes of this group mean the same.
pub(super) fn is_success(code: u16) -> bool {
    (250..=259).contains(&code)
}

/// The replies to commands that were written in one flight.
pub(super) struct PipelinedReplies {
    /// In the order of the commands, as many as came.
    pub replies: Vec<Reply>,
    /// Why no more came.
    pub ended: Result<(), Error>,
    /// Whether the whole flight has left.
    pub was_written: bool,
}

/// A successful reply, or the error.
pub(super) type ReplyResult = Result<Reply, Error>;

impl Session {
    /// Writes one command, reads its reply and judges it.
    pub(super) async fn exchange(
        &mut self,
        step: &Step<'_>,
        line: &[u8],
        transcript: &mut Transcript,
    ) -> ReplyResult {
        transcript.begin(step.stage);
        let started = Instant::now();
        let answer = self.exchange_unjudged(step, line).await.and_then(|reply| self.judge(step, reply));
        record(step, started, answer.as_ref(), transcript);
        answer
    }

    /// Writes several commands in one flight and reads the replies to `steps`, unjudged and as many as came:
    /// every one is read, whatever the first ones say, else the next would be taken for another command's.
    pub(super) async fn exchange_pipelined(
        &mut self,
        steps: &[Step<'_>],
        flight: &[u8],
        transcript: &mut Transcript,
    ) -> PipelinedReplies {
        let started = Instant::now();
        let mut replies = Vec::with_capacity(steps.len());
        let mut written = self.write(&steps[0], flight, timeouts::WRITE).await;
        let was_written = written.is_ok();
        for step in steps {
            transcript.begin(step.stage);
            let answer = match written {
                Ok(()) => self.read(step).await,
                Err(error) => Err(error),
            };
            record(step, started, answer.as_ref(), transcript);
            match answer {
                Ok(reply) => replies.push(reply),
                Err(error) => return PipelinedReplies { replies, ended: Err(error), was_written },
            }
            written = Ok(());
        }
        self.in_step = true;
        PipelinedReplies { replies, ended: Ok(()), was_written }
    }

    /// Writes one command and reads its reply, whatever its code.
    pub(super) async fn exchange_unjudged(&mut self, step: &Step<'_>, line: &[u8]) -> ReplyResult {
        self.write(step, line, timeouts::WRITE).await?;
        let reply = self.read(step).await?;
        self.in_step = true;
        Ok(reply)
    }

    /// Reads the reply to what was written, and judges it.
    pub(super) async fn read_judged(&mut self, step: &Step<'_>) -> ReplyResult {
        let reply = self.read(step).await?;
        self.in_step = true;
        self.judge(step, reply)
    }

    /// Fails where the server has ended the connection, or has said something, since the last reply.
    pub(super) async fn require_open(&mut self, step: &Step<'_>) -> Result<(), Error> {
        match self.stream.fill_until(|bytes| !bytes.is_empty(), Instant::now()).await {
            Err(broken) if broken != StreamError::Timeout => {
                self.in_step = false;
                Err(self.broken(step, broken))
            }
            _ => Ok(()),
        }
    }

    /// Writes one flight. The session is out of step until the caller has read all its replies.
    pub(super) async fn write(
        &mut self,
        step: &Step<'_>,
        flight: &[u8],
        limit: Duration,
    ) -> Result<(), Error> {
        if !self.in_step {
            return Err(self.error(step, ErrorKind::ConnectionLost));
        }
        self.read_pending_reset(step).await?;
        self.in_step = false;
        let Err(broken) = self.stream.write(flight, timeouts::within(limit, self.deadline)).await else {
            return Ok(());
        };
        // Some servers refuse and close without reading on: then their reply has arrived.
        let soon = timeouts::within(timeouts::FINAL_REPLY, self.deadline);
        match self.receive(step, soon).await {
            Ok(reply) if reply.is_refusal() => Err(self.refused(step, reply)),
            _ => Err(self.broken(step, broken)),
        }
    }

    /// Reads the reply to a RSET, where it is pending; nothing else may have come before a command is written.
    async fn read_pending_reset(&mut self, step: &Step<'_>) -> Result<(), Error> {
        if self.reset_pending {
            self.in_step = false;
            let reply = self.read(&Step { limit: timeouts::COMMAND, ..*step }).await?;
            if !is_success(reply.code) {
                return Err(self.unexpected(step, &reply));
            }
            self.reset_pending = false;
            self.in_step = true;
        }
        if self.stream.is_drained() {
            return Ok(());
        }
        self.in_step = false;
        let early = self.receive(step, Instant::now()).await;
        Err(match early {
            Ok(reply) if reply.closes() => self.refused(step, reply),
            _ => self.error(step, ErrorKind::Protocol("a reply came before its command".to_owned())),
        })
    }

    /// Refuses bytes that follow a reply, before a missing offer is reported: they may be the rest of a malformed
    /// reply that held the offer.
    pub(super) async fn require_no_surplus(&mut self, step: &Step<'_>) -> Result<(), Error> {
        let soon = timeouts::within(timeouts::SURPLUS, self.deadline);
        // An error means that nothing came, as it should be.
        let _ = self.stream.fill_until(|bytes| !bytes.is_empty(), soon).await;
        if self.stream.is_drained() {
            return Ok(());
        }
        self.in_step = false;
        let problem = "more came behind the end of a reply";
        Err(self.error(step, ErrorKind::Protocol(problem.to_owned())))
    }

    /// The next reply. A 421 ends the session wherever it comes.
    pub(super) async fn read(&mut self, step: &Step<'_>) -> ReplyResult {
        match self.receive(step, timeouts::within(step.limit, self.deadline)).await {
            Ok(reply) if reply.closes() => {
                self.in_step = false;
                Err(self.refused(step, reply))
            }
            Ok(reply) => Ok(reply),
            Err(broken) => {
                self.in_step = false;
                Err(self.broken(step, broken))
            }
        }
    }

    /// The next reply, redacted. The capabilities are read before, since a secret may be a keyword of EHLO.
    async fn receive(&mut self, step: &Step<'_>, deadline: Instant) -> Result<Reply, StreamError> {
        let reply = self.stream.unredacted_reply(deadline).await?;
        self.last_reply_at = Instant::now();
        if step.verb == Some("EHLO") && is_success(reply.code) {
            self.capabilities = Capabilities::parse(&reply).redacted(&self.redactor);
        }
        Ok(reply.redacted(&self.redactor))
    }

    /// Success, refusal, or neither. After a reply that is neither, the session cannot go on.
    pub(super) fn judge(&mut self, step: &Step<'_>, reply: Reply) -> ReplyResult {
        if (step.accepts)(reply.code) {
            Ok(reply)
        } else if reply.is_refusal() {
            Err(self.refused(step, reply))
        } else {
            Err(self.unexpected(step, &reply))
        }
    }

    /// A reply that is neither success nor refusal here.
    pub(super) fn unexpected(&mut self, step: &Step<'_>, reply: &Reply) -> Error {
        self.in_step = false;
        let problem = format!("the reply code {} has no meaning at this place", reply.code);
        self.error(step, ErrorKind::Protocol(problem))
    }

    pub(super) fn refused(&self, step: &Step<'_>, reply: Reply) -> Error {
        Error { reply: Some(Box::new(reply)), ..self.error(step, ErrorKind::Refused) }
    }

    pub(super) fn broken(&self, step: &Step<'_>, broken: StreamError) -> Error {
        self.error(step, stream_error_kind(broken))
    }

    pub(super) fn error(&self, step: &Step<'_>, kind: ErrorKind) -> Error {
        let known = self.capabilities != Capabilities::default();
        let capabilities = known.then(|| Box::new(self.capabilities.clone()));
        // TLS 1.3 reports it only after the handshake.
        let about_tls = matches!(kind, ErrorKind::Tls(_));
        let stage = if about_tls { Stage::Tls } else { step.stage };
        Error { stage, kind, command: step.verb, reply: None, capabilities }
    }
}

pub(super) fn stream_error_kind(broken: StreamError) -> ErrorKind {
    match broken {
        StreamError::Lost => ErrorKind::ConnectionLost,
        StreamError::Timeout => ErrorKind::Timeout,
        StreamError::Malformed(malformed) => malformed.into(),
        StreamError::ClientCertificateWanted => ErrorKind::Tls(TlsFailure::ClientCertificateWanted),
    }
}

impl From<Malformed> for ErrorKind {
    fn from(malformed: Malformed) -> Self {
        Self::Protocol(malformed.as_str().to_owned())
    }
}

/// Adds the result of a step to the transcript.
pub(super) fn record(
    step: &Step<'_>,
    started: Instant,
    answer: Result<&Reply, &Error>,
    transcript: &mut Transcript,
) {
    let said = match answer {
        Ok(reply) => reply.to_string(),
        Err(Error { reply: Some(reply), .. }) => reply.to_string(),
        Err(error) => error.kind.to_string(),
    };
    let detail = if step.shown.is_empty() { said } else { format!("{}: {said}", step.shown) };
    match answer {
        Ok(_) => transcript.add(step.stage, started.elapsed(), &detail),
        Err(_) => transcript.fail(step.stage, started.elapsed(), &detail),
    }
}
