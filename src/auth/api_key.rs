//! API keys: makes them, and reads those that are presented.
//!
//! A key is `tsk_<id>_<secret>`: the id in 32 hexadecimal digits, and in URL-safe Base64 256 random bits with a checksum of
//! four octets. By the prefix scanners find a key that was published; by the checksum a key that was mistyped or cut off is
//! refused without a look at the database.

use std::fmt;

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// By it scanners for secrets know a key.
const PREFIX: &str = "tsk_";

const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;

/// Secret and checksum: a multiple of three, so that no character of their Base64 has bits to spare.
const WHOLE_BYTES: usize = SECRET_BYTES + CHECKSUM_BYTES;

const ID_CHARACTERS: usize = 32;

/// Of a whole key.
pub const KEY_CHARACTERS: usize = PREFIX.len() + ID_CHARACTERS + "_".len() + WHOLE_BYTES / 3 * 4;

/// SHA-256 of a key's secret, as it is stored. The secret is random and long enough that it cannot be guessed.
#[derive(Clone, Copy, Debug)]
pub struct SecretHash([u8; 32]);

/// A key that was just made. Its text is shown once.
#[derive(Debug)]
pub struct NewKey {
    pub id: Uuid,
    pub text: Secret,
    pub hash: SecretHash,
}

/// A key that a caller presents, whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct PresentedKey {
    pub id: Uuid,
    hash: SecretHash,
}

/// What is wrong with the form of a key, whoever made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FormFault {
    /// It has another length than [`KEY_CHARACTERS`].
    Length(usize),
    /// The length is right, and the checksum is not.
    Mistyped,
}

impl fmt::Display for FormFault {
    /// A sentence for who presents the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mistyped => {
                formatter.write_str("The API key is mistyped: its checksum does not fit. Copy it again.")
            }
            Self::Length(length) => write!(
                formatter,
                "The API key has {length} characters, and every API key has {KEY_CHARACTERS}: copy the whole key."
            ),
        }
    }
}

/// What the form of an unknown key shows: a sentence for the client that presents it.
pub fn unknown_key(text: &str) -> String {
    form_fault(text).map_or_else(
        || "There is no such API key: another installation made it, or it was revoked long ago.".to_owned(),
        |fault| fault.to_string(),
    )
}

/// What a key may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Send, and read what was sent with the key.
    SendingAccess,
    /// Everything of the send API.
    FullAccess,
}

impl Permission {
    pub const ALL: [Self; 2] = [Self::FullAccess, Self::SendingAccess];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendingAccess => "sending_access",
            Self::FullAccess => "full_access",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }
}

impl SecretHash {
    fn new(secret: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Self(hash)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl NewKey {
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> anyhow::Result<Self> {
        let mut whole = Zeroizing::new([0; WHOLE_BYTES]);
        let (secret, check) = whole.split_at_mut(SECRET_BYTES);
        rand::fill(secret).map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
        let id = Uuid::now_v7();
        check.copy_from_slice(&checksum(id, secret));
        let hash = SecretHash::new(secret);
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(whole.as_slice()));
        let text = Secret::new(format!("{PREFIX}{}_{}", id.simple(), encoded.as_str()));
        Ok(Self { id, text, hash })
    }
}

/// Whether the text claims to be an API key, and no token.
pub fn is_api_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The id that a key or its beginning names, whether or not its secret is right.
pub fn id_of(text: &str) -> Option<Uuid> {
    let id = text.strip_prefix(PREFIX)?.split('_').next()?;
    Uuid::try_parse(id).ok().filter(|_| id.len() == ID_CHARACTERS)
}

/// None where the form is that of a key.
pub fn form_fault(text: &str) -> Option<FormFault> {
    match text.chars().count() {
        KEY_CHARACTERS => PresentedKey::parse(text).is_none().then_some(FormFault::Mistyped),
        length => Some(FormFault::Length(length)),
    }
}

impl PresentedKey {
    /// None where the text is no key, or its checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, encoded) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_written_by_us = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let id = Uuid::try_parse(id).ok().filter(|_| id.len() == ID_CHARACTERS && is_written_by_us)?;
        let whole = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (secret, check) = whole.split_at_checked(SECRET_BYTES)?;
        constant_time::verify_slices_are_equal(&checksum(id, secret), check).ok()?;
        Some(Self { id, hash: SecretHash::new(secret) })
    }

