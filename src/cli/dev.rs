//! `transports dev`: the service, an inbox and a fake Microsoft 365 in one process, to try them.

mod data;
mod requests;
mod settings;
mod variables;
mod welcome;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::values::whole_number;
use super::{output, serve};
use crate::app::App;
use crate::auth::api_key::Permission;
use crate::auth::token;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl, Invalid, Problem};
use crate::delivery::api_keys::{Author, KeyError, KeyRequest};
use crate::dev::certificates::{self, Identity};
use crate::dev::fake_microsoft365::{FakeMicrosoft365, Registration};
use crate::dev::folder::{Folder, random_secret};
use crate::dev::inbox::Inbox;
use crate::dev::mail::Envelope;
use crate::dev::running::{LockError, RunningLock};
use crate::dev::{self, pages, ports, session};
use crate::egress::{Host, Resolver};
use crate::email_config::Settings;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::smtp::Security;
use crate::store::api_keys::KeyOwner;
use crate::store::email_configs;
use crate::telemetry::traces::Traces;
use crate::{http, vault};
use settings::Overrides;
use variables::Variables;
use welcome::{Port, Ports, Welcome};

pub(super) use data::use_data;
pub(super) use settings::use_readable_log;

/// Run the service on this machine for local testing, without any configuration.
///
/// Starts the service on loopback with SQLite and a key in a data folder, and a test inbox: a mail server that
/// shows what it receives. Emails of an account at another server leave this machine. Prints the address of each, and
/// the commands to a first email. Tokens, an API key and passwords are in the file `env` of the data folder, for a shell
/// to load. A taken port is replaced by a free one; a data folder serves one process at a time. Never use it in
/// production: tenants may connect to loopback and to any port, and every user of this machine gets in as an
/// administrator.
///
/// Commands such as `transports queue` and `transports api-keys` work on this data when they run in the same folder and
/// no settings are there.
///
/// Settings apply as for `serve`, except those that dev overrides: the listener, the database, the keys,
/// and the ports that tenants may connect to.
///
/// Example: transports dev --port 9000
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// Folder for the database and the key; created if missing.
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_FOLDER)]
    pub data_dir: PathBuf,

    /// Port of the API and of the inbox's pages on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 8080, value_parser = whole_number::<u16>(0..=65_535))]
    pub port: u16,

    /// Port of the inbox's SMTP server, with or without STARTTLS; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 2525, value_parser = whole_number::<u16>(0..=65_535))]
    pub smtp_port: u16,

    /// Port of the inbox's SMTP server with implicit TLS; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 2465, value_parser = whole_number::<u16>(0..=65_535))]
    pub smtps_port: u16,

    /// Port of the SMTP gateway with STARTTLS; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 2587, value_parser = whole_number::<u16>(0..=65_535))]
    pub gateway_port: u16,

    /// Port of the SMTP gateway with implicit TLS; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 2466, value_parser = whole_number::<u16>(0..=65_535))]
    pub gateway_tls_port: u16,
}

/// Lifetime of the tokens among the variables.
const TOKEN_SECONDS: i64 = 7 * 24 * 3600;

/// An open console fetches a new token when this one expires.
const CONSOLE_TOKEN_SECONDS: i64 = 3600;

const DEFAULT_FOLDER: &str = "./transports-dev";
const DATABASE_FILE: &str = "transports.db";
const KEY_FILE: &str = "encryption-key";
const TOKEN_FILE: &str = "token-secret";
const API_KEY_FILE: &str = "api-key";
const PASSWORD_FILE: &str = "inbox-password";
const CLIENT_SECRET_FILE: &str = "microsoft365-client-secret";

/// Path of the fake Entra and Graph on the API's listener.
const MICROSOFT365_PATH: &str = "/dev/microsoft365";
const TRUSTED_FILE: &str = "trusted-ca.pem";

