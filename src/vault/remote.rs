//! The configured key service, with a cache of the data keys that it unwrapped, and its state.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::future::Cache;

use super::envelope::{DataKey, wrapping_data};
use super::key_service::{KeyService, WrapError, Wrapped};
use super::transit::Transit;
use crate::clock::{Clock, Timestamp};
use crate::config::Encryption;
use crate::egress::http_client::HttpClient;
use crate::secret::Sealed;
use crate::telemetry::metrics::{KeyOperation, Metrics};

/// The key service of the settings. Shared by all rings that are loaded one after the other.
pub struct Remote {
    service: Box<dyn KeyService>,
    /// By the wrapped bytes. A data key is wiped when it is dropped.
    unwrapped: Cache<Vec<u8>, Arc<Unwrapped>>,
    keep: Duration,
    clock: Clock,
    /// Its canaries were opened: before that nothing is sealed or opened with it.
    is_checked: AtomicBool,
    /// Whether the last call was answered.
    answers: AtomicBool,
    /// Versions that have a canary.
    registered: Mutex<HashSet<String>>,
    metrics: Metrics,
}

struct Unwrapped {
    data_key: DataKey,
    until: Timestamp,
}

/// An unwrapped data key, shared with the cache.
pub(super) struct CachedKey(Arc<Unwrapped>);

impl std::ops::Deref for CachedKey {
    type Target = DataKey;

    fn deref(&self) -> &DataKey {
        &self.0.data_key
    }
}

impl Remote {
    /// None where the settings name no key service.
    ///
    /// # Errors
    /// Names the setting.
    pub fn configured(
        settings: &Encryption,
        client: &HttpClient,
        clock: &Clock,
        metrics: &Metrics,
    ) -> anyhow::Result<Option<Self>> {
        let transit = Transit::configured(settings, client)?;
        Ok(transit.map(|transit| Self::new(Box::new(transit), settings, clock.clone(), metrics.clone())))
    }

    /// Any key service; the settings limit the cache.
    pub fn new(service: Box<dyn KeyService>, settings: &Encryption, clock: Clock, metrics: Metrics) -> Self {
        let keep = Duration::from_secs(settings.vault_cache_seconds);
        let unwrapped = Cache::builder().max_capacity(settings.vault_cache_keys).time_to_live(keep).build();
        Self {
            service,
            unwrapped,
            keep,
            clock,
            is_checked: AtomicBool::new(false),
            answers: AtomicBool::new(true),
            registered: Mutex::default(),
            metrics,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.service.name()
    }

    /// Whether this is the id of one of its key's versions.
    pub(super) fn has(&self, key_id: &str) -> bool {
        let version = key_id.strip_prefix(self.name()).and_then(|rest| rest.strip_prefix(":v"));
        version.is_some_and(|version| !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()))
    }

    pub(super) async fn wrap(&self, data_key: &DataKey) -> Result<Wrapped, WrapError> {
        let associated_data = wrapping_data(self.name());
        let wrapped = self.service.wrap(data_key.bytes(), &associated_data).await;
        let wrapped = self.observe(KeyOperation::Wrap, wrapped)?;
        if self.has(&wrapped.key_id) {
            return Ok(wrapped);
        }
        Err(WrapError::unavailable("it wrapped with another key"))
    }

    /// From the cache, or from the service. Concurrent callers share one call.
    pub(super) async fn unwrap(&self, key_id: &str, wrapped: &[u8]) -> Result<CachedKey, WrapError> {
        if let Some(cached) = self.unwrapped.get(wrapped).await {
            if cached.until > self.clock.now() {
                return Ok(CachedKey(cached));
            }
            self.unwrapped.invalidate(wrapped).await;
        }
        let fetch = self.fetch(key_id, wrapped);
        let fetched = self.unwrapped.try_get_with_by_ref(wrapped, fetch).await;
        fetched.map(CachedKey).map_err(|error| (*error).clone())
    }

    /// Asks the service itself.
    async fn fetch(&self, key_id: &str, wrapped: &[u8]) -> Result<Arc<Unwrapped>, WrapError> {
        let associated_data = wrapping_data(self.name());
        // Before the call, so that a slow answer does not extend the time.
        let asked = self.clock.now();
        let bytes = self.service.unwrap(key_id, wrapped, &associated_data).await;
        let bytes = self.observe(KeyOperation::Unwrap, bytes)?;
        let data_key = DataKey::from_bytes(&bytes).map_err(WrapError::refused)?;
        let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        Ok(Arc::new(Unwrapped { data_key, until: Timestamp(asked.0.saturating_add(keep)) }))
    }

    /// From the service, without the cache: proves that it still has the key.
    pub(super) async fn unwrap_now(&self, sealed: &Sealed) -> Result<CachedKey, WrapError> {
        self.fetch(&sealed.key_id, &sealed.wrapped_key).await.map(CachedKey)
    }

    /// Makes a new version, which wraps from then on.
    pub(super) async fn rotate(&self) -> Result<(), WrapError> {
        let rotated = self.service.rotate().await;
        self.observe(KeyOperation::Rotate, rotated)
    }

    /// Counts a call, and remembers whether the service answers.
    fn observe<T>(&self, operation: KeyOperation, answer: Result<T, WrapError>) -> Result<T, WrapError> {
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(WrapError::Refused(_)) => "refused",
            Err(WrapError::Unavailable(_)) => "unavailable",
        };
        self.metrics.record_key_service_call(operation, outcome);
        let answers = !matches!(answer, Err(WrapError::Unavailable(_)));
        if self.answers.swap(answers, Ordering::Relaxed) != answers {
            if let Err(error) = &answer {
                tracing::error!(key = self.name(), %error, "the key service does not answer");
            } else {
                tracing::info!(key = self.name(), "the key service answers again");
            }
        }
        answer
    }

    pub(super) fn is_checked(&self) -> bool {
        self.is_checked.load(Ordering::Acquire)
    }

    pub(super) fn set_checked(&self) {
        self.is_checked.store(true, Ordering::Release);
    }

    pub(super) fn answers(&self) -> bool {
        self.answers.load(Ordering::Relaxed)
    }

    pub(super) fn is_registered(&self, key_id: &str) -> bool {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).contains(key_id)
    }

    pub(super) fn set_registered(&self, key_id: &str) {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(key_id.to_owned());
    }

    /// Drops the data keys that have expired.
    pub(super) async fn forget_old(&self) {
        self.unwrapped.run_pending_tasks().await;
    }
}
