//! Certificates for servers under test: an authority that the tests trust, and every way to be refused.
//!
//! The authority is made once in a process. [`authority_file`] is what `tls.ca_file` is given, [`client_config`]
//! what a session is given. Keys that cannot be made here (SHA-1, short RSA) are files under `fixtures/tls`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use transports::egress::untrusted::NamingVerifier;

/// What [`server`] is valid for, besides 127.0.0.1 and `::1`.
pub const NAMES: &[&str] = &["mail.example.com", "smtp.example.com", "localhost"];

/// The common name of the authority that the tests trust.
pub const AUTHORITY: &str = "Transports Test Authority";

/// A chain, the server's own certificate first, and its key.
pub struct Certificate {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Certificate {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Certificate {
    /// How a server presents it.
    pub fn server_config(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        self.server_config_with(versions, WebPkiClientVerifier::no_client_auth())
    }

    /// How a server presents it that takes only clients which show a certificate of the test's authority.
    pub fn server_config_for_known_clients(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(authority().der.clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        self.server_config_with(versions, verifier.expect("an authority to check against"))
    }

    fn server_config_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions that the provider has")
            .with_client_cert_verifier(clients)
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .expect("a key that belongs to the certificate");
        Arc::new(config)
    }
}

impl Certificate {
    /// Writes chain and key as PEM files into a folder.
    pub fn write_to(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let pem = |label: &str, der: &[u8]| {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        let chain: String = self.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        let (certificate_file, key_file) = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&certificate_file, chain).expect("a writable folder");
        std::fs::write(&key_file, pem("PRIVATE KEY", self.key.secret_der())).expect("a writable folder");
        (certificate_file, key_file)
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = key();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).expect("an authority");
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), pem, der }
    }

    fn sign(&self, params: &CertificateParams) -> Certificate {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certificate { chain: vec![certificate.der().clone()], key: private(&key) }
    }
}

fn authority() -> &'static Authority {
    static AUTHORITY_OF_ALL: OnceLock<Authority> = OnceLock::new();
    AUTHORITY_OF_ALL.get_or_init(|| Authority::new(AUTHORITY))
}

/// The authority as a PEM file: made once in a process, under a name of its own.
pub fn authority_file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let name = format!("authority-{}.pem", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, &authority().pem).expect("the folder for temporary files is writable");
        path
    })
}

/// What a client is given that trusts the tests' authority, and nobody else.
pub fn client_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    Arc::clone(CONFIG.get_or_init(|| client_config_trusting(&[authority().der.clone()])))
}

pub fn client_config_trusting(authorities: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).expect("an authority");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .expect("authorities");
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamingVerifier(verifier)))
        .with_no_client_auth();
    Arc::new(config)
}

/// A good certificate for [`NAMES`], 127.0.0.1 and `::1`.
pub fn server() -> Certificate {
    static SERVER: OnceLock<Certificate> = OnceLock::new();
    SERVER.get_or_init(|| valid_for(&[NAMES, &["127.0.0.1", "::1"]].concat())).clone()
}

/// A good certificate for these names and addresses; `*.example.com` is a name too.
pub fn valid_for(names: &[&str]) -> Certificate {
    authority().sign(&params(names))
}

pub fn expired(names: &[&str]) -> Certificate {
    let mut params = params(names);
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    authority().sign(&params)
}

pub fn not_yet_valid(names: &[&str]) -> Certificate {
    let mut params = params(names);
    (params.not_before, params.not_after) = (date_time_ymd(3001, 1, 1), date_time_ymd(3002, 1, 1));
    authority().sign(&params)
}

/// Signed by itself, as a server certificate.
pub fn self_signed(names: &[&str]) -> Certificate {
    sign_itself(&params(names))
}

/// Signed by itself, and an authority too: what `openssl req -x509` makes.
pub fn self_signed_authority(names: &[&str]) -> Certificate {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    sign_itself(&params)
}

/// Signed by an authority that nobody knows.
pub fn of_unknown_authority(names: &[&str]) -> Certificate {
    Authority::new("Nobody Knows This Authority").sign(&params(names))
}

/// The name stands in the subject only, as before 2000.
pub fn common_name_only(name: &str) -> Certificate {
    let mut params = params(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    authority().sign(&params)
}

/// Bytes as a DNS name of the certificate, whatever they are: `mail.example.com\0.evil.test`.
pub fn with_raw_name(name: &str) -> Certificate {
    let mut params = params(&[]);
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().expect("ASCII"))];
    authority().sign(&params)
}

/// PEM texts of a chain and a key.
pub fn from_pem(chain: &str, key: &str) -> Certificate {
    let chain =
        CertificateDer::pem_slice_iter(chain.as_bytes()).map(|der| der.expect("a certificate")).collect();
    Certificate { chain, key: PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key") }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String("a server under test".to_owned()));
    params
}

fn sign_itself(params: &CertificateParams) -> Certificate {
    let key = key();
    let certificate = params.self_signed(&key).expect("a certificate");
    Certificate { chain: vec![certificate.der().clone()], key: private(&key) }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("randomness")
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}
