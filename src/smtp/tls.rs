//! The TLS handshake and its errors.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection};
use rustls::{Error as TlsError, PeerIncompatible, PeerMisbehaved};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::first_bytes::{self, Verdict};
use super::socket::Socket;
use super::{ErrorKind, OtherProtocol, TlsFailure};
use crate::egress::Host;
use crate::egress::untrusted::{Chain, Untrusted};
use crate::mail::transcript::printable;

/// The type of a TLS record that holds a part of a handshake (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

/// A failed handshake.
pub(super) struct HandshakeError {
    pub kind: ErrorKind,
    /// The server answered with bytes that are no TLS record.
    pub answered_in_plain_text: bool,
}

/// Begins TLS. The name that is verified, and sent as SNI, is the host as it was entered, never an address that it
/// resolved to or a name that the server gives itself.
pub(super) async fn handshake(
    mut socket: Socket,
    host: &Host,
    config: &Arc<ClientConfig>,
    deadline: Instant,
) -> Result<TlsStream<Socket>, HandshakeError> {
    let encrypted = |kind| HandshakeError { kind, answered_in_plain_text: false };
    let name = server_name(host).map_err(encrypted)?;
    socket.clear_first_bytes();
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, socket).into_fallible();
    match timeout_at(deadline, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err((error, socket))) => Err(failure_from(&error, socket.first_bytes())),
        Err(_) => Err(encrypted(ErrorKind::Timeout)),
    }
}

/// The first flight of a handshake, for a probe.
pub(super) fn client_hello(host: &Host, config: &Arc<ClientConfig>) -> Result<Vec<u8>, ErrorKind> {
    let mut hello = Vec::new();
    let failed = |error: String| ErrorKind::Tls(TlsFailure::Other(error));
    let mut connection = ClientConnection::new(Arc::clone(config), server_name(host)?)
        .map_err(|error| failed(error.to_string()))?;
    connection.write_tls(&mut hello).map_err(|error| failed(error.to_string()))?;
    Ok(hello)
}

/// `TLS 1.3, TLS13_AES_256_GCM_SHA384`.
pub(super) fn describe(stream: &TlsStream<Socket>) -> String {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    match connection.negotiated_cipher_suite() {
        Some(suite) => format!("{version}, {:?}", suite.suite()),
        None => version.to_owned(),
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, ErrorKind> {
    match host {
        Host::Address(address) => Ok(ServerName::from(*address)),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| {
            ErrorKind::Tls(TlsFailure::Other("the host name is none that a certificate can hold".to_owned()))
        }),
    }
}

/// The failure, by the first bytes of the answer, then by rustls's error.
fn failure_from(error: &io::Error, first: &[u8]) -> HandshakeError {
    if first.first().is_some_and(|byte| !(0x14..=0x17).contains(byte)) {
        return HandshakeError { kind: failure_from_plain_text(first), answered_in_plain_text: true };
    }
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    let began = first.first().is_some_and(|byte| *byte == HANDSHAKE_RECORD);
    let kind =
        tls.map_or(ErrorKind::ConnectionLost, |error| ErrorKind::Tls(failure_from_rustls(error, began)));
    HandshakeError { kind, answered_in_plain_text: false }
}

/// The failure by rustls's error. `began`: the server had answered with its part of a handshake before.
fn failure_from_rustls(error: &TlsError, began: bool) -> TlsFailure {
    match error {
        TlsError::InvalidCertificate(error) => failure_from_certificate(error),
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => TlsFailure::ClientCertificateWanted,
        // TLS 1.2: the server went on until it had seen that we have no certificate.
        TlsError::AlertReceived(AlertDescription::HandshakeFailure) if began => {
            TlsFailure::ClientCertificateWanted
        }
        TlsError::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon,
        )
        | TlsError::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite)
        | TlsError::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
        ) => TlsFailure::NoCommonCipher,
        TlsError::PeerIncompatible(_) | TlsError::AlertReceived(AlertDescription::ProtocolVersion) => {
            TlsFailure::Version
        }
        TlsError::AlertReceived(AlertDescription::InternalError) => TlsFailure::ServerError,
        TlsError::AlertReceived(alert) => {
            TlsFailure::Other(format!("the server ended the handshake with the alert {}", alert_name(*alert)))
        }
        other => TlsFailure::Other(other.to_string()),
    }
}

/// As RFC 8446 writes it: `unrecognized_name`.
fn alert_name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for c in format!("{alert:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// Whether the server ended the connection with TLS 1.3's alert for a missing client certificate.
pub(super) fn wants_client_certificate(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    matches!(tls, Some(TlsError::AlertReceived(AlertDescription::CertificateRequired)))
}

/// The answer to a `ClientHello` was no TLS record.
fn failure_from_plain_text(first: &[u8]) -> ErrorKind {
    match first_bytes::judge(first) {
        Verdict::Smtp => ErrorKind::PlainTextOnTls,
        Verdict::Other(OtherProtocol::Unknown) | Verdict::Undecided | Verdict::TlsAlert => {
            ErrorKind::Tls(TlsFailure::Other("the server's answer is not TLS".to_owned()))
        }
        Verdict::Other(protocol) => ErrorKind::NotSmtp(protocol),
    }
}

/// A certificate that is neither out of its time nor for another name is not trusted, whatever the reason: an
/// unknown authority, a weak signature or key, another purpose.
fn failure_from_certificate(error: &CertificateError) -> TlsFailure {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::NotValidForName => TlsFailure::WrongName { names: Vec::new(), greeted_as: None },
        CertificateError::NotValidForNameContext { presented, .. } => TlsFailure::WrongName {
            names: presented.iter().take(MAX_NAMES).map(|name| bare_name(name)).collect(),
            greeted_as: None,
        },
        CertificateError::Other(other) => {
            let untrusted = other.0.downcast_ref::<Untrusted>();
            TlsFailure::Untrusted {
                issuer: untrusted.and_then(|untrusted| untrusted.issuer.as_deref()).map(printable),
                chain: untrusted.map_or(Chain::Unknown, |untrusted| untrusted.chain),
            }
        }
        _ => TlsFailure::Untrusted { issuer: None, chain: Chain::Unknown },
    }
}

/// How many names of a certificate are kept, since a hostile one has any number.
const MAX_NAMES: usize = 16;

/// The printable name in `DnsName("mail.example.com")`, as rustls writes it.
fn bare_name(presented: &str) -> String {
    let inner = presented.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')')).unwrap_or(presented);
    printable(inner.trim_matches('"'))
}
