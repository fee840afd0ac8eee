//! The replies of the gateway that refuse: which code a client needs to do the right thing.
//!
//! What another attempt can change is 4yz, so that the client keeps the mail and tries again; all of this service's own
//! limits are. What is wrong with the mail itself is 5yz.

use std::fmt::Display;

use crate::delivery::request::SubmittedError;
use crate::delivery::{Error, KeyError, KeyRefusal};
use crate::mail::address::AddressError;
use crate::smtp::{EnhancedCode, Reply};

/// A reply's text stays within a line of 512 octets (RFC 5321 section 4.5.3.1.5).
const MAX_TEXT: usize = 400;

/// The class of the enhanced code is that of `code`.
fn reply(code: u16, (subject, detail): (u16, u16), text: impl Display) -> Reply {
    let class = if code < 500 { 4 } else { 5 };
    let printable = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let text: String = text.to_string().chars().map(printable).take(MAX_TEXT).collect();
    Reply::new(code, EnhancedCode(class, subject, detail), text)
}

pub(super) fn sign_in(text: &str) -> Reply {
    reply(535, (7, 8), text)
}

pub(super) fn sign_in_first() -> Reply {
    reply(530, (7, 0), "sign in first")
}

pub(super) fn sign_in_later() -> Reply {
    reply(454, (7, 0), "the API key cannot be looked up now; try again later")
}

/// The connection ends with it.
pub(super) fn too_many_sign_ins() -> Reply {
    reply(421, (7, 0), "too many refused sign-ins; try again in ten minutes")
}

/// What a session's key has become since its sign-in.
pub(super) fn key(error: &KeyError) -> Reply {
    match error {
        KeyError::Refused(KeyRefusal::Expired) => reply(535, (7, 8), "this API key has expired"),
        KeyError::Refused(_) => reply(535, (7, 8), "this API key was revoked"),
        KeyError::Database(_) => later(),
    }
}

pub(super) fn rate_limit(seconds: u64) -> Reply {
    reply(450, (7, 1), format!("too many mails of this tenant in a minute; try again in {seconds} s"))
}

pub(super) fn null_sender() -> Reply {
    reply(550, (1, 7), "the null sender is not taken: mail is sent in the name of an account")
}

pub(super) fn bad_sender(error: &AddressError) -> Reply {
    reply(553, (1, 7), format!("the sender {error}"))
}

pub(super) fn bad_recipient(error: &AddressError) -> Reply {
    reply(553, (1, 3), format!("the recipient {error}"))
}

/// Neither stored nor lost: the client sends again.
pub(super) fn later() -> Reply {
    reply(451, (3, 0), "the message cannot be stored now; try again later")
}

pub(super) fn message(error: &SubmittedError) -> Reply {
    if error.is_loop() { reply(554, (4, 6), error) } else { reply(550, (6, 0), error) }
}

pub(super) fn delivery(error: Error) -> Reply {
    match error {
        Error::OfBatch { error, .. } => delivery(*error),
        Error::NotConfigured => reply(
            450,
            (3, 2),
            "the tenant has no mail account yet; an administrator sets it up in the console",
        ),
        Error::SenderNotAllowed { allowed, .. } => reply(
            550,
            (7, 1),
            format!("the account may not send from this address, only from {}", allowed.join(", ")),
        ),
        Error::SenderNotAllowedByKey { allowed, .. } => reply(
            550,
            (7, 1),
            format!("this API key may not send from this address, only from {}", allowed.join(", ")),
        ),
        Error::Refused(faults) => {
            let first = faults.into_inputs().into_iter().next();
            reply(550, (6, 0), first.map_or_else(String::new, |fault| fault.to_string()))
        }
        Error::KeyReused => {
            reply(550, (6, 0), "another message came with this X-Transports-Idempotency-Key before")
        }
        Error::TooLarge { limit, size, .. } => {
            reply(552, (3, 4), format!("the message has {size} octets; at most {limit} are taken"))
        }
        Error::QueueFull => reply(452, (3, 1), "too much mail of this tenant waits; try again later"),
        Error::NoRoom => reply(452, (3, 1), "there is no room for more mail; try again later"),
        Error::Internal(cause) => {
            tracing::error!(cause = format!("{cause:#}"), "a message could not be accepted");
            later()
        }
        Error::KeysUnavailable
        | Error::Contended
        | Error::Database(_)
        | Error::Input(_)
        | Error::NotFound
        | Error::TooManyKeys
        | Error::Conflict(_)
        | Error::ContentGone { .. } => later(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DbError;

    #[test]
    fn own_limits_and_trouble_are_always_4yz() {
        for (error, expected) in [
            (Error::NotConfigured, "450 4.3.2"),
            (Error::QueueFull, "452 4.3.1"),
            (Error::NoRoom, "452 4.3.1"),
            (Error::KeysUnavailable, "451 4.3.0"),
            (Error::Contended, "451 4.3.0"),
            (Error::Database(DbError::Unavailable("x".to_owned())), "451 4.3.0"),
            (Error::Internal(anyhow::anyhow!("x")), "451 4.3.0"),
        ] {
            let reply = delivery(error);
            assert!(reply.to_string().starts_with(expected), "{reply}");
            assert!(reply.is_transient());
        }
        assert!(rate_limit(7).to_string().starts_with("450 4.7.1"));
        assert!(too_many_sign_ins().to_string().starts_with("421 4.7.0"));
        assert!(sign_in_later().is_transient());
    }

    #[test]
    fn a_reply_is_one_line_of_ascii() {
        let long = vec!["Grüße@example.com".to_owned(); 100];
        let reply = delivery(Error::SenderNotAllowed { pointer: "/raw", allowed: long }).to_string();
        assert!(reply.is_ascii() && reply.len() < 500, "{reply}");
    }
}
