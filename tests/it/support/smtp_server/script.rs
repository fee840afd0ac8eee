//! What a scripted server does, and where.

use std::sync::Arc;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::sync::watch;

use crate::support::certificates::{self, Certificate};
use crate::support::leaks::canary;

/// The account that every script knows unless it says otherwise.
pub const USER: &str = "ada@example.com";

/// Its password, another one in each test.
pub fn good_password() -> &'static str {
    canary("correct horse battery staple ")
}

/// Its token, another one in each test.
pub fn good_token() -> &'static str {
    canary("ya29.a-good-token.")
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    None,
    StartTls,
    Tls,
}

/// A place in the conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum At {
    Greeting,
    /// EHLO in the clear, and in TLS where there was no STARTTLS.
    Ehlo,
    Helo,
    StartTls,
    /// Instead of the handshake, after the client has begun one.
    Handshake,
    /// EHLO in TLS.
    EhloInTls,
    Auth,
    /// A line of the client after a 334.
    AuthResponse,
    Mail,
    Rcpt,
    /// RCPT for this address; stands over [`At::Rcpt`].
    RcptTo(&'static str),
    Data,
    /// Instead of the final dot, which is lost on its way: the message came, and its end did not.
    Dot,
    /// After a BDAT and before its octets are read. A server that replies here takes them for commands.
    Bdat,
    /// The end of a chunk without a sender and a recipient that were accepted.
    BdatInVain,
    /// The end of a chunk that is not the last one.
    Chunk,
    /// The final dot, or the end of the last chunk.
    Message,
    Rset,
    Quit,
}

/// One thing that a server does at a place, instead of its usual answer.
#[derive(Clone, Debug)]
pub enum Act {
    /// These bytes in one write.
    Send(Vec<u8>),
    /// These bytes one by one, with a pause before each, over and over until the client goes.
    Drip(Vec<u8>, Duration),
    /// These bytes over and over until the client goes.
    Flood(Vec<u8>),
    Pause(Duration),
    /// Waits for the test to send true.
    Wait(watch::Receiver<bool>),
    /// Answers nothing more, and reads on until the client goes.
    Silence,
    /// Neither reads nor writes any more. The connection does not end by itself.
    Freeze,
    /// The end (FIN), in TLS without `close_notify`.
    Close,
    /// The end in TLS as it should be: `close_notify`, then FIN.
    CloseNotify,
    /// RST.
    Reset,
    /// The usual answer.
    Usual,
}

/// One or more lines as a server sends them: a line end behind each.
pub fn reply(text: &str) -> Act {
    Act::Send(text.lines().flat_map(|line| [line, "\r\n"]).collect::<String>().into_bytes())
}

/// What a place is given: a reply's text, raw bytes, an act or several.
pub struct Acts(Vec<Act>);

impl From<&str> for Acts {
    fn from(text: &str) -> Self {
        Self(vec![reply(text)])
    }
}

impl From<&[u8]> for Acts {
    fn from(bytes: &[u8]) -> Self {
        Self(vec![Act::Send(bytes.to_vec())])
    }
}

impl From<Act> for Acts {
    fn from(act: Act) -> Self {
        Self(vec![act])
    }
}

impl<const N: usize> From<[Act; N]> for Acts {
    fn from(acts: [Act; N]) -> Self {
        Self(acts.to_vec())
    }
}

impl From<Vec<Act>> for Acts {
    fn from(acts: Vec<Act>) -> Self {
        Self(acts)
    }
}

/// How a server behaves. Start from [`Script::plain`], [`Script::starttls`] or [`Script::implicit_tls`].
#[derive(Clone)]
pub struct Script {
    pub protection: Protection,
    /// Offered where the client may sign in: in TLS, and everywhere without TLS.
    pub capabilities: Vec<String>,
    /// Offered before STARTTLS.
    pub in_the_clear: Vec<String>,
    pub user: String,
    pub password: String,
    /// `None` takes any token of any user.
    pub token: Option<String>,
    /// What a refused token gets behind its 334.
    pub token_refusal: String,
    pub tls: Arc<ServerConfig>,
    acts: Vec<(At, Vec<Act>)>,
}

