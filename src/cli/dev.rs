//! `transports dev`: everything in one process, to try it.

mod settings;
mod welcome;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::{output, serve};
use crate::app::App;
use crate::auth::token;
use crate::clock::Clock;
use crate::config::Config;
use crate::dev::certificates::{self, Identity};
use crate::dev::fake_microsoft365::{FakeMicrosoft365, Registration};
use crate::dev::folder::{Folder, random_secret};
use crate::dev::inbox::Inbox;
use crate::dev::mail::Envelope;
use crate::dev::smtp::{Security, Server};
use crate::dev::{pages, ports, session};
use crate::egress::Resolver;
use crate::secret::Secret;
use crate::telemetry::traces::Traces;
use crate::{http, vault};
use settings::Kept;
use welcome::{Port, Tokens, Welcome};

pub(super) use settings::for_people;

/// Try the service on this machine, with nothing to configure.
///
/// Starts the service on loopback with SQLite and a key under a data folder, and an inbox that catches
/// every mail that it sends. Prints the address of each, a token of a tenant admin, and curl lines to try.
/// A port that is taken gives another one. Never for production: loopback and all ports are opened as
/// destinations.
///
/// Settings count as they do for `serve`, but for those that dev decides: where it listens, the database,
/// the keys, and the ports that may be reached.
///
/// Example: transports dev --port 9000
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {
    /// Folder for the database and the key; made where it is missing.
    #[arg(long, value_name = "FOLDER", default_value = "./transports-dev")]
    pub data_dir: PathBuf,

    /// Port of the API and the inbox's pages on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,

    /// Port of the inbox's SMTP server, with or without STARTTLS; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 2525)]
    pub smtp_port: u16,

    /// Port of the inbox's SMTP server with TLS from the start; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 2465)]
    pub smtps_port: u16,
}

/// How long the printed tokens are good.
const TOKEN_DAYS: i64 = 7;

const TOKEN_SECONDS: i64 = TOKEN_DAYS * 24 * 3600;

/// A console that is left open asks for another one.
const CONSOLE_TOKEN_SECONDS: i64 = 3600;

const KEY_FILE: &str = "encryption-key";
const TOKEN_FILE: &str = "token-secret";
const PASSWORD_FILE: &str = "inbox-password";
const CLIENT_SECRET_FILE: &str = "microsoft365-client-secret";

/// Where the fake Entra and Graph are served, beside the API.
const MICROSOFT365_PATH: &str = "/dev/microsoft365";
const TRUSTED_FILE: &str = "trusted-ca.pem";

pub async fn run(arguments: Arguments, config: Config, traces: Option<Traces>) -> anyhow::Result<()> {
    for name in settings::not_used(&config) {
        output::note(&format!("note: {name} is set, and `transports dev` does not use it"));
    }
    let signals = serve::Signals::install()?;
    let clock = Clock::System;
    let folder = Folder::open(&arguments.data_dir)?;
    let identity = certificates::identity(&folder, clock.now())?;
    let password = folder.keep(PASSWORD_FILE, || random_secret(18))?;

    let listener = bound("--port", ports::bind(arguments.port).await)?;
    let smtp = bound("--smtp-port", ports::bind_localhost(arguments.smtp_port).await)?;
    let implicit = bound("--smtps-port", ports::bind_localhost(arguments.smtps_port).await)?;
    let address = listener.local_addr()?;
    let starttls_port = Port { wanted: arguments.smtp_port, bound: port_of(&smtp)? };
    let implicit_port = Port { wanted: arguments.smtps_port, bound: port_of(&implicit)? };

    let registration = registration(&folder)?;
    let config = settings::to_try(config, kept(&folder, &identity, address, &arguments.data_dir)?)?;
    let app = App::start(config, clock.clone(), Resolver::system()).await.with_context(|| {
        let folder = arguments.data_dir.display();
        format!("starting with the data in {folder} (remove that folder to begin anew)")
    })?;

    let inbox = Inbox::default();
    let microsoft365 = fake_microsoft365(registration.clone(), inbox.clone(), clock.clone());
    let server = Server::new(inbox.clone(), identity.tls, Secret::new(password.expose().to_owned()), clock);
    for (listeners, security) in [(smtp, Security::StartTls), (implicit, Security::Implicit)] {
        for listener in listeners {
            tokio::spawn(Arc::clone(&server).serve(listener, security));
        }
    }
    let welcome = Welcome {
        api: Port { wanted: arguments.port, bound: address.port() },
        smtp: starttls_port,
        smtps: implicit_port,
        folder: &arguments.data_dir,
        password: &password,
        registration: &registration,
        tokens: tokens(&app)?,
    };
    output::data(&welcome.text())?;
    end_with_the_program(inbox.clone())?;
    let dev = http::Dev {
        pages: pages::router(inbox).nest(MICROSOFT365_PATH, microsoft365.router()),
        session: session::session(issue(&app)),
    };
    serve::until_stopped(&app, listener, Some(dev), signals, traces).await
}

