//! Answers that tell their progress: server-sent events, for who asks for them with `Accept`.
//!
//! `stage` for each step as it starts and ends, then exactly one `result`, or `error` with the body that the
//! refusal would have had.

use std::convert::Infallible;
use std::future::Future;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CACHE_CONTROL, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::task::TaskTracker;
use utoipa::ToSchema;

use crate::http::error::{Code, Error};
use crate::http::observe::RequestContext;
use crate::id::TraceId;
use crate::mail::transcript::{Progress, Stage, StepState, Watcher};
use crate::telemetry::spans;

pub const EVENT_STREAM: &str = "text/event-stream";

/// How a client wants to be answered.
pub struct Live {
    asked: bool,
    trace_id: TraceId,
}

impl<S: Sync> FromRequestParts<S> for Live {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self { asked: asks(&parts.headers), trace_id: RequestContext::of(parts).trace_id })
    }
}

/// Whether `Accept` names event streams (RFC 9110 section 12.5.1). `*/*` is what clients send who want JSON.
fn asks(headers: &HeaderMap) -> bool {
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

/// How much a client is told of each step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// For an administrator.
    Whole,
    /// For any other user.
    Stages,
}

impl Live {
    #[must_use]
    pub fn asked(&self) -> bool {
        self.asked
    }

    /// Carries out `work` and tells its progress. It goes on where the client hangs up: what was begun is
    /// recorded, and the service does not stop before.
    pub fn answer<Work>(
        &self,
        tasks: &TaskTracker,
        detail: Detail,
        work: impl FnOnce(Watcher) -> Work,
    ) -> Response
    where
        Work: Future<Output = Result<Value, Error>> + Send + 'static,
    {
        let (watcher, heard) = mpsc::unbounded_channel();
        let work = tasks.spawn(spans::in_current_trace(work(watcher)));
        let trace_id = self.trace_id;
        // The steps end when the work has let go of its watcher; then its result is there.
        let steps = UnboundedReceiverStream::new(heard).map(move |progress| stage_event(progress, detail));
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
        // As for every answer; the framework's word would let a cache keep it.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Proxies that collect an answer would keep its progress to themselves.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}

fn stage_event(progress: Progress, detail: Detail) -> Event {
    let Progress { stage, state, ms, detail: said } = progress;
    let said = said.filter(|_| detail == Detail::Whole);
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
    fn only_who_names_event_streams_gets_one() {
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
            assert_eq!(asks(&headers), expected, "{accept:?}");
        }
    }
}
