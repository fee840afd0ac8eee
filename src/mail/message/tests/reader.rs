//! A small reader of mails, written apart from the library that builds them: RFC 5322, 2045 and 2047.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A mail as a receiver sees it.
pub struct Mail {
    headers: Vec<(String, String)>,
    body: String,
}

impl Mail {
    /// Also holds the bytes to what may go on the wire.
    pub fn read(bytes: &[u8], is_utf8: bool) -> Self {
        let (head, body) = on_the_wire(bytes, is_utf8);
        let headers: Vec<_> = unfolded(head)
            .split("\r\n")
            .map(|line| line.split_once(':').expect("a header"))
            // Spaces at the edges are nobody's to keep.
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut mail = Self { headers, body: String::new() };
        mail.body = mail.decoded(body);
        mail
    }

    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(header, _)| header == name);
        let (_, value) = found.next().expect("the header is there");
        assert!(found.next().is_none(), "{name} stands twice");
        value
    }

    pub fn subject(&self) -> String {
        decoded_words(self.header("subject"))
    }

    /// The one mailbox of a header: display name and address.
    pub fn mailbox(&self, name: &str) -> (String, String) {
        let value = self.header(name);
        let Some((display_name, address)) = value.rsplit_once('<') else {
            return (String::new(), value.to_owned());
        };
        let address = address.strip_suffix('>').expect("an angle bracket closes");
        let display_name = display_name.strip_suffix(' ').unwrap_or(display_name);
        let quoted = display_name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let display_name = quoted.map_or_else(|| decoded_words(display_name), unquoted);
        (display_name, address.to_owned())
    }

    /// In lines that end with CRLF, but for the last.
    pub fn body(&self) -> &str {
        &self.body
    }

    fn decoded(&self, body: &str) -> String {
        let bytes = match self.header("content-transfer-encoding") {
            "7bit" => body.strip_suffix("\r\n").expect("a last line").as_bytes().to_vec(),
            "base64" => {
                assert!(body.split("\r\n").all(|line| line.len() <= 76), "RFC 2045 section 6.8");
                STANDARD.decode(body.replace("\r\n", "")).expect("base64")
            }
            "quoted-printable" => {
                assert!(body.split("\r\n").all(|line| line.len() <= 76), "RFC 2045 section 6.7");
                quoted_printable(body.strip_suffix("\r\n").expect("a last line"))
            }
            other => panic!("{other} was not expected"),
        };
        String::from_utf8(bytes).expect("UTF-8")
    }
}

/// The head and the body of a mail that may go on the wire.
pub fn on_the_wire(bytes: &[u8], is_utf8: bool) -> (&str, &str) {
    assert!(bytes.ends_with(b"\r\n"));
    assert!(!bytes.contains(&0), "a NUL");
    assert!(is_utf8 || bytes.is_ascii(), "beyond ASCII");
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    for line in text.split("\r\n") {
        assert!(!line.contains(['\r', '\n']), "a bare CR or LF in {line:?}");
        assert!(line.len() <= 998, "a line of {} octets", line.len());
    }
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    assert!(head.split("\r\n").all(|line| !line.trim().is_empty()), "RFC 5322 section 3.2.2");
    (head, body)
}

/// RFC 5322 section 2.2.3.
fn unfolded(head: &str) -> String {
    head.replace("\r\n ", " ").replace("\r\n\t", "\t")
}

fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        plain.push(if c == '\\' { characters.next().expect("a quoted pair") } else { c });
    }
    plain
}

/// RFC 2047: encoded words, and no space between two of them.
fn decoded_words(text: &str) -> String {
    let mut decoded = String::new();
    let mut gap = String::new();
    let mut behind_word = false;
    for part in text.split_inclusive(' ') {
        let word = part.trim_end_matches(' ');
        let space = &part[word.len()..];
        let content = word.to_ascii_lowercase().starts_with("=?utf-8?b?").then(|| &word[10..word.len() - 2]);
        if let Some(content) = content {
            assert!(word.len() <= 75 && word.ends_with("?="), "RFC 2047 section 2");
            if !behind_word {
                decoded.push_str(&gap);
            }
            let bytes = STANDARD.decode(content).expect("base64");
            decoded.push_str(&String::from_utf8(bytes).expect("whole characters"));
            gap.clear();
            behind_word = true;
        } else if word.is_empty() {
            // A further space.
        } else {
            decoded.push_str(&gap);
            decoded.push_str(word);
            gap.clear();
            behind_word = false;
        }
        gap.push_str(space);
    }
    decoded + &gap
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte == b'=' {
            let (digits, behind) = behind.split_at(2);
            let digits = std::str::from_utf8(digits).expect("ASCII");
            bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
            rest = behind;
        } else {
            bytes.push(byte);
            rest = behind;
        }
    }
    bytes
}
