//! A small HTTP/1.1 client over the dialer, for URLs that the operator configured or that the user of the command
//! line typed: no proxy, no redirects, bounded in time and size.
//!
//! Each request has a connection of its own, which is closed after it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::Instrument as _;

use self::other_protocol::other_protocol;
use self::target::{PlainHttp, RequestTarget};
use self::watched::{FirstOctets, Watched};
use super::{DialError, Dialer, tls};
use crate::telemetry::{spans, traces};

mod other_protocol;
mod target;
mod watched;

pub use self::other_protocol::OtherProtocol;

/// The most that a head may have, and what hyper reads at a time.
const MAX_HEAD_BYTES: usize = 64 * 1024;

const USER_AGENT: &str = concat!("transports/", env!("CARGO_PKG_VERSION"));

/// An answer. Its body is at most as large as the request allowed.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub body: Vec<u8>,
}

/// `sent` is true once the whole request was written: the other side may have acted on it.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the URL cannot be used: {0}")]
    Url(String),
    #[error("no connection: {0}")]
    Dial(DialError),
    #[error("TLS failed: {0}")]
    Tls(String),
    /// `sent` as in [`Self::Broken`].
    #[error("no answer in time")]
    Timeout { sent: bool },
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer is in a `Content-Encoding`, which was not asked for.
    #[error("the answer is compressed")]
    Compressed,
    #[error("the connection broke: {reason}")]
    Broken { sent: bool, reason: String },
    /// To a user alone: the URL leads to something that speaks no HTTP, or speaks it in another way.
    #[error("{0}")]
    OtherProtocol(OtherProtocol),
}

impl HttpError {
    /// One word of a small set, for traces (`error.type`).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Dial(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge(_) => "too_large",
            Self::Compressed => "compressed",
            Self::Broken { .. } => "connection_lost",
            Self::OtherProtocol(_) => "other_protocol",
        }
    }
}

#[derive(Clone)]
pub struct HttpClient {
    pub dialer: Dialer,
    pub tls: Arc<rustls::ClientConfig>,
}

impl traces::Transport for HttpClient {
    async fn post(&self, post: traces::ExportRequest<'_>) -> Result<Vec<u8>, String> {
        let traces::ExportRequest { url, headers, body, time_limit, max_response_bytes } = post;
        let request =
            Request { method: hyper::Method::POST, url, headers, body, time_limit, max_response_bytes };
        let response = self.send(request).await.map_err(|error| error.to_string())?;
        if response.status == 200 { Ok(response.body) } else { Err(format!("status {}", response.status)) }
    }
}

/// One request. `url` is `https://…`, or `http://…`; see [`HttpClient::send`] and [`HttpClient::send_for_user`].
pub struct Request<'a> {
    pub method: hyper::Method,
    pub url: &'a str,
    pub headers: hyper::HeaderMap,
    pub body: Vec<u8>,
    pub time_limit: Duration,
    pub max_response_bytes: usize,
}

/// Called with the head of an answer and each piece of its body as it arrives. `Break` ends the answer there.
pub type OnData<'a> = dyn FnMut(&Head, &[u8]) -> ControlFlow<()> + Send + 'a;

/// Everything of an answer but its body.
pub type Head = hyper::http::response::Parts;

/// How the other side begins: on the connection, and within its TLS.
#[derive(Default)]
struct Heard {
    outside: FirstOctets,
    inside: FirstOctets,
}

impl HttpClient {
    /// # Errors
    /// See [`HttpError`]. A status of 4xx or 5xx is a [`Response`], and so is a redirect.
    pub async fn send(&self, request: Request<'_>) -> Result<Response, HttpError> {
        self.send_with_deadline(request, PlainHttp::LoopbackOnly, &mut |_, _| ControlFlow::Continue(())).await
    }

    /// The same for a URL that the user of the command line typed: `http://` may lead anywhere, and the answer
    /// is shown as it comes.
    pub async fn send_for_user(
        &self,
        request: Request<'_>,
        on_data: &mut OnData<'_>,
    ) -> Result<Response, HttpError> {
        self.send_with_deadline(request, PlainHttp::Anywhere, on_data).await
    }

