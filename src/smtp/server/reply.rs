//! The replies of the server (RFC 5321 section 4.2), with enhanced codes (RFC 3463), and their form on the wire.

use crate::smtp::{EnhancedCode, Reply};

/// Leaves room for code, enhanced code and CR LF.
const MAX_TEXT: usize = 490;

/// A reply that is always the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FixedReply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    text: &'static str,
}

const fn fixed(code: u16, enhanced: (u8, u16, u16), text: &'static str) -> FixedReply {
    let (class, subject, detail) = enhanced;
    FixedReply { code, enhanced: Some(EnhancedCode(class, subject, detail)), text }
}

/// A 3yz reply has no enhanced code (RFC 2034 section 4).
const fn intermediate(code: u16, text: &'static str) -> FixedReply {
    FixedReply { code, enhanced: None, text }
}

impl From<FixedReply> for Reply {
    fn from(reply: FixedReply) -> Self {
        Self { code: reply.code, enhanced: reply.enhanced, lines: vec![reply.text.to_owned()] }
    }
}

impl Reply {
    /// A reply of one line. The class of the enhanced code is the first digit of `code`.
    pub fn new(code: u16, enhanced: EnhancedCode, text: impl Into<String>) -> Self {
        Self { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// Appends the reply as it is sent. A control character in its text becomes `?`, since a line break would be a reply of
    /// its own; so does what is not ASCII. A line has at most 512 octets (RFC 5321 section 4.5.3.1.5).
    pub(super) fn encode_to(&self, wire: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (index, line) in self.lines.iter().enumerate() {
            wire.extend_from_slice(self.code.to_string().as_bytes());
            wire.push(if index == last { b' ' } else { b'-' });
            if let Some(enhanced) = self.enhanced {
                wire.extend_from_slice(enhanced.to_string().as_bytes());
                wire.push(b' ');
            }
            let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
            wire.extend(line.chars().take(MAX_TEXT).flat_map(|c| u8::try_from(printable(c))));
            wire.extend_from_slice(b"\r\n");
        }
    }
}

pub(super) const OK: FixedReply = fixed(250, (2, 0, 0), "OK");
pub(super) const SENDER_OK: FixedReply = fixed(250, (2, 1, 0), "OK");
pub(super) const RECIPIENT_OK: FixedReply = fixed(250, (2, 1, 5), "OK");
pub(super) const BYE: FixedReply = fixed(221, (2, 0, 0), "Bye");
pub(super) const START_TLS: FixedReply = fixed(220, (2, 0, 0), "Begin TLS");
pub(super) const SIGNED_IN: FixedReply = fixed(235, (2, 7, 0), "Signed in");
pub(super) const NOT_VERIFIED: FixedReply =
    fixed(252, (2, 1, 5), "Cannot verify, but will accept the message");

pub(super) const SEND_MESSAGE: FixedReply = intermediate(354, "End data with <CR><LF>.<CR><LF>");
pub(super) const SEND_CREDENTIALS: FixedReply = intermediate(334, "");
/// `Username:` and `Password:` in Base64.
pub(super) const SEND_USERNAME: FixedReply = intermediate(334, "VXNlcm5hbWU6");
pub(super) const SEND_PASSWORD: FixedReply = intermediate(334, "UGFzc3dvcmQ6");

pub(super) const STOPPING: FixedReply = fixed(421, (4, 3, 2), "Service shutting down");
pub(super) const TIMED_OUT: FixedReply = fixed(421, (4, 4, 2), "Idle timeout");
pub(super) const TOO_SLOW: FixedReply = fixed(421, (4, 4, 2), "The message came too slowly");
pub(super) const EVICTED: FixedReply = fixed(421, (4, 7, 0), "Too many connections, closing idle one");
pub(super) const TOO_MANY_CONNECTIONS: FixedReply = fixed(421, (4, 7, 0), "Too many connections");
pub(super) const TOO_MANY_ERRORS: FixedReply = fixed(421, (4, 7, 0), "Too many errors");
pub(super) const TOO_MANY_COMMANDS: FixedReply = fixed(421, (4, 7, 0), "Too many commands without a message");
pub(super) const TOO_MANY_REFUSED: FixedReply = fixed(421, (4, 7, 0), "Too many refused sign-ins");
pub(super) const TOO_MANY_MESSAGES: FixedReply = fixed(421, (4, 7, 0), "Too many messages in one connection");
pub(super) const READ_AHEAD: FixedReply = fixed(421, (4, 7, 0), "Nothing may follow DATA before its reply");

pub(super) const NO_MEMORY: FixedReply = fixed(452, (4, 3, 1), "Insufficient memory, try again later");
pub(super) const TOO_MANY_RECIPIENTS: FixedReply = fixed(452, (4, 5, 3), "Too many recipients");

pub(super) const UNKNOWN_COMMAND: FixedReply = fixed(500, (5, 5, 1), "Unknown command");
pub(super) const BAD_LINE: FixedReply = fixed(500, (5, 5, 2), "A line holds CR, LF or NUL");
pub(super) const NOT_UTF8: FixedReply = fixed(500, (5, 5, 2), "The line is not UTF-8");
pub(super) const LINE_TOO_LONG: FixedReply = fixed(500, (5, 5, 6), "The line is too long");
pub(super) const OTHER_PROTOCOL: FixedReply = fixed(500, (5, 5, 1), "This is not an HTTP server");
pub(super) const SYNTAX: FixedReply = fixed(501, (5, 5, 4), "Syntax error in arguments");
pub(super) const BAD_SENDER: FixedReply = fixed(501, (5, 1, 7), "The sender's address cannot be read");
pub(super) const BAD_RECIPIENT: FixedReply = fixed(501, (5, 1, 3), "The recipient's address cannot be read");
pub(super) const SIGN_IN_CANCELLED: FixedReply = fixed(501, (5, 7, 0), "The sign-in was cancelled");
pub(super) const BAD_BASE64: FixedReply = fixed(501, (5, 5, 2), "Invalid base64");
pub(super) const NOT_IMPLEMENTED: FixedReply = fixed(502, (5, 5, 1), "Not implemented");
pub(super) const GREET_FIRST: FixedReply = fixed(503, (5, 5, 1), "EHLO comes first");
pub(super) const OUT_OF_ORDER: FixedReply = fixed(503, (5, 5, 1), "Bad sequence of commands");
pub(super) const INJECTION: FixedReply = fixed(503, (5, 5, 1), "Nothing may follow STARTTLS");
pub(super) const CHUNKS_BEGUN: FixedReply = fixed(503, (5, 5, 1), "The message has begun with BDAT");
pub(super) const UNKNOWN_MECHANISM: FixedReply = fixed(504, (5, 5, 4), "Use PLAIN or LOGIN");
pub(super) const SIGN_IN_FIRST: FixedReply = fixed(530, (5, 7, 0), "Authentication required");
pub(super) const TLS_FIRST: FixedReply = fixed(530, (5, 7, 0), "Must issue a STARTTLS command first");
pub(super) const WRONG_CREDENTIALS: FixedReply = fixed(535, (5, 7, 8), "Authentication credentials invalid");
pub(super) const SIGN_IN_NEEDS_TLS: FixedReply =
    fixed(538, (5, 7, 11), "Encryption required for requested authentication mechanism");
pub(super) const BAD_MESSAGE: FixedReply =
    fixed(550, (5, 6, 0), "The message holds a bare CR, a bare LF, NUL, or a line of more than 998 octets");
pub(super) const TOO_LARGE: FixedReply = fixed(552, (5, 3, 4), "The message is too large");
pub(super) const NEEDS_SMTPUTF8: FixedReply = fixed(553, (5, 6, 7), "The address needs SMTPUTF8");
pub(super) const NO_RECIPIENT: FixedReply = fixed(554, (5, 5, 1), "No valid recipients");
pub(super) const UNKNOWN_PARAMETER: FixedReply = fixed(555, (5, 5, 4), "Unknown parameter");
