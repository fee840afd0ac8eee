//! Seals cookies, so that a browser can neither read nor forge them: AES-256-GCM under a key that is derived from
//! `console.session_secret`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::secret::Secret;

const KEY_LABEL: &[u8] = b"transports console cookies";
const NONCE_BYTES: usize = 12;

pub(super) struct Sealer {
    key: RandomizedNonceKey,
}

impl Sealer {
    /// # Panics
    /// Never: the length of a key is the algorithm's own.
    pub fn new(secret: &Secret) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, KEY_LABEL)
            .extract(secret.expose().as_bytes())
            .expand(&[KEY_LABEL], &AES_256_GCM)
            .and_then(|derived| derived.fill(key.as_mut_slice()))
            .expect("HKDF gives 32 bytes");
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).expect("32 bytes are a key");
        Self { key }
    }

    /// `name` is the cookie's, so that one cannot stand in for another.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn seal(&self, name: &str, value: &impl Serialize) -> anyhow::Result<String> {
        let mut bytes = serde_json::to_vec(value)?;
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(name), &mut bytes)
            .map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &bytes].concat()))
    }

    /// `None` for what was not sealed here under this name.
    pub fn open<T: DeserializeOwned>(&self, name: &str, text: &str) -> Option<T> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(name), &mut sealed).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

/// Compares in a time that does not depend on where the texts differ.
pub(super) fn is_equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secret: &str) -> Sealer {
        Sealer::new(&Secret::new(secret.to_owned()))
    }

    #[test]
    fn only_a_value_sealed_under_the_same_name_opens() {
        let ours = sealer("a secret of the operator");
        let sealed = ours.seal("session", &"Ada").expect("there is randomness");
        assert_eq!(ours.open::<String>("session", &sealed).as_deref(), Some("Ada"));
        assert_eq!(ours.open::<String>("flow", &sealed), None, "another cookie's");
        assert_eq!(sealer("another secret").open::<String>("session", &sealed), None, "another key");
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).expect("Base64");
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let text = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(ours.open::<String>("session", &text), None, "byte {index}");
            let cut = URL_SAFE_NO_PAD.encode(&bytes[..index]);
            assert_eq!(ours.open::<String>("session", &cut), None, "cut at {index}");
        }
    }
}
