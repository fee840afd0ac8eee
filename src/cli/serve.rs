//! `transports serve`: the service, in production.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::egress::Resolver;
use crate::http::{self, server};
use crate::store::{Write, audit};

/// Run the service.
///
/// Everything comes from the settings; see docs/configuration.md. It refuses to start without a key for
/// the tenants' secrets, without a source of token keys, an issuer and an audience, and with a key that
/// does not open what is stored. SIGTERM and Ctrl-C let requests in flight end first.
///
/// Example: transports --config /etc/transports.toml serve
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {}

/// How often entries of the audit beyond their retention are removed.
const CLEANING: Duration = Duration::from_hours(1);

const MILLISECONDS_PER_DAY: i64 = 24 * 3600 * 1000;

pub async fn run(_arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let signals = StopSignals::install()?;
    let listener = bind("server.listen", config.server.listen).await?;
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}");
    let app = App::start(config, Clock::System, Resolver::System).await?;
    until_stopped(&app, listener, None, signals).await
}

/// Binds a listener, and says which setting to change where that fails.
pub(super) async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{setting}: cannot listen on {address}"))
}

/// Serves `app` on `listener` until the process is told to stop; `dev` is served beside it.
pub(super) async fn until_stopped(
    app: &Arc<App>,
    listener: TcpListener,
    dev: Option<http::Dev>,
    signals: StopSignals,
) -> anyhow::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let stopping = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    app.dialer.policy.add_own_listener(listener.local_addr()?);
    let metrics = metrics_listener(app, stopping(stopped.clone())).await?;
    let cleaning = tokio::spawn(clean_audit(Arc::clone(app)));
    tokio::spawn(async move {
        signals.told().await;
        let _ = stop.send(true);
    });
    let service = http::service(app, dev);
    server::serve(listener, service, &app.config.server, stopping(stopped)).await?;
    cleaning.abort();
    if let Some(metrics) = metrics {
        metrics.await??;
    }
    app.db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Serves the metrics on a listener of their own, where the operator set one.
async fn metrics_listener(
    app: &Arc<App>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Option<tokio::task::JoinHandle<anyhow::Result<()>>>> {
    let Some(address) = app.config.server.metrics_listen else { return Ok(None) };
    let listener = bind("server.metrics_listen", address).await?;
    app.dialer.policy.add_own_listener(listener.local_addr()?);
    tracing::info!("metrics on http://{}/metrics", listener.local_addr()?);
    let (service, settings) = (http::metrics_service(app), app.config.server.clone());
    Ok(Some(tokio::spawn(async move { server::serve(listener, service, &settings, stop).await })))
}

/// The signals that end the service. Made before anything else, so that none ends the process in its own way.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// # Errors
    /// Where the system does not let the process handle them.
    pub(super) fn install() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn told(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: requests under way may finish"),
            _ = self.interrupt.recv() => tracing::info!("interrupted: requests under way may finish"),
        }
    }
}

/// Removes what is older than `audit.retention_days`, now and every hour.
async fn clean_audit(app: Arc<App>) {
    let retention = i64::from(app.config.audit.retention_days) * MILLISECONDS_PER_DAY;
    let mut tick = tokio::time::interval(CLEANING);
    loop {
        tick.tick().await;
        let oldest = Timestamp(app.clock.now().0 - retention);
        let removal = Write::default().then(audit::remove_older_than(oldest));
        if let Err(error) = app.db.write(removal).await {
            tracing::warn!(%error, "old entries of the audit could not be removed");
        }
    }
}
