//! Bearer tokens, signed with a key that is made for the run.

use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use transports::clock::Clock;

use super::fill;

pub const ISSUER: &str = "https://login.example.com/realms/benchmark";
pub const AUDIENCE: &str = "transports";

/// RS256 with 2048 bits.
pub struct Signer {
    key: EncodingKey,
    pub public_key: PathBuf,
}

impl Signer {
    /// Makes a key, and leaves its public half in `folder`.
    pub fn new(folder: &Path) -> Self {
        let keys = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let public: PublicKeyX509Der<'_> = keys.public_key().as_der().expect("DER");
        let private: Pkcs8V1Der<'_> = keys.as_der().expect("DER");
        let public_key = folder.join("token-key.pem");
        std::fs::write(&public_key, pem("PUBLIC KEY", public.as_ref())).expect("a file");
        let private = pem("PRIVATE KEY", private.as_ref());
        Self { key: EncodingKey::from_rsa_pem(private.as_bytes()).expect("a key"), public_key }
    }

    /// A token of an administrator of this tenant; `serial` makes it another one than any before. All tokens have
    /// the same length.
    pub fn token(&self, tenant: &str, serial: usize) -> String {
        let now = Clock::System.now().seconds();
        let claims = serde_json::json!({
            "iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 24 * 3600,
            "sub": "auth0|64b7f0c2a1d9e8f7a6b5c4d3", "jti": format!("{serial:012}"), "tenantId": tenant,
            "roles": ["TenantAdmin", "Developer"], "email": "ada.lovelace@example.com",
        });
        let header = Header { kid: Some("benchmark".to_owned()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).expect("a token")
    }

    /// Tokens of `count` tenants all over the table of `tenants`.
    pub fn tokens(&self, count: usize, tenants: usize, serial: usize) -> Vec<String> {
        (0..count)
            .map(|number| self.token(&fill::tenant(number * tenants / count), serial + number))
            .collect()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
