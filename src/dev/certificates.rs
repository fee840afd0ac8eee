//! Issues the inbox's certificate for `localhost`, keeps it in the data folder, and renews it before it expires.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{RootCertStore, ServerConfig};
use time::OffsetDateTime;

use super::folder::Folder;
use crate::clock::Timestamp;

/// The authority's certificate, for clients that are to trust the inbox.
pub const AUTHORITY_FILE: &str = "inbox-ca.pem";

/// Private key, certificate and authority in one file, so that they always match.
const IDENTITY_FILE: &str = "inbox.pem";

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Some clients refuse more than 398 days (CA/Browser Forum, Baseline Requirements 6.3.2).
const VALID_DAYS: i64 = 397;

/// A certificate that expires sooner is renewed at the start.
const RENEW_BEFORE: Duration = Duration::from_hours(30 * 24);

pub struct Identity {
    pub tls: Arc<ServerConfig>,
    pub authority_file: PathBuf,
    /// Certificate and private key.
    pub identity_file: PathBuf,
}

/// Loads the certificate of an earlier run; issues one where it is missing, damaged or about to expire.
///
/// # Errors
/// The folder cannot be read or written.
pub fn load_or_issue(folder: &Folder, now: Timestamp) -> anyhow::Result<Identity> {
    let stored = folder.read(IDENTITY_FILE)?.and_then(|pem| LoadedIdentity::parse(&pem, now));
    let loaded = if let Some(loaded) = stored {
        loaded
    } else {
        let pem = issue(now).context("issuing the inbox's certificate")?;
        folder.write(IDENTITY_FILE, &pem)?;
        LoadedIdentity::parse(&pem, now).context("the inbox's new certificate is not valid")?
    };
    folder.write(AUTHORITY_FILE, &loaded.authority_pem)?;
    Ok(Identity {
        tls: Arc::new(loaded.tls),
        authority_file: folder.file(AUTHORITY_FILE),
        identity_file: folder.file(IDENTITY_FILE),
    })
}

struct LoadedIdentity {
    tls: ServerConfig,
    authority_pem: String,
}

impl LoadedIdentity {
    /// None where a client would not trust it [`RENEW_BEFORE`] from now.
    fn parse(pem: &str, now: Timestamp) -> Option<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let [certificate, authority] = certificates.ok()?.try_into().ok()?;
        verify(&certificate, authority, &provider, now)?;
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .ok()?;
        // Resuming a session on loopback saves nothing.
        tls.send_tls13_tickets = 0;
        let start = pem.rfind("-----BEGIN CERTIFICATE-----")?;
        Some(Self { tls, authority_pem: pem[start..].to_owned() })
    }
}

fn verify(
    certificate: &CertificateDer<'_>,
    authority: CertificateDer<'_>,
    provider: &Arc<CryptoProvider>,
    now: Timestamp,
) -> Option<()> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.into_owned()).ok()?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok()?;
    let seconds = u64::try_from(now.seconds()).ok()?;
    let soon = UnixTime::since_unix_epoch(Duration::from_secs(seconds) + RENEW_BEFORE);
    for name in NAMES {
        verifier.verify_server_cert(certificate, &[], &ServerName::try_from(name).ok()?, &[], soon).ok()?;
    }
    Some(())
}

/// A key, its certificate and the authority's as PEM. The authority's key is dropped, so it never signs again.
fn issue(now: Timestamp) -> anyhow::Result<String> {
    let now = OffsetDateTime::from_unix_timestamp(now.seconds())?;
    let params = |names: &[&str], common_name| -> anyhow::Result<CertificateParams> {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = now - time::Duration::DAY;
        params.not_after = now + time::Duration::days(VALID_DAYS);
        Ok(params)
    };
    let mut authority = params(&[], "transports dev, authority of the inbox")?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;

    let mut leaf = params(&NAMES, "transports dev, inbox")?;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok(format!("{}{}{}", key.serialize_pem(), certificate.pem(), authority_certificate.pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    const fn after_days(days: i64) -> Timestamp {
        Timestamp(NOW.0 + days * 24 * 3600 * 1000)
    }

    #[test]
    fn a_certificate_is_kept_until_it_is_about_to_expire() {
        let path = std::env::temp_dir().join(format!("transports-cert-{}", uuid::Uuid::new_v4().simple()));
        let folder = Folder::open(&path).unwrap();
        let authority_at = |now| {
            let identity = load_or_issue(&folder, now).unwrap();
            std::fs::read_to_string(identity.authority_file).unwrap()
        };
        let first = authority_at(NOW);
        assert!(first.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!first.contains("PRIVATE KEY"));
        assert_eq!(authority_at(after_days(366)), first);
        let second = authority_at(after_days(368));
        assert_ne!(second, first);
        for damage in ["", "-----BEGIN CERTIFICATE-----\n", first.as_str()] {
            let before = authority_at(after_days(368));
            folder.write(IDENTITY_FILE, damage).unwrap();
            assert_ne!(authority_at(after_days(368)), before, "{damage:?}");
        }
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_certificate_with_the_key_of_another_is_not_used() {
        let (one, other) = (issue(NOW).unwrap(), issue(NOW).unwrap());
        assert!(LoadedIdentity::parse(&one, NOW).is_some());
        let certificates = |pem: &str| pem.find("-----BEGIN CERTIFICATE-----").unwrap();
        let mixed = format!("{}{}", &one[..certificates(&one)], &other[certificates(&other)..]);
        assert!(LoadedIdentity::parse(&mixed, NOW).is_none());
    }
}
