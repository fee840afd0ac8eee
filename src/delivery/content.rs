//! Seals and opens what emails say, with the key of their tenant and day.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use uuid::Uuid;

use super::{Delivery, Error};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::store::{Write, WriteOutcome, content_keys};
use crate::vault::Binding;
use crate::vault::content::{ContentBinding, ContentKey};

/// Octets of a message in one part: nothing is ever held whole twice.
const PART_BYTES: usize = 1024 * 1024;

/// The name of the details among the parts.
const DETAILS: &str = "details";

const DAY_MILLISECONDS: i64 = 24 * 3_600 * 1_000;

/// A cache of opened keys by tenant, day and sealed form. The caller has just read the sealed form, so a key that was removed
/// or replaced is never used.
pub(super) struct ContentKeys(Cache<(TenantId, i64, Vec<u8>), Arc<ContentKey>>);

impl ContentKeys {
    const MAX: u64 = 10_000;

    pub fn new() -> Self {
        let cache = Cache::builder().max_capacity(Self::MAX).time_to_live(Duration::from_mins(5));
        Self(cache.build())
    }
}

/// The keys that one request has needed so far: each is looked for once.
#[derive(Default)]
pub(super) struct KeysOfRequest(HashMap<(TenantId, i64), Arc<ContentKey>>);

/// An email's sealed content.
pub(super) struct SealedContent {
    pub details: Vec<u8>,
    pub parts: Vec<Vec<u8>>,
}

/// The key that new emails of a tenant are sealed with.
pub(super) struct KeyOfDay {
    pub day: i64,
    key: Arc<ContentKey>,
}

impl KeyOfDay {
    /// Seals an email's details and message.
    pub fn seal(
        &self,
        tenant: &TenantId,
        id: Uuid,
        details: &[u8],
        message: &[u8],
    ) -> Result<SealedContent, Error> {
        let id = id.to_string();
        let seal = |plain: &[u8], part: &str| {
            self.key.seal(plain, &ContentBinding { tenant, email: &id, part }).map_err(Error::Internal)
        };
        let parts = message.chunks(PART_BYTES).enumerate();
        let parts = parts.map(|(part, octets)| seal(octets, &part.to_string())).collect::<Result<_, _>>()?;
        Ok(SealedContent { details: seal(details, DETAILS)?, parts })
    }
}

impl KeyOfDay {
    /// The hashes by which emails of this day are found by their tags.
    pub fn hash_tags(&self, tags: &[(String, String)]) -> Vec<String> {
        tags.iter().map(|(name, value)| self.key.hash_tag(name, value)).collect()
    }
}

impl Delivery {
    /// The hash of a tag in emails of that day.
    pub(super) async fn hash_tag(
        &self,
        tenant: &TenantId,
        day: i64,
        tag: &(String, String),
    ) -> Result<String, Error> {
        Ok(self.content_key(tenant, day).await?.hash_tag(&tag.0, &tag.1))
    }

    /// Today's key of a tenant.
    pub(super) async fn key_of_today(&self, tenant: &TenantId, now: Timestamp) -> Result<KeyOfDay, Error> {
        let day = now.0.div_euclid(DAY_MILLISECONDS);
        Ok(KeyOfDay { day, key: self.content_key(tenant, day).await? })
    }

    pub(super) async fn open_details(
        &self,
        tenant: &TenantId,
        id: Uuid,
        key_day: i64,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Error> {
        self.open_details_of_many(&mut KeysOfRequest::default(), tenant, id, key_day, sealed).await
    }

    /// The same for one of many emails.
    pub(super) async fn open_details_of_many(
        &self,
        keys: &mut KeysOfRequest,
        tenant: &TenantId,
        id: Uuid,
        key_day: i64,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let key = match keys.0.entry((tenant.clone(), key_day)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.content_key(tenant, key_day).await?),
        };
        let id = id.to_string();
        let opened = key.open(sealed, &ContentBinding { tenant, email: &id, part: DETAILS });
        opened.map(|bytes| bytes.to_vec()).map_err(unreadable)
    }

    pub(super) async fn open_message(
        &self,
        tenant: &TenantId,
        id: Uuid,
        key_day: i64,
        parts: &[Vec<u8>],
    ) -> Result<Vec<u8>, Error> {
        let key = self.content_key(tenant, key_day).await?;
        let id = id.to_string();
        let mut message = Vec::with_capacity(parts.iter().map(Vec::len).sum());
        for (part, sealed) in parts.iter().enumerate() {
            let part = part.to_string();
            let binding = ContentBinding { tenant, email: &id, part: &part };
            message.extend_from_slice(&key.open(sealed, &binding).map_err(unreadable)?);
        }
        Ok(message)
    }

    /// The key of a tenant and day, which is made where there is none.
    async fn content_key(&self, tenant: &TenantId, day: i64) -> Result<Arc<ContentKey>, Error> {
        let destination = day.to_string();
        let binding = Binding { tenant, field: "contentKey", destination: &destination };
        let sealed = if let Some(sealed) = content_keys::find(&self.db, tenant, day).await? {
            sealed
        } else {
            let key = ContentKey::random().map_err(Error::Internal)?;
            let sealed = self.vault.seal(&key.to_secret(), &binding).await?;
            let insert = content_keys::insert(tenant, day, &sealed);
            if self.db.write(Write::default().then(insert)).await? == WriteOutcome::NoRowsAffected {
                self.vault.check_not_removed(&sealed).await?;
            }
            // Another process may have come first.
            content_keys::find(&self.db, tenant, day).await?.ok_or(Error::Contended)?
        };
        let cached = (tenant.clone(), day, sealed.payload.clone());
        if let Some(key) = self.keys.0.get(&cached).await {
            return Ok(key);
        }
        let secret = self.vault.open(&sealed, &binding).await?;
        let malformed = || Error::Internal(anyhow::anyhow!("a content key has another form"));
        let key = Arc::new(ContentKey::from_secret(&secret).ok_or_else(malformed)?);
        self.keys.0.insert(cached, Arc::clone(&key)).await;
        Ok(key)
    }
}

fn unreadable(reason: &'static str) -> Error {
    Error::Internal(anyhow::anyhow!("the content of an email cannot be read: {reason}"))
}
