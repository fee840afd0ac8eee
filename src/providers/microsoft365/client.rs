//! Caches access tokens and sends mail with them.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::token::{self, AccessToken, Credentials};
use super::{Endpoints, Error, ErrorKind, graph};
use crate::clock::Clock;
use crate::egress::http_client::HttpClient;
use crate::id::TenantId;
use crate::mail::address::EmailAddress;
use crate::mail::message::Message;
use crate::mail::transcript::{Stage, Transcript};

/// A token is renewed this long before it expires: clocks differ, and a call takes its time.
const RENEW_BEFORE_EXPIRY: Duration = Duration::from_mins(1);

/// No token is used for longer, whatever its issuer says.
const MAX_TOKEN_AGE: Duration = Duration::from_hours(1);

/// The most tokens that are kept.
const MAX_TOKENS: u64 = 10_000;

/// The longest `Retry-After` that a sending waits for, in seconds; a longer one is returned to the caller.
const MAX_WAIT: u64 = 3;

/// How long no token is requested after throttling without `Retry-After`, in seconds.
const DEFAULT_HOLD: u64 = 60;

/// The key of a cached token. The version changes with every change of the configuration, so that a token of an old
/// secret is never used again.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TokenKey {
    pub tenant: TenantId,
    pub provider_tenant: String,
    pub client_id: String,
    pub version: String,
    pub scope: String,
}

struct CachedToken {
    token: AccessToken,
    /// On the monotonic clock, like all times here.
    until: Duration,
}

/// Calls Entra and Graph. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: HttpClient,
    pub endpoints: Arc<Endpoints>,
    clock: Clock,
    tokens: Cache<TokenKey, Arc<CachedToken>>,
    /// Until when Graph asked not to be called for a key.
    holds: Cache<TokenKey, Duration>,
    /// Until when Entra asked not to be called for one.
    token_holds: Cache<TokenKey, Duration>,
}

/// An access token, shared with the cache.
#[derive(Clone)]
pub struct Token(Arc<CachedToken>);

impl std::ops::Deref for Token {
    type Target = AccessToken;

    fn deref(&self) -> &AccessToken {
        &self.0.token
    }
}

impl Client {
    pub fn new(http: HttpClient, endpoints: Endpoints, clock: Clock) -> Self {
        let tokens = Cache::builder().max_capacity(MAX_TOKENS).time_to_live(MAX_TOKEN_AGE).build();
        let holds = || Cache::builder().max_capacity(MAX_TOKENS).time_to_live(MAX_TOKEN_AGE).build();
        let endpoints = Arc::new(endpoints);
        Self { http, endpoints, clock, tokens, holds: holds(), token_holds: holds() }
    }

