//! A small HTTP/1.1 client over the dialer, for URLs that the operator configured: no proxy, no redirects,
//! bounded in time and size.

use std::sync::Arc;
use std::time::Duration;

use super::{DialError, Dialer};

/// What came back. The body is at most the limit that the caller named.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the URL cannot be used: {0}")]
    Url(String),
    #[error("no connection: {0:?}")]
    Dial(DialError),
    #[error("TLS failed: {0}")]
    Tls(String),
    /// `sent` as in [`Self::Broken`].
    #[error("no answer in time")]
    Timeout { sent: bool },
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// `sent` is true once the whole request was written: the other side may have acted on it.
    #[error("the connection broke: {reason}")]
    Broken { sent: bool, reason: String },
}

#[derive(Clone)]
pub struct HttpClient {
    pub dialer: Dialer,
    pub tls: Arc<rustls::ClientConfig>,
}

/// One request. `url` is `https://…`, or `http://…` for loopback only.
pub struct Request<'a> {
    pub method: hyper::Method,
    pub url: &'a str,
    pub headers: hyper::HeaderMap,
    pub body: Vec<u8>,
    pub time_limit: Duration,
    pub max_response_bytes: usize,
}

impl HttpClient {
    /// # Errors
    /// See [`HttpError`]. A status of 4xx or 5xx is a [`Response`], and so is a redirect.
    pub async fn send(&self, _request: Request<'_>) -> Result<Response, HttpError> {
        todo!()
    }
}
