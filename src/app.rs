//! Builds the service once, at the start: settings, keys, database, and the use cases that `http` calls.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::task::TaskTracker;

use crate::account::Accounts;
use crate::auth::console_sign_in::ConsoleSignIn;
use crate::auth::token::Verifier;
use crate::clock::Clock;
use crate::config::{Config, Invalid, Problem};
use crate::delivery::Delivery;
use crate::egress::http_client::HttpClient;
use crate::egress::{Dialer, Host, Policy, Resolver};
use crate::limits::connections::ConnectionLimits;
use crate::limits::quotas::Quotas;
use crate::limits::rate::RateLimiter;
use crate::limits::recent_audit_rows::RecentAuditRows;
use crate::limits::refused_sign_ins::RefusedSignIns;
use crate::providers::{Outbound, microsoft365};
use crate::store::retention::Retention;
use crate::store::{Db, DbError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Destination;
use crate::vault::{Keys, Remote, Vault, check_known_keys};
use crate::{egress, smtp};

/// The running service, shared by all requests.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    pub vault: Arc<Vault>,
    pub accounts: Arc<Accounts>,
    pub delivery: Arc<Delivery>,
    pub tokens: Verifier,
    /// Signing in to the console, where it is configured.
    pub sign_in: Option<ConsoleSignIn>,
    pub rate_limiter: RateLimiter,
    pub metrics: Metrics,
    /// Checks and sendings, which run to completion also where the client has gone. The process waits for them
    /// before it ends.
    pub checks: TaskTracker,
}

/// What is built from the settings and the files that they name, before the database is opened.
struct Components {
    keys: Keys,
    metrics: Metrics,
    tokens: Verifier,
    sign_in: Option<ConsoleSignIn>,
    outbound: Outbound,
}

impl Components {
    /// # Errors
    /// Every component that cannot be built, each with its setting and a remedy.
    fn new(config: &Config, clock: &Clock, resolver: Resolver) -> Result<Self, Invalid> {
        let mut faults = Faults::default();
        let policy = faults.keep(Policy::new(&config.egress), "correct the entry, or remove it");
        let tls = faults.keep(
            egress::tls::client_config(&config.tls),
            "name a PEM file with certificates of authorities that the user of this process can read",
        );
        let ehlo_name = faults
            .keep(ehlo_name(config), "set it to a host name, such as mail.example.com, or leave it out");
        let installation =
            faults.keep(installation(&config.server.installation), "set it to a short name in ASCII");
        let endpoints = faults.keep(
            microsoft365::Endpoints::new(&config.microsoft365),
            "leave it out for the cloud's own address",
        );
        // Where these are faulty, the others are still looked at.
        let dialer = Dialer { policy: Arc::new(policy.unwrap_or_else(Policy::of_the_defaults)), resolver };
        let tls = tls.map_or_else(egress::tls::public_authorities, Ok).map_err(Problem::from)?;
        let client = HttpClient { dialer: dialer.clone(), tls: Arc::clone(&tls) };
        let metrics = Metrics::new();
        let remote = Remote::configured(&config.encryption, &client, clock, &metrics);
        let remote = faults.keep(remote, "docs/keys.md describes the settings of a key service");
        let tokens = Verifier::new(&config.auth, clock.clone(), client.clone());
        let tokens = faults.keep(tokens, "docs/tokens.md describes where token keys come from");
        let sign_in = ConsoleSignIn::new(config, client.clone(), clock.clone());
        let sign_in = faults.keep(sign_in, "docs/console.md describes the settings of the sign-in");
        // With a key service that is faulty itself, a ring of its own may be missing.
        let keys = remote.and_then(|remote| {
            faults.keep(Keys::load(&config.encryption, remote), "make a key with `transports keys generate`")
        });
        let (Some(tokens), Some(sign_in), Some(keys)) = (tokens, sign_in, keys) else {
            return Err(faults.into());
        };
        let (Some(ehlo_name), Some(installation), Some(endpoints)) = (ehlo_name, installation, endpoints)
        else {
            return Err(faults.into());
        };
        Invalid::unless_empty(faults.0)?;
        let outbound = Outbound {
            dialer,
            smtp: smtp::Settings { ehlo_name, tls, chunking: config.egress.chunking },
            microsoft365: microsoft365::Client::new(client, endpoints, clock.clone()),
            microsoft365_transport: config.microsoft365.transport,
            clock: clock.clone(),
            timeout: Duration::from_secs(config.egress.timeout_seconds),
            installation,
            allowed_ports: config.egress.ports.clone(),
        };
        Ok(Self { keys, metrics, tokens, sign_in, outbound })
    }
}

/// The faults of the components.
#[derive(Default)]
struct Faults(Vec<Problem>);

impl Faults {
    /// The component, where it could be built. `hint` is for a fault that brings none itself.
    fn keep<T>(&mut self, built: Result<T, impl Into<anyhow::Error>>, hint: &str) -> Option<T> {
        match built {
            Ok(component) => Some(component),
            Err(error) => {
                let problem = Problem::from(error.into());
                let problem = if problem.hint.is_some() { problem } else { problem.with_hint(hint) };
                self.0.push(problem);
                None
            }
        }
    }
}

impl From<Faults> for Invalid {
    fn from(faults: Faults) -> Self {
        Self { problems: faults.0 }
    }
}

fn ehlo_name(config: &Config) -> anyhow::Result<Option<Host>> {
    let name = config.egress.ehlo_name.as_deref().map(Host::parse).transpose();
    name.map_err(|error| anyhow::anyhow!("egress.ehlo_name {error}"))
}

