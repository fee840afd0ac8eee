//! BDAT (RFC 3030): the message in chunks of stated sizes. A small one goes out in one flight with its envelope.

use std::time::Duration;

use tokio::time::Instant;

use super::exchange::{PipelinedReplies, ReplyResult, Step, is_success, record};
use super::send::{MAIL, RCPT, rcpt_command};
use super::{Delivery, RecipientReply, Session};
use crate::mail::address::EmailAddress;
use crate::mail::transcript::{Stage, Transcript};
use crate::smtp::{Error, ErrorKind, timeouts};

const BDAT: Step<'_> = Step {
    stage: Stage::Data,
    verb: Some("BDAT"),
    shown: "BDAT",
    limit: timeouts::DATA_END,
    accepts: is_success,
};

/// A server may refuse each chunk, so that the rest of a large message is not sent for nothing.
const MAX_CHUNK: usize = 1024 * 1024;

/// A larger message waits for the replies to its envelope: a refused one costs no more than that.
const MAX_IN_ONE_FLIGHT: usize = 64 * 1024;

/// After a longer pause the server may have ended the session. Where the message has left with the envelope, and no reply
/// comes, nobody knows whether it was taken.
const MAX_PAUSE: Duration = Duration::from_secs(5);

impl Session {
    /// Whether messages go by BDAT.
    pub(super) fn sends_chunks(&self) -> bool {
        self.uses_chunking && self.capabilities.chunking && !self.capabilities.is_exchange_on_premises
    }

    /// Sends the rest of this session's messages by DATA.
    pub fn avoid_chunking(&mut self) {
        self.uses_chunking = false;
    }

    /// Whether envelope and message go out together.
    pub(super) fn sends_in_one_flight(&self, body: &[u8]) -> bool {
        self.capabilities.pipelining
            && body.len() <= MAX_IN_ONE_FLIGHT
            && self.last_reply_at.elapsed() < MAX_PAUSE
            && !holds_mail_command(body)
    }

    /// MAIL, every RCPT and the message in one flight.
    ///
    /// # Errors
    /// As [`Session::deliver`].
    pub(super) async fn deliver_in_one_flight(
        &mut self,
        mail: &str,
        to: &[EmailAddress],
        body: &[u8],
        transcript: &mut Transcript,
    ) -> Result<Delivery, Error> {
        let step = Step { shown: mail, ..MAIL };
        if let Err(error) = self.require_open(&step).await {
            record(&step, Instant::now(), Err(&error), transcript);
            return Err(error);
        }
        let recipients: Vec<_> = to.iter().map(rcpt_command).collect();
        let bdat = bdat_command(body.len(), true);
        let mut steps = vec![step];
        steps.extend(recipients.iter().map(|shown| Step { shown, ..RCPT }));
        steps.push(Step { shown: &bdat, ..BDAT });
        let mut flight = steps.iter().flat_map(|step| [step.shown, "\r\n"]).collect::<String>().into_bytes();
        flight.extend_from_slice(body);
        let replies = self.exchange_pipelined(&steps, &flight, transcript).await;
        let judged = self.judge_flight(to, &steps, replies);
        let is_taken = judged.as_ref().is_ok_and(|delivery| matches!(delivery.result, Some(Ok(_))));
        if !is_taken {
            // RFC 3030 section 2: the transaction goes on after a refused chunk.
            self.reset().await;
        }
        judged
    }

