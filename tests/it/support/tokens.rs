//! Keys of an issuer and tokens signed with them, also such as no issuer makes.
//!
//! The signatures come from another library than the one that checks them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use rcgen::{KeyPair, PublicKeyData, RsaKeySize};
use serde_json::{Value, json};
use transports::auth::token::JwksSource;
use transports::clock::{Clock, Timestamp};
use transports::config::Auth;
use transports::secret::Secret;

use super::leaks;

/// When the tests' manual clocks start, in seconds: 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600;
/// Holds [`leaks::MARK`].
pub const SECRET: &str = "a-secret-of-the-tests-Kanarien\"vogel/7f3a";

pub fn clock() -> Clock {
    Clock::manual(Timestamp(NOW * 1000))
}

/// Settings without any key.
pub fn settings() -> Auth {
    Auth {
        jwks_url: None,
        jwks_max_age_hours: 24,
        token_cache_entries: 100,
        public_key_file: None,
        hs256_secret: None,
        issuer: None,
        audience: None,
        tenant_claim: "tenantId".to_owned(),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
        name_claims: ["name", "preferred_username", "email"].map(str::to_owned).into(),
        tenant_name_claims: ["organization_name", "organization"].map(str::to_owned).into(),
        admin_roles: vec!["TenantAdmin".to_owned()],
        admin_scopes: vec!["admin_classic".to_owned()],
        sender_roles: vec!["EmailSender".to_owned()],
        platform_scope: "transports:platform".to_owned(),
    }
}

/// Settings with [`SECRET`].
pub fn hs256_settings() -> Auth {
    assert!(SECRET.contains(leaks::MARK));
    leaks::watch();
    Auth { hs256_secret: Some(Secret::new(SECRET.to_owned())), ..settings() }
}

/// Claims that are good at [`NOW`] and for an hour.
pub fn claims() -> Value {
    json!({"sub": "user-1", "tenantId": "tenant-1", "exp": NOW + 3600})
}

/// [`claims`] with one member changed, or removed where `value` is `None`.
pub fn claims_with(name: &str, value: Option<Value>) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    claims
}

pub fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

pub fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// A token signed with HS256 and any bytes as the secret; header and claims are texts, so they may be broken.
pub fn hs256_text(secret: &[u8], header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// A token signed with [`SECRET`].
pub fn hs256(claims: &Value) -> String {
    hs256_text(SECRET.as_bytes(), r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

/// A key pair of an issuer, with the one algorithm that it signs with.
pub struct IssuerKey {
    pub id: String,
    pub algorithm: Algorithm,
    pair: KeyPair,
    encoding: EncodingKey,
}

impl IssuerKey {
    pub fn rsa(id: &str) -> Self {
        Self::rsa_for(id, Algorithm::RS256)
    }

    /// The same RSA key in every test: making one takes long.
    pub fn rsa_for(id: &str, algorithm: Algorithm) -> Self {
        static PEM: OnceLock<String> = OnceLock::new();
        let pem = PEM.get_or_init(|| {
            let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048);
            pair.unwrap().serialize_pem()
        });
        let encoding = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        Self { id: id.to_owned(), algorithm, pair: KeyPair::from_pem(pem).unwrap(), encoding }
    }

    pub fn p256(id: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let encoding = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { id: id.to_owned(), algorithm: Algorithm::ES256, pair, encoding }
    }

    pub fn p384(id: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let encoding = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { id: id.to_owned(), algorithm: Algorithm::ES384, pair, encoding }
    }

    pub fn ed25519(id: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let encoding = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { id: id.to_owned(), algorithm: Algorithm::EdDSA, pair, encoding }
    }

    pub fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    pub fn private_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// The `SubjectPublicKeyInfo`.
    pub fn public_der(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The public key as it stands in a key set.
    pub fn jwk(&self) -> Value {
        let raw = self.pair.der_bytes();
        let key = match self.algorithm {
            Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_der(raw),
            Algorithm::EdDSA => DecodingKey::from_ed_der(raw),
            _ => DecodingKey::from_rsa_der(raw),
        };
        let jwk = Jwk::from_decoding_key(&key, Some(self.algorithm)).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// [`Self::jwk`] with one member changed, or removed where `value` is `None`.
    pub fn jwk_with(&self, name: &str, value: Option<Value>) -> Value {
        let mut jwk = self.jwk();
        let members = jwk.as_object_mut().unwrap();
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        jwk
    }

    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm, "typ": "at+jwt", "kid": self.id})
    }

    /// A token with the usual header.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = crypto::sign(message.as_bytes(), &self.encoding, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// A key set.
pub fn key_set(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

/// An issuer without a network: what it answers, and how often it was asked.
#[derive(Clone)]
pub struct Issuer {
    answer: Arc<Mutex<Result<Vec<u8>, String>>>,
    requests: Arc<AtomicUsize>,
}

impl Issuer {
    pub fn new(document: &Value) -> Self {
        let issuer = Self { answer: Arc::new(Mutex::new(Err(String::new()))), requests: Arc::default() };
        issuer.serve(document);
        issuer
    }

    pub fn serve(&self, document: &Value) {
        *self.answer.lock().unwrap() = Ok(document.to_string().into_bytes());
    }

    pub fn go_down(&self) {
        *self.answer.lock().unwrap() = Err("down".to_owned());
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn source(&self) -> JwksSource {
        let this = self.clone();
        JwksSource::Table(Arc::new(move || {
            this.requests.fetch_add(1, Ordering::SeqCst);
            let answer = this.answer.lock().unwrap().clone();
            Box::pin(async move { answer })
        }))
    }
}
