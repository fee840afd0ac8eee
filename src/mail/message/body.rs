//! Encodes a text as the body of a part.

use lettre::message::Body;
use lettre::message::header::ContentTransferEncoding;

use super::BuildError;

/// The longest line that is sent as it is, without its CRLF: what RFC 5322 section 2.1.1 asks for.
const MAX_PLAIN_LINE: usize = 78;

/// The text in lines that end with CRLF, but for the last, which the library ends.
pub(super) fn encode(text: &str) -> Result<Body, BuildError> {
    let lines = in_lines(text);
    let is_plain = lines.as_bytes().split(|byte| *byte == b'\n').all(is_plain_line);
    if is_plain {
        // What the library would choose, without its looking at every character once more.
        return Ok(Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit));
    }
    let body = if lines.is_ascii() {
        // Lettre would send control characters, and spaces that get lost at a line's end, as they are.
        let encoded = quoted_printable::encode(lines);
        Body::dangerous_pre_encoded(encoded, ContentTransferEncoding::QuotedPrintable)
    } else {
        Body::new(lines)
    };
    let encoding = body.encoding();
    if encoding != ContentTransferEncoding::QuotedPrintable
        || memchr::memmem::find(body.as_ref(), MBOX_SEPARATOR.as_bytes()).is_none()
    {
        return Ok(body);
    }
    let encoded = String::from_utf8(body.into_vec()).map_err(|error| BuildError(error.to_string()))?;
    Ok(Body::dangerous_pre_encoded(without_separators(&encoded).into_bytes(), encoding))
}

/// The text with CRLF at the end of each line but the last, and without NUL.
fn in_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / 32 + 2);
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest.as_bytes()) {
        let (line, end) = rest.split_at(at);
        lines.push_str(line);
        rest = if let Some(after_nul) = end.strip_prefix('\0') {
            after_nul
        } else {
            lines.push_str("\r\n");
            // NUL between CR and LF does not make two lines of them.
            let line_feed =
                end.strip_prefix('\r').and_then(|rest| rest.trim_start_matches('\0').strip_prefix('\n'));
            line_feed.unwrap_or(&end[1..])
        };
    }
    lines.push_str(rest);
    if lines.ends_with("\r\n") {
        lines.truncate(lines.len() - 2);
    }
    lines
}

/// Whether a line may be sent as it is. It may have CR at its end.
fn is_plain_line(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Every octet is looked at: that way several are at a time.
    let is_printable = line.iter().fold(true, |all, byte| all & matches!(byte, b'\t' | b' '..=b'~'));
    is_printable
        && line.len() <= MAX_PLAIN_LINE
        && !matches!(line.last(), Some(b' ' | b'\t'))
        && !line.starts_with(MBOX_SEPARATOR.as_bytes())
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
