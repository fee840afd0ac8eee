//! What is wrong with a request to send, with the name that clients of Resend's API know it by.

use crate::error::InputFault;

/// The names of Resend's errors that a request to send can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorName {
    ValidationError,
    MissingRequiredField,
    InvalidAttachment,
    InvalidFromAddress,
    InvalidIdempotencyKey,
}

impl ErrorName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ValidationError => "validation_error",
            Self::MissingRequiredField => "missing_required_field",
            Self::InvalidAttachment => "invalid_attachment",
            Self::InvalidFromAddress => "invalid_from_address",
            Self::InvalidIdempotencyKey => "invalid_idempotency_key",
        }
    }
}

/// One fault of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestFault {
    pub name: ErrorName,
    pub input: InputFault,
}

/// All faults of a request: at least one, and no more than a person reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestFaults(Vec<RequestFault>);

impl RequestFaults {
    /// The name that all of them have, or the general one.
    pub fn name(&self) -> ErrorName {
        let mut names = self.0.iter().map(|fault| fault.name);
        let first = names.next().unwrap_or(ErrorName::ValidationError);
        if names.all(|name| name == first) { first } else { ErrorName::ValidationError }
    }

    /// The same faults of the email at this index of a batch.
    pub fn of_batch(self, index: usize) -> Self {
        let in_item =
            |fault: RequestFault| RequestFault { input: fault.input.in_item("emails", index), ..fault };
        Self(self.0.into_iter().map(in_item).collect())
    }

    pub fn into_inputs(self) -> Vec<InputFault> {
        self.0.into_iter().map(|fault| fault.input).collect()
    }

    pub fn as_slice(&self) -> &[RequestFault] {
        &self.0
    }
}

impl From<RequestFault> for RequestFaults {
    fn from(fault: RequestFault) -> Self {
        Self(vec![fault])
    }
}

/// Gathers faults.
#[derive(Default)]
pub(super) struct Faults(Vec<RequestFault>);

impl Faults {
    /// A body of many megabytes could have as many faults.
    const MAX: usize = 50;

    pub(super) fn add(&mut self, name: ErrorName, input: InputFault) {
        if self.0.len() < Self::MAX {
            self.0.push(RequestFault { name, input });
        }
    }

    pub(super) fn invalid(&mut self, input: InputFault) {
        self.add(ErrorName::ValidationError, input);
    }

    pub(super) fn missing(&mut self, field: &str) {
        self.add(ErrorName::MissingRequiredField, InputFault::required(field));
    }

    /// What was read, or `None` and a fault.
    pub(super) fn keep<T>(&mut self, name: ErrorName, read: Result<T, InputFault>) -> Option<T> {
        read.map_err(|input| self.add(name, input)).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_result(self) -> Result<(), RequestFaults> {
        if self.0.is_empty() { Ok(()) } else { Err(RequestFaults(self.0)) }
    }
}
