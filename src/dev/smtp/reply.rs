//! The replies of the server (RFC 5321 section 4.2, with enhanced codes of RFC 3463).

use std::borrow::Cow;

/// A reply of one or more lines, without the last line end.
pub(super) type Reply = Cow<'static, str>;

pub(super) const GREETING: &str = "220 localhost ESMTP inbox of transports dev";
pub(super) const OK: &str = "250 2.0.0 OK";
pub(super) const BYE: &str = "221 2.0.0 Bye";
pub(super) const SEND_MESSAGE: &str = "354 End with a line that holds a dot alone";
pub(super) const START_TLS: &str = "220 2.0.0 Begin TLS";
pub(super) const TIMED_OUT: &str = "421 4.4.2 Nothing came for too long";

pub(super) const UNKNOWN_COMMAND: &str = "500 5.5.1 Unknown command";
pub(super) const NOT_UTF8: &str = "500 5.5.2 The line is not UTF-8";
pub(super) const LINE_TOO_LONG: &str = "500 5.5.6 The line is too long";
pub(super) const SYNTAX: &str = "501 5.5.4 The arguments cannot be read";
pub(super) const GREET_FIRST: &str = "503 5.5.1 EHLO comes first";
pub(super) const OUT_OF_ORDER: &str = "503 5.5.1 Not now";
pub(super) const INJECTION: &str = "503 5.5.1 Nothing may follow STARTTLS";
pub(super) const SIGN_IN_FIRST: &str = "530 5.7.0 Authentication required";
pub(super) const NO_RECIPIENT: &str = "554 5.5.1 No valid recipients";
pub(super) const UNKNOWN_PARAMETER: &str = "555 5.5.4 Unknown parameter";

pub(super) const NO_SUCH_USER: &str = "550 5.1.1 No such user here";
pub(super) const COME_LATER: &str = "450 4.2.1 The mailbox is busy, try again later";
pub(super) const TOO_LARGE: &str = "552 5.3.4 The message is too large";
pub(super) const TOO_MANY_RECIPIENTS: &str = "452 4.5.3 Too many recipients";
pub(super) const NEEDS_SMTPUTF8: &str = "553 5.6.7 The address needs SMTPUTF8";

pub(super) const SIGNED_IN: &str = "235 2.7.0 Signed in";
pub(super) const WRONG_CREDENTIALS: &str = "535 5.7.8 User name or password is wrong";
pub(super) const UNKNOWN_MECHANISM: &str = "504 5.5.4 Use PLAIN or LOGIN";
pub(super) const SIGN_IN_CANCELLED: &str = "501 5.7.0 The sign-in was cancelled";
pub(super) const BAD_BASE64: &str = "501 5.5.2 The base64 cannot be read";
