//! The whole service under test: real sockets, a real database, its own clock and name table.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use transports::app::App;
use transports::auth::token;
use transports::clock::{Clock, Timestamp};
use transports::config::{Config, DatabaseUrl, Quotas};
use transports::delivery::Worker;
use transports::egress::{ResolveError, Resolver};
use transports::http;
use transports::secret::Secret;

use super::client::Client;
use super::database::{Database, Engine};
use super::leaks;

/// What the names of a test resolve to; counts the look-ups.
#[derive(Clone, Default)]
pub struct Names {
    table: Arc<Mutex<HashMap<String, Vec<IpAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    pub fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        self.table.lock().expect("not poisoned").insert(name.to_owned(), addresses);
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn resolver(&self) -> Resolver {
        let names = self.clone();
        Resolver::Table(Arc::new(move |name| {
            names.asked.fetch_add(1, Ordering::SeqCst);
            let table = names.table.lock().expect("not poisoned");
            match name {
                "servfail.example.com" => Err(ResolveError::Unavailable),
                _ => table.get(name).cloned().ok_or(ResolveError::NotFound),
            }
        }))
    }
}

/// A running service. Stops when dropped.
pub struct TestApp {
    pub app: Arc<App>,
    pub address: SocketAddr,
    pub names: Names,
    pub clock: Clock,
    pub database: Database,
    stop: Option<oneshot::Sender<()>>,
    stop_worker: watch::Sender<bool>,
    worker: Option<JoinHandle<()>>,
}

/// Where a manual clock starts: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp(1_767_225_600_000);

/// The secret that the tokens of a test are signed with.
pub fn token_secret() -> &'static str {
    leaks::canary("a secret of tokens ")
}

/// The one key of a test's ring, as `ID:BASE64`: 32 bytes that hold the mark.
pub fn encryption_key() -> String {
    let bytes = leaks::canary("").as_bytes();
    format!("test:{}", STANDARD.encode(&bytes[..32]))
}

impl TestApp {
    /// The service on the engine of this run, with loopback and every port opened as destinations.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with changed settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_database(Database::create(Engine::chosen()).await, change).await
    }

    /// The service on a database that may hold something already.
    pub async fn with_database(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = settings(&database);
        change(&mut config);
        let names = Names::default();
        let clock = Clock::manual(START);
        let app = App::start(config, clock.clone(), names.resolver()).await.expect("the service starts");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = http::server::bind(any).expect("a free port");
        let address = listener.local_addr().expect("is bound");
        app.egress_policy().add_own_listener(address);
        let (stop, stopped) = oneshot::channel::<()>();
        let (service, running) = (http::service(&app, None), Arc::clone(&app));
        tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            http::server::serve(listener, service, &running.config.server, stopped).await
        });
        let (stop_worker, worker_stopped) = watch::channel(false);
        let worker = app
            .config
            .delivery
            .enabled
            .then(|| tokio::spawn(Worker::new(Arc::clone(&app.delivery), worker_stopped).run()));
        Self { app, address, names, clock, database, stop: Some(stop), stop_worker, worker }
    }

    /// An administrator of a tenant.
    pub fn admin(&self, tenant: &str) -> Client {
        self.user(tenant, "admin", true)
    }

    /// A plain user of a tenant.
    pub fn member(&self, tenant: &str) -> Client {
        self.user(tenant, "member", false)
    }

    pub fn user(&self, tenant: &str, user: &str, admin: bool) -> Client {
        let secret = Secret::new(token_secret().to_owned());
        let token = token::issue(&secret, &self.app.config.auth, tenant, user, admin, 3600, self.clock.now())
            .expect("a token");
        self.bearer(&marked(token.expose(), &secret))
    }

    /// A user of a tenant who may send.
    pub fn sender(&self, tenant: &str) -> Client {
        let secret = Secret::new(token_secret().to_owned());
        let auth = &self.app.config.auth;
        let claims = serde_json::json!({
            "tenantId": tenant, "sub": "sender", "roles": ["EmailSender"], "iss": auth.issuer, "aud": auth.audience,
            "exp": self.clock.now().seconds() + 3600,
        });
        let token = token::sign_hs256(&secret, &claims).expect("a token");
        self.bearer(&marked(token.expose(), &secret))
    }

    /// The platform, which names a tenant in the path.
    pub fn platform(&self) -> Client {
        let secret = Secret::new(token_secret().to_owned());
        let auth = &self.app.config.auth;
        let token =
            token::issue_for_platform(&secret, auth, "platform", 3600, self.clock.now()).expect("a token");
        self.bearer(&marked(token.expose(), &secret))
    }

    /// Somebody with this token.
    pub fn bearer(&self, token: &str) -> Client {
        Client { address: self.address, token: Some(token.to_owned()) }
    }

    /// Somebody without a token.
    pub fn anybody(&self) -> Client {
        Client { address: self.address, token: None }
    }

    /// Stops the service and hands back its database.
    pub async fn stop(mut self) -> Database {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = self.stop_worker.send(true);
        if let Some(worker) = self.worker.take() {
            worker.await.expect("the worker ends");
        }
        self.app.db.close().await;
        self.database.clone()
    }
}

/// The token with the mark in one more claim.
fn marked(token: &str, secret: &Secret) -> String {
    let claims = super::tokens::decode(token.split('.').nth(1).expect("three parts"));
    let mut claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    claims["jti"] = leaks::MARK.into();
    token::sign_hs256(secret, &claims).expect("a token").expose().to_owned()
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = self.stop_worker.send(true);
        if !std::thread::panicking() {
            leaks::assert_absent("the metrics", self.app.metrics.encode().as_bytes());
        }
        leaks::check();
    }
}

/// Settings that are good to serve with, on a database.
pub fn settings(database: &Database) -> Config {
    let mut config = Config::default();
    config.database.url = DatabaseUrl::new(database.url());
    config.encryption.keys = vec![Secret::new(encryption_key())];
    config.auth.hs256_secret = Some(Secret::new(token_secret().to_owned()));
    config.auth.issuer = Some("https://issuer.test".to_owned());
    config.auth.audience = Some("transports".to_owned());
    config.egress.allow = vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()];
    config.egress.allow_hosts = vec!["localhost".to_owned()];
    config.egress.ports = vec![0];
    // Most tests check and send more often than any tenant may by default.
    config.quotas = Quotas::unlimited();
    config.delivery.mails_per_recipient_per_hour = 0;
    // The machine that runs the tests may have little left.
    config.delivery.min_free_disk_percent = 0;
    config.tls.ca_file = Some(PathBuf::from(super::certificates::authority_file()));
    config
}
