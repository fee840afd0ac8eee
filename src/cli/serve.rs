//! `transports serve`: runs the service, and its background jobs, until a signal stops it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Auth, Config, Problem};
use crate::delivery;
use crate::egress::Resolver;
use crate::http::{self, server};
use crate::smtp::Security;
use crate::submission::{Certificate, Gateway};
use crate::telemetry::traces::Traces;

/// Run the service.
///
/// All settings are described in docs/configuration.md. The service refuses to start without a key for the
/// tenants' secrets, without a source of token keys, an issuer and an audience, and with a key that does
/// not open the stored secrets. SIGTERM and Ctrl-C let running requests finish first. SIGHUP reads
/// `encryption.keys_file` again; a change of the file is noticed without it too.
///
/// Example: transports --config /etc/transports/transports.toml serve
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {}

/// How often a changed key file is read again, and a key service that did not answer is tried again.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(2);

pub async fn run(_arguments: Arguments, config: Config, traces: Option<Traces>) -> anyhow::Result<()> {
    let signals = Signals::install()?;
    warm_up_rng();
    let listener = bind("server.listen", config.server.listen)?;
    let address = listener.local_addr()?;
    tracing::info!("starting, to listen on http://{address}");
    let gateway = GatewayListeners::configured(&config)?;
    let app = App::start(config, Clock::System, Resolver::system()).await?;
    log_settings(&app.config);
    log_whether_it_sends(&app.config.delivery);
    if let Some(gateway) = &gateway {
        gateway.log_addresses()?;
    }
    tracing::info!("listening on http://{address}");
    run_until_stopped(&app, listener, gateway, None, signals, traces).await
}

/// What an operator wants to see of a service that has started: which one it is, on which data, and who gets in.
fn log_settings(config: &Config) {
    tracing::info!("transports {}, database {}", env!("CARGO_PKG_VERSION"), config.database.url.shown());
    let Auth { issuer, audience, jwks_url, public_key_file, hs256_secret, .. } = &config.auth;
    let sources = [
        jwks_url.as_deref().map(str::to_owned),
        public_key_file.as_ref().map(|file| file.display().to_string()),
        hs256_secret.as_ref().map(|_| "auth.hs256_secret".to_owned()),
    ];
    tracing::info!(
        "the API accepts tokens of the issuer {} for the audience {}, with keys of {}",
        issuer.as_deref().unwrap_or_default(),
        audience.as_deref().unwrap_or_default(),
        sources.into_iter().flatten().collect::<Vec<_>>().join(", ")
    );
    if let (Some(issuer), Some(url)) = (&config.console.oidc_issuer, &config.console.public_url) {
        let url = url.trim_end_matches('/');
        tracing::info!("the console is at {url}/console/: users of {issuer} sign in there");
    } else {
        tracing::info!(
            "nobody can sign in at /console/, since console.oidc_issuer is not set; other pages may embed the console"
        );
    }
}

/// A service that sends says so with each hand-over; one that does not would say nothing at all.
fn log_whether_it_sends(settings: &config::Delivery) {
    if !settings.enabled {
        tracing::info!(
            "this process accepts emails and sends none, since delivery.enabled is false: they wait for another process on \
             this database that sends"
        );
    }
}

/// The bound listeners of the SMTP gateway, with their certificate.
pub(super) struct GatewayListeners {
    certificate: Arc<Certificate>,
    listeners: Vec<(TcpListener, Security)>,
}

impl GatewayListeners {
    /// For listeners that are bound already.
    pub(super) fn new(
        config: &Config,
        listeners: impl IntoIterator<Item = (Vec<TcpListener>, Security)>,
    ) -> anyhow::Result<Option<Self>> {
        let Some(certificate) = Certificate::configured(&config.submission)? else { return Ok(None) };
        let with_security = |(listeners, security): (Vec<TcpListener>, Security)| {
            listeners.into_iter().map(move |listener| (listener, security))
        };
        Ok(Some(Self { certificate, listeners: listeners.into_iter().flat_map(with_security).collect() }))
    }

    fn configured(config: &Config) -> anyhow::Result<Option<Self>> {
        let settings = &config.submission;
        let Some(certificate) = Certificate::configured(settings)? else { return Ok(None) };
        let addresses = [
            ("submission.listen", settings.listen, Security::StartTls),
            ("submission.listen_tls", settings.listen_tls, Security::Tls),
        ];
        let mut listeners = Vec::new();
        for (setting, address, security) in addresses {
            let Some(address) = address else { continue };
            listeners.push((bind(setting, address)?, security));
        }
        Ok(Some(Self { certificate, listeners }))
    }

    fn log_addresses(&self) -> io::Result<()> {
        for (listener, security) in &self.listeners {
            tracing::info!("SMTP gateway on {}, {}", listener.local_addr()?, security.as_str());
        }
        Ok(())
    }

    /// Serves in a task of its own until `stop`.
    fn serve(self, app: &Arc<App>, stop: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
        for (listener, _) in &self.listeners {
            app.egress_policy().add_gateway_listener(listener.local_addr()?);
        }
        let gateway = Gateway::new(app, &self.certificate)?;
        Ok(tokio::spawn(gateway.serve(self.certificate, self.listeners, stop)))
    }
}

