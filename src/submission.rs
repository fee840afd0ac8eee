//! The SMTP gateway: takes mail of programs that send by SMTP, as the send API takes it.
//!
//! A front door like `http`: it signs a client in by its API key, and passes a message to the same use case.

mod certificate;
mod door;
mod refusal;
mod sign_in;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::limits::network_of;
use crate::limits::submission_sign_ins::SubmissionSignIns;
use crate::smtp::Security;
use crate::smtp::server::{Limits, Server};

pub use certificate::Certificate;
pub use door::Caller;

/// How often the files of the certificate are looked at, and the open connections counted.
const INTERVAL: Duration = Duration::from_secs(2);

/// What decides at the gateway.
pub struct Gateway {
    app: Arc<App>,
    hostname: String,
    tls: Arc<ServerConfig>,
    sign_ins: SubmissionSignIns,
}

impl Gateway {
    /// # Errors
    /// Not with the versions of TLS that the library has.
    pub fn new(app: &Arc<App>, certificate: &Arc<Certificate>) -> anyhow::Result<Self> {
        let configured = app.config.egress.ehlo_name.clone();
        Ok(Self {
            hostname: configured.or_else(|| certificate.name()).unwrap_or_else(|| "localhost".to_owned()),
            tls: certificate.server_config()?,
            sign_ins: SubmissionSignIns::new(app.clock.clone()),
            app: Arc::clone(app),
        })
    }

    fn limits(&self) -> Limits {
        let settings = &self.app.config.submission;
        Limits {
            max_connections: settings.max_connections,
            // One address never takes all of them.
            max_connections_per_peer: settings.max_connections.div_ceil(2),
            max_message: self.app.config.delivery.max_message_bytes,
            idle: Duration::from_secs(settings.idle_seconds),
            shutdown: Duration::from_secs(self.app.config.server.shutdown_seconds),
            ..Limits::default()
        }
    }

    /// As the HTTP side counts: loopback carries the connections of many clients.
    fn group_of(peer: IpAddr) -> Option<u128> {
        let peer = peer.to_canonical();
        (!peer.is_loopback()).then(|| network_of(peer))
    }

    /// Serves until `stop`; then messages under way are finished.
    pub async fn serve(
        self,
        certificate: Arc<Certificate>,
        listeners: Vec<(TcpListener, Security)>,
        stop: CancellationToken,
    ) {
        let limits = self.limits();
        let server = Server::new(self, limits);
        let tasks = TaskTracker::new();
        for (listener, security) in listeners {
            tasks.spawn(Arc::clone(&server).serve(listener, security, stop.clone()));
        }
        tasks.close();
        let mut tick = tokio::time::interval(INTERVAL);
        let watch = async {
            loop {
                tick.tick().await;
                server.door().app.metrics.set_open_submission_connections(server.open_connections());
                certificate.reload_if_changed().await;
            }
        };
        tokio::select! {
            () = tasks.wait() => {}
            () = watch => {}
        }
    }
}
