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

/// Why a certificate is not trusted, with the name of whoever signed it. It stands within
/// [`CertificateError::Other`].
#[derive(Debug, thiserror::Error)]
#[error("{because}")]
pub struct Untrusted {
    /// `CN=Example Authority,O=Example`; `None` where the certificate could not be read.
    pub issuer: Option<String>,
    because: CertificateError,
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
            .map_err(|error| add_issuer(error, certificate))
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
fn add_issuer(error: Error, certificate: &CertificateDer<'_>) -> Error {
    match error {
        Error::InvalidCertificate(
            because @ (CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            | CertificateError::Other(_)),
        ) => {
            let issuer = issuer(certificate);
            CertificateError::Other(OtherError(Arc::new(Untrusted { issuer, because }))).into()
        }
        error => error,
    }
}

fn issuer(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.issuer.to_string()).filter(|name| !name.is_empty())
}
