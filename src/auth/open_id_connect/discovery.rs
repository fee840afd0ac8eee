//! Fetches the provider's metadata (OpenID Connect Discovery 1.0) when it is first needed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderValue};
use hyper::{HeaderMap, Method};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{MAX_RESPONSE_BYTES, Settings, SignInError, TIME_LIMIT};
use crate::auth::token::{JwksSource, Verifier};
use crate::clock::Clock;
use crate::config::check_operator_url;
use crate::egress::http_client::{HttpClient, Request};

/// Endpoints change seldom; older metadata is fetched again.
const MAX_AGE: Duration = Duration::from_hours(1);

/// After a failure the provider is not asked again for so long: otherwise all users who sign in would wait for it, one after
/// the other.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// A provider, from its metadata.
pub(super) struct Provider {
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub end_session_endpoint: Option<String>,
    /// `client_secret_basic`, which is the default (OpenID Connect Discovery 1.0 section 3), and not only
    /// `client_secret_post`.
    pub takes_basic: bool,
    /// Checks its ID tokens.
    pub verifier: Verifier,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

pub(super) struct Discovery {
    settings: Arc<Settings>,
    http: HttpClient,
    clock: Clock,
    known: RwLock<Known>,
    /// Held by the one running fetch.
    fetching: Mutex<()>,
}

/// The results of earlier fetches. Times are on the monotonic clock.
#[derive(Default)]
struct Known {
    provider: Option<(Arc<Provider>, Duration)>,
    failure: Option<(SignInError, Duration)>,
}

impl Discovery {
    pub fn new(settings: Arc<Settings>, http: HttpClient, clock: Clock) -> Arc<Self> {
        Arc::new(Self { settings, http, clock, known: RwLock::default(), fetching: Mutex::default() })
    }

    /// The provider. One that was found before is used at once, however old; where it is old, it is asked for again
    /// in the background. A failure is remembered for some seconds, so that the next callers do not wait for it again.
    pub async fn provider(self: &Arc<Self>) -> Result<Arc<Provider>, SignInError> {
        let known = self.known(|known| known.provider.clone());
        if let Some((provider, found_at)) = known {
            if self.since(found_at) >= MAX_AGE && self.recent_failure().is_none() {
                tokio::spawn(Arc::clone(self).fetch_unless_running());
            }
            return Ok(provider);
        }
        if let Some(error) = self.recent_failure() {
            return Err(error);
        }
        // A task of its own: a browser that goes away does not end it for the others.
        let fetching = tokio::spawn(Arc::clone(self).fetch_for_all());
        fetching.await.map_err(|_| SignInError::Provider("the question ended early".to_owned()))?
    }

    async fn fetch_unless_running(self: Arc<Self>) {
        if let Ok(_fetching) = self.fetching.try_lock() {
            // Metadata of an hour ago is better than no sign-in.
            if let Err(error) = self.fetch().await {
                tracing::warn!(%error, "the metadata of the OpenID Connect provider could not be fetched");
            }
        }
    }

    async fn fetch_for_all(self: Arc<Self>) -> Result<Arc<Provider>, SignInError> {
        let _fetching = self.fetching.lock().await;
        if let Some((provider, _)) = self.known(|known| known.provider.clone()) {
            return Ok(provider);
        }
        match self.recent_failure() {
            Some(error) => Err(error),
            None => self.fetch().await,
        }
    }

    async fn fetch(&self) -> Result<Arc<Provider>, SignInError> {
        let outcome = fetch(&self.settings, &self.http, &self.clock).await.map(Arc::new);
        let now = self.clock.elapsed();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match &outcome {
            Ok(provider) => *known = Known { provider: Some((Arc::clone(provider), now)), failure: None },
            Err(error) => known.failure = Some((error.clone(), now)),
        }
        outcome
    }

    fn recent_failure(&self) -> Option<SignInError> {
        let (error, at) = self.known(|known| known.failure.clone())?;
        (self.since(at) < RETRY_INTERVAL).then_some(error)
    }

    fn known<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn since(&self, moment: Duration) -> Duration {
        self.clock.elapsed().saturating_sub(moment)
    }
}

/// Where an issuer says that its keys are.
pub struct IssuerKeys {
    /// As it stands in the issuer's tokens.
    pub issuer: String,
    pub jwks_url: String,
}

/// Asks an issuer where its keys are. The issuer's own spelling counts where it differs by a slash at the end.
///
/// # Errors
/// It does not answer, or speaks for another issuer.
pub async fn find_issuer_keys(http: &HttpClient, issuer: &str) -> Result<IssuerKeys, SignInError> {
    let (url, document) = fetch_document(http, issuer).await?;
    if document.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
        return Err(SignInError::Provider(format!("{url} speaks for the issuer {:?}", document.issuer)));
    }
    Ok(IssuerKeys { issuer: document.issuer, jwks_url: document.jwks_uri })
}

async fn fetch_document(http: &HttpClient, issuer: &str) -> Result<(String, Document), SignInError> {
    let failed = |reason: String| SignInError::Provider(reason);
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let request = Request {
        method: Method::GET,
        url: &url,
        headers,
        body: Vec::new(),
        time_limit: TIME_LIMIT,
        max_response_bytes: MAX_RESPONSE_BYTES,
    };
    let response = http.send(request).await.map_err(|error| failed(format!("{url}: {error}")))?;
    if response.status != 200 {
        return Err(failed(format!("{url}: the answer's status is {}", response.status)));
    }
    let document: Document = serde_json::from_slice(&response.body)
        .map_err(|_| failed(format!("{url}: the answer is no discovery document")))?;
    let urls = [
        ("authorization_endpoint", &document.authorization_endpoint),
        ("token_endpoint", &document.token_endpoint),
        ("jwks_uri", &document.jwks_uri),
    ];
    for (name, url) in urls {
        check_operator_url(url).map_err(|problem| failed(format!("its {name} cannot be used: {problem}")))?;
    }
    Ok((url, document))
}

async fn fetch(settings: &Settings, http: &HttpClient, clock: &Clock) -> Result<Provider, SignInError> {
    let (url, document) = fetch_document(http, &settings.issuer).await?;
    // Section 4.3: the issuer must be exactly the configured one, or the metadata is another provider's.
    if document.issuer != settings.issuer {
        return Err(SignInError::Provider(format!("{url} speaks for the issuer {:?}", document.issuer)));
    }
    let source = JwksSource::Url { client: http.clone(), url: document.jwks_uri };
    let verifier = Verifier::with_source(&settings.auth, clock.clone(), Some(source))
        .map_err(|error| SignInError::Provider(format!("{error:#}")))?;
    let methods = document.token_endpoint_auth_methods_supported;
    Ok(Provider {
        authorization_endpoint: document.authorization_endpoint,
        token_endpoint: document.token_endpoint,
        end_session_endpoint: document.end_session_endpoint,
        takes_basic: methods
            .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")),
        verifier,
    })
}
