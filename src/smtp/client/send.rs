//! MAIL, RCPT and the message: the envelope is pipelined where the server offers it; each recipient has a reply of its own.

use tokio::time::Instant;

use super::chunks::unless_replied;
use super::exchange::{PipelinedReplies, ReplyResult, Step, is_success, record};
use super::{Delivery, Envelope, Receipt, RecipientReply, Session};
use crate::mail::address::EmailAddress;
use crate::mail::message::Message;
use crate::mail::transcript::{Stage, Transcript};
use crate::smtp::{Error, ErrorKind, Reply, data, timeouts};

pub(super) const MAIL: Step<'_> = Step {
    stage: Stage::MailFrom,
    verb: Some("MAIL"),
    shown: "MAIL",
    limit: timeouts::MAIL,
    accepts: is_success,
};

pub(super) const RCPT: Step<'_> = Step {
    stage: Stage::RcptTo,
    verb: Some("RCPT"),
    shown: "RCPT",
    limit: timeouts::RECIPIENT,
    accepts: is_success,
};

const DATA: Step<'_> = Step {
    stage: Stage::Data,
    verb: Some("DATA"),
    shown: "DATA",
    limit: timeouts::DATA_START,
    accepts: |code| code == 354,
};

/// The message itself, up to the reply to its final dot. It is no command, so it has no verb.
const CONTENT: Step<'_> =
    Step { verb: None, shown: "message", limit: timeouts::DATA_END, accepts: is_success, ..DATA };

/// What the server said about an envelope.
struct EnvelopeReplies {
    accepted: Vec<EmailAddress>,
    rejected: Vec<RecipientReply>,
    /// Whether the server waits for the message; of no meaning where no recipient was accepted.
    data: Result<(), Error>,
}

impl EnvelopeReplies {
    fn new() -> Self {
        Self { accepted: Vec::new(), rejected: Vec::new(), data: Ok(()) }
    }
}

impl Session {
    /// Asks whether the server takes `from` as a sender (`MAIL FROM`, then `RSET` without waiting for its answer).
    ///
    /// # Errors
    /// See [`Error`]; the stage is `mail_from`.
    pub async fn probe_sender(&mut self, from: &EmailAddress, transcript: &mut Transcript) -> ReplyResult {
        let utf8 = from.needs_smtputf8();
        let mail = format!("MAIL FROM:<{from}>{}", if utf8 { " SMTPUTF8" } else { "" });
        let step = Step { shown: &mail, ..MAIL };
        if utf8 && !self.capabilities.smtputf8 {
            return Err(self.give_up(&step, ErrorKind::SmtpUtf8Missing, transcript));
        }
        let in_one = self.capabilities.pipelining;
        let flight = format!("{mail}\r\n{}", if in_one { "RSET\r\n" } else { "" });
        let answer = self.exchange(&step, flight.as_bytes(), transcript).await;
        if in_one {
            self.reset_pending = self.in_step;
        } else if answer.is_ok() {
            self.reset().await;
        }
        answer
    }

    /// Sends one message. Refused recipients do not abort it while one is accepted.
    ///
    /// # Errors
    /// See [`Error`]; where all recipients were refused, the stage is `rcpt_to` and the reply is the first one's.
    pub async fn send(
        &mut self,
        envelope: &Envelope<'_>,
        message: &Message,
        transcript: &mut Transcript,
    ) -> Result<Receipt, Error> {
        let Delivery { accepted, rejected, result } = self.deliver(envelope, message, transcript).await?;
        match (result, rejected.first()) {
            (Some(reply), _) => Ok(Receipt { reply: reply?, accepted, rejected }),
            (None, Some(first)) => Err(self.refused(&RCPT, first.reply.clone())),
            (None, None) => {
                Err(self.error(&RCPT, ErrorKind::Protocol("the envelope has no recipient".to_owned())))
            }
        }
    }

