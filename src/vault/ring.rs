//! The ring of named keys: loads it from the settings, and generates keys.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::envelope::{KEY_BYTES, cipher};
use super::key_file;
use crate::config::{Encryption, Problem};
use crate::file_stamp::FileStamp;
use crate::secret::Secret;

/// Shorter than any key in Base64, so that a key that stands in the place of its id is never shown as one.
const MAX_ID: usize = 32;

/// A named key. Its bytes are in the cipher only, which wipes them when it is dropped.
pub(super) struct Key {
    pub id: String,
    pub cipher: RandomizedNonceKey,
}

#[derive(Clone)]
pub(super) struct Ring {
    /// The first encrypts.
    keys: Vec<Arc<Key>>,
    /// The setting, and the file where there is one: for messages.
    pub source: String,
    /// Of the file, when it was read.
    pub stamp: Option<FileStamp>,
}

impl Ring {
    /// Empty where neither setting is set.
    pub fn load(settings: &Encryption) -> anyhow::Result<Self> {
        match (settings.keys.as_slice(), settings.keys_file.as_deref()) {
            ([], None) => {
                Ok(Self { keys: Vec::new(), source: "encryption.vault_url".to_owned(), stamp: None })
            }
            (keys, None) => {
                let entries = keys.iter().enumerate();
                let entries = entries.map(|(index, key)| (format!("entry {}", index + 1), key.expose()));
                Self::read("encryption.keys".to_owned(), entries, None)
            }
            ([], Some(path)) => Self::from_file(path),
            (_, Some(_)) => bail!(
                "encryption.keys and encryption.keys_file are both set: leave one out, so that it is clear which \
                 key encrypts"
            ),
        }
    }

    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let source = format!("encryption.keys_file ({})", path.display());
        let contents = key_file::read(path).with_context(|| source.clone())?;
        let lines = contents.text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let entries = lines.map(|(number, line)| (format!("line {number}"), line));
        Self::read(source, entries, Some(contents.stamp))
    }

    fn read<'a>(
        source: String,
        entries: impl Iterator<Item = (String, &'a str)>,
        stamp: Option<FileStamp>,
    ) -> anyhow::Result<Self> {
        let mut keys: Vec<Arc<Key>> = Vec::new();
        for (place, entry) in entries {
            let faulty = |problem| {
                Problem::new(format!("{source}: {place} {problem}"))
                    .with_hint(format!("correct {place}, or remove it where it is no key of yours"))
            };
            let key = Key::parse(entry).map_err(faulty)?;
            if keys.iter().any(|other| other.id == key.id) {
                let problem = Problem::new(format!("{source}: {place} names key {} a second time", key.id));
                return Err(problem.with_hint("remove one of the two").into());
            }
            keys.push(Arc::new(key));
        }
        if keys.is_empty() {
            bail!("{source}: holds no key");
        }
        Ok(Self { keys, source, stamp })
    }

    /// The key that encrypts.
    pub fn first(&self) -> Option<&Arc<Key>> {
        self.keys.first()
    }

    pub fn all(&self) -> &[Arc<Key>] {
        &self.keys
    }

    pub fn find(&self, id: &str) -> Option<&Arc<Key>> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Key {
    /// Reads `ID:BASE64`. A problem is the end of a sentence, and never holds the key.
    fn parse(entry: &str) -> Result<Self, String> {
        let (id, text) = entry.split_once(':').ok_or("is not ID:BASE64")?;
        if !is_id(id) {
            return Err(format!("has no good id: {ID_RULE}"));
        }
        let bytes = STANDARD.decode(text).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| format!("has a key {id} that is not Base64"))?;
        let cipher = cipher(&bytes)
            .ok_or_else(|| format!("has a key {id} of {} bytes instead of {KEY_BYTES}", bytes.len()))?;
        Ok(Self { id: id.to_owned(), cipher })
    }
}

const ID_RULE: &str = "it has to be 1 to 32 letters, digits, dots, hyphens or underscores";

fn is_id(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(good)
}

/// A new key as a line `ID:BASE64`.
///
/// # Errors
/// An id that cannot stand in a list of keys, or a system without randomness.
pub fn generate_key(id: &str) -> anyhow::Result<Secret> {
    if !is_id(id) {
        bail!("{id:?} is not a good id for a key: {ID_RULE}");
    }
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| anyhow!("the system gives no randomness"))?;
    let mut text = STANDARD.encode(bytes.as_slice());
    let line = Secret::new(format!("{id}:{text}"));
    text.zeroize();
    Ok(line)
}
