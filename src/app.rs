//! What a request needs, built once at the start.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::Config;
use crate::egress::http_client::HttpClient;
use crate::egress::{Dialer, Host, Policy, Resolver};
use crate::http::rate_limit::RateLimiter;
use crate::metrics::Metrics;
use crate::microsoft365;
use crate::provider::Places;
use crate::store::Db;
use crate::token::Verifier;
use crate::vault::{self, Vault};
use crate::{egress, smtp};

/// The running service, shared by all requests.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    pub vault: Vault,
    pub tokens: Verifier,
    pub dialer: Dialer,
    pub microsoft365: microsoft365::Client,
    pub smtp: smtp::Settings,
    pub places: Places,
    pub limits: RateLimiter,
    pub metrics: Metrics,
}

impl App {
    /// Opens everything: the database is migrated and the keys are tried before a request is taken.
    ///
    /// # Errors
    /// A text for the operator: what is wrong, and which setting mends it.
    pub async fn start(config: Config, clock: Clock, resolver: Resolver) -> anyhow::Result<Arc<Self>> {
        let policy = Arc::new(Policy::new(&config.egress)?);
        let dialer = Dialer { policy, resolver };
        let tls = egress::tls::client_config(&config.tls)?;
        let ehlo_name = config
            .egress
            .ehlo_name
            .as_deref()
            .map(|name| Host::parse(name).map_err(|error| anyhow::anyhow!("egress.ehlo_name {error}")))
            .transpose()?;
        let client = HttpClient { dialer: dialer.clone(), tls: Arc::clone(&tls) };
        let tokens = Verifier::new(&config.auth, clock.clone(), client.clone())?;
        let endpoints = microsoft365::Endpoints::new(&config.microsoft365)?;
        let vault = Vault::load(&config.encryption)?;
        let db = Db::open(&config.database).await.context("opening the database")?;
        vault::check_keys(&vault, &db, &clock).await?;
        Ok(Arc::new(Self {
            limits: RateLimiter::new(config.rate_limit.clone(), clock.clone()),
            places: Places::new(config.egress.max_connections, config.egress.max_connections_per_tenant),
            smtp: smtp::Settings { ehlo_name, tls },
            metrics: Metrics::new(),
            microsoft365: microsoft365::Client::new(client, endpoints, clock.clone()),
            config,
            clock,
            db,
            vault,
            tokens,
            dialer,
        }))
    }

    /// The time that one check or one test mail may take.
    #[must_use]
    pub fn check_time(&self) -> Duration {
        Duration::from_secs(self.config.egress.timeout_seconds)
    }
}