/// A page that waits for mail would keep the program from ending.
fn end_with_the_program(inbox: Inbox) -> anyhow::Result<()> {
    let signals = serve::StopSignals::install()?;
    tokio::spawn(async move {
        signals.recv().await;
        inbox.end();
    });
    Ok(())
}

/// The one app of the fake Entra. Its secret is kept, as a stored configuration is.
fn registration(folder: &Folder) -> anyhow::Result<Registration> {
    let secret = folder.keep(CLIENT_SECRET_FILE, || random_secret(24))?;
    Ok(Registration {
        directory_id: "d1d1d1d1-0000-4000-8000-000000000001".to_owned(),
        client_id: "c1c1c1c1-0000-4000-8000-000000000001".to_owned(),
        client_secret: secret.expose().to_owned(),
        ..Registration::random()
    })
}

/// A mail that the fake Graph accepts lies in the inbox like any other.
fn fake_microsoft365(registration: Registration, inbox: Inbox, clock: Clock) -> FakeMicrosoft365 {
    let now = clock.clone();
    let sender = registration.mailbox.clone();
    FakeMicrosoft365::new(registration, clock, move |source| {
        let envelope =
            Envelope { sender: sender.clone(), recipients: Vec::new(), encrypted: false, signed_in: true };
        inbox.add(now.now(), envelope, source);
    })
}

fn bound<T>(option: &str, result: std::io::Result<T>) -> anyhow::Result<T> {
    result.with_context(|| format!("{option}: cannot listen there"))
}

fn port_of(listeners: &[TcpListener]) -> anyhow::Result<u16> {
    Ok(listeners.first().context("nothing listens")?.local_addr()?.port())
}

/// What the data folder keeps between runs, made where it is missing.
fn kept(folder: &Folder, identity: &Identity, listen: SocketAddr, path: &Path) -> anyhow::Result<Kept> {
    let database = folder.file("transports.db");
    let database = database.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    folder.keep(KEY_FILE, || vault::generate_key("dev"))?;
    Ok(Kept {
        listen,
        microsoft365_url: format!("http://{listen}{MICROSOFT365_PATH}"),
        database_url: Secret::new(format!("sqlite://{database}")),
        keys_file: folder.file(KEY_FILE),
        token_secret: folder.keep(TOKEN_FILE, || random_secret(32))?,
        authority_file: identity.authority_file.clone(),
        trusted_file: folder.file(TRUSTED_FILE),
    })
}

fn tokens(app: &App) -> anyhow::Result<Tokens> {
    let issue = |user, admin| signed(app, user, admin, TOKEN_SECONDS);
    Ok(Tokens { admin: issue("admin", true)?, user: issue("user", false)?, days: TOKEN_DAYS })
}

/// What the console is given each time that it asks.
fn issue(app: &Arc<App>) -> session::Issue {
    let app = Arc::clone(app);
    Arc::new(move || signed(&app, "admin", true, CONSOLE_TOKEN_SECONDS))
}

fn signed(app: &App, user: &str, admin: bool, seconds: i64) -> anyhow::Result<Secret> {
    let auth = &app.config.auth;
    let secret = auth.hs256_secret.as_ref().context("auth.hs256_secret is not set")?;
    token::issue(secret, auth, welcome::TENANT, user, admin, seconds, app.clock.now())
}