/// What `X-Mailer` says.
fn installation(name: &str) -> anyhow::Result<String> {
    let is_text = (1..=200).contains(&name.len()) && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    anyhow::ensure!(is_text, "server.installation has to be 1 to 200 printable characters of ASCII");
    Ok(name.to_owned())
}

/// The faults of the settings and of the files that they name, without opening the database or making a connection.
pub fn find_problems(config: &Config) -> Vec<Problem> {
    let destination = Destination::configured(&config.telemetry).err();
    let components = Components::new(config, &Clock::System, Resolver::system()).err();
    destination.into_iter().chain(components.into_iter().flat_map(|invalid| invalid.problems)).collect()
}

impl App {
    /// Opens everything: the database is migrated and the keys are tried before a request is taken.
    ///
    /// # Errors
    /// A text for the operator: what is wrong, and which setting fixes it.
    pub async fn start(config: Config, clock: Clock, resolver: Resolver) -> anyhow::Result<Arc<Self>> {
        let Components { keys, metrics, tokens, sign_in, outbound } =
            Components::new(&config, &clock, resolver)?;
        let db = Db::open(&config.database, &outbound.smtp.tls).await.context("opening the database")?;
        let vault = Vault::start(keys, &config.encryption, &db, &clock, &metrics).await?;
        let vault = Arc::new(vault);
        let egress = &config.egress;
        let accounts = Accounts {
            db: db.clone(),
            vault: Arc::clone(&vault),
            clock: clock.clone(),
            outbound,
            connections: ConnectionLimits::new(egress.max_connections, egress.max_connections_per_tenant),
            quotas: Quotas::new(&config.quotas, clock.clone()),
            refused_sign_ins: RefusedSignIns::new(&config.quotas, clock.clone()),
            recent_audit_rows: RecentAuditRows::new(&config.quotas, clock.clone()),
            audit_recipients: config.audit.recipients,
            metrics: metrics.clone(),
        };
        let accounts = Arc::new(accounts);
        Ok(Arc::new(Self {
            rate_limiter: RateLimiter::new(&config, clock.clone(), &db),
            delivery: Arc::new(Delivery::new(&accounts, &config)),
            accounts,
            metrics,
            checks: TaskTracker::new(),
            config,
            clock,
            db,
            vault,
            tokens,
            sign_in,
        }))
    }

    /// Deletes what the settings let it keep no longer.
    pub fn retention(&self) -> Retention {
        Retention::new(&self.config, self.clock.clone(), self.db.clone())
    }

    /// Which destinations may be reached.
    pub fn egress_policy(&self) -> &Policy {
        &self.accounts.outbound.dialer.policy
    }

    /// Calls the services that the operator configured.
    pub fn http_client(&self) -> HttpClient {
        let outbound = &self.accounts.outbound;
        HttpClient { dialer: outbound.dialer.clone(), tls: Arc::clone(&outbound.smtp.tls) }
    }
}

/// A client for the services that the operator configured, for commands that do not serve.
///
/// # Errors
/// A text for the operator: what is wrong, and which setting fixes it.
pub fn http_client(config: &Config) -> anyhow::Result<HttpClient> {
    let tls = egress::tls::client_config(&config.tls)?;
    let dialer = Dialer { policy: Arc::new(Policy::new(&config.egress)?), resolver: Resolver::system() };
    Ok(HttpClient { dialer, tls })
}

/// The keys and the open database: what the commands on keys need, without what it takes to serve.
///
/// # Errors
/// A text for the operator: what is wrong, and which setting fixes it.
pub async fn open_keys(config: &Config, clock: &Clock) -> anyhow::Result<(Keys, Db)> {
    let client = http_client(config)?;
    let tls = Arc::clone(&client.tls);
    let remote = Remote::configured(&config.encryption, &client, clock, &Metrics::new())?;
    let keys = Keys::load(&config.encryption, remote).map_err(|error| Invalid::from(Problem::from(error)))?;
    require_database_file(config)?;
    let db = Db::open_served(&config.database, &tls).await.context("opening the database")?;
    Ok((keys, db))
}

/// Tries the keys at what is stored, where the database is a file that can be opened. Changes nothing in it, and makes no
/// connection.
///
/// # Errors
/// Which key is missing or wrong, and how many rows need it.
pub async fn check_stored_keys(config: &Config) -> anyhow::Result<()> {
    let client = http_client(config)?;
    let remote = Remote::configured(&config.encryption, &client, &Clock::System, &Metrics::new())?;
    let keys = Keys::load(&config.encryption, remote)?;
    let Ok(Some(db)) = Db::open_as_it_is(&config.database).await else { return Ok(()) };
    let checked = check_known_keys(&keys, &db).await;
    db.close().await;
    // The schema of a file that no service has opened, or an earlier version, may be another one.
    checked.or_else(|error| if error.is::<DbError>() { Ok(()) } else { Err(error) })
}

/// For commands on a database that is served: a typo in the path would otherwise create an empty one.
///
/// # Errors
/// Where there is no file of SQLite.
pub fn require_database_file(config: &Config) -> anyhow::Result<()> {
    match config.database.sqlite_path() {
        Some(path) if !path.is_file() => {
            let problem = Problem::new(format!("database.url: there is no file {}", path.display()));
            let hint = "start the service once with `transports serve`, which creates the database; or name the settings of \
                        the one that is served with --config";
            Err(problem.with_hint(hint).into())
        }
        _ => Ok(()),
    }
}
