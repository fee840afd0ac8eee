//! Reads AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN, with or without an initial response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SignIn;
use super::reply::{
    BAD_BASE64, FixedReply, SEND_CREDENTIALS, SEND_PASSWORD, SEND_USERNAME, SIGN_IN_CANCELLED,
    UNKNOWN_MECHANISM, WRONG_CREDENTIALS,
};
use crate::secret::Secret;

/// The response that the next line of the client holds.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Awaited {
    Plain,
    LoginUser,
    LoginPassword { username: String },
}

#[derive(Debug)]
pub(super) enum Step {
    /// Send the challenge and wait for the response.
    Challenge(FixedReply, Awaited),
    Credentials(SignIn),
    /// Nothing was tried.
    Malformed(FixedReply),
    Refused(FixedReply),
}

/// `arguments` are a mechanism and an optional initial response.
pub(super) fn begin(arguments: &str) -> Step {
    let (mechanism, initial) = match arguments.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim())),
        None => (arguments, None),
    };
    let (awaited, challenge) = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => (Awaited::Plain, SEND_CREDENTIALS),
        "LOGIN" => (Awaited::LoginUser, SEND_USERNAME),
        _ => return Step::Malformed(UNKNOWN_MECHANISM),
    };
    match initial {
        // An empty response (RFC 4954 section 4).
        Some("=") => respond(awaited, ""),
        Some(response) => respond(awaited, response),
        None => Step::Challenge(challenge, awaited),
    }
}

/// Copies of a password in buffers are overwritten when they are freed: the process's allocator does that (ADR 11).
pub(super) fn respond(awaited: Awaited, line: &str) -> Step {
    if line == "*" {
        return Step::Malformed(SIGN_IN_CANCELLED);
    }
    let Ok(response) = STANDARD.decode(line) else { return Step::Malformed(BAD_BASE64) };
    // RFC 4616 section 2 has UTF-8; no password that is accepted here is anything else.
    let Ok(response) = String::from_utf8(response) else { return Step::Refused(WRONG_CREDENTIALS) };
    match awaited {
        Awaited::LoginUser => Step::Challenge(SEND_PASSWORD, Awaited::LoginPassword { username: response }),
        Awaited::LoginPassword { username } => {
            Step::Credentials(SignIn { username, password: Secret::new(response) })
        }
        Awaited::Plain => {
            let parts: Vec<&str> = response.split('\0').collect();
            match parts[..] {
                // For another user: not allowed.
                [on_behalf_of, username, password] if on_behalf_of.is_empty() || on_behalf_of == username => {
                    let (username, password) = (username.to_owned(), Secret::new(password.to_owned()));
                    Step::Credentials(SignIn { username, password })
                }
                _ => Step::Refused(WRONG_CREDENTIALS),
            }
        }
    }
}