    /// Sends one message, and says for each recipient what the server said.
    ///
    /// # Errors
    /// What ended the transaction before each recipient had a reply.
    pub async fn deliver(
        &mut self,
        envelope: &Envelope<'_>,
        message: &Message,
        transcript: &mut Transcript,
    ) -> Result<Delivery, Error> {
        let mail = self.mail_command(envelope, message);
        if let Err(kind) = self.check(envelope, message) {
            return Err(self.give_up(&Step { shown: &mail, ..MAIL }, kind, transcript));
        }
        let body = self.sends_chunks().then(|| data::with_line_ends(&message.bytes));
        if let Some(body) = body.as_ref().filter(|body| self.sends_in_one_flight(body)) {
            return self.deliver_in_one_flight(&mail, envelope.to, body, transcript).await;
        }
        let by_data = body.is_none();
        let EnvelopeReplies { accepted, rejected, data } = if self.capabilities.pipelining {
            self.envelope_pipelined(&mail, envelope.to, by_data, transcript).await?
        } else {
            self.envelope_step_by_step(&mail, envelope.to, by_data, transcript).await?
        };
        let result = match (data, body) {
            _ if accepted.is_empty() => None,
            (Err(error), _) => Some(Err(error)),
            (Ok(()), Some(body)) => Some(self.send_chunks(&body, transcript).await),
            (Ok(()), None) => Some(self.content(message, transcript).await),
        };
        Ok(Delivery { accepted, rejected, result })
    }

    /// Checks the envelope and the size against the server's capabilities.
    fn check(&self, envelope: &Envelope<'_>, message: &Message) -> Result<(), ErrorKind> {
        let size = message.bytes.len() as u64;
        if needs_smtputf8(envelope, message) && !self.capabilities.smtputf8 {
            return Err(ErrorKind::SmtpUtf8Missing);
        }
        match self.capabilities.size {
            Some(limit) if size > limit => Err(ErrorKind::TooLarge { limit, size }),
            _ => Ok(()),
        }
    }

    fn give_up(&self, step: &Step<'_>, kind: ErrorKind, transcript: &mut Transcript) -> Error {
        let error = self.error(step, kind);
        record(step, Instant::now(), Err(&error), transcript);
        error
    }

    /// `MAIL FROM:<…>` with the parameters of RFC 1870, 6152 and 6531 where the server knows them.
    fn mail_command(&self, envelope: &Envelope<'_>, message: &Message) -> String {
        let offers = &self.capabilities;
        let size = offers.size.map(|_| format!(" SIZE={}", message.bytes.len())).unwrap_or_default();
        let eight_bit = offers.eight_bit_mime && !message.bytes.is_ascii();
        let body = if eight_bit { " BODY=8BITMIME" } else { "" };
        let utf8 = if needs_smtputf8(envelope, message) { " SMTPUTF8" } else { "" };
        format!("MAIL FROM:<{}>{size}{body}{utf8}", envelope.from)
    }

    /// RFC 2920: MAIL, every RCPT, and DATA where it follows, in one flight.
    async fn envelope_pipelined(
        &mut self,
        mail: &str,
        to: &[EmailAddress],
        by_data: bool,
        transcript: &mut Transcript,
    ) -> Result<EnvelopeReplies, Error> {
        let recipients: Vec<_> = to.iter().map(rcpt_command).collect();
        let mut steps = vec![Step { shown: mail, ..MAIL }];
        steps.extend(recipients.iter().map(|shown| Step { shown, ..RCPT }));
        steps.extend(by_data.then_some(DATA));
        let flight: String = steps.iter().flat_map(|step| [step.shown, "\r\n"]).collect();
        let PipelinedReplies { replies, ended, .. } =
            self.exchange_pipelined(&steps, flight.as_bytes(), transcript).await;
        let waits_for_message = replies.get(to.len() + 1).is_some_and(|reply| (DATA.accepts)(reply.code));
        let judged = self.judge_envelope(to, &steps, replies, ended);
        let is_over =
            judged.as_ref().map_or(true, |replies| replies.accepted.is_empty() || replies.data.is_err());
        if is_over && self.in_step {
            if waits_for_message {
                // No recipient is left, but the server waits for a message: it gets an empty one (RFC 2920 section 3.1).
                let _ = self.exchange(&CONTENT, data::EMPTY, transcript).await;
            } else {
                self.reset().await;
            }
        }
        judged
    }