    async fn send_with_deadline(
        &self,
        request: Request<'_>,
        plain: PlainHttp,
        on_data: &mut OnData<'_>,
    ) -> Result<Response, HttpError> {
        let deadline = Instant::now() + request.time_limit;
        let sent = Arc::new(AtomicBool::new(false));
        let target = RequestTarget::parse(request.url, plain)?;
        let span = spans::http_client(request.method.as_str(), &target.host, target.port, target.encrypted);
        let exchange = self.exchange(request, &target, plain, deadline, &sent, on_data);
        let outcome = match timeout_at(deadline, exchange.instrument(span.clone())).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpError::Timeout { sent: sent.load(Ordering::Acquire) }),
        };
        spans::end_http_client(
            &span,
            outcome.as_ref().map(|response| response.status).map_err(HttpError::kind),
        );
        outcome
    }

    async fn exchange(
        &self,
        request: Request<'_>,
        target: &RequestTarget,
        plain: PlainHttp,
        deadline: Instant,
        sent: &Arc<AtomicBool>,
        on_data: &mut OnData<'_>,
    ) -> Result<Response, HttpError> {
        let connection = self
            .dialer
            .dial_for_operator(&target.host, target.port, deadline)
            .await
            .map_err(HttpError::Dial)?;
        let is_of_this_machine = connection.peer.ip().to_canonical().is_loopback();
        if !target.encrypted && plain == PlainHttp::LoopbackOnly && !is_of_this_machine {
            return Err(HttpError::Url("its host is not on this machine; use https://".to_owned()));
        }
        let heard = Heard::default();
        // On the heap: this future is part of many larger ones.
        let outcome =
            Box::pin(self.converse(connection.stream, target, request, &heard, sent, on_data)).await;
        // Other callers decide by `sent` whether to repeat a request, whatever answered.
        let explains = plain == PlainHttp::Anywhere;
        outcome.map_err(|error| {
            match other_protocol(target.encrypted, heard.outside.get(), heard.inside.get()) {
                Some(protocol)
                    if explains && matches!(error, HttpError::Tls(_) | HttpError::Broken { .. }) =>
                {
                    HttpError::OtherProtocol(protocol)
                }
                _ => error,
            }
        })
    }

    async fn converse(
        &self,
        stream: TcpStream,
        target: &RequestTarget,
        request: Request<'_>,
        heard: &Heard,
        sent: &Arc<AtomicBool>,
        on_data: &mut OnData<'_>,
    ) -> Result<Response, HttpError> {
        if target.encrypted {
            let stream = Watched::new(stream, Arc::default(), heard.outside.clone());
            let stream = self.encrypt(stream, target).await?;
            let stream = Watched::new(stream, Arc::clone(sent), heard.inside.clone());
            send_and_receive(stream, target, request, sent, on_data).await
        } else {
            let stream = Watched::new(stream, Arc::clone(sent), heard.outside.clone());
            send_and_receive(stream, target, request, sent, on_data).await
        }
    }

    async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        target: &RequestTarget,
    ) -> Result<TlsStream<S>, HttpError> {
        let failed = |error: &dyn std::fmt::Display| HttpError::Tls(error.to_string());
        let name = tls::server_name(&target.host).map_err(|error| failed(&error))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        connector.connect(name, stream).await.map_err(|error| failed(&error))
    }
}

async fn send_and_receive(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    target: &RequestTarget,
    request: Request<'_>,
    sent: &Arc<AtomicBool>,
    on_data: &mut OnData<'_>,
) -> Result<Response, HttpError> {
    let limit = request.max_response_bytes;
    let broken = |error: &dyn std::error::Error| broken(error, sent);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    // Dropped, and so ended, with this function.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = build_request(target, request).map_err(|error| broken(&error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let (head, body) = response.into_parts();
    if head.headers.get_all(header::CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
        return Err(HttpError::Compressed);
    }
    let body = read_body(body, limit, sent, &mut |data| on_data(&head, data)).await?;
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
}

fn build_request(
    target: &RequestTarget,
    request: Request<'_>,
) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
    let mut built = hyper::Request::builder()
        .method(request.method)
        .uri(&target.path)
        .body(Full::new(Bytes::from(request.body)))?;
    let headers = built.headers_mut();
    *headers = request.headers;
    let ours: [(HeaderName, HeaderValue); 3] = [
        (header::HOST, target.authority.clone()),
        (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        (header::CONNECTION, HeaderValue::from_static("close")),
    ];
    for (name, value) in ours {
        headers.insert(name, value);
    }
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    Ok(built)
}

async fn read_body(
    mut body: Incoming,
    limit: usize,
    sent: &AtomicBool,
    on_data: &mut (dyn FnMut(&[u8]) -> ControlFlow<()> + Send),
) -> Result<Vec<u8>, HttpError> {
    let too_large = |bytes: usize| bytes > limit;
    if usize::try_from(body.size_hint().lower()).is_ok_and(too_large) {
        return Err(HttpError::TooLarge(limit));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error, sent))?;
        let Some(data) = frame.data_ref() else { continue };
        if too_large(bytes.len() + data.len()) {
            return Err(HttpError::TooLarge(limit));
        }
        bytes.extend_from_slice(data);
        if on_data(data).is_break() {
            break;
        }
    }
    Ok(bytes)
}

/// hyper's own text says in which step; its cause says why.
fn broken(error: &dyn std::error::Error, sent: &AtomicBool) -> HttpError {
    let reason = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    HttpError::Broken { sent: sent.load(Ordering::Acquire), reason }
}
