//! Accepts the clients' connections and serves HTTP/1.1 on them, with limits of number, size and time.

mod connections;
mod stream;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::config;
use connections::{Connection, Connections, InFlight};
use stream::ClientStream;

/// The largest head of a request, in bytes. A token takes up to 8 KiB of it.
const MAX_HEAD: usize = 32 * 1024;

/// Connections that the system holds until they are accepted; it takes no more than `net.core.somaxconn`. With the
/// usual 128 a burst leaves clients with a connection that never answers.
const BACKLOG: u32 = 4_096;

/// Binds a listener.
///
/// # Errors
/// The system's, mostly that the address is in use.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections that an earlier process left in TIME_WAIT must not block the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` ends, then lets the requests in flight finish. Returns what is left of
/// `server.shutdown_seconds`.
///
/// # Errors
/// Only where the listener itself fails permanently.
pub async fn serve(
    listener: TcpListener,
    service: Router,
    settings: &config::Server,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Duration> {
    let connections = Connections::new(settings);
    let tasks = TaskTracker::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Usually too many open files: an eviction may free one.
                tracing::warn!(%error, "a connection could not be accepted");
                connections.evict_idle();
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(peer_permit) = connections.admit(peer.ip()) else {
            stream::reset_on_close(&stream);
            continue;
        };
        let permit = tokio::select! {
            permit = connections.acquire() => permit,
            () = &mut stop => break,
        };
        let (service, settings) = (service.clone(), settings.clone());
        let connection = connections.open(peer_permit);
        tasks.spawn(async move {
            serve_connection(stream, peer, &connection, service, &settings).await;
            drop(permit);
        });
    }
    drop(listener);
    let end = Instant::now() + Duration::from_secs(settings.shutdown_seconds);
    connections.end.cancel();
    tasks.close();
    if tokio::time::timeout_at(end, tasks.wait()).await.is_err() {
        tracing::warn!("requests were still in progress when the shutdown timeout ended");
    }
    Ok(end.saturating_duration_since(Instant::now()))
}

/// Serves one connection until it ends or is evicted. A request in flight is answered first.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    connection: &Arc<Connection>,
    service: Router,
    settings: &config::Server,
) {
    let answer_time = Duration::from_secs(settings.answer_timeout_seconds);
    let stream = ClientStream::new(stream, Arc::clone(connection), answer_time);
    let handler = hyper::service::service_fn(|request: hyper::Request<Incoming>| {
        let in_flight = connection.begin_request();
        let service = service.clone();
        async move {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = service.oneshot(request).await?;
            Ok::<_, Infallible>(response.map(|body| TrackedBody { body, _in_flight: in_flight }))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(settings.header_timeout_seconds))
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), handler);
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = connection.eviction.cancelled() => {
            if connection.may_close() {
                return;
            }
            connection.defer_eviction();
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The body of an answer, which keeps its request in flight until the client has taken it.
struct TrackedBody {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
