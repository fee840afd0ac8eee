//! The certificate of the listeners: from two files, which are read again when they change.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::{Context as _, bail};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::config;
use crate::file_stamp::FileStamp;

/// A certificate with its key. Clients that connect after a change get the new one.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    current: RwLock<Arc<CertifiedKey>>,
    /// Of the files at the last read, also where they could not be used.
    stamps: Mutex<Stamps>,
}

type Stamps = [Option<FileStamp>; 2];

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// Reads the files where one of the listeners is configured.
    ///
    /// # Errors
    /// Names the setting, the file and what is wrong with it.
    pub fn configured(settings: &config::Submission) -> anyhow::Result<Option<Arc<Self>>> {
        if settings.listen.is_none() && settings.listen_tls.is_none() {
            return Ok(None);
        }
        let file = |key: &str, path: &Option<PathBuf>| {
            path.clone()
                .with_context(|| format!("submission.{key}: has to be set where the SMTP gateway listens"))
        };
        let files = Files {
            certificate: file("certificate_file", &settings.certificate_file)?,
            key: file("key_file", &settings.key_file)?,
        };
        let (certified, stamps) = files.read()?;
        Ok(Some(Arc::new(Self { files, current: RwLock::new(certified), stamps: Mutex::new(stamps) })))
    }

    /// What the listeners encrypt with, also after a change of the files.
    ///
    /// # Errors
    /// Not with the versions of TLS that the library has.
    pub fn server_config(self: &Arc<Self>) -> anyhow::Result<Arc<ServerConfig>> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        Ok(Arc::new(config))
    }

    /// The first name that the certificate is for.
    pub fn name(&self) -> Option<String> {
        let certified = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let certificate = x509_cert::Certificate::from_der(certified.end_entity_cert().ok()?).ok()?;
        let (_, names) = certificate.tbs_certificate.get::<SubjectAltName>().ok()??;
        names.0.iter().find_map(|name| match name {
            GeneralName::DnsName(name) if !name.as_str().contains('*') => Some(name.as_str().to_owned()),
            _ => None,
        })
    }

    /// Reads the files where one of them has changed since the last read. Files that cannot be used change nothing.
    pub async fn reload_if_changed(&self) {
        let stamps = self.files.stamps().await;
        if stamps == *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        match self.files.read() {
            Ok((certified, stamps)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = certified;
                self.note(stamps);
                tracing::info!("the certificate of the SMTP gateway was reloaded");
            }
            Err(error) => {
                self.note(stamps);
                // The second file of a pair may follow in a moment.
                tracing::error!(
                    error = format!("{error:#}"),
                    "the new certificate of the SMTP gateway cannot be used: the previous one stays in use"
                );
            }
        }
    }

    fn note(&self, stamps: Stamps) {
        *self.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Files {
    async fn stamps(&self) -> Stamps {
        [FileStamp::of(&self.certificate).await, FileStamp::of(&self.key).await]
    }

    fn read(&self) -> anyhow::Result<(Arc<CertifiedKey>, Stamps)> {
        let (chain, certificate_stamp) = read("certificate_file", &self.certificate, |pem| {
            let chain: Vec<_> =
                CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().context("holds broken PEM")?;
            if chain.is_empty() {
                bail!("holds no certificate");
            }
            Ok(chain)
        })?;
        let (key, key_stamp) = read("key_file", &self.key, |pem| {
            PrivateKeyDer::from_pem_slice(pem).context("holds no private key that is not encrypted")
        })?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).context(
            "submission.key_file: is not the key of the certificate in submission.certificate_file",
        )?;
        Ok((Arc::new(certified), [Some(certificate_stamp), Some(key_stamp)]))
    }
}

/// Reads a file, with its stamp at that moment.
fn read<T>(
    key: &str,
    path: &Path,
    parse: impl FnOnce(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<(T, FileStamp)> {
    let parsed = || -> anyhow::Result<(T, FileStamp)> {
        let mut file = File::open(path).context("cannot be read")?;
        let stamp = FileStamp::new(&file.metadata().context("cannot be read")?);
        let mut pem = zeroize::Zeroizing::new(Vec::new());
        std::io::Read::read_to_end(&mut file, &mut pem).context("cannot be read")?;
        Ok((parse(&pem)?, stamp))
    };
    parsed().with_context(|| format!("submission.{key} ({})", path.display()))
}
