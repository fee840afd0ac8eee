//! Seals the content of emails: one key for each tenant and day, which seals many parts.

use super::envelope::{DataKey, KEY_BYTES, length_prefixed};
use crate::id::TenantId;
use crate::secret::Secret;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

const CONTENT_LABEL: &str = "transports content";

/// Makes a key of its own for the hashes of tags.
const TAG_LABEL: &str = "transports tags";
const TAG_HASH_BYTES: usize = 16;

/// A key that seals the content of a tenant's emails of one day. It is stored like a secret of an account.
pub struct ContentKey(DataKey);

/// What a sealed part belongs to.
#[derive(Clone, Copy, Debug)]
pub struct ContentBinding<'a> {
    pub tenant: &'a TenantId,
    /// The email's id.
    pub email: &'a str,
    /// Which part: `details`, or the number of a part of the message.
    pub part: &'a str,
}

impl ContentBinding<'_> {
    fn associated_data(&self) -> Vec<u8> {
        length_prefixed(&[CONTENT_LABEL, self.tenant.as_str(), self.email, self.part])
    }
}

impl ContentKey {
    pub fn random() -> anyhow::Result<Self> {
        DataKey::random().map(Self)
    }

    /// The key as a secret, to be stored.
    pub fn to_secret(&self) -> Secret {
        Secret::new(STANDARD.encode(self.0.bytes()))
    }

    /// The key that was stored; none where it is something else.
    pub fn from_secret(secret: &Secret) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES + 2]);
        let length = STANDARD.decode_slice(secret.expose(), bytes.as_mut_slice()).ok()?;
        DataKey::from_bytes(bytes.get(..length)?).ok().map(Self)
    }

    pub fn seal(&self, plain: &[u8], binding: &ContentBinding<'_>) -> anyhow::Result<Vec<u8>> {
        self.0.seal(plain, &binding.associated_data())
    }

    /// A hash of a tag by which emails of this key's tenant and day are found. It says nothing to whom the key is not known.
    pub fn hash_tag(&self, name: &str, value: &str) -> String {
        let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.bytes()), TAG_LABEL.as_bytes());
        let text = length_prefixed(&[name, value]);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()), &text);
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..TAG_HASH_BYTES])
    }

    /// # Errors
    /// What keeps it from opening: another key, tenant, email or part, or damaged bytes.
    pub fn open(
        &self,
        sealed: &[u8],
        binding: &ContentBinding<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        self.0.open(sealed, &binding.associated_data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_opens_with_its_key_at_its_place_alone() {
        let key = ContentKey::random().expect("randomness");
        let tenant = TenantId::from_operator("a");
        let binding = ContentBinding { tenant: &tenant, email: "1", part: "0" };
        let sealed = key.seal(b"hello", &binding).expect("randomness");
        let stored = ContentKey::from_secret(&key.to_secret()).expect("a key");
        assert_eq!(stored.open(&sealed, &binding).expect("it opens").as_slice(), b"hello");
        let other = TenantId::from_operator("b");
        for elsewhere in [
            ContentBinding { tenant: &other, ..binding },
            ContentBinding { email: "2", ..binding },
            ContentBinding { part: "1", ..binding },
        ] {
            assert!(stored.open(&sealed, &elsewhere).is_err(), "{elsewhere:?}");
        }
        assert!(ContentKey::random().expect("randomness").open(&sealed, &binding).is_err());
        assert!(ContentKey::from_secret(&Secret::new("no key".to_owned())).is_none());
    }

    #[test]
    fn a_tag_has_another_hash_with_another_key_name_or_value() {
        let key = ContentKey::random().expect("randomness");
        let hash = key.hash_tag("kind", "invoice");
        assert_eq!(
            ContentKey::from_secret(&key.to_secret()).expect("a key").hash_tag("kind", "invoice"),
            hash
        );
        let other = ContentKey::random().expect("randomness").hash_tag("kind", "invoice");
        for different in [other, key.hash_tag("kind", "invoices"), key.hash_tag("kindi", "nvoice")] {
            assert_ne!(different, hash);
        }
    }
}
