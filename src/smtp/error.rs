//! The errors of a session.

use std::fmt;

use super::{Capabilities, Reply};
pub use crate::egress::untrusted::Chain;
use crate::mail::transcript::Stage;

/// A failed step: its stage, its command and the server's reply.
#[derive(Clone, Debug)]
pub struct Error {
    pub stage: Stage,
    pub kind: ErrorKind,
    /// The verb of the command in flight (`AUTH`, `MAIL`), never its arguments.
    pub command: Option<&'static str>,
    /// The reply that decided, where one came. Boxed: it is large and rare.
    pub reply: Option<Box<Reply>>,
    /// What the server had offered by then, as far as it is trusted.
    pub capabilities: Option<Box<Capabilities>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The server said no; `reply` says how.
    Refused,
    /// The first bytes belong to another protocol.
    NotSmtp(OtherProtocol),
    /// Implicit TLS was chosen; the server greeted in plain text.
    PlainTextOnTls,
    /// The server waits for TLS from the first byte (shown by a probe after its silence).
    TlsFromFirstByte,
    Tls(TlsFailure),
    /// STARTTLS is not offered; no credentials and no mail were sent.
    StartTlsMissing,
    /// Unencrypted bytes followed the 220 to STARTTLS.
    ResponseInjection,
    /// No AUTH is offered. `encrypted` says whether TLS was up already.
    AuthNotOffered {
        encrypted: bool,
    },
    /// None of the offered mechanisms is ours for these credentials.
    NoCommonMechanism {
        offered: Vec<String>,
    },
    /// The connection is not encrypted, and the server's address is none where a password may be sent so.
    ClearTextSignIn,
    /// XOAUTH2 was refused; the decoded challenge, printable ASCII.
    OAuthRefused {
        challenge: String,
    },
    SmtpUtf8Missing,
    /// Larger than the SIZE that the server announced; both in octets.
    TooLarge {
        limit: u64,
        size: u64,
    },
    /// The connection ended before a reply had decided.
    ConnectionLost,
    /// No reply in time.
    Timeout,
    /// A reply that breaks RFC 5321 or our limits.
    Protocol(String),
    /// Lost after the final dot and before its reply: the server may have taken the message.
    OutcomeUnknown,
}

/// The protocol of a server that does not speak SMTP, recognised by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OtherProtocol {
    Http,
    Imap,
    Pop3,
    Ssh,
    Ftp,
    MySql,
    Redis,
    /// A TLS record where plain text was expected.
    Tls,
    Unknown,
}

/// Why the TLS handshake failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TlsFailure {
    /// Not signed by an authority that is trusted here; the issuer's name where it could be read.
    Untrusted {
        issuer: Option<String>,
        chain: Chain,
    },
    /// Valid for other names (as far as they could be read).
    WrongName {
        names: Vec<String>,
        /// The name with which the server had greeted before.
        greeted_as: Option<String>,
    },
    Expired,
    NotYetValid,
    /// No common version of TLS.
    Version,
    NoCommonCipher,
    /// The server wants a certificate of the client, and there is none.
    ClientCertificateWanted,
    /// The server ended the handshake by an error of its own (`internal_error`).
    ServerError,
    Other(String),
}

/// A few words for a transcript or a log. Text of the server appears only after it was made printable.
impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Refused => "refused",
            Self::NotSmtp(_) => "the server does not speak SMTP",
            Self::PlainTextOnTls => "the server speaks plain text where TLS was expected",
            Self::TlsFromFirstByte => "the server waits for TLS from the first byte",
            Self::Tls(TlsFailure::Untrusted { .. }) => "the certificate is not trusted",
            Self::Tls(TlsFailure::WrongName { .. }) => "the certificate is for other names",
            Self::Tls(TlsFailure::Expired) => "the certificate has expired",
            Self::Tls(TlsFailure::NotYetValid) => "the certificate is not valid yet",
            Self::Tls(TlsFailure::Version) => "no common TLS version",
            Self::Tls(TlsFailure::NoCommonCipher) => "no common cipher suite",
            Self::Tls(TlsFailure::ClientCertificateWanted) => "the server wants a client certificate",
            Self::Tls(TlsFailure::ServerError) => {
                "the server ended the handshake with the alert internal_error"
            }
            Self::Tls(TlsFailure::Other(problem)) | Self::Protocol(problem) => problem,
            Self::StartTlsMissing => "STARTTLS is not offered",
            Self::ResponseInjection => "bytes in the clear where TLS had to begin",
            Self::AuthNotOffered { .. } => "AUTH is not offered",
            Self::NoCommonMechanism { .. } => "no common mechanism to sign in",
            Self::ClearTextSignIn => "the password does not travel in the clear",
            Self::OAuthRefused { .. } => "the token was refused",
            Self::SmtpUtf8Missing => "SMTPUTF8 is not offered",
            Self::TooLarge { .. } => "the message is larger than the server takes",
            Self::ConnectionLost => "connection lost",
            Self::Timeout => "no answer in time",
            Self::OutcomeUnknown => "no answer after the final dot",
        })
    }
}

impl Error {
    /// Whether the server turned the connection away in place of a greeting, which another of its addresses may not.
    pub fn refuses_address(&self) -> bool {
        self.stage == Stage::Greeting && matches!(self.kind, ErrorKind::Refused | ErrorKind::ConnectionLost)
    }

    /// Whether the same may succeed later: a 4yz reply, a loss or a time-out before the final dot.
    pub fn is_transient(&self) -> bool {
        match &self.reply {
            Some(reply) => reply.is_transient(),
            None => matches!(self.kind, ErrorKind::ConnectionLost | ErrorKind::Timeout),
        }
    }
}
