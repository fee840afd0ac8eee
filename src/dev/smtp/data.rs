//! Reads the message after DATA: finds its end and removes stuffed dots (RFC 5321 section 4.5.2).
//!
//! Only CR LF ends a line. A server that also accepts other line ends allows SMTP smuggling.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    LineStart,
    /// A dot at the start of a line; it is stuffing, or the end of the message.
    Dot,
    DotCr,
    InLine,
    Cr,
}

/// A message under way; accepts its bytes in pieces of any size.
pub(super) struct Message {
    limit: usize,
    state: State,
    source: Vec<u8>,
    /// Without stuffed dots; counts on beyond the limit.
    length: usize,
}

impl Message {
    /// Keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: State::LineStart, source: Vec::new(), length: 0 }
    }

    /// Consumes `bytes` and returns how many belong to the message, and whether it has ended.
    pub(super) fn push(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            self.state = match (self.state, byte) {
                (State::LineStart, b'.') => State::Dot,
                (State::Dot, b'\r') => State::DotCr,
                (State::DotCr, b'\n') => return (at + 1, true),
                (State::DotCr, _) => {
                    // The dot was stuffed after all, before a line that begins with CR.
                    self.append(b'\r');
                    self.in_line(byte, State::Cr)
                }
                (state, _) => self.in_line(byte, state),
            };
        }
        (bytes.len(), false)
    }

    /// None where the message is larger than the limit.
    pub(super) fn into_source(self) -> Option<Vec<u8>> {
        (self.length <= self.limit).then_some(self.source)
    }

    fn in_line(&mut self, byte: u8, before: State) -> State {
        self.append(byte);
        match (before, byte) {
            (_, b'\r') => State::Cr,
            (State::Cr, b'\n') => State::LineStart,
            _ => State::InLine,
        }
    }

    fn append(&mut self, byte: u8) {
        self.length = self.length.saturating_add(1);
        if self.length <= self.limit {
            self.source.push(byte);
        } else {
            // The message will be refused.
            self.source = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source and the rest, with the input in pieces of `size`.
    fn read(input: &str, size: usize) -> (Option<String>, String) {
        let mut message = Message::new(1000);
        let mut used = 0;
        for piece in input.as_bytes().chunks(size) {
            let (taken, ended) = message.push(piece);
            used += taken;
            if ended {
                let source = message.into_source().expect("is small");
                return (Some(String::from_utf8(source).expect("text")), input[used..].to_owned());
            }
        }
        (None, input[used..].to_owned())
    }

    #[test]
    fn the_end_is_found_and_dots_are_removed_for_any_piece_size() {
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
    fn a_message_beyond_the_limit_is_consumed_and_dropped() {
        for (length, fits) in [(8, true), (9, false), (1000, false)] {
            let mut message = Message::new(10);
            let input = format!("{}\r\n.\r\n", "x".repeat(length));
            assert_eq!(message.push(input.as_bytes()), (input.len(), true));
            assert!(message.source.len() <= 10);
            assert_eq!(message.into_source().is_some(), fits, "{length}");
        }
    }
}
