//! The types of secrets: opened, which cannot be printed, compared by accident, cloned or serialised; and
//! encrypted, as the database stores them.

mod redactor;

pub use redactor::{NOT_SHOWN, Redactor};

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password, client secret or key text. Wiped from memory when dropped.
///
/// It has neither `Display`, `Clone` nor `Serialize`; its `Debug` prints `***`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. Every caller is a place to look at when asking where a secret may go.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True for a value made of mask characters only (`*`, `•`), as a form shows a stored secret.
    pub fn is_mask(&self) -> bool {
        !self.0.is_empty() && self.0.chars().all(|c| c == '*' || c == '•')
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// An encrypted secret, as the database stores it. The vault makes it and opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The named key that wraps the data key: a key of the ring, or a version of the key service's key.
    pub key_id: String,
    pub wrapped_key: Vec<u8>,
    pub payload: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::Secret;

    /// Security case I5.
    #[test]
    fn debug_hides_the_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "***");
    }

    #[test]
    fn a_mask_is_told_from_a_password() {
        for (text, mask) in [("*****", true), ("••••", true), ("*•*", true), ("*a*", false), ("", false)]
        {
            assert_eq!(Secret::new(text.to_owned()).is_mask(), mask, "{text:?}");
        }
    }
}
