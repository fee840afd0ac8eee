//! A certificate for `localhost`, of an authority that is made for the run.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// In PEM, all of it.
pub struct Issued {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

pub fn issue() -> Issued {
    let (authority_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let mut params = CertificateParams::default();
    // Another name than the server's own, or OpenSSL takes that for self-signed.
    params.distinguished_name.push(DnType::CommonName, "Authority of the benchmark");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let own = params.self_signed(&authority_key).expect("an authority");
    let issuer = Issuer::new(params, authority_key);
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    Issued { authority: own.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}
