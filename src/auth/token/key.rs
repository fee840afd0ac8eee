//! A key that verifies signatures: parsed once, bound to one algorithm.

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{self, Decode, Reader, SliceReader};

use super::algorithm::Algorithm;

/// The shortest secret for HS256: as long as its hash (RFC 7518 section 3.2).
pub(super) const HMAC_MIN_BYTES: usize = 32;
/// RFC 7518 section 3.3.
const RSA_MIN_BITS: usize = 2048;
/// What the library verifies at most.
const RSA_MAX_BITS: usize = 8192;
/// Exponents are 3 to 2³³ - 1 in the library; those in use have at most four bytes.
const RSA_EXPONENT_MAX_BYTES: usize = 4;

/// A key and the one algorithm that it may be used with.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    /// The `kid` of a key that was fetched. A configured key has none and may answer to any.
    pub(super) id: Option<String>,
    material: Material,
}

enum Material {
    // Boxed: it is twenty times as large as the other.
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    /// # Errors
    /// A text that does not contain the secret.
    pub(super) fn hmac(secret: &[u8]) -> Result<Self, String> {
        if secret.len() < HMAC_MIN_BYTES {
            let length = secret.len();
            return Err(format!("has {length} bytes; HS256 needs {HMAC_MIN_BYTES} or more"));
        }
        let material = Material::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        Ok(Self { algorithm: Algorithm::Hs256, id: None, material })
    }

    /// From modulus and exponent, big-endian; leading zeros are allowed.
    pub(super) fn rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let (n, e) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
            return Err(format!("an RSA key of {bits} bits; {RSA_MIN_BITS} to {RSA_MAX_BITS} are allowed"));
        }
        let odd = e.last().is_some_and(|last| last % 2 == 1);
        if !odd || e == [1] || e.len() > RSA_EXPONENT_MAX_BYTES {
            return Err("an RSA key with an unusable exponent".to_owned());
        }
        let parameters = rsa_parameters(algorithm).ok_or("an RSA key with an algorithm of another kind")?;
        let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters);
        Self::public(algorithm, parsed.ok(), "not an RSA key")
    }

    /// From an uncompressed point (SEC 1 section 2.3.3) or a `SubjectPublicKeyInfo`. The library refuses a
    /// point that is not on the curve.
    pub(super) fn elliptic(algorithm: Algorithm, encoded: &[u8]) -> Result<Self, String> {
        let verification = match algorithm {
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            _ => return Err("an elliptic curve key with an algorithm of another kind".to_owned()),
        };
        let parsed = ParsedPublicKey::new(verification, encoded);
        Self::public(algorithm, parsed.ok(), "not a key of the curve that it names")
    }

    /// From the 32 bytes of RFC 8032 or a `SubjectPublicKeyInfo`.
    pub(super) fn ed25519(encoded: &[u8]) -> Result<Self, String> {
        let parsed = ParsedPublicKey::new(&signature::ED25519, encoded);
        Self::public(Algorithm::Ed25519, parsed.ok(), "not an Ed25519 key")
    }

    /// From the DER of a public key: a `SubjectPublicKeyInfo` of RFC 5280, or the `RSAPublicKey` of RFC 8017.
    /// An RSA key that does not say its algorithm is for RS256.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, String> {
        if let Ok(rsa) = RsaPublicKey::from_der(der) {
            let (modulus, exponent) = rsa_components(rsa.as_ref()).map_err(|_| "not a public key")?;
            return Self::rsa(Algorithm::Rs256, modulus.as_bytes(), exponent.as_bytes());
        }
        Self::elliptic(Algorithm::Es256, der)
            .or_else(|_| Self::elliptic(Algorithm::Es384, der))
            .or_else(|_| Self::ed25519(der))
            .map_err(|_| "no RSA, P-256, P-384 or Ed25519 public key".to_owned())
    }

    fn public(algorithm: Algorithm, parsed: Option<ParsedPublicKey>, reason: &str) -> Result<Self, String> {
        let material = Material::Public(parsed.ok_or(reason)?);
        Ok(Self { algorithm, id: None, material })
    }

    /// True where `signature` is this key's over `message`. The comparison of a MAC takes the same time for
    /// every wrong one; an ECDSA signature is the two numbers of RFC 7518 section 3.4, never DER.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Modulus and exponent of an `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`.
fn rsa_components(der: &[u8]) -> der::Result<(UintRef<'_>, UintRef<'_>)> {
    SliceReader::new(der)?.sequence(|sequence| Ok((UintRef::decode(sequence)?, UintRef::decode(sequence)?)))
}
