//! Parses server-sent events (WHATWG HTML section 9.2.6) from pieces of any size.

/// One event. Ids and reconnection times are ignored, since this client does not reconnect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Event {
    /// `message` where the stream names none.
    pub name: String,
    pub data: String,
}

/// Turns bytes into events. The caller bounds their size.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// The last byte was CR: a following LF belongs to the same line end.
    after_cr: bool,
    /// Whether a line has been read; a byte order mark is skipped before the first one.
    begun: bool,
    name: String,
    data: Option<String>,
}

impl Events {
    /// Takes the next bytes and gives the events that end in them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_line = match byte {
                b'\n' if self.after_cr => false,
                b'\n' | b'\r' => true,
                _ => {
                    self.line.push(byte);
                    false
                }
            };
            self.after_cr = byte == b'\r';
            if ends_line {
                events.extend(self.take_line());
            }
        }
        events
    }

    fn take_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = &*String::from_utf8_lossy(&bytes);
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return self.data.take().map(|data| Event { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (field, &mut self.data) {
            ("event", _) => value.clone_into(&mut self.name),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", None) => self.data = Some(value.to_owned()),
            // Comments (with an empty field name) keep the connection alive; other fields are ignored.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        Events::default().push(text.as_bytes()).into_iter().map(|event| (event.name, event.data)).collect()
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("data: a\n\n", &[("message", "a")][..]),
            (
                "event: stage\ndata: {\"x\":1}\n\nevent: result\ndata: b\n\n",
                &[("stage", "{\"x\":1}"), ("result", "b")],
            ),
            ("data: a\ndata:b\ndata\ndata:  c\n\n", &[("message", "a\nb\n\n c")]),
            ("data: a\r\n\r\n", &[("message", "a")]),
            ("event: x\r\ndata: a\r\ndata: b\r\n\r\n", &[("x", "a\nb")]),
            ("data: a\r\rdata: b\r\r", &[("message", "a"), ("message", "b")]),
            ("\u{feff}data: a\n\n", &[("message", "a")]),
            (": alive\n\ndata: a\n\n: alive\n\n", &[("message", "a")]),
            // Without data there is no event, and its name is forgotten.
            ("event: x\n\ndata: a\n\n", &[("message", "a")]),
            ("data\n\n", &[("message", "")]),
            ("id: 7\nretry: 5\nunknown: x\ndata: a\n\n", &[("message", "a")]),
            // What the stream breaks off in is no event.
            ("data: a\n\ndata: b\n", &[("message", "a")]),
            ("", &[]),
            ("\n\n\n", &[]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_harm_nothing() {
        let events = Events::default().push(b"data: \xff\xfe\n\ndata: a\n\n");
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].data, "a");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in "(event: [a-z]{0,3}|data: ?[aü]{0,3}|:|data)?((\n|\r|\r\n)(event: [a-z]{0,3}|data: ?[aü]{0,3}|:|data)?){0,12}",
            size in 1..7_usize,
        ) {
            let whole = Events::default().push(text.as_bytes());
            let mut reader = Events::default();
            let pieces: Vec<Event> = text.as_bytes().chunks(size).flat_map(|piece| reader.push(piece)).collect();
            prop_assert_eq!(whole, pieces);
        }
    }
}
