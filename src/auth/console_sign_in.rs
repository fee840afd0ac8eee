//! The sign-in to the console with OpenID Connect, and the session that follows: both are sealed cookies, so that no
//! replica has to store them.

mod sealer;
mod session;

use std::time::Duration;

use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use super::open_id_connect::{OpenIdConnect, PendingAuthorization, Settings};
use super::token::IdToken;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::egress::http_client::HttpClient;
use sealer::Sealer;

pub use session::Session;

/// The session: sent with every request.
pub const SESSION_COOKIE: &str = "transports-session";
/// A sign-in that has not ended.
pub const PENDING_COOKIE: &str = "transports-sign-in";

/// How long a user may take to sign in at the provider.
pub const SIGN_IN_TIME: Duration = Duration::from_mins(15);

/// A sign-in that came back is remembered, so that its cookie begins no second one. One takes some 200 bytes.
const MAX_ENDED_SIGN_INS: u64 = 10_000;

/// Signs users in to the console, where the operator configured a provider.
pub struct ConsoleSignIn {
    pub provider: OpenIdConnect,
    pub session_time: Duration,
    /// Whether browsers come by `https://`.
    pub is_https: bool,
    sealer: Sealer,
    clock: Clock,
    /// The states of sign-ins that have come back, until they would have expired.
    ended: Cache<String, ()>,
}

/// Binds a sign-in to the browser that began it.
#[derive(Serialize, Deserialize)]
pub struct PendingSignIn {
    pub authorization: PendingAuthorization,
    /// The page to show afterwards.
    pub return_to: String,
    /// Unix milliseconds.
    until: i64,
}

impl PendingSignIn {
    /// Whether this is the state that the browser was sent away with.
    pub fn has_state(&self, state: &str) -> bool {
        sealer::is_equal(state, &self.authorization.state)
    }
}

impl ConsoleSignIn {
    /// `None` where no provider is configured.
    ///
    /// # Errors
    /// A text for the operator that names the setting.
    pub fn new(config: &Config, http: HttpClient, clock: Clock) -> anyhow::Result<Option<Self>> {
        let (Some(settings), Some(secret)) = (Settings::from_config(config)?, &config.console.session_secret)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            is_https: settings.public_url.starts_with("https://"),
            session_time: Duration::from_secs(u64::from(config.console.session_minutes) * 60),
            sealer: Sealer::new(secret),
            provider: OpenIdConnect::new(settings, http, clock.clone()),
            clock,
            ended: Cache::builder().max_capacity(MAX_ENDED_SIGN_INS).time_to_live(SIGN_IN_TIME).build(),
        }))
    }

    /// Begins a sign-in: its cookie, for the browser that goes to the provider.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn seal_pending(
        &self,
        authorization: PendingAuthorization,
        return_to: String,
    ) -> anyhow::Result<String> {
        let until = self.expiry(SIGN_IN_TIME).0;
        self.sealer.seal(PENDING_COOKIE, &PendingSignIn { authorization, return_to, until })
    }

    /// The sign-in in a returning browser's cookie, where it was sealed here and has not expired.
    pub fn open_pending(&self, cookie: &str) -> Option<PendingSignIn> {
        let pending: PendingSignIn = self.sealer.open(PENDING_COOKIE, cookie)?;
        (self.clock.now().0 < pending.until).then_some(pending)
    }

    /// Ends a sign-in; false where it has ended before.
    pub fn end_pending(&self, pending: &PendingSignIn) -> bool {
        self.ended.entry(pending.authorization.state.clone()).or_insert(()).is_fresh()
    }

    /// A new session, and its cookie.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn begin_session(&self, token: IdToken) -> anyhow::Result<(Session, String)> {
        let session = Session::new(token, self.expiry(self.session_time))?;
        let cookie = self.sealer.seal(SESSION_COOKIE, &session)?;
        Ok((session, cookie))
    }

    /// The session that a cookie holds, where it was sealed here and has not expired.
    pub fn open_session(&self, cookie: &str) -> Option<Session> {
        let session: Session = self.sealer.open(SESSION_COOKIE, cookie)?;
        (self.clock.now().0 < session.until).then_some(session)
    }

    fn expiry(&self, time: Duration) -> Timestamp {
        let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.clock.now().0.saturating_add(milliseconds))
    }
}
