//! Mail addresses: one mailbox of RFC 5321, in the form that goes on the wire.

use std::fmt;

/// A mailbox `local-part@domain`: no CR, LF, NUL or space, no quoted local part, no address literal;
/// the domain is ASCII after IDNA, in lower case, with at least two labels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    #[error("is empty")]
    Empty,
}

impl EmailAddress {
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(_text: &str) -> Result<Self, AddressError> {
        todo!()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// Whether the server must offer SMTPUTF8 (RFC 6531): a local part beyond ASCII.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local_part().is_ascii()
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
