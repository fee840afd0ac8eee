//! The layer of every request: rejects ambiguous requests, limits their time, and answers 500 after a panic.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Method, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::observe;
use crate::app::App;
use crate::error::{InputFault, Reason};
use crate::http::error::{Code, Error};
use crate::unwind::catch_panic;

/// The one layer round every request: each further layer would clone the service again.
pub async fn request_layer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(app.config.server.request_timeout_seconds);
    let handle = async move |request: Request| {
        if let Err(refusal) = reject_ambiguous(&request) {
            return refusal.into_response();
        }
        // Pinned here: an async function has room for what it is given twice, and the next one for that again.
        let answer = pin!(next.run(request));
        let answer = pin!(answer_panic(answer));
        with_timeout(limit, answer).await
    };
    observe::observe(&app, request, handle).await
}

/// The layer of the listener for metrics.
pub async fn metrics_layer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    observe::observe(&app, request, |request| answer_panic(next.run(request))).await
}

/// The last resort: every operation has a shorter limit of its own.
async fn with_timeout(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        tracing::error!("a request took longer than server.request_timeout_seconds");
        Error::unavailable().into_response()
    })
}

/// Answers 500 where the handler panics, so that a panic ends its own request only.
async fn answer_panic(answer: impl Future<Output = Response>) -> Response {
    // Nothing of the request is used again.
    catch_panic(answer).await.unwrap_or_else(|| Error::new(Code::Internal).into_response())
}

/// Refuses a request that a proxy in front may read in another way than we do, and closes its connection: HTTP/1.1
/// requires exactly one `Host` (RFC 9112 section 3.2), and a target is a path, since this is no proxy.
fn reject_ambiguous(request: &Request) -> Result<(), Error> {
    let hosts = request.headers().get_all(HOST).iter().count();
    let fault = if request.method() == Method::CONNECT || request.uri().path().is_empty() {
        InputFault::request("The target", Reason::AmbiguousRequest, "is not a path on this server")
    } else if request.version() == Version::HTTP_11 && hosts != 1 {
        let statement = format!("stands {hosts} times in the request; it has to stand once");
        InputFault::header("Host", Reason::AmbiguousRequest, statement)
    } else {
        return Ok(());
    };
    Err(Error::input(fault).header(CONNECTION, HeaderValue::from_static("close")))
}
