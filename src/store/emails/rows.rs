//! Rows of the tables of emails, read into what they stand for.

use uuid::Uuid;

use super::StoredEmail;
use crate::clock::Timestamp;
use crate::mail::address::EmailAddress;
use crate::outgoing::{
    Email, Lane, LastAttempt, OnUnknown, Recipient, RecipientKind, RecipientState, Started,
};
use crate::store::{Columns, DbError};

pub fn read_id(text: &str) -> Result<Uuid, DbError> {
    text.parse().map_err(|_| unreadable("id"))
}

/// Reads the email's columns of [`FIND`](super::FIND), in its order.
pub fn read(columns: &mut Columns, id: Uuid) -> Result<StoredEmail, DbError> {
    let email = Email {
        id,
        lane: Lane::parse(&columns.text()?).ok_or_else(|| unreadable("lane"))?,
        created_at: Timestamp(columns.integer()?),
        scheduled_at: columns.optional_integer()?.map(Timestamp),
        expires_at: Timestamp(columns.integer()?),
        on_unknown: OnUnknown::parse(&columns.text()?).ok_or_else(|| unreadable("on_unknown"))?,
        message_id: columns.text()?,
        size: columns.integer()?,
        has_content: columns.boolean()?,
        version: columns.integer()?,
        api_key_id: columns.optional_text()?.map(|id| read_id(&id)).transpose()?,
        required_key_id: columns.optional_text()?.map(|id| read_id(&id)).transpose()?,
        is_test: columns.boolean()?,
        recipients: Vec::new(),
    };
    Ok(StoredEmail { email, sealed_details: columns.optional_bytes()?, key_day: columns.integer()? })
}

/// Reads the recipient's columns of [`FIND`](super::FIND), in its order.
pub fn read_recipient(columns: &mut Columns) -> Result<Recipient, DbError> {
    let position = columns.integer()?;
    let address = columns.optional_text()?.map(|text| EmailAddress::parse(&text)).transpose();
    let kind = RecipientKind::parse(&columns.text()?).ok_or_else(|| unreadable("kind"))?;
    let state = RecipientState::parse(&columns.text()?).ok_or_else(|| unreadable("state"))?;
    let (attempts, copies) = (columns.integer()?, columns.integer()?);
    let started = match (columns.optional_integer()?, columns.optional_integer()?) {
        (Some(at), Some(fence)) => Some(Started { at: Timestamp(at), fence }),
        _ => None,
    };
    let next_attempt_at = columns.optional_integer()?.map(Timestamp);
    let last: Option<LastAttempt> = match columns.optional_text()? {
        Some(text) => Some(serde_json::from_str(&text).map_err(|_| unreadable("last"))?),
        None => None,
    };
    Ok(Recipient {
        position,
        address: address.map_err(|_| unreadable("address"))?,
        kind,
        state,
        attempts,
        copies,
        started,
        next_attempt_at,
        last,
    })
}

/// Never holds the value: it was edited by hand, and may be anything.
pub fn unreadable(column: &str) -> DbError {
    DbError::Statement(format!("a row of emails cannot be understood: {column} is not one of ours"))
}
