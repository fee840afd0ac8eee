//! A client of an OpenID Connect provider: obtains an ID token by authorisation code with PKCE (OpenID Connect Core
//! 1.0, RFC 6749, RFC 7636).
//!
//! The exchange is the `oauth2` crate's; the ID token is checked by [`crate::auth::token`], as every other token is.

mod discovery;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::auth::token::{IdToken, TokenError};
use crate::clock::Clock;
use crate::egress::http_client::{HttpClient, HttpError, Request};
use discovery::{Discovery, Provider};

pub use discovery::{IssuerKeys, find_issuer_keys};
pub use settings::Settings;

/// Where the provider sends the browser back to, below the public address.
pub const CALLBACK_PATH: &str = "/console/callback";

const TIME_LIMIT: Duration = Duration::from_secs(8);
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// Sign-ins that wait for the provider at the same time. Further ones fail at once, so that a
/// provider that hangs does not use up the service's connections.
const MAX_CALLS: usize = 32;

/// Why the sign-in failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignInError {
    /// The provider does not answer, or not as OpenID Connect requires. Not the user's fault.
    #[error("the provider cannot be used: {0}")]
    Provider(String),
    /// The code was refused: it was used, has expired, or belongs to another sign-in.
    #[error("the code was refused: {0}")]
    Code(String),
    /// The ID token does not name a tenant and a user, or is not for us.
    #[error("the ID token was refused: {0}")]
    Token(TokenError),
}

/// A sign-in that has begun: where to send the browser, and what to keep until it comes back.
pub struct BegunSignIn {
    pub url: String,
    pub pending: PendingAuthorization,
}

/// Binds the sign-in to one browser. Kept in a sealed cookie.
#[derive(Serialize, Deserialize)]
pub struct PendingAuthorization {
    pub state: String,
    nonce: String,
    verifier: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct IdTokenField {
    id_token: String,
}

impl ExtraTokenFields for IdTokenField {}

type Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdTokenField, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The provider that the operator configured.
pub struct OpenIdConnect {
    settings: Arc<Settings>,
    http: HttpClient,
    discovery: Arc<Discovery>,
    calls: Semaphore,
}

impl OpenIdConnect {
    pub fn new(settings: Settings, http: HttpClient, clock: Clock) -> Self {
        let settings = Arc::new(settings);
        let discovery = Discovery::new(Arc::clone(&settings), http.clone(), clock);
        Self { settings, http, discovery, calls: Semaphore::new(MAX_CALLS) }
    }

    /// Begins a sign-in: the caller sends the browser to its URL.
    pub async fn begin(&self) -> Result<BegunSignIn, SignInError> {
        let _call = self.call()?;
        let provider = self.provider().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random();
        let client = self.client(&provider)?;
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != "openid");
        let (url, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scope(Scope::new("openid".to_owned()))
            .add_scopes(scopes.cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .add_extra_param("nonce", nonce.secret())
            .url();
        let pending = PendingAuthorization {
            state: state.into_secret(),
            nonce: nonce.into_secret(),
            verifier: verifier.into_secret(),
        };
        Ok(BegunSignIn { url: url.to_string(), pending })
    }

    /// Exchanges the code that the browser brought back, and checks the ID token. The caller has compared the
    /// state.
    pub async fn finish(&self, pending: PendingAuthorization, code: String) -> Result<IdToken, SignInError> {
        let _call = self.call()?;
        let provider = self.provider().await?;
        let http = self.http.clone();
        let http = move |request: oauth2::HttpRequest| send(http.clone(), request);
        let answer = self
            .client(&provider)?
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
            .request_async(&http)
            .await
            .map_err(|error| match error {
                // The description is the provider's; its code is enough for the log.
                oauth2::RequestTokenError::ServerResponse(refusal) => {
                    SignInError::Code(refusal.error().to_string())
                }
                oauth2::RequestTokenError::Request(error) => SignInError::Provider(error.to_string()),
                oauth2::RequestTokenError::Parse(..) | oauth2::RequestTokenError::Other(_) => {
                    SignInError::Provider("its answer holds no ID token".to_owned())
                }
            })?;
        let token = &answer.extra_fields().id_token;
        provider.verifier.verify_id_token(token, &pending.nonce, &self.settings.client_id).await.map_err(
            |error| match error {
                TokenError::NoKeys => SignInError::Provider("its keys cannot be fetched".to_owned()),
                refused => SignInError::Token(refused),
            },
        )
    }

    /// Where the browser goes to end its session at the provider too (OpenID Connect RP-Initiated Logout).
    pub async fn end_session_url(&self) -> Option<String> {
        let endpoint = self.provider().await.ok()?.end_session_endpoint.clone()?;
        let mut url = oauth2::url::Url::parse(&endpoint).ok()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &format!("{}/console/", self.settings.public_url));
        Some(url.to_string())
    }

    async fn provider(&self) -> Result<Arc<Provider>, SignInError> {
        self.discovery.provider().await
    }

    /// The right to wait for the provider.
    fn call(&self) -> Result<SemaphorePermit<'_>, SignInError> {
        let busy = |_| SignInError::Provider("too many sign-ins wait for it".to_owned());
        self.calls.try_acquire().map_err(busy)
    }

    fn client(&self, provider: &Provider) -> Result<Client, SignInError> {
        let wrong = |name: &'static str| move |_| SignInError::Provider(format!("its {name} is no URL"));
        let redirect = format!("{}{CALLBACK_PATH}", self.settings.public_url);
        let mut client = oauth2::Client::new(ClientId::new(self.settings.client_id.clone()))
            .set_auth_uri(
                AuthUrl::new(provider.authorization_endpoint.clone())
                    .map_err(wrong("authorization_endpoint"))?,
            )
            .set_token_uri(TokenUrl::new(provider.token_endpoint.clone()).map_err(wrong("token_endpoint"))?)
            .set_redirect_uri(RedirectUrl::new(redirect).map_err(wrong("redirect"))?);
        if let Some(secret) = &self.settings.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        Ok(client.set_auth_type(if provider.takes_basic {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        }))
    }
}

/// Sends the `oauth2` crate's requests through our own HTTP client.
async fn send(http: HttpClient, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, HttpError> {
    let (head, body) = request.into_parts();
    let url = head.uri.to_string();
    let response = http
        .send(Request {
            method: Method::POST,
            url: &url,
            headers: head.headers,
            body,
            time_limit: TIME_LIMIT,
            max_response_bytes: MAX_RESPONSE_BYTES,
        })
        .await?;
    let mut answer = oauth2::HttpResponse::new(response.body);
    *answer.status_mut() = hyper::StatusCode::from_u16(response.status)
        .map_err(|_| HttpError::Broken { sent: true, reason: "a status that is none".to_owned() })?;
    *answer.headers_mut() = response.headers;
    Ok(answer)
}