/// The cryptographic library needs about 50 ms for its first random bytes. Asking for them here, beside the rest of the
/// start, spares the first request that wait.
fn warm_up_rng() {
    std::thread::spawn(|| {
        // A failure shows again where random bytes are needed.
        let _ = aws_lc_rs::rand::fill(&mut [0]);
    });
}

/// Binds a listener.
///
/// # Errors
/// Names the setting to change, and for an address in use how to find the program that has it.
pub(super) fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    server::bind(address).map_err(|error| {
        let problem = Problem::new(format!("{setting}: cannot listen on {address}: {error}"));
        if error.kind() != io::ErrorKind::AddrInUse {
            return problem.into();
        }
        let hint = format!(
            "another program listens there, or this service runs already: as root, `ss -ltnp 'sport = :{}'` names it. Stop it, \
             or set {setting} to another address",
            address.port()
        );
        problem.with_hint(hint).into()
    })
}

/// Whether another program listens on this address now.
pub(super) fn is_taken(address: SocketAddr) -> bool {
    server::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Serves `app`, and `dev` beside it, until a signal stops the process. Exports `traces` to the last one.
pub(super) async fn run_until_stopped(
    app: &Arc<App>,
    listener: TcpListener,
    gateway: Option<GatewayListeners>,
    dev: Option<http::Dev>,
    signals: Signals,
    traces: Option<Traces>,
) -> anyhow::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let stopping = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    app.egress_policy().add_own_listener(listener.local_addr()?);
    let metrics = metrics_listener(app, stopping(stopped.clone()))?;
    let traces = traces.map(|traces| traces.start_export(app.http_client(), app.metrics.clone()));
    let retention = tokio::spawn(app.retention().run());
    let Signals { stop: stop_signals, hangup } = signals;
    let key_maintenance = tokio::spawn(maintain_keys(Arc::clone(app), hangup));
    let worker = app.config.delivery.enabled.then(|| {
        let worker = delivery::Worker::new(Arc::clone(&app.delivery), stopped.clone());
        tokio::spawn(worker.run())
    });
    let stop_gateway = CancellationToken::new();
    let gateway = gateway.map(|gateway| gateway.serve(app, stop_gateway.clone())).transpose()?;
    let delivery = Arc::clone(&app.delivery);
    tokio::spawn(async move {
        let signal = stop_signals.recv().await;
        tracing::info!("{signal}: shutting down, finishing requests in flight");
        let _ = stop.send(true);
        delivery.stopping.cancel();
        stop_gateway.cancel();
    });
    let service = http::service(app, dev);
    let left = server::serve(listener, service, &app.config.server, stopping(stopped)).await?;
    retention.abort();
    key_maintenance.abort();
    // Checks whose clients have gone still write their audit rows.
    app.checks.close();
    if tokio::time::timeout(left, app.checks.wait()).await.is_err() {
        tracing::warn!("checks were still running when the shutdown timeout ended");
    }
    if let Some(gateway) = gateway
        && tokio::time::timeout(left, gateway).await.is_err()
    {
        tracing::warn!("messages were still being received by SMTP when the shutdown timeout ended");
    }
    if let Some(worker) = worker
        && tokio::time::timeout(left, worker).await.is_err()
    {
        tracing::warn!(
            "emails were still being sent when the shutdown timeout ended: their outcome is determined later"
        );
    }
    if let Some(metrics) = metrics {
        metrics.await??;
    }
    app.db.close().await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Serves the metrics on their own listener, where one is configured.
fn metrics_listener(
    app: &Arc<App>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Option<tokio::task::JoinHandle<anyhow::Result<()>>>> {
    let Some(address) = app.config.server.metrics_listen else { return Ok(None) };
    let listener = bind("server.metrics_listen", address)?;
    app.egress_policy().add_own_listener(listener.local_addr()?);
    tracing::info!("metrics on http://{}/metrics", listener.local_addr()?);
    let (service, settings) = (http::metrics_service(app), app.config.server.clone());
    let serving = async move { server::serve(listener, service, &settings, stop).await.map(drop) };
    Ok(Some(tokio::spawn(serving)))
}

/// The signals that the service handles. Installed first, so that no signal kills the process during the start.
pub(super) struct Signals {
    stop: StopSignals,
    hangup: Signal,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self { stop: StopSignals::install()?, hangup: signal(SignalKind::hangup())? })
    }
}

/// SIGTERM and Ctrl-C.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the first of them and returns its name.
    pub(super) async fn recv(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "interrupted",
        }
    }
}

/// Maintains the keys every few seconds, and at once on SIGHUP.
async fn maintain_keys(app: Arc<App>, mut hangup: Signal) {
    let mut tick = tokio::time::interval(MAINTENANCE_INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => app.vault.maintain().await,
            _ = hangup.recv() => app.vault.reload_now().await,
        }
    }
}
