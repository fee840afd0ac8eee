//! Names the issuer of a certificate that is not trusted, which rustls's own error does not.
//!
//! Every verdict is that of rustls's verifier; only the error says more.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Why a certificate is not trusted, with its issuer's name. It stands within
/// [`CertificateError::Other`].
#[derive(Debug, thiserror::Error)]
#[error("{because}")]
pub struct Untrusted {
    /// `CN=Example Authority,O=Example`; `None` where the certificate could not be read.
    pub issuer: Option<String>,
    pub chain: Chain,
    because: CertificateError,
}

/// The chain from the server's certificate to an authority, as far as it explains the refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chain {
    /// The certificate names itself as its issuer.
    SelfSigned,
    /// It came alone and is not self-signed: an intermediate certificate may be missing.
    Alone,
    /// It came with others.
    WithOthers,
    Unknown,
}

/// The verifier of rustls, whose errors name the issuer.
#[derive(Debug)]
pub struct NamingVerifier(pub Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for NamingVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0
            .verify_server_cert(certificate, intermediates, name, ocsp_response, now)
            .map_err(|error| add_issuer(error, certificate, !intermediates.is_empty()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Errors about the time or the name stay as they are: the issuer explains nothing there.
fn add_issuer(error: Error, certificate: &CertificateDer<'_>, with_others: bool) -> Error {
    match error {
        Error::InvalidCertificate(
            because @ (CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            | CertificateError::Other(_)),
        ) => {
            let names = names(certificate);
            let chain = match &names {
                None => Chain::Unknown,
                Some((issuer, subject)) if issuer == subject => Chain::SelfSigned,
                Some(_) if with_others => Chain::WithOthers,
                Some(_) => Chain::Alone,
            };
            let issuer = names.map(|(issuer, _)| issuer).filter(|name| !name.is_empty());
            CertificateError::Other(OtherError(Arc::new(Untrusted { issuer, chain, because }))).into()
        }
        error => error,
    }
}

/// Issuer and subject.
fn names(certificate: &CertificateDer<'_>) -> Option<(String, String)> {
    let certificate = Certificate::from_der(certificate).ok()?.tbs_certificate;
    Some((certificate.issuer.to_string(), certificate.subject.to_string()))
}
