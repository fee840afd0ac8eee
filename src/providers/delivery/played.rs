//! Plays the outcome of mail that is not sent: no server is asked, and the diagnosis is that of a server's reply.

use super::{FailedHandover, Handover};
use crate::diagnosis::{Facts, Failure};
use crate::mail::address::EmailAddress;
use crate::mail::transcript::{Stage, Transcript};
use crate::outgoing::played::{PlayedOutcome, REFUSED_ATTEMPTS};
use crate::smtp::{EnhancedCode, Error, ErrorKind, Reply};

/// The outcome for a recipient at an attempt, counted from 1.
pub fn play(recipient: &EmailAddress, attempt: i64) -> Handover {
    match PlayedOutcome::find(recipient.as_str()) {
        Some(PlayedOutcome::Unknown) => {
            let refusal = reply(550, EnhancedCode(5, 1, 1), "No such user here");
            failed(Stage::RcptTo, ErrorKind::Refused, Some(refusal), recipient)
        }
        Some(PlayedOutcome::Later) if attempt <= i64::from(REFUSED_ATTEMPTS) => {
            let refusal = reply(450, EnhancedCode(4, 2, 1), "The mailbox is busy, try again later");
            failed(Stage::RcptTo, ErrorKind::Refused, Some(refusal), recipient)
        }
        Some(PlayedOutcome::Lost) => failed(Stage::Data, ErrorKind::OutcomeUnknown, None, recipient),
        _ => Handover::Accepted(Some(reply(250, EnhancedCode(2, 0, 0), "Played: nothing was sent"))),
    }
}

fn reply(code: u16, enhanced: EnhancedCode, text: &str) -> Reply {
    Reply { code, enhanced: Some(enhanced), lines: vec![text.to_owned()] }
}

fn failed(stage: Stage, kind: ErrorKind, reply: Option<Reply>, recipient: &EmailAddress) -> Handover {
    let error = Error { stage, kind, command: None, reply: reply.map(Box::new), capabilities: None };
    let facts = Facts { recipient: Some(recipient.as_str().to_owned()), ..Facts::default() };
    Handover::Failed(Box::new(FailedHandover::new(&Failure::Smtp(error), &facts, &Transcript::default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_outcome() {
        let outcome = |address: &str, attempt| match play(
            &EmailAddress::parse(address).expect("an address"),
            attempt,
        ) {
            Handover::Accepted(reply) => reply.expect("a reply").to_string(),
            Handover::Failed(failed) => {
                let code = failed.finding.diagnosis.code;
                format!("{code} unknown {} permanent {}", failed.is_unknown, failed.is_permanent)
            }
        };
        let accepted = "250 2.0.0 Played: nothing was sent";
        for (address, attempt, expected) in [
            ("ada@example.org", 1, accepted),
            ("slow@example.org", 1, accepted),
            ("nouser@example.org", 1, "RECIPIENT_UNKNOWN unknown false permanent true"),
            ("later@example.org", 1, "PROVIDER_TEMPORARY unknown false permanent false"),
            ("later@example.org", 2, "PROVIDER_TEMPORARY unknown false permanent false"),
            ("later@example.org", 3, accepted),
            ("lost@example.org", 1, "OUTCOME_UNKNOWN unknown true permanent false"),
        ] {
            assert_eq!(outcome(address, attempt), expected, "{address} {attempt}");
        }
    }
}
