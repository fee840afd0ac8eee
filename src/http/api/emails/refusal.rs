//! Maps errors of the delivery to status, code, name and words.

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;

use crate::delivery::Error as DeliveryError;
use crate::delivery::request::RequestFaults;
use crate::error::Reason;
use crate::http::error::{Code, Error};

impl From<DeliveryError> for Error {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::NotConfigured => Self::new(Code::NotConfigured).named("not_configured"),
            DeliveryError::SenderNotAllowed { pointer, allowed } => Self::new(Code::SenderNotAllowed)
                .detail(format!(
                    "The account sends from {}. Name one of these, leave from out, or have an administrator add the \
                     address to allowed_senders of the account.",
                    allowed.join(", ")
                ))
                .at(pointer, Reason::SenderNotAllowed)
                .named("invalid_from_address"),
            DeliveryError::SenderNotAllowedByKey { pointer, allowed } => Self::new(Code::SenderNotAllowedByKey)
                .detail(format!(
                    "It sends from {}. Name one of these: without from, the account's address counts.",
                    allowed.join(", ")
                ))
                .at(pointer, Reason::SenderNotAllowed)
                .named("invalid_from_address"),
            DeliveryError::Input(faults) => Self::send_inputs(faults, "validation_error"),
            DeliveryError::TooManyKeys => Self::new(Code::TooManyApiKeys),
            DeliveryError::Refused(refused) => faults(refused),
            DeliveryError::OfBatch { error, .. } => (*error).into(),
            DeliveryError::KeyReused => Self::new(Code::KeyReused).named("invalid_idempotent_request"),
            DeliveryError::TooLarge { limit, size, is_of_provider } => {
                let whose = if is_of_provider {
                    "the account's provider takes no more"
                } else {
                    "delivery.max_message_bytes, which the operator of this service sets"
                };
                Self::new(Code::MessageTooLarge)
                    .detail(format!("The message has {size} octets; at most {limit} are taken: {whose}."))
                    .named("message_too_large")
            }
            DeliveryError::QueueFull => Self::new(Code::QueueFull)
                .detail("Send again when mail has left the queue.")
                .header(RETRY_AFTER, HeaderValue::from_static("60"))
                .named("queue_full"),
            DeliveryError::NotFound => Self::new(Code::EmailNotFound).named("not_found"),
            DeliveryError::Conflict(reason) => Self::new(Code::NothingToChange).detail(format!(
                "{}{}.",
                reason[..1].to_uppercase(),
                &reason[1..]
            )),
            DeliveryError::ContentGone { is_accepted: true } => Self::new(Code::AcceptedContentGone),
            DeliveryError::ContentGone { is_accepted: false } => Self::new(Code::ContentGone),
            DeliveryError::NoRoom => {
                Self::unavailable().detail("There is no room for more mail. Send again later.")
            }
            DeliveryError::KeysUnavailable | DeliveryError::Contended => Self::unavailable(),
            DeliveryError::Database(error) => error.into(),
            DeliveryError::Internal(cause) => Self::internal(&cause),
        }
    }
}

/// 422 with all faults of one email.
pub(super) fn faults(faults: RequestFaults) -> Error {
    let name = faults.name().as_str();
    Error::send_inputs(faults.into_inputs(), name)
}

/// The refusal of emails that stand at these places of a batch.
pub(super) fn of_batch(error: DeliveryError, places: &[usize]) -> Error {
    let DeliveryError::OfBatch { index, error } = error else { return error.into() };
    let place = places.get(index).copied().unwrap_or(index);
    match *error {
        DeliveryError::Refused(refused) => faults(refused.of_batch(place)),
        error @ (DeliveryError::SenderNotAllowed { .. }
        | DeliveryError::SenderNotAllowedByKey { .. }
        | DeliveryError::TooLarge { .. }) => Error::from(error).in_item("emails", place),
        error => error.into(),
    }
}

/// 422 with the faults of every email of a batch.
pub(super) fn batch_faults(faults: Vec<(usize, RequestFaults)>) -> Error {
    let name = faults.first().map_or("validation_error", |(_, faults)| faults.name().as_str());
    let inputs = faults.into_iter().flat_map(|(index, faults)| faults.of_batch(index).into_inputs());
    Error::send_inputs(inputs.collect(), name)
}
