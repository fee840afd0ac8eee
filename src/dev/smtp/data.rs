//! The message after DATA: finds its end and takes out the stuffed dots (RFC 5321 section 4.5.2).
//!
//! Only CR LF ends a line. What ends a message for one server and not for another is how mails are smuggled.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    LineStart,
    /// A dot at the start of a line, not yet kept.
    Dot,
    DotCr,
    InLine,
    Cr,
}

/// Takes the bytes of a message as they come, in pieces of any size.
pub(super) struct Message {
    limit: usize,
    place: Place,
    kept: Vec<u8>,
    /// Without the dots that were stuffed; goes on counting where nothing is kept any more.
    length: usize,
}

impl Message {
    /// At most `limit` bytes are kept.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, place: Place::LineStart, kept: Vec::new(), length: 0 }
    }

    /// Takes from `bytes` and says how many; true once the message has ended: what follows is no part of it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            self.place = match (self.place, byte) {
                (Place::LineStart, b'.') => Place::Dot,
                (Place::Dot, b'\r') => Place::DotCr,
                (Place::DotCr, b'\n') => return (at + 1, true),
                (Place::DotCr, _) => {
                    // The dot was a stuffed one after all, before a line that begins with CR.
                    self.keep(b'\r');
                    self.in_line(byte, Place::Cr)
                }
                (place, _) => self.in_line(byte, place),
            };
        }
        (bytes.len(), false)
    }

    /// None where the message is larger than the limit.
    pub(super) fn into_source(self) -> Option<Vec<u8>> {
        (self.length <= self.limit).then_some(self.kept)
    }

    fn in_line(&mut self, byte: u8, before: Place) -> Place {
        self.keep(byte);
        match (before, byte) {
            (_, b'\r') => Place::Cr,
            (Place::Cr, b'\n') => Place::LineStart,
            _ => Place::InLine,
        }
    }

    fn keep(&mut self, byte: u8) {
        self.length = self.length.saturating_add(1);
        if self.length <= self.limit {
            self.kept.push(byte);
        } else {
            // It will be refused: its beginning is of no use.
            self.kept = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source, and what was left over, with the input in pieces of `size`.
    fn read(input: &str, size: usize) -> (Option<String>, String) {
        let mut message = Message::new(1000);
        let mut used = 0;
        for piece in input.as_bytes().chunks(size) {
            let (taken, ended) = message.take(piece);
            used += taken;
            if ended {
                let source = message.into_source().expect("is small");
                return (Some(String::from_utf8(source).expect("text")), input[used..].to_owned());
            }
        }
        (None, input[used..].to_owned())
    }

    #[test]
    fn the_end_is_found_and_dots_are_unstuffed_however_the_bytes_come() {
        for (input, source, rest) in [
            (".\r\n", Some(""), ""),
            ("a\r\n.\r\nQUIT\r\n", Some("a\r\n"), "QUIT\r\n"),
            ("..\r\n.\r\n", Some(".\r\n"), ""),
            ("..a\r\n...b\r\n.\r\n", Some(".a\r\n..b\r\n"), ""),
            (".a\r\n.\r\n", Some("a\r\n"), ""),
            ("a.\r\n.\r\n", Some("a.\r\n"), ""),
            ("a\r\r\n.\r\n", Some("a\r\r\n"), ""),
            (".\ra\r\n.\r\n", Some("\ra\r\n"), ""),
            (".\r\r\n.\r\n", Some("\r\r\n"), ""),
            ("\r\n.\r\n", Some("\r\n"), ""),
            ("a\r\n", None, ""),
        ] {
            for size in 1..=input.len() {
                assert_eq!(
                    read(input, size),
                    (source.map(str::to_owned), rest.to_owned()),
                    "{input:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn no_bare_line_end_ends_a_message() {
        for input in [
            "a\n.\n",
            "a\n.\r\n",
            "a\r\n.\n",
            "a\r.\r",
            "a\r\n.\r",
            "a\r.\r\n",
            "a\n.\r",
            "a\r\n\0.\r\n",
            "\n.\r\n",
        ] {
            assert_eq!(read(input, input.len()).0, None, "{input:?}");
            let ended = format!("{input}x\r\n.\r\n");
            assert!(read(&ended, 1).0.is_some(), "{ended:?}");
        }
    }

    #[test]
    fn a_message_beyond_the_limit_is_read_to_its_end_and_not_kept() {
        for (length, fits) in [(8, true), (9, false), (1000, false)] {
            let mut message = Message::new(10);
            let input = format!("{}\r\n.\r\n", "x".repeat(length));
            assert_eq!(message.take(input.as_bytes()), (input.len(), true));
            assert!(message.kept.len() <= 10);
            assert_eq!(message.into_source().is_some(), fits, "{length}");
        }
    }
}