impl Script {
    pub fn plain() -> Self {
        Self::new(Protection::None)
    }

    pub fn starttls() -> Self {
        Self::new(Protection::StartTls)
    }

    pub fn implicit_tls() -> Self {
        Self::new(Protection::Tls)
    }

    fn new(protection: Protection) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            protection,
            capabilities: owned(&[
                "PIPELINING",
                "SIZE 10485760",
                "8BITMIME",
                "SMTPUTF8",
                "ENHANCEDSTATUSCODES",
                "AUTH PLAIN LOGIN XOAUTH2",
            ]),
            in_the_clear: owned(&["PIPELINING", "SIZE 10485760", "8BITMIME", "STARTTLS"]),
            user: USER.to_owned(),
            password: good_password().to_owned(),
            token: Some(good_token().to_owned()),
            token_refusal: "535 5.7.8 token refused".to_owned(),
            tls: certificates::server().server_config(&[&TLS12, &TLS13]),
            acts: Vec::new(),
        }
    }

    /// What happens at a place instead of the usual answer. The last word about a place stands.
    #[must_use]
    pub fn on(mut self, at: At, acts: impl Into<Acts>) -> Self {
        self.acts.retain(|(place, _)| *place != at);
        self.acts.push((at, acts.into().0));
        self
    }

    /// Without the capabilities that begin so, before and in TLS.
    #[must_use]
    pub fn without(mut self, capability: &str) -> Self {
        self.capabilities.retain(|offered| !offered.starts_with(capability));
        self.in_the_clear.retain(|offered| !offered.starts_with(capability));
        self
    }

    /// With one capability more, or another value of one, in the place where the client may sign in.
    #[must_use]
    pub fn with(mut self, capability: &str) -> Self {
        let keyword = capability.split(' ').next().unwrap_or_default();
        self.capabilities.retain(|offered| offered.split(' ').next() != Some(keyword));
        self.capabilities.push(capability.to_owned());
        self
    }

    /// With one more offer before STARTTLS.
    #[must_use]
    pub fn with_in_the_clear(mut self, capability: &str) -> Self {
        self.in_the_clear.push(capability.to_owned());
        self
    }

    #[must_use]
    pub fn account(mut self, user: &str, password: &str) -> Self {
        (self.user, self.password) = (user.to_owned(), password.to_owned());
        self
    }

    /// Takes whatever token comes.
    #[must_use]
    pub fn any_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// Refuses every token as Exchange Online does: 334 with JSON, then this.
    #[must_use]
    pub fn no_token(mut self, refusal: &str) -> Self {
        refusal.clone_into(&mut self.token_refusal);
        self
    }

    #[must_use]
    pub fn certificate(mut self, certificate: &Certificate) -> Self {
        self.tls = certificate.server_config(&[&TLS12, &TLS13]);
        self
    }

    /// Presents this certificate, and goes on with the TLS sessions of another script.
    #[must_use]
    pub fn certificate_with_sessions_of(mut self, certificate: &Certificate, other: &Self) -> Self {
        let mut tls = ServerConfig::clone(&certificate.server_config(&[&TLS12, &TLS13]));
        tls.session_storage = Arc::clone(&other.tls.session_storage);
        tls.ticketer = Arc::clone(&other.tls.ticketer);
        self.tls = Arc::new(tls);
        self
    }

    #[must_use]
    pub fn tls_version(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.tls = certificates::server().server_config(&[version]);
        self
    }

    /// Takes only clients that show a certificate in TLS.
    #[must_use]
    pub fn known_clients_only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.tls = certificates::server().server_config_for_known_clients(&[version]);
        self
    }

    /// What was said about a place.
    pub fn at(&self, at: &At) -> Option<&[Act]> {
        self.acts.iter().find(|(place, _)| place == at).map(|(_, acts)| &acts[..])
    }

    /// The places about which something was said.
    pub fn places(&self) -> impl Iterator<Item = &At> {
        self.acts.iter().map(|(at, _)| at)
    }
}
