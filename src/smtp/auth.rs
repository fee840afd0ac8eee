//! SASL for AUTH (RFC 4954): PLAIN, LOGIN and XOAUTH2; one mechanism per attempt.

mod dialogue;

pub(super) use dialogue::{Dialogue, NextStep};

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::Zeroizing;

use crate::mail::transcript::printable;
use crate::secret::{NOT_SHOWN, Redactor, Secret};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    Plain,
    Login,
    XOAuth2,
}

impl Mechanism {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Login, Self::XOAuth2];

    /// The name in EHLO and in AUTH.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
        }
    }
}

/// What a session signs in with.
pub enum Credentials<'a> {
    Password { username: &'a str, password: &'a Secret },
    OAuthToken { username: &'a str, token: &'a Secret },
}

/// The longest command line, CR LF included (RFC 5321 section 4.5.3.1.4). RFC 4954 holds AUTH to it; what is
/// longer goes without an initial response, and the responses on lines of their own have no such limit.
const MAX_COMMAND: usize = 512;

impl Credentials<'_> {
    /// Our mechanism for these credentials among those on offer. PLAIN is one flight, LOGIN three.
    pub(super) fn mechanism(&self, offered: &[String]) -> Option<Mechanism> {
        let ours: &[Mechanism] = match self {
            Self::Password { .. } => &[Mechanism::Plain, Mechanism::Login],
            Self::OAuthToken { .. } => &[Mechanism::XOAuth2],
        };
        ours.iter().copied().find(|mechanism| offered.iter().any(|name| name == mechanism.as_str()))
    }

    /// The client's responses in their order. LOGIN's prompts are answered by position, since their text differs
    /// between servers.
    fn responses(&self, mechanism: Mechanism) -> Vec<Zeroizing<String>> {
        let encoded = |text: &[u8]| Zeroizing::new(STANDARD.encode(text));
        match (mechanism, self) {
            (Mechanism::Login, Self::Password { username, password }) => {
                vec![encoded(username.as_bytes()), encoded(password.expose().as_bytes())]
            }
            _ => vec![encoded(&self.message())],
        }
    }

    /// The one message of PLAIN (RFC 4616) or XOAUTH2.
    fn message(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Password { username, password } => {
                [b"\0", username.as_bytes(), b"\0", password.expose().as_bytes()].concat()
            }
            Self::OAuthToken { username, token } => {
                [b"user=", username.as_bytes(), b"\x01auth=Bearer ", token.expose().as_bytes(), b"\x01\x01"]
                    .concat()
            }
        })
    }

    /// Has the secret found in what the server says from now on. `public` is what may stand there all the same.
    pub(super) fn add_to(&self, redactor: &mut Redactor, public: &[&str]) {
        let (Self::Password { username, password: secret } | Self::OAuthToken { username, token: secret }) =
            self;
        redactor.add(secret, &[&[*username], public].concat());
    }
}

/// The AUTH command, and whether it holds the first response: only where the mechanism and the length allow.
fn opening(mechanism: Mechanism, first: &str) -> (Zeroizing<String>, bool) {
    let name = mechanism.as_str();
    let whole = "AUTH  \r\n".len() + name.len() + first.len();
    if mechanism != Mechanism::Login && whole <= MAX_COMMAND {
        (Zeroizing::new(format!("AUTH {name} {first}\r\n")), true)
    } else {
        (Zeroizing::new(format!("AUTH {name}\r\n")), false)
    }
}

/// The text in the 334 to a refused XOAUTH2: JSON in Base64. Empty where it is no Base64.
pub(super) fn challenge(text: &str, redactor: &Redactor) -> String {
    const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
        &ALPHABET,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if text == NOT_SHOWN {
        return text.to_owned();
    }
    let decoded = LENIENT_BASE64.decode(text.trim()).unwrap_or_default();
    printable(&redactor.redact(String::from_utf8_lossy(&decoded).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn the_mechanism_follows_from_the_credentials_and_the_offer() {
        let secret = secret("x");
        let password = Credentials::Password { username: "ada", password: &secret };
        let token = Credentials::OAuthToken { username: "ada", token: &secret };
        for (credentials, offered, expected) in [
            (&password, "LOGIN PLAIN XOAUTH2", Some(Mechanism::Plain)),
            (&password, "LOGIN XOAUTH2", Some(Mechanism::Login)),
            (&password, "XOAUTH2 CRAM-MD5 PLAIN-CLIENTTOKEN", None),
            (&token, "LOGIN PLAIN XOAUTH2", Some(Mechanism::XOAuth2)),
            (&token, "LOGIN PLAIN OAUTHBEARER", None),
            (&password, "", None),
        ] {
            let offer: Vec<_> = offered.split_whitespace().map(str::to_owned).collect();
            assert_eq!(credentials.mechanism(&offer), expected, "{offered}");
        }
    }

    /// Security case C8.
    #[test]
    fn whatever_the_credentials_hold_travels_as_base64() {
        for password in ["plain", "pässwörd", "a\r\nQUIT\r\n", " ", &"x".repeat(10_240)] {
            let secret = secret(password);
            let credentials = Credentials::Password { username: "ada@example.com", password: &secret };
            let plain = credentials.responses(Mechanism::Plain);
            assert_eq!(plain.len(), 1);
            assert_eq!(
                STANDARD.decode(&*plain[0]).unwrap(),
                format!("\0ada@example.com\0{password}").as_bytes()
            );
            let login = credentials.responses(Mechanism::Login);
            assert_eq!(login.len(), 2);
            assert_eq!(STANDARD.decode(&*login[0]).unwrap(), b"ada@example.com");
            assert_eq!(STANDARD.decode(&*login[1]).unwrap(), password.as_bytes());
        }
    }

    #[test]
    fn xoauth2_has_its_published_form() {
        let token = secret("ya29.x");
        let credentials = Credentials::OAuthToken { username: "ada@example.com", token: &token };
        let responses = credentials.responses(Mechanism::XOAuth2);
        let decoded = STANDARD.decode(&*responses[0]).unwrap();
        assert_eq!(decoded, b"user=ada@example.com\x01auth=Bearer ya29.x\x01\x01");
    }

    #[test]
    fn the_initial_response_is_sent_where_the_line_can_hold_it() {
        let room = MAX_COMMAND - "AUTH PLAIN \r\n".len();
        let (line, sent) = opening(Mechanism::Plain, &"x".repeat(room));
        assert_eq!((line.len(), sent), (MAX_COMMAND, true));
        let (line, sent) = opening(Mechanism::Plain, &"x".repeat(room + 1));
        assert_eq!((line.as_str(), sent), ("AUTH PLAIN\r\n", false));
        let (line, sent) = opening(Mechanism::Login, "x");
        assert_eq!((line.as_str(), sent), ("AUTH LOGIN\r\n", false));
    }

    #[test]
    fn a_challenge_is_decoded_into_printable_text() {
        let redactor = Redactor::new(&secret("ya29.x"), &[]);
        for (text, expected) in [
            ("eyJzdGF0dXMiOiI0MDEifQ==", r#"{"status":"401"}"#),
            ("eyJzdGF0dXMiOiI0MDEifQ", r#"{"status":"401"}"#),
            ("eWEyOS54", NOT_SHOWN),
            (NOT_SHOWN, NOT_SHOWN),
            ("%%%", ""),
            ("", ""),
            ("AAEC/w==", "???"),
        ] {
            assert_eq!(challenge(text, &redactor), expected, "{text}");
        }
    }
}
