//! Fetches the provider's metadata (OpenID Connect Discovery 1.0) when it is first needed.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderValue};
use hyper::{HeaderMap, Method};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{MAX_RESPONSE_BYTES, Settings, SignInError, TIME_LIMIT};
use crate::auth::token::{JwksSource, Verifier};
use crate::clock::{Clock, Timestamp};
use crate::config::check_operator_url;
use crate::egress::http_client::{HttpClient, Request};

/// Endpoints change seldom; older metadata is fetched again.
const MAX_AGE: Duration = Duration::from_hours(1);

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
    fetched_at: Timestamp,
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
    clock: Clock,
    /// Locked while the metadata is fetched: one fetch serves all who wait.
    cached: Mutex<Option<Arc<Provider>>>,
}

impl Discovery {
    pub fn new(clock: Clock) -> Self {
        Self { clock, cached: Mutex::default() }
    }

    pub async fn provider(
        &self,
        settings: &Settings,
        http: &HttpClient,
    ) -> Result<Arc<Provider>, SignInError> {
        let mut cached = self.cached.lock().await;
        let now = self.clock.now();
        if let Some(provider) = cached.as_ref()
            && is_fresh(provider.fetched_at, now)
        {
            return Ok(Arc::clone(provider));
        }
        match fetch(settings, http, &self.clock).await {
            Ok(provider) => {
                let provider = Arc::new(provider);
                *cached = Some(Arc::clone(&provider));
                Ok(provider)
            }
            // Outdated metadata is better than nobody being able to sign in.
            Err(error) => match cached.as_ref() {
                Some(provider) => {
                    tracing::warn!(%error, "the OpenID Connect provider could not be asked about itself");
                    Ok(Arc::clone(provider))
                }
                None => Err(error),
            },
        }
    }
}

fn is_fresh(fetched_at: Timestamp, now: Timestamp) -> bool {
    u128::try_from(now.0 - fetched_at.0).is_ok_and(|age| age < MAX_AGE.as_millis())
}

async fn fetch(settings: &Settings, http: &HttpClient, clock: &Clock) -> Result<Provider, SignInError> {
    let failed = |reason: String| SignInError::Provider(reason);
    let url = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
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
    // Section 4.3: the issuer must be exactly the configured one, or the metadata is another provider's.
    if document.issuer != settings.issuer {
        return Err(failed(format!("{url} speaks for the issuer {:?}", document.issuer)));
    }
    let urls = [
        ("authorization_endpoint", &document.authorization_endpoint),
        ("token_endpoint", &document.token_endpoint),
        ("jwks_uri", &document.jwks_uri),
    ];
    for (name, url) in urls {
        check_operator_url(url).map_err(|problem| failed(format!("its {name} cannot be used: {problem}")))?;
    }
    let source = JwksSource::Url { client: http.clone(), url: document.jwks_uri };
    let verifier = Verifier::with_source(&settings.auth, clock.clone(), Some(source))
        .map_err(|error| failed(format!("{error:#}")))?;
    let methods = document.token_endpoint_auth_methods_supported;
    Ok(Provider {
        authorization_endpoint: document.authorization_endpoint,
        token_endpoint: document.token_endpoint,
        end_session_endpoint: document.end_session_endpoint,
        takes_basic: methods
            .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")),
        verifier,
        fetched_at: clock.now(),
    })
}
