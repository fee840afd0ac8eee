//! Fetches the issuer's key set, keeps it while it may be used, and limits how often it is fetched again.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::jwk;
use super::key::Key;
use crate::clock::Clock;
use crate::egress::http_client::{HttpClient, Request};

/// A set older than this is fetched again in the background.
pub const REFRESH_AFTER: Duration = Duration::from_mins(10);
/// While there are keys, the set is fetched at most once in this time, whatever tokens arrive.
pub const REFRESH_INTERVAL: Duration = Duration::from_mins(1);
/// The same while there are none. Shorter, since every request is answered with 503 until there are.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(5);
const FETCH_TIME_LIMIT: Duration = Duration::from_secs(3);
const MAX_BYTES: usize = 256 * 1024;

/// A fetch: the key set's bytes, or why there are none.
pub type JwksAnswer = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// Where the key set comes from.
#[derive(Clone)]
pub enum JwksSource {
    Url {
        client: HttpClient,
        url: String,
    },
    /// What a test answers.
    Table(Arc<dyn Fn() -> JwksAnswer + Send + Sync>),
}

impl JwksSource {
    /// For the log.
    fn name(&self) -> &str {
        match self {
            Self::Url { url, .. } => url,
            Self::Table(_) => "(a table)",
        }
    }

    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let (client, url) = match self {
            Self::Url { client, url } => (client, url),
            Self::Table(answer) => return answer().await,
        };
        let mut headers = hyper::HeaderMap::new();
        let accepted = hyper::header::HeaderValue::from_static("application/jwk-set+json, application/json");
        headers.insert(hyper::header::ACCEPT, accepted);
        let request = Request {
            method: hyper::Method::GET,
            url,
            headers,
            body: Vec::new(),
            time_limit: FETCH_TIME_LIMIT,
            max_response_bytes: MAX_BYTES,
        };
        let response = client.send(request).await.map_err(|error| error.to_string())?;
        if response.status == 200 {
            Ok(response.body)
        } else {
            Err(format!("the answer's status is {}", response.status))
        }
    }
}

/// The keys of one fetch.
pub(super) struct KeySet {
    pub(super) keys: Vec<Key>,
    /// Each fetch has another number, also where it brings the same keys.
    pub(super) number: u64,
    /// On the monotonic clock, as all times here.
    fetched_at: Duration,
}

pub(super) struct Jwks {
    source: JwksSource,
    clock: Clock,
    max_age: Duration,
    state: RwLock<State>,
    /// Held by the one fetch in progress.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    set: Option<Arc<KeySet>>,
    last_attempt: Option<Duration>,
}

impl Jwks {
    pub(super) fn new(source: JwksSource, clock: Clock, max_age: Duration) -> Self {
        Self { source, clock, max_age, state: RwLock::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// The keys that may be used now: `None` before the first fetch, and when the last good one is too old.
    /// Starts a fetch in the background where the set is no longer fresh.
    pub(super) fn current(self: &Arc<Self>) -> Option<Arc<KeySet>> {
        let set = self.usable()?;
        if self.is_older(set.fetched_at, REFRESH_AFTER) && self.is_due() {
            let this = Arc::clone(self);
            tokio::spawn(async move { this.fetch_if_due().await });
        }
        Some(set)
    }

    /// Fetches a new set unless one was fetched a short while ago; waits for a fetch in progress. The fetch is a task of
    /// its own, so that a client that hangs up does not end it for the others.
    pub(super) async fn refresh(self: &Arc<Self>) {
        if !self.is_due() && self.fetching.try_lock().is_ok() {
            return;
        }
        let this = Arc::clone(self);
        // An error here is a panic in the task, which has been logged; the old state stands.
        let _ = tokio::spawn(async move { this.fetch_if_due().await }).await;
    }

    async fn fetch_if_due(&self) {
        let _fetching = self.fetching.lock().await;
        if !self.is_due() {
            return;
        }
        let started = self.clock.elapsed();
        self.write(|state| state.last_attempt = Some(started));
        let keys = self.source.fetch().await.and_then(|document| jwk::parse_set(&document));
        match keys {
            // Many a mishap of an issuer looks like this. The old set ends with `auth.jwks_max_age_hours`.
            Ok(keys) if keys.is_empty() && self.usable().is_some() => {
                let source = self.source.name();
                tracing::warn!(source, "the new key set holds no usable key: the previous one stays in use");
            }
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the key set");
                self.write(|state| {
                    let number = state.set.as_ref().map_or(0, |set| set.number + 1);
                    state.set = Some(Arc::new(KeySet { keys, number, fetched_at: started }));
                });
            }
            Err(reason) => {
                tracing::warn!(reason, source = self.source.name(), "the key set could not be fetched");
            }
        }
    }

    fn usable(&self) -> Option<Arc<KeySet>> {
        let set = self.state.read().unwrap_or_else(PoisonError::into_inner).set.clone()?;
        (!self.is_older(set.fetched_at, self.max_age)).then_some(set)
    }

    fn is_due(&self) -> bool {
        let interval = if self.usable().is_some() { REFRESH_INTERVAL } else { RETRY_INTERVAL };
        let last = self.state.read().unwrap_or_else(PoisonError::into_inner).last_attempt;
        last.is_none_or(|last| self.since(last) >= interval)
    }

    fn is_older(&self, moment: Duration, age: Duration) -> bool {
        self.since(moment) > age
    }

    fn since(&self, moment: Duration) -> Duration {
        self.clock.elapsed().saturating_sub(moment)
    }

    fn write(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}
