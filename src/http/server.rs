//! Accepts connections: HTTP/1.1 only, with limits of number, size and time, and an orderly end.

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
use connections::{Answering, Connection, Connections};
use stream::ClientStream;

/// The most bytes that the head of a request may have. A token takes up to 8 KiB of it.
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
    // What is left of an earlier process does not keep this one from its port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` ends, then lets the requests that are under way finish. Gives what is left of
/// `server.shutdown_seconds`.
///
/// # Errors
/// Only where the listener itself fails for good.
pub async fn serve(
    listener: TcpListener,
    service: Router,
    settings: &config::Server,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Duration> {
    let connections = Connections::new(settings.max_connections);
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
                // Mostly too many open files: what is open goes on, and the next moment may have room.
                tracing::warn!(%error, "a connection could not be accepted");
                connections.make_room();
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let place = tokio::select! {
            place = connections.place() => place,
            () = &mut stop => break,
        };
        let (connection, service, settings) = (connections.open(), service.clone(), settings.clone());
        tasks.spawn(async move {
            hold(stream, peer, &connection, service, &settings).await;
            drop(place);
        });
    }
    drop(listener);
    let end = Instant::now() + Duration::from_secs(settings.shutdown_seconds);
    connections.end.cancel();
    tasks.close();
    if tokio::time::timeout_at(end, tasks.wait()).await.is_err() {
        tracing::warn!("requests were still under way when the time to finish them was over");
    }
    Ok(end.saturating_duration_since(Instant::now()))
}

/// Serves one connection until it ends, or gives way. Then a request that is under way is answered first.
async fn hold(
    stream: TcpStream,
    peer: SocketAddr,
    connection: &Arc<Connection>,
    service: Router,
    settings: &config::Server,
) {
    // Answers are small: waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    let answer_time = Duration::from_secs(settings.answer_timeout_seconds);
    let stream = ClientStream::new(stream, Arc::clone(connection), answer_time);
    let handler = hyper::service::service_fn(|request: hyper::Request<Incoming>| {
        let answering = connection.request_begins();
        let service = service.clone();
        async move {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = service.oneshot(request).await?;
            Ok::<_, Infallible>(response.map(|body| AnswerBody { body, _answering: answering }))
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
        () = connection.gives_way.cancelled() => {
            if connection.is_waiting() {
                return;
            }
            connection.gives_way_later();
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The body of an answer, which tells when it was taken.
struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl HttpBody for AnswerBody {
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
