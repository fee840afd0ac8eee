//! Handles AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN, with or without an initial response.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::USER;
use super::reply::{BAD_BASE64, SIGN_IN_CANCELLED, UNKNOWN_MECHANISM, WRONG_CREDENTIALS};
use crate::secret::Secret;

/// The response that the next line of the client holds.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Awaited {
    Plain,
    LoginUser,
    LoginPassword { user: Vec<u8> },
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Send the challenge and wait for the response.
    Challenge(&'static str, Awaited),
    SignedIn,
    Refused(&'static str),
}

/// `arguments` are a mechanism and an optional initial response.
pub(super) fn begin(arguments: &str, password: &Secret) -> Step {
    let (mechanism, initial) = match arguments.trim().split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim())),
        None => (arguments.trim(), None),
    };
    let (awaited, challenge) = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => (Awaited::Plain, "334 "),
        "LOGIN" => (Awaited::LoginUser, "334 VXNlcm5hbWU6"),
        _ => return Step::Refused(UNKNOWN_MECHANISM),
    };
    match initial {
        // An empty response (RFC 4954 section 4).
        Some("=") => respond(awaited, "", password),
        Some(response) => respond(awaited, response, password),
        None => Step::Challenge(challenge, awaited),
    }
}

pub(super) fn respond(awaited: Awaited, line: &str, password: &Secret) -> Step {
    if line == "*" {
        return Step::Refused(SIGN_IN_CANCELLED);
    }
    let Ok(response) = STANDARD.decode(line) else { return Step::Refused(BAD_BASE64) };
    match awaited {
        Awaited::LoginUser => Step::Challenge("334 UGFzc3dvcmQ6", Awaited::LoginPassword { user: response }),
        Awaited::LoginPassword { user } => check_credentials(&user, &response, password),
        Awaited::Plain => {
            let parts: Vec<&[u8]> = response.split(|byte| *byte == 0).collect();
            match parts[..] {
                [on_behalf_of, user, given] if on_behalf_of.is_empty() || on_behalf_of == user => {
                    check_credentials(user, given, password)
                }
                _ => Step::Refused(WRONG_CREDENTIALS),
            }
        }
    }
}

fn check_credentials(user: &[u8], given: &[u8], password: &Secret) -> Step {
    let right = verify_slices_are_equal(given, password.expose().as_bytes()).is_ok();
    if user == USER.as_bytes() && right { Step::SignedIn } else { Step::Refused(WRONG_CREDENTIALS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs AUTH and the lines after it; the challenges are left out.
    fn run(arguments: &str, lines: &[&str]) -> Step {
        let password = Secret::new("hunter2".to_owned());
        let mut step = begin(arguments, &password);
        for line in lines {
            let Step::Challenge(_, awaited) = step else { panic!("{step:?} before {line}") };
            step = respond(awaited, line, &password);
        }
        step
    }

    fn plain(text: &str) -> String {
        format!("PLAIN {}", STANDARD.encode(text))
    }

    #[test]
    fn the_right_password_signs_in_by_either_mechanism() {
        let (user, password) = (STANDARD.encode("dev"), STANDARD.encode("hunter2"));
        let whole = STANDARD.encode("\0dev\0hunter2");
        assert_eq!(run(&plain("\0dev\0hunter2"), &[]), Step::SignedIn);
        assert_eq!(run(&plain("dev\0dev\0hunter2"), &[]), Step::SignedIn);
        assert_eq!(run("plain", &[&whole]), Step::SignedIn);
        assert_eq!(run("LOGIN", &[&user, &password]), Step::SignedIn);
        assert_eq!(run(&format!("login {user}"), &[&password]), Step::SignedIn);
    }

    #[test]
    fn all_other_exchanges_are_refused() {
        let (user, wrong) = (STANDARD.encode("dev"), STANDARD.encode("hunter3"));
        for (arguments, lines, expected) in [
            (plain("\0dev\0hunter3"), vec![], WRONG_CREDENTIALS),
            (plain("\0dev\0"), vec![], WRONG_CREDENTIALS),
            (plain("\0root\0hunter2"), vec![], WRONG_CREDENTIALS),
            (plain("root\0dev\0hunter2"), vec![], WRONG_CREDENTIALS),
            (plain("dev\0hunter2"), vec![], WRONG_CREDENTIALS),
            (plain("\0dev\0hunter2\0"), vec![], WRONG_CREDENTIALS),
            ("PLAIN =".to_owned(), vec![], WRONG_CREDENTIALS),
            ("PLAIN ***".to_owned(), vec![], BAD_BASE64),
            ("PLAIN".to_owned(), vec!["*"], SIGN_IN_CANCELLED),
            ("LOGIN".to_owned(), vec![user.as_str(), wrong.as_str()], WRONG_CREDENTIALS),
            ("LOGIN".to_owned(), vec![user.as_str(), "?"], BAD_BASE64),
            ("LOGIN".to_owned(), vec!["*"], SIGN_IN_CANCELLED),
            ("CRAM-MD5".to_owned(), vec![], UNKNOWN_MECHANISM),
            (String::new(), vec![], UNKNOWN_MECHANISM),
        ] {
            assert_eq!(run(&arguments, &lines), Step::Refused(expected), "{arguments} {lines:?}");
        }
    }
}