pub async fn run(arguments: Arguments, config: Config, traces: Option<Traces>) -> anyhow::Result<()> {
    for name in settings::ignored(&config) {
        output::note(&format!("note: {name} is set, but `transports dev` ignores it"));
    }
    let signals = serve::Signals::install()?;
    let clock = Clock::System;
    let folder = Folder::open(&arguments.data_dir)?;
    let lock = lock(&arguments.data_dir)?;
    let identity = certificates::load_or_issue(&folder, clock.now())?;
    let password = folder.load_or_create(PASSWORD_FILE, || random_secret(18))?;

    let Listeners { api: listener, smtp, smtps, gateway, gateway_tls, ports } = bind(&arguments).await?;
    let address = listener.local_addr()?;
    let gateway_addresses =
        [ports.gateway, ports.gateway_tls].map(|port| ([127, 0, 0, 1], port.bound).into());
    let registration = registration(&folder)?;
    let config = settings::override_with(
        config,
        overrides(&folder, &identity, address, gateway_addresses, &arguments.data_dir)?,
    )?;
    let app = App::start(config, clock.clone(), Resolver::system()).await.with_context(|| {
        let folder = arguments.data_dir.display();
        format!("starting with the data in {folder} (remove that folder to start over)")
    })?;

    let inbox = Inbox::default();
    let microsoft365 = fake_microsoft365(registration.clone(), inbox.clone(), clock.clone());
    let server = dev::smtp::server(inbox.clone(), identity.tls, copy(&password), clock);
    let test_inbox = session::TestInbox { port: ports.smtp.bound, password: copy(&password) };
    let stop = CancellationToken::new();
    let mut inbox_tasks = JoinSet::new();
    for (listeners, security) in [(smtp, Security::StartTls), (smtps, Security::Tls)] {
        for listener in listeners {
            inbox_tasks.spawn(Arc::clone(&server).serve(listener, security, stop.clone()));
        }
    }
    let gateway = serve::GatewayListeners::new(
        &app.config,
        [(gateway, Security::StartTls), (gateway_tls, Security::Tls)],
    )?;
    let variables = Variables {
        ports,
        tokens: tokens(&app)?,
        api_key: &api_key(&app, &folder).await?,
        password: &password,
        client_secret: &registration.client_secret,
        // The lines are pasted in other folders, too.
        authority_file: &std::path::absolute(&identity.authority_file)?,
    };
    folder.write(variables::FILE, &variables.text())?;
    let env_file = std::path::absolute(folder.file(variables::FILE))?;
    let welcome = Welcome {
        ports,
        folder: &arguments.data_dir,
        env_file: &env_file,
        variables: &variables.printed(),
        old_inbox_port: old_inbox_port(&app, [ports.smtp.bound, ports.smtps.bound]).await?,
    };
    lock.set_address(&format!("http://{address}"))?;
    output::data(&welcome.text())?;
    close_on_signal(inbox.clone(), stop.clone())?;
    let dev = http::Dev {
        pages: pages::router(inbox, copy(&password))
            .merge(pages::text(requests::PATH, requests::page(&env_file, &registration)))
            .nest(MICROSOFT365_PATH, pages::guarded(microsoft365.router())),
        session: session::route(token_issuer(&app), test_inbox),
        account_hint: requests::account_hint(address),
    };
    let result = serve::run_until_stopped(&app, listener, gateway, Some(dev), signals, traces).await;
    stop.cancel();
    while inbox_tasks.join_next().await.is_some() {}
    drop(lock);
    result
}

struct Listeners {
    api: TcpListener,
    smtp: Vec<TcpListener>,
    smtps: Vec<TcpListener>,
    gateway: Vec<TcpListener>,
    gateway_tls: Vec<TcpListener>,
    ports: Ports,
}

/// Binds the requested ports, or free ones.
async fn bind(arguments: &Arguments) -> anyhow::Result<Listeners> {
    let api = with_option("--port", ports::bind(arguments.port).await)?;
    let smtp = with_option("--smtp-port", ports::bind_localhost(arguments.smtp_port).await)?;
    let smtps = with_option("--smtps-port", ports::bind_localhost(arguments.smtps_port).await)?;
    let gateway = with_option("--gateway-port", ports::bind_localhost(arguments.gateway_port).await)?;
    let gateway_tls =
        with_option("--gateway-tls-port", ports::bind_localhost(arguments.gateway_tls_port).await)?;
    let ports = Ports {
        api: Port { requested: arguments.port, bound: api.local_addr()?.port() },
        smtp: Port { requested: arguments.smtp_port, bound: port_of(&smtp)? },
        smtps: Port { requested: arguments.smtps_port, bound: port_of(&smtps)? },
        gateway: Port { requested: arguments.gateway_port, bound: port_of(&gateway)? },
        gateway_tls: Port { requested: arguments.gateway_tls_port, bound: port_of(&gateway_tls)? },
    };
    Ok(Listeners { api, smtp, smtps, gateway, gateway_tls, ports })
}

/// Two processes would share the database, while each has its own inbox and its own ports.
fn lock(folder: &Path) -> anyhow::Result<RunningLock> {
    let shown = folder.display();
    let other = match RunningLock::acquire(folder) {
        Ok(lock) => return Ok(lock),
        Err(LockError::Taken(other)) => other,
        Err(LockError::Io(path, error)) => {
            return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
        }
    };
    let place = other.address.map_or_else(|| "is starting".to_owned(), |address| format!("is at {address}"));
    let kill = other.process.map_or_else(String::new, |process| format!(", or with: kill {process}"));
    let problem =
        Problem::new(format!("another `transports dev` runs with the data in {shown}, and {place}"));
    let hint = format!("stop it with Ctrl-C in its terminal{kill}; --data-dir names another folder");
    Err(Invalid::from(problem.with_hint(hint)).into())
}

/// For each part that shows or checks it.
fn copy(secret: &Secret) -> Secret {
    Secret::new(secret.expose().to_owned())
}

/// Ends the event streams of open pages, which would keep the server from stopping, and the inbox's SMTP server.
fn close_on_signal(inbox: Inbox, stop: CancellationToken) -> anyhow::Result<()> {
    let signals = serve::StopSignals::install()?;
    tokio::spawn(async move {
        signals.recv().await;
        inbox.close();
        stop.cancel();
    });
    Ok(())
}

