//! Encodes a message for DATA (RFC 5321 section 4.5.2): doubles leading dots and adds the final one. For BDAT it has right
//! line ends, and nothing else changes.

/// The message with its end.
pub(super) fn encode(message: &[u8]) -> Vec<u8> {
    let mut wire = lines(message, true);
    wire.extend_from_slice(b".\r\n");
    wire
}

/// The message as its octets are counted for BDAT.
pub(super) fn with_line_ends(message: &[u8]) -> Vec<u8> {
    lines(message, false)
}

/// A line end that is no CR LF, and a NUL, are replaced: servers read them differently, which is how one message is smuggled
/// inside another.
fn lines(message: &[u8], doubles_dots: bool) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + message.len() / 64 + 8);
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        let line_start = wire.len();
        if line.contains(&0) {
            wire.extend(line.iter().filter(|byte| **byte != 0));
        } else {
            wire.extend_from_slice(line);
        }
        if doubles_dots && wire.get(line_start) == Some(&b'.') {
            wire.insert(line_start, b'.');
        }
        wire.extend_from_slice(b"\r\n");
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    wire
}

/// An empty message with its end, for a server that replied 354 although it accepted no recipient (RFC 2920 section
/// 3.1).
pub(super) const EMPTY: &[u8] = b".\r\n";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a server makes of it.
    fn decode(wire: &[u8]) -> Vec<u8> {
        let body = wire.strip_suffix(b".\r\n").unwrap();
        let mut message = Vec::new();
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        message
    }

    /// Security case C6.
    #[test]
    fn a_line_of_one_dot_is_no_end() {
        for (message, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b"hello\r\n", b"hello\r\n.\r\n"),
            (b"hello", b"hello\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..\r\n.x\r\n", b"...\r\n..x\r\n.\r\n"),
            (b"a\r\n.\r\nMAIL FROM:<z@z>\r\n", b"a\r\n..\r\nMAIL FROM:<z@z>\r\n.\r\n"),
        ] {
            assert_eq!(encode(message), wire, "{:?}", String::from_utf8_lossy(message));
        }
    }

    /// Security case C7.
    #[test]
    fn no_end_but_ours_is_on_the_wire() {
        const ENDS: &[&[u8]] = &[
            b"\n.\n",
            b"\n.\r\n",
            b"\r.\r",
            b"\r.\n",
            b"\r.\r\n",
            b"\n.\r",
            b"\r\n.\r",
            b"\r\n.\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\0\r\n.\r\n",
            b"\r\r\n.\r\r\n",
        ];
        for end in ENDS {
            for at in (0..200).chain(8_180..8_200) {
                let message = [&vec![b'x'; at][..], end, b"MAIL FROM:<z@z>\r\n"].concat();
                let wire = encode(&message);
                let body = wire.strip_suffix(b"\r\n.\r\n").unwrap();
                let text = String::from_utf8_lossy(body).replace("\r\n", "|");
                assert!(!text.contains(['\r', '\n', '\0']), "{end:?} at {at}");
                assert!(!text.contains("|.|"), "{end:?} at {at}");
            }
        }
    }

    proptest! {
        /// Security case C13.
        #[test]
        fn a_message_with_right_line_ends_arrives_as_it_is(lines in prop::collection::vec("[.a ]{0,5}", 0..20)) {
            let message: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
            prop_assert_eq!(decode(&encode(message.as_bytes())), message.as_bytes());
            prop_assert_eq!(with_line_ends(message.as_bytes()), message.as_bytes());
        }

        /// Security case C7.
        #[test]
        fn any_bytes_become_one_message(message: Vec<u8>) {
            let wire = encode(&message);
            let mut lines: Vec<_> = wire.split(|byte| *byte == b'\n').collect();
            prop_assert_eq!(lines.pop(), Some(&b""[..]));
            prop_assert_eq!(lines.pop(), Some(&b".\r"[..]));
            for line in lines {
                let text = line.strip_suffix(b"\r").unwrap();
                prop_assert!(!text.contains(&b'\r') && !text.contains(&0) && text != b".");
            }
            prop_assert_eq!(with_line_ends(&message), decode(&wire));
        }
    }
}
