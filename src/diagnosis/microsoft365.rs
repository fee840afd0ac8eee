//! What can go wrong at Entra's token endpoint or at Graph, as values that rules can match.

use crate::mail::transcript::Stage;

/// A failed call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// [`Stage::Token`] or [`Stage::Graph`].
    pub stage: Stage,
    pub kind: ErrorKind,
    /// The HTTP status, where an answer came.
    pub status: Option<u16>,
    /// `error` of a token answer (RFC 6749 section 5.2), or `error.code` of Graph; printable.
    pub code: Option<String>,
    /// Entra's `error_codes`: the numbers behind `AADSTS`. They decide; the texts change.
    pub numbers: Vec<u32>,
    /// What the service said, printable, without trace and correlation ids.
    pub message: String,
    /// Finds the call in Microsoft's own logs.
    pub correlation_id: Option<String>,
    /// Seconds to wait, where `Retry-After` named them.
    pub retry_after: Option<u64>,
    /// Nothing was asked: an earlier answer wanted a pause that is not over.
    pub is_held: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The service said no; the other members say how.
    Refused,
    /// Too many requests, or trouble on Microsoft's side: the call itself may be right.
    Busy,
    /// No connection came about, or what answered was not Microsoft (a captive portal, a proxy).
    Unreachable(String),
    /// No answer in time, before the service can have acted on the call.
    Timeout,
    /// A success without a usable content.
    Malformed(String),
    /// The whole mail went out, and no answer says what became of it.
    OutcomeUnknown,
    /// Larger than Graph takes in one call; both in octets.
    TooLarge { limit: u64, size: u64 },
}

impl Error {
    /// Of a call that got no answer that could be read.
    pub fn without_answer(stage: Stage, kind: ErrorKind) -> Self {
        Self {
            stage,
            kind,
            status: None,
            code: None,
            numbers: Vec::new(),
            message: String::new(),
            correlation_id: None,
            retry_after: None,
            is_held: false,
        }
    }

    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Busy | ErrorKind::Timeout | ErrorKind::Unreachable(_))
    }
}
