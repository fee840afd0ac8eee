//! The bytes of an envelope: one version byte, a random nonce, ciphertext and tag of AES-256-GCM.

use anyhow::anyhow;
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use zeroize::{Zeroize, Zeroizing};

use super::ring::Key;

/// The form described above. Another form gets another number, and its own branch in [`open`].
const VERSION: u8 = 1;

pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

const DATA_KEY_LABEL: &str = "transports data key";

/// A key that encrypts one secret, and is never used again.
pub(super) struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    pub fn random() -> anyhow::Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| anyhow!("the system gives no randomness"))?;
        Ok(Self(bytes))
    }

    /// What was unwrapped.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        let bytes = bytes.try_into().map_err(|_| "its data key has another length")?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// What is to be wrapped.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Encrypted with a named key, and bound to the key's name.
    pub fn wrapped(&self, key: &Key) -> anyhow::Result<Vec<u8>> {
        seal(&key.cipher, self.bytes(), &wrapping_data(&key.id))
    }

    pub fn unwrapped(wrapped: &[u8], key: &Key) -> Result<Self, &'static str> {
        Self::from_bytes(&open(&key.cipher, wrapped, &wrapping_data(&key.id))?)
    }

    pub fn seal(&self, plain: &[u8], associated_data: &[u8]) -> anyhow::Result<Vec<u8>> {
        let cipher = cipher(self.0.as_slice()).ok_or_else(|| anyhow!("the data key was not taken"))?;
        seal(&cipher, plain, associated_data)
    }

    pub fn open(&self, sealed: &[u8], associated_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let cipher = cipher(self.0.as_slice()).ok_or("its data key was not taken")?;
        open(&cipher, sealed, associated_data)
    }
}

/// None where the key has not exactly [`KEY_BYTES`].
pub(super) fn cipher(key: &[u8]) -> Option<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, key).ok()
}

/// The associated data of a wrapped data key: the name of the key that wraps, without a version.
pub(super) fn wrapping_data(name: &str) -> Vec<u8> {
    length_prefixed(&[DATA_KEY_LABEL, name])
}

/// The version, then each part after its length, so that no two lists of parts give the same bytes.
pub(super) fn length_prefixed(parts: &[&str]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

fn seal(cipher: &RandomizedNonceKey, plain: &[u8], associated_data: &[u8]) -> anyhow::Result<Vec<u8>> {
    // With room for the tag, so that the plain text is encrypted where it stands and never moved.
    let mut bytes = Vec::with_capacity(plain.len() + TAG_BYTES);
    bytes.extend_from_slice(plain);
    let nonce = cipher.seal_in_place_append_tag(Aad::from(associated_data), &mut bytes).map_err(|_| {
        bytes.zeroize();
        anyhow!("the system gives no randomness")
    })?;
    let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + bytes.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(nonce.as_ref());
    sealed.extend_from_slice(&bytes);
    Ok(sealed)
}

/// There is no form without encryption to fall back to.
fn open(
    cipher: &RandomizedNonceKey,
    sealed: &[u8],
    associated_data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let (version, rest) = sealed.split_first().ok_or("it is empty")?;
    if *version != VERSION {
        return Err("its envelope has another version");
    }
    let (nonce, encrypted) = rest.split_at_checked(NONCE_BYTES).ok_or("it is cut off")?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "it is cut off")?;
    let mut bytes = Zeroizing::new(encrypted.to_vec());
    let length = cipher
        .open_in_place(nonce, Aad::from(associated_data), &mut bytes)
        .map_err(|_| "it was sealed with another key, for another place, or is damaged")?
        .len();
    bytes.truncate(length);
    Ok(bytes)
}