    /// Judges the replies in their order. Once the message has left, only a reply says that it was not taken.
    fn judge_flight(
        &mut self,
        to: &[EmailAddress],
        steps: &[Step<'_>],
        replies: PipelinedReplies,
    ) -> Result<Delivery, Error> {
        let PipelinedReplies { replies, ended, was_written } = replies;
        let lost = |error| if was_written { unless_replied(error) } else { error };
        let ended = ended.err().map(lost);
        let missing = || ended.clone().unwrap_or_else(ended_early);
        let mut replies = steps.iter().zip(replies);
        match replies.next() {
            Some((step, reply)) => drop(self.judge(step, reply).map_err(unless_replied)?),
            None => return Err(missing()),
        }
        let mut delivery = Delivery { accepted: Vec::new(), rejected: Vec::new(), result: None };
        let mut undecided = None;
        for recipient in to {
            let judged = match replies.next() {
                Some((step, reply)) => self.judge(step, reply).map_err(unless_replied),
                None => Err(missing()),
            };
            match judged {
                Ok(_) => delivery.accepted.push(recipient.clone()),
                Err(Error { reply: Some(reply), .. }) if !reply.closes() => {
                    delivery.rejected.push(RecipientReply { recipient: recipient.clone(), reply: *reply });
                }
                Err(error) => {
                    delivery.accepted.push(recipient.clone());
                    undecided.get_or_insert(error);
                }
            }
        }
        if !delivery.accepted.is_empty() {
            delivery.result = Some(match (undecided, replies.next()) {
                (Some(error), _) => Err(error),
                (None, Some((step, reply))) => self.judge(step, reply).map_err(unless_replied),
                (None, None) => Err(missing()),
            });
        }
        Ok(delivery)
    }

    /// Sends the message for the recipients that were accepted. An error before the last chunk was written means that
    /// nothing was sent; after it, only a reply says so.
    pub(super) async fn send_chunks(&mut self, body: &[u8], transcript: &mut Transcript) -> ReplyResult {
        let last_begins = body.len().saturating_sub(1) / MAX_CHUNK * MAX_CHUNK;
        let (first, last) = body.split_at(last_begins);
        for chunk in first.chunks(MAX_CHUNK) {
            if let Err(error) = self.send_chunk(chunk, false, transcript).await {
                self.reset().await;
                return Err(error);
            }
        }
        let answer = self.send_chunk(last, true, transcript).await;
        if answer.is_err() {
            self.reset().await;
        }
        answer
    }

    async fn send_chunk(&mut self, chunk: &[u8], is_last: bool, transcript: &mut Transcript) -> ReplyResult {
        let command = bdat_command(chunk.len(), is_last);
        let step = Step { shown: &command, ..BDAT };
        transcript.begin(step.stage);
        let started = Instant::now();
        let wire = [command.as_bytes(), b"\r\n", chunk].concat();
        let answer = match self.write(&step, &wire, timeouts::transfer(wire.len())).await {
            Ok(()) if is_last => self.outcome(&step).await,
            Ok(()) => self.read_judged(&step).await,
            Err(error) => Err(error),
        };
        record(&step, started, answer.as_ref(), transcript);
        answer
    }
}

fn bdat_command(octets: usize, is_last: bool) -> String {
    format!("BDAT {octets}{}", if is_last { " LAST" } else { "" })
}

/// The server may have taken the message, unless a reply says that it has not.
pub(super) fn unless_replied(error: Error) -> Error {
    if error.reply.is_some() {
        error
    } else {
        Error { stage: Stage::Data, kind: ErrorKind::OutcomeUnknown, ..error }
    }
}

/// There is a reply for each step, unless an error ended the reading.
fn ended_early() -> Error {
    let kind = ErrorKind::OutcomeUnknown;
    Error { stage: Stage::Data, kind, command: BDAT.verb, reply: None, capabilities: None }
}

/// Whether a part of the message could be taken for MAIL. There are servers that read what follows a refused BDAT as
/// commands: such a message is sent only after its envelope was accepted.
fn holds_mail_command(body: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    body.windows(4).enumerate().any(|(index, word)| {
        word.eq_ignore_ascii_case(b"mail") && {
            let rest = &body[index + 4..];
            let blanks = rest.iter().take_while(|byte| is_blank(byte)).count();
            blanks > 0 && rest[blanks..].get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"from"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_taken_for_mail_is_found_wherever_it_stands() {
        for body in ["MAIL FROM:<a@b>", "x\r\nmail  from:<a@b>\r\n", "xMail\tFrom", "MAMAIL FROM"] {
            assert!(holds_mail_command(body.as_bytes()), "{body}");
        }
        for body in ["", "mail", "mailfrom", "mail\r\nfrom", "Mail fro", "RCPT TO:<a@b>\r\nDATA\r\n"] {
            assert!(!holds_mail_command(body.as_bytes()), "{body}");
        }
    }
}
