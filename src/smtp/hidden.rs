//! Takes secrets out of what a server says: some echo what they were sent.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use zeroize::Zeroizing;

/// What stands in place of a secret.
pub(super) const HIDDEN: &str = "<hidden>";

/// The secrets of one session in the forms in which it sent them.
#[derive(Default)]
pub(super) struct Hidden {
    /// The longest first, so that no part of a longer one is left.
    needles: Vec<Zeroizing<Vec<u8>>>,
}

impl Hidden {
    /// From now on `secret` is taken out, as it is and in Base64.
    pub fn add(&mut self, secret: &[u8]) {
        if secret.is_empty() {
            return;
        }
        self.needles.push(Zeroizing::new(secret.to_vec()));
        self.needles.push(Zeroizing::new(STANDARD.encode(secret).into_bytes()));
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    }

    /// `text` without any secret; linear in `text` for the few secrets of a session.
    pub fn remove<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.needles.iter().any(|needle| memmem::find(text, needle).is_some()) {
            return Cow::Borrowed(text);
        }
        let mut clean = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.first() {
            if let Some(needle) = self.needles.iter().find(|needle| rest.starts_with(needle)) {
                clean.extend_from_slice(HIDDEN.as_bytes());
                rest = &rest[needle.len()..];
            } else {
                clean.push(*first);
                rest = &rest[1..];
            }
        }
        Cow::Owned(clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security case I2.
    #[test]
    fn a_secret_is_taken_out_in_every_form_that_was_sent() {
        let mut hidden = Hidden::default();
        hidden.add(b"hunter2");
        hidden.add(b"\0ada\0hunter2");
        for (said, shown) in [
            ("bad password hunter2!", "bad password <hidden>!"),
            ("hunter2hunter2", "<hidden><hidden>"),
            ("you sent aHVudGVyMg== to us", "you sent <hidden> to us"),
            ("AUTH PLAIN AGFkYQBodW50ZXIy", "AUTH PLAIN <hidden>"),
            ("nothing here", "nothing here"),
            ("hunter", "hunter"),
            ("", ""),
        ] {
            assert_eq!(hidden.remove(said.as_bytes()).as_ref(), shown.as_bytes(), "{said}");
        }
    }

    #[test]
    fn an_empty_secret_hides_nothing() {
        let mut hidden = Hidden::default();
        hidden.add(b"");
        assert_eq!(hidden.remove(b"250 OK").as_ref(), b"250 OK");
    }
}
