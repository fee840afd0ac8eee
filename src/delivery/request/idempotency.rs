//! The key by which a request that is repeated is recognised.

use super::fault::{ErrorName, RequestFault};
use crate::error::{InputFault, Reason};

/// 1 to 256 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub const HEADER: &str = "Idempotency-Key";
    const MAX_CHARACTERS: usize = 256;

    /// From the header of that name.
    ///
    /// # Errors
    /// Empty, too long, or with another character.
    pub fn parse(value: &[u8]) -> Result<Self, RequestFault> {
        let fault = |reason, statement: &str| RequestFault {
            name: ErrorName::InvalidIdempotencyKey,
            input: InputFault::header(Self::HEADER, reason, statement),
        };
        if value.is_empty() {
            return Err(fault(Reason::Empty, "is empty"));
        }
        if value.len() > Self::MAX_CHARACTERS {
            let statement = format!("is longer than {} characters", Self::MAX_CHARACTERS);
            return Err(fault(Reason::TooLong, &statement));
        }
        if !value.iter().all(u8::is_ascii_graphic) {
            return Err(fault(
                Reason::InvalidCharacter,
                "contains a space, or a character that is not visible ASCII",
            ));
        }
        Ok(Self(value.iter().copied().map(char::from).collect()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
