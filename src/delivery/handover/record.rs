//! What is kept of an attempt.

use crate::clock::Timestamp;
use crate::diagnosis::{Effect, Finding};
use crate::language::Language;
use crate::mail::transcript::Stage;
use crate::outgoing::LastAttempt;
use crate::providers::delivery::FailedHandover;
use crate::smtp::Reply;

/// The attempt that the server has taken.
pub(super) fn last_of_success(reply: Option<&Reply>, now: Timestamp) -> LastAttempt {
    let stage = if reply.is_some() { "data" } else { "graph" };
    LastAttempt {
        at: now,
        stage: stage.to_owned(),
        smtp_code: reply.map(|reply| reply.code),
        enhanced_code: reply.and_then(|reply| reply.enhanced).map(|code| code.to_string()),
        reply: reply.map(ToString::to_string),
        is_recipients_fault: false,
        diagnosis: serde_json::Map::new(),
    }
}

/// The attempt that has failed.
pub(super) fn last_of_failure(failed: &FailedHandover, now: Timestamp) -> LastAttempt {
    let finding = &failed.finding;
    let reply = finding.reply.as_ref();
    let is_recipients_fault =
        finding.diagnosis.stage == Stage::RcptTo && finding.effect == Effect::None && failed.is_permanent;
    LastAttempt {
        at: now,
        stage: finding.diagnosis.stage.as_str().to_owned(),
        smtp_code: reply.map(|reply| reply.code),
        enhanced_code: reply.and_then(|reply| reply.enhanced).map(|code| code.to_string()),
        reply: reply.map(ToString::to_string),
        is_recipients_fault,
        diagnosis: in_each_language(finding),
    }
}

/// The diagnosis as an administrator reads it, by the language's tag. The transcript is left out: it is that of one
/// moment.
fn in_each_language(finding: &Finding) -> serde_json::Map<String, serde_json::Value> {
    let in_language = |language: Language| {
        let mut diagnosis = serde_json::to_value(&finding.in_language(language).diagnosis).ok()?;
        diagnosis.as_object_mut()?.remove("transcript");
        Some((language.tag().to_owned(), diagnosis))
    };
    Language::ALL.into_iter().filter_map(in_language).collect()
}

/// The attempt that a fault of this service has ended.
pub(super) fn fault(now: Timestamp) -> LastAttempt {
    LastAttempt {
        at: now,
        stage: "policy".to_owned(),
        smtp_code: None,
        enhanced_code: None,
        reply: None,
        is_recipients_fault: false,
        diagnosis: serde_json::Map::new(),
    }
}