    /// Fetches a new token, which proves the secret. It is cached where `key` is given.
    ///
    /// # Errors
    /// See [`Error`]; the stage is `token`.
    pub async fn fresh_token(
        &self,
        credentials: &Credentials<'_>,
        scope: &str,
        key: Option<&TokenKey>,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<Token, Error> {
        log.begin(Stage::Token);
        let started = Instant::now();
        let fetched = match self.token_hold_error(key).await {
            Some(error) => Err(error),
            None => self.fetch(credentials, scope, deadline).instrument(log.span()).await,
        };
        record(log, Stage::Token, started, fetched.as_ref().err(), "a token was issued");
        if let (Some(key), Err(error)) = (key, &fetched) {
            self.hold_token_requests(key, error).await;
        }
        let token = fetched?;
        if let Some(key) = key {
            self.tokens.insert(key.clone(), Arc::clone(&token.0)).await;
        }
        Ok(token)
    }

    /// The cached token or a new one. Concurrent callers share one request.
    ///
    /// # Errors
    /// See [`Error`]; the stage is `token`.
    pub async fn token(
        &self,
        credentials: &Credentials<'_>,
        key: &TokenKey,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<Token, Error> {
        if let Some(cached) = self.tokens.get(key).await {
            if cached.until > self.clock.elapsed() {
                return Ok(Token(cached));
            }
            self.tokens.invalidate(key).await;
        }
        log.begin(Stage::Token);
        let started = Instant::now();
        let fetch = async {
            match self.token_hold_error(Some(key)).await {
                Some(error) => Err(error),
                None => self.fetch(credentials, &key.scope, deadline).await.map(|token| token.0),
            }
        };
        let fetched = self.tokens.try_get_with_by_ref(key, fetch).instrument(log.span()).await;
        let fetched = fetched.map_err(|error| (*error).clone());
        if let Err(error) = &fetched {
            self.hold_token_requests(key, error).await;
        }
        record(log, Stage::Token, started, fetched.as_ref().err(), "a token was issued");
        fetched.map(Token)
    }

    /// Forgets a token, since it was refused.
    pub async fn forget(&self, key: &TokenKey) {
        self.tokens.invalidate(key).await;
    }

    async fn fetch(
        &self,
        credentials: &Credentials<'_>,
        scope: &str,
        deadline: Instant,
    ) -> Result<Token, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let token = token::fetch(&self.http, &self.endpoints.login, credentials, scope, left).await?;
        let usable = token.expires_in.saturating_sub(RENEW_BEFORE_EXPIRY).min(MAX_TOKEN_AGE);
        let until = self.clock.elapsed() + usable;
        Ok(Token(Arc::new(CachedToken { token, until })))
    }

    /// Hands one mail to Graph. A refused token is renewed once; a request to wait is honoured: within the
    /// deadline where it is short, and otherwise by not calling again before it is over.
    ///
    /// # Errors
    /// See [`Error`], with what the token's `roles` say about `Mail.Send` where there was one.
    pub async fn send_mail(
        &self,
        credentials: &Credentials<'_>,
        key: &TokenKey,
        mailbox: &EmailAddress,
        message: &Message,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<(), (Error, Option<bool>)> {
        if let Some(error) = self.hold_error(&self.holds, key, Stage::Graph).await {
            return Err((error, None));
        }
        let mut renewed = false;
        let mut waited = false;
        loop {
            let token = self.token(credentials, key, deadline, log).await.map_err(|error| (error, None))?;
            log.begin(Stage::Graph);
            let started = Instant::now();
            let left = deadline.saturating_duration_since(started);
            let graph = &self.endpoints.graph;
            let sending =
                graph::send_mail(&self.http, graph, mailbox, credentials, &token.text, message, left);
            let sent = sending.instrument(log.span()).await;
            record(log, Stage::Graph, started, sent.as_ref().err(), "202: accepted");
            let error = match sent {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let wait = error.retry_after.filter(|_| error.kind == ErrorKind::Busy);
            if error.status == Some(401) && !renewed {
                renewed = true;
                self.forget(key).await;
            } else if let Some(seconds) =
                wait.filter(|seconds| !waited && has_time_to_wait(*seconds, deadline))
            {
                waited = true;
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            } else {
                if let Some(seconds) = wait {
                    self.hold(&self.holds, key, seconds).await;
                }
                return Err((error, token.mail_send_role));
            }
        }
    }

    async fn hold(&self, holds: &Cache<TokenKey, Duration>, key: &TokenKey, seconds: u64) {
        let until = self.clock.elapsed().saturating_add(Duration::from_secs(seconds));
        holds.insert(key.clone(), until).await;
    }

    /// Requests no token for as long as Entra asks to wait; it does not always name a time.
    async fn hold_token_requests(&self, key: &TokenKey, error: &Error) {
        let throttled = error.status == Some(429) || error.numbers.contains(&token::REQUEST_LOOP);
        let seconds = error.retry_after.or(throttled.then_some(DEFAULT_HOLD));
        // The answer of a hold is no new request for one.
        if let Some(seconds) = seconds.filter(|_| error.kind == ErrorKind::Busy && !error.is_held) {
            self.hold(&self.token_holds, key, seconds).await;
        }
    }

    async fn token_hold_error(&self, key: Option<&TokenKey>) -> Option<Error> {
        self.hold_error(&self.token_holds, key?, Stage::Token).await
    }

    /// The error to return while Microsoft has asked not to be called.
    async fn hold_error(
        &self,
        holds: &Cache<TokenKey, Duration>,
        key: &TokenKey,
        stage: Stage,
    ) -> Option<Error> {
        let until = holds.get(key).await?;
        let left = until.saturating_sub(self.clock.elapsed());
        if left.is_zero() {
            holds.invalidate(key).await;
            return None;
        }
        let seconds = u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        Some(Error {
            status: Some(429),
            message: format!("Microsoft asked to wait; {seconds} seconds are left."),
            retry_after: Some(seconds),
            is_held: true,
            ..Error::without_answer(stage, ErrorKind::Busy)
        })
    }
}

/// Whether there is time to wait, and as much again for the call.
fn has_time_to_wait(seconds: u64, deadline: Instant) -> bool {
    seconds <= MAX_WAIT && Instant::now() + Duration::from_secs(seconds * 2) < deadline
}

/// Adds a step to the transcript, without the secret and the token.
fn record(log: &mut Transcript, stage: Stage, started: Instant, error: Option<&Error>, success: &str) {
    let detail = match error {
        None => success.to_owned(),
        Some(error) => {
            let status = error.status.map(|status| status.to_string());
            let numbers = error.numbers.first().map(|number| format!("AADSTS{number}"));
            let correlation = error.correlation_id.as_ref().map(|id| format!("correlation id {id}"));
            let reason = match &error.kind {
                ErrorKind::Timeout => Some("no answer in time".to_owned()),
                ErrorKind::Unreachable(reason) | ErrorKind::Malformed(reason) => Some(reason.clone()),
                _ => None,
            };
            let parts = [status, numbers, error.code.clone(), reason, correlation];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    };
    match error {
        None => log.add(stage, started.elapsed(), &detail),
        Some(_) => log.fail(stage, started.elapsed(), &detail),
    }
}
