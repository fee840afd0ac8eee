//! The type of every secret: it cannot be printed, compared by accident, cloned or serialised.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password, client secret or key text. Wiped from memory when dropped.
///
/// It has neither `Display`, `Clone` nor `Serialize`; its `Debug` prints `***`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. Every caller is a place to look at when asking where a secret may go.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True for a value made of mask characters only (`*`, `•`), as a form shows a stored secret.
    #[must_use]
    pub fn is_mask(&self) -> bool {
        !self.0.is_empty() && self.0.chars().all(|c| c == '*' || c == '•')
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
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
