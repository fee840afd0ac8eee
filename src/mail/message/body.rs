//! Encodes a text as the body of a part.

use lettre::message::Body;
use lettre::message::header::ContentTransferEncoding;

use super::BuildError;

/// The text in lines that end with CRLF, but for the last, which the library ends.
pub(super) fn encode(text: &str) -> Result<Body, BuildError> {
    let mut lines = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|c| *c != '\0').peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' | '\n' => {
                if c == '\r' {
                    characters.next_if_eq(&'\n');
                }
                lines.push_str("\r\n");
            }
            c => lines.push(c),
        }
    }
    if lines.ends_with("\r\n") {
        lines.truncate(lines.len() - 2);
    }
    let is_plain = |line: &str| {
        line.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
            && !line.ends_with([' ', '\t'])
            && !line.starts_with(MBOX_SEPARATOR)
    };
    let body = if lines.is_ascii() && !lines.split("\r\n").all(is_plain) {
        // The library would send control characters, and spaces that get lost at a line's end, as they are.
        Body::new_with_encoding(lines, ContentTransferEncoding::QuotedPrintable)
            .map_err(|_| BuildError("the body could not be encoded".to_owned()))?
    } else {
        Body::new(lines)
    };
    let encoding = body.encoding();
    if encoding != ContentTransferEncoding::QuotedPrintable {
        return Ok(body);
    }
    let encoded = String::from_utf8(body.into_vec()).map_err(|error| BuildError(error.to_string()))?;
    Ok(Body::dangerous_pre_encoded(without_separators(&encoded).into_bytes(), encoding))
}

/// What begins a mail in a mailbox file. Programs that store mail in one put `>` before a line that begins so, which
/// breaks a signature over the body.
const MBOX_SEPARATOR: &str = "From ";

/// The longest encoded line (RFC 2045 section 6.7).
const MAX_ENCODED_LINE: usize = 76;

/// Quoted-printable lines of which none begins with [`MBOX_SEPARATOR`] (RFC 2049 section 3).
fn without_separators(encoded: &str) -> String {
    const ESCAPED: &str = "=46rom ";
    let mut lines = Vec::new();
    for mut line in encoded.split("\r\n") {
        let mut escaped = String::new();
        while let Some(rest) = line.strip_prefix(MBOX_SEPARATOR) {
            escaped.push_str(ESCAPED);
            line = rest;
            if escaped.len() + line.len() <= MAX_ENCODED_LINE {
                break;
            }
            // A soft line break: what follows begins a line of its own.
            lines.push(format!("{escaped}="));
            escaped.clear();
        }
        lines.push(escaped + line);
    }
    lines.join("\r\n")
}