/// The app of the fake Entra. Its secret stays between runs, since stored configurations hold it.
fn registration(folder: &Folder) -> anyhow::Result<Registration> {
    let secret = folder.load_or_create(CLIENT_SECRET_FILE, || random_secret(24))?;
    Ok(Registration {
        directory_id: "d1d1d1d1-0000-4000-8000-000000000001".to_owned(),
        client_id: "c1c1c1c1-0000-4000-8000-000000000001".to_owned(),
        client_secret: secret.expose().to_owned(),
        ..Registration::random()
    })
}

/// Adds mails that the fake Graph accepts to the inbox.
fn fake_microsoft365(registration: Registration, inbox: Inbox, clock: Clock) -> FakeMicrosoft365 {
    let now = clock.clone();
    let sender = registration.mailbox.clone();
    FakeMicrosoft365::new(registration, clock, move |source| {
        let envelope =
            Envelope { sender: sender.clone(), recipients: Vec::new(), encrypted: false, signed_in: true };
        inbox.add(now.now(), envelope, source);
    })
}

fn with_option<T>(option: &str, result: std::io::Result<T>) -> anyhow::Result<T> {
    result.with_context(|| format!("{option}: cannot listen on this port"))
}

fn port_of(listeners: &[TcpListener]) -> anyhow::Result<u16> {
    Ok(listeners.first().context("nothing listens")?.local_addr()?.port())
}

/// Loads secrets and paths from the data folder; the first run creates them.
fn overrides(
    folder: &Folder,
    identity: &Identity,
    listen: SocketAddr,
    gateway: [SocketAddr; 2],
    path: &Path,
) -> anyhow::Result<Overrides> {
    let database = folder.file(DATABASE_FILE);
    let database = database.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    folder.load_or_create(KEY_FILE, || vault::generate_key("dev"))?;
    Ok(Overrides {
        listen,
        microsoft365_url: format!("http://{listen}{MICROSOFT365_PATH}"),
        database_url: DatabaseUrl::new(format!("sqlite://{database}")),
        keys_file: folder.file(KEY_FILE),
        token_secret: folder.load_or_create(TOKEN_FILE, || random_secret(32))?,
        authority_file: identity.authority_file.clone(),
        identity_file: identity.identity_file.clone(),
        gateway,
        trusted_file: folder.file(TRUSTED_FILE),
    })
}

/// Of an administrator, and of a user without that role.
fn tokens(app: &App) -> anyhow::Result<[Secret; 2]> {
    let issue = |user, admin| issue_token(app, user, admin, TOKEN_SECONDS);
    Ok([issue(session::USER, true)?, issue("user", false)?])
}

/// The port of the stored account, where it is the inbox's of an earlier run and none of `ports`.
async fn old_inbox_port(app: &App, ports: [u16; 2]) -> anyhow::Result<Option<u16>> {
    let stored = email_configs::find(&app.db, &TenantId::from_operator(session::TENANT)).await?;
    let Some(Settings::BasicAuth(account)) = stored.map(|stored| stored.settings) else { return Ok(None) };
    let is_local = account.server_address.is_some_and(|host| match host {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => address.is_loopback(),
    });
    // Only the inbox has this user.
    let is_inbox = is_local && account.username.as_deref() == Some(dev::smtp::USER);
    Ok(account.server_port.filter(|port| is_inbox && !ports.contains(port)))
}

/// An API key of the tenant. It stays between runs, unless it was revoked.
async fn api_key(app: &App, folder: &Folder) -> anyhow::Result<Secret> {
    let keys = &app.delivery.api_keys;
    if let Some(text) = folder.read(API_KEY_FILE)? {
        match keys.authenticate(text.trim()).await {
            Ok(_) => return Ok(Secret::new(text.trim().to_owned())),
            Err(KeyError::Refused(_)) => {}
            Err(KeyError::Database(error)) => return Err(error.into()),
        }
    }
    let request = KeyRequest {
        name: "transports dev".to_owned(),
        permission: Permission::FullAccess,
        allowed_senders: None,
        is_test: false,
        expires_at: None,
    };
    let owner = KeyOwner::Tenant(TenantId::from_operator(session::TENANT));
    let made = keys.create(&owner, &Author::operator(), request).await;
    let (_, text) = made.map_err(|error| anyhow::anyhow!("an API key cannot be made: {error:?}"))?;
    folder.write(API_KEY_FILE, &format!("{}\n", text.expose()))?;
    Ok(text)
}

/// Issues a token each time that the console asks.
fn token_issuer(app: &Arc<App>) -> session::IssueToken {
    let app = Arc::clone(app);
    Arc::new(move || issue_token(&app, session::USER, true, CONSOLE_TOKEN_SECONDS))
}

fn issue_token(app: &App, user: &str, admin: bool, seconds: i64) -> anyhow::Result<Secret> {
    let auth = &app.config.auth;
    let secret = auth.hs256_secret.as_ref().context("auth.hs256_secret is not set")?;
    token::issue(secret, auth, session::TENANT, user, admin, seconds, app.clock.now())
}
