//! Runs operations that take some seconds to completion, also where the client goes away, and reports their progress as
//! server-sent events where `Accept` asks for these.
//!
//! The events are a `stage` for each step as it starts and ends, then exactly one `result`, or `error` with the body
//! of the refusal.

use std::convert::Infallible;
use std::future::Future;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CACHE_CONTROL, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::task::TaskTracker;
use utoipa::ToSchema;

use crate::http::error::{Code, Error};
use crate::http::observe::RequestContext;
use crate::id::TraceId;
use crate::mail::transcript::{Progress, ProgressSender, Stage, StepState};
use crate::telemetry::spans;

pub const EVENT_STREAM: &str = "text/event-stream";

/// Whether the client wants events.
pub struct Live {
    is_requested: bool,
    trace_id: TraceId,
}

impl<S: Sync> FromRequestParts<S> for Live {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            is_requested: accepts_event_stream(&parts.headers),
            trace_id: RequestContext::from_parts(parts).trace_id,
        })
    }
}

/// Whether `Accept` names event streams (RFC 9110 section 12.5.1). `*/*` is what clients send who want JSON.
fn accepts_event_stream(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let refused = parts.any(|parameter| {
            parameter.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        kind.eq_ignore_ascii_case(EVENT_STREAM) && !refused
    })
}

/// The data of a `stage` event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StageEvent)]
pub struct StageEvent {
    pub stage: Stage,
    pub state: StepState,
    /// Absent where the step has only started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// What was said. Absent where the step has only started, and for a user who is no administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How much a client learns about each step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// For an administrator.
    Full,
    /// For any other user.
    Stages,
}

impl Live {
    pub fn is_requested(&self) -> bool {
        self.is_requested
    }

    /// Runs `work` to completion and reports its progress.
    pub fn stream<T, Work>(
        &self,
        tasks: &TaskTracker,
        detail: Detail,
        work: impl FnOnce(ProgressSender) -> Work,
    ) -> Response
    where
        T: Serialize + Send + 'static,
        Work: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (sender, progress) = mpsc::unbounded_channel();
        let work = tasks.spawn(spans::in_current_trace(work(sender)));
        let trace_id = self.trace_id;
        // The steps end when the work drops its sender; then its result is there.
        let steps = UnboundedReceiverStream::new(progress).map(move |step| stage_event(step, detail));
        let end = tokio_stream::once(work).then(move |work| async move {
            match work.await {
                Ok(Ok(result)) => event("result", &result),
                Ok(Err(error)) => error_event(&error, trace_id),
                // A panic, which has been logged.
                Err(_) => error_event(&Error::new(Code::Internal), trace_id),
            }
        });
        let events = steps.chain(end).map(Ok::<_, Infallible>);
        let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
        let headers = response.headers_mut();
        // As for every answer; the framework's own header would let a cache keep it.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A proxy that buffers the answer would hold its progress back.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}

/// Runs `work` on a task of its own, so that it comes to its end, and writes its audit row, also where the client has
/// gone or the request has taken too long.
pub(super) async fn run_to_completion<T: Send + 'static>(
    tasks: &TaskTracker,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let done = tasks.spawn(spans::in_current_trace(work)).await;
    done.unwrap_or_else(|error| Err(Error::internal(&error.into())))
}

fn stage_event(progress: Progress, detail: Detail) -> Event {
    let Progress { stage, state, ms, detail: said } = progress;
    let said = said.filter(|_| detail == Detail::Full);
    event("stage", &StageEvent { stage, state, elapsed_ms: ms, detail: said })
}

fn error_event(error: &Error, trace_id: TraceId) -> Event {
    let mut data = json!(error.body(trace_id));
    data["status"] = json!(error.status().as_u16());
    event("error", &data)
}

fn event(name: &'static str, data: &impl Serialize) -> Event {
    // These are strings and numbers, which always serialise; JSON on one line holds no line break.
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_names_event_streams_gets_one() {
        for (accept, expected) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/json"), false),
            (Some("application/json, text/plain, */*"), false),
            (Some("text/event-stream"), true),
            (Some("Text/Event-Stream; charset=utf-8"), true),
            (Some("application/json, text/event-stream;q=0.5"), true),
            (Some("text/event-stream;q=0"), false),
            (Some("text/event-streams"), false),
        ] {
            let headers =
                accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept))).into_iter().collect();
            assert_eq!(accepts_event_stream(&headers), expected, "{accept:?}");
        }
    }
}
