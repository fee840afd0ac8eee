//! Builds the mail, through the library, as the bytes that go on the wire.

use crate::address::EmailAddress;
use crate::clock::Timestamp;

/// Text that may stand in a header: no control characters, at most [`HeaderText::MAX_CHARACTERS`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderText(String);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderTextError {
    #[error("contains a line break or another control character")]
    ControlCharacter,
    #[error("is longer than {} characters", HeaderText::MAX_CHARACTERS)]
    TooLong,
}

impl HeaderText {
    pub const MAX_CHARACTERS: usize = 255;

    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(_text: &str) -> Result<Self, HeaderTextError> {
        todo!()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a mail says, before it is bytes.
pub struct Draft<'a> {
    pub from: &'a EmailAddress,
    pub sender_name: Option<&'a HeaderText>,
    pub to: &'a EmailAddress,
    pub subject: &'a HeaderText,
    pub body: &'a str,
    pub date: Timestamp,
}

/// A built mail: CRLF line ends, no bare CR or LF, no NUL, lines of at most 998 octets, pure ASCII
/// (quoted-printable or base64 where needed) unless an address needs SMTPUTF8.
#[derive(Debug)]
pub struct Message {
    pub message_id: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("the mail could not be built: {0}")]
pub struct BuildError(pub String);

/// # Errors
/// Where the library refuses; never for input that the types above let through.
pub fn build(_draft: &Draft<'_>) -> Result<Message, BuildError> {
    todo!()
}
