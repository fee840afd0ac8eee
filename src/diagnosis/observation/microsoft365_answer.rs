//! Answers of Entra and Graph, in the form that rules match.

use crate::diagnosis::microsoft365::{Error, ErrorKind};
use crate::diagnosis::rule::Kind;
use crate::mail::transcript::{Stage, printable};

pub(super) fn kind(error: &Error) -> Kind {
    let token = error.stage == Stage::Token;
    match (&error.kind, token) {
        (ErrorKind::Refused, true) => Kind::TokenRefused,
        (ErrorKind::Refused | ErrorKind::Malformed(_), false) => Kind::GraphRefused,
        (ErrorKind::Busy, true) => Kind::TokenBusy,
        (ErrorKind::Busy, false) => Kind::GraphBusy,
        (ErrorKind::Timeout, true) => Kind::TokenTimeout,
        (ErrorKind::Timeout, false) => Kind::GraphTimeout,
        (ErrorKind::Unreachable(_), true) => Kind::TokenUnreachable,
        (ErrorKind::Unreachable(_), false) => Kind::GraphUnreachable,
        (ErrorKind::Malformed(_), true) => Kind::TokenMalformed,
        (ErrorKind::OutcomeUnknown, _) => Kind::OutcomeUnknown,
        (ErrorKind::TooLarge { .. }, _) => Kind::GraphTooLarge,
    }
}

/// Number, error code and text, as they may be shown.
pub(super) fn shown(error: &Error) -> Option<String> {
    let number = error.numbers.first().map(|number| format!("AADSTS{number}"));
    let status = error.status.filter(|_| number.is_none()).map(|status| status.to_string());
    let message = Some(error.message.clone()).filter(|message| !message.is_empty());
    let parts: Vec<String> = [number, status, error.code.clone(), message].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| printable(&parts.join(" ")))
}

/// More is known about what was wrong.
pub(super) fn has_problem(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Unreachable(_) | ErrorKind::Malformed(_))
}

/// Limit and size of a message are known.
pub(super) fn has_sizes(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::TooLarge { .. })
}