    /// Judges the replies in their order. A refusal takes precedence over the error that ended the session after it.
    fn judge_envelope(
        &mut self,
        to: &[EmailAddress],
        steps: &[Step<'_>],
        replies: Vec<Reply>,
        ended: Result<(), Error>,
    ) -> Result<EnvelopeReplies, Error> {
        let mut outcomes = EnvelopeReplies::new();
        for (position, (step, reply)) in steps.iter().zip(replies).enumerate() {
            let recipient = position.checked_sub(1).and_then(|index| to.get(index));
            match recipient {
                _ if step.stage == Stage::Data && outcomes.accepted.is_empty() => return Ok(outcomes),
                Some(recipient) => Self::record_recipient(recipient, self.judge(step, reply), &mut outcomes)?,
                None if step.stage == Stage::Data => outcomes.data = self.judge(step, reply).map(drop),
                None => drop(self.judge(step, reply)?),
            }
        }
        let Err(ended) = ended else { return Ok(outcomes) };
        if outcomes.accepted.len() + outcomes.rejected.len() < to.len() || to.is_empty() {
            return Err(ended);
        }
        if !outcomes.accepted.is_empty() {
            outcomes.data = Err(ended);
        }
        Ok(outcomes)
    }

    async fn envelope_step_by_step(
        &mut self,
        mail: &str,
        to: &[EmailAddress],
        by_data: bool,
        transcript: &mut Transcript,
    ) -> Result<EnvelopeReplies, Error> {
        let step = Step { shown: mail, ..MAIL };
        self.exchange(&step, format!("{mail}\r\n").as_bytes(), transcript).await?;
        let mut outcomes = EnvelopeReplies::new();
        for recipient in to {
            let rcpt = rcpt_command(recipient);
            let step = Step { shown: &rcpt, ..RCPT };
            let answer = self.exchange(&step, format!("{rcpt}\r\n").as_bytes(), transcript).await;
            Self::record_recipient(recipient, answer, &mut outcomes)?;
        }
        if by_data && !outcomes.accepted.is_empty() {
            outcomes.data = self.exchange(&DATA, b"DATA\r\n", transcript).await.map(drop);
        }
        if outcomes.accepted.is_empty() || outcomes.data.is_err() {
            self.reset().await;
        }
        Ok(outcomes)
    }

    /// A refusal concerns this recipient alone; any other error ends the transaction.
    fn record_recipient(
        recipient: &EmailAddress,
        answer: ReplyResult,
        outcomes: &mut EnvelopeReplies,
    ) -> Result<(), Error> {
        match answer {
            Ok(_) => outcomes.accepted.push(recipient.clone()),
            Err(Error { reply: Some(reply), .. }) if !reply.closes() => {
                outcomes.rejected.push(RecipientReply { recipient: recipient.clone(), reply: *reply });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends the message with its final dot, and reads the reply that decides. An error before the dot was written means
    /// that nothing was sent; after it, only a reply says so.
    async fn content(&mut self, message: &Message, transcript: &mut Transcript) -> ReplyResult {
        transcript.begin(CONTENT.stage);
        let started = Instant::now();
        let wire = data::encode(&message.bytes);
        let answer = match self.write(&CONTENT, &wire, timeouts::transfer(wire.len())).await {
            Ok(()) => self.outcome(&CONTENT).await,
            Err(error) => Err(error),
        };
        record(&CONTENT, started, answer.as_ref(), transcript);
        answer
    }

    /// The reply that decides, after the whole message was written.
    pub(super) async fn outcome(&mut self, step: &Step<'_>) -> ReplyResult {
        self.read_judged(step).await.map_err(unless_replied)
    }

    /// Ends a transaction without waiting for the reply: the next command reads it first.
    pub(super) async fn reset(&mut self) {
        let step = Step { verb: Some("RSET"), shown: "RSET", limit: timeouts::COMMAND, ..MAIL };
        if self.in_step && self.write(&step, b"RSET\r\n", timeouts::RESET).await.is_ok() {
            (self.in_step, self.reset_pending) = (true, true);
        }
    }
}

fn needs_smtputf8(envelope: &Envelope<'_>, message: &Message) -> bool {
    message.needs_smtputf8()
        || envelope.from.needs_smtputf8()
        || envelope.to.iter().any(EmailAddress::needs_smtputf8)
}

pub(super) fn rcpt_command(recipient: &EmailAddress) -> String {
    format!("RCPT TO:<{recipient}>")
}