    /// Whether this is the key with the stored hash; compared in constant time.
    pub fn has_hash(&self, stored: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(self.hash.as_bytes(), stored).is_ok()
    }
}

/// The first octets of SHA-256 of id and secret.
fn checksum(id: Uuid, secret: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(id.as_bytes());
    context.update(secret);
    let hash = context.finish();
    std::array::from_fn(|index| hash.as_ref()[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> NewKey {
        NewKey::generate().expect("randomness")
    }

    #[test]
    fn a_key_reads_back_and_fits_its_hash_alone() {
        let (one, two) = (key(), key());
        let read = PresentedKey::parse(one.text.expose()).expect("a key");
        assert_eq!(read.id, one.id);
        assert!(read.has_hash(one.hash.as_bytes()));
        assert!(!read.has_hash(two.hash.as_bytes()));
        assert!(!read.has_hash(&[]), "a row that was edited by hand");
        assert_ne!(one.text.expose(), two.text.expose());
        assert_eq!((one.text.expose().len(), KEY_CHARACTERS), (85, 85));
        assert_eq!(form_fault(one.text.expose()), None);
        assert!(is_api_key(one.text.expose()));
    }

    #[test]
    fn one_character_more_less_or_other_is_no_key() {
        let key = key();
        let text = key.text.expose();
        for position in 0..text.len() {
            for other in ["A", "B", "0", "g", "_", "", "é"] {
                let changed = format!("{}{other}{}", &text[..position], &text[position + 1..]);
                if changed != text {
                    assert!(PresentedKey::parse(&changed).is_none(), "{changed}");
                }
            }
        }
        for changed in [format!("{text}A"), format!("{text}="), format!(" {text}"), text.to_uppercase()] {
            assert!(PresentedKey::parse(&changed).is_none(), "{changed}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        let id = Uuid::nil().simple();
        let zeros = "A".repeat(48);
        for text in ["", "tsk_", "tsk__", "eyJhbGciOi", &format!("tsk_{id}"), &format!("tsk_{id}_{zeros}")] {
            assert!(PresentedKey::parse(text).is_none(), "{text}");
        }
        let short = URL_SAFE_NO_PAD.encode(checksum(Uuid::nil(), &[]));
        assert!(PresentedKey::parse(&format!("tsk_{id}_{short}")).is_none(), "a checksum of nothing");
    }

    #[test]
    fn a_key_that_was_cut_off_is_told_from_one_that_was_mistyped() {
        let key = key();
        let text = key.text.expose();
        assert_eq!(form_fault(&text[..80]), Some(FormFault::Length(80)));
        assert_eq!(form_fault(&format!("{text}é")), Some(FormFault::Length(86)));
        let swapped = format!("{}{}", &text[..81], text[81..].chars().rev().collect::<String>());
        assert_eq!(form_fault(&swapped), (swapped != text).then_some(FormFault::Mistyped));
    }

    #[test]
    fn a_key_and_its_beginning_name_the_id() {
        let key = key();
        let text = key.text.expose();
        for named in [text, &text[..80], &text[..37], &text[..36]] {
            assert_eq!(id_of(named), Some(key.id), "{named}");
        }
        for other in [&text[..35], &text[1..], "tsk_", "", &key.id.to_string(), &format!("tsk_{}", key.id)] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_new_key_is_not_printed() {
        let key = key();
        assert!(!format!("{key:?}").contains(key.text.expose()));
    }

    #[test]
    fn every_permission_reads_back() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
        }
        assert_eq!(Permission::parse("admin"), None);
    }
}
