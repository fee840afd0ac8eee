//! The one TLS configuration of all outgoing connections: certificates are always verified.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::Host;
use super::untrusted::NamingVerifier;
use crate::config::Tls;

/// TLS 1.2 and 1.3, the public authorities, and those of `tls.ca_file`.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn client_config(settings: &Tls) -> anyhow::Result<Arc<ClientConfig>> {
    client_config_with(settings.ca_file.as_deref(), "tls.ca_file")
}

/// The public authorities alone.
pub fn public_authorities() -> anyhow::Result<Arc<ClientConfig>> {
    client_config_with(None, "tls.ca_file")
}

/// Like [`client_config`], for a file that `setting` names.
pub fn client_config_with(ca_file: Option<&Path>, setting: &str) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        add_certificates(&mut roots, path).with_context(|| format!("{setting}: {}", path.display()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    // Not dangerous: the verifier is rustls's own, and only adds words to its refusals.
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamingVerifier(verifier)))
        .with_no_client_auth();
    // A resumed session shows no certificate: a check would call a server sound whose certificate is wrong by now,
    // and one tenant's connection would build on another's.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The name that a certificate must hold: the configured one, never what it resolved to.
///
/// # Errors
/// Not for a host that was parsed.
pub fn server_name(host: &Host) -> Result<ServerName<'static>, InvalidDnsNameError> {
    match host {
        Host::Name(name) => ServerName::try_from(name.clone()),
        Host::Address(address) => Ok(ServerName::from(*address)),
    }
}

fn add_certificates(roots: &mut RootCertStore, path: &Path) -> anyhow::Result<()> {
    let pem = std::fs::read(path).context("cannot be read")?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        count += 1;
        let certificate = certificate.with_context(|| format!("certificate {count} is not PEM"))?;
        roots.add(certificate).with_context(|| format!("certificate {count} cannot be used"))?;
    }
    if count == 0 {
        bail!("holds no certificate in PEM form");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str, content: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("transports-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn error(path: PathBuf) -> String {
        format!("{:#}", client_config(&Tls { ca_file: Some(path) }).expect_err("cannot be used"))
    }

    #[test]
    fn the_public_authorities_are_trusted_and_those_of_the_file() {
        let authority = rcgen::generate_simple_self_signed(["authority.test".to_owned()]).unwrap();
        let pem = authority.cert.pem();
        let mut roots = RootCertStore::empty();
        add_certificates(&mut roots, &file("ca.pem", &format!("{pem}\ncomment\n{pem}"))).unwrap();
        assert_eq!(roots.len(), 2);
        assert!(client_config(&Tls { ca_file: Some(file("ca.pem", &pem)) }).is_ok());
        assert!(client_config(&Tls { ca_file: None }).is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let key = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().signing_key.serialize_pem();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cases = [
            (PathBuf::from("/nowhere/ca.pem"), "cannot be read"),
            (file("empty.pem", ""), "holds no certificate in PEM form"),
            (file("key.pem", &key), "holds no certificate in PEM form"),
            (file("broken.pem", broken), "certificate 1 cannot be used"),
            (file("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"), "certificate 1 is not PEM"),
        ];
        for (path, reason) in cases {
            let start = format!("tls.ca_file: {}: {reason}", path.display());
            let error = error(path);
            assert!(error.starts_with(&start), "{error}");
        }
    }

    /// Security case D14.
    #[test]
    fn the_name_is_the_one_that_was_typed() {
        for (text, expected) in
            [("SMTP.Example.com.", "smtp.example.com"), ("192.0.2.7", "192.0.2.7"), ("::1", "::1")]
        {
            let name = server_name(&Host::parse(text).unwrap()).unwrap();
            assert_eq!(name.to_str(), expected);
        }
    }
}
