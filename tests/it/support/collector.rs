//! A fake OpenTelemetry collector: takes OTLP over HTTP, and keeps every span.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use transports::config::Config;
use transports::http::server;

use super::eventually::eventually;
use super::leaks;

/// Ends with the test's runtime.
#[derive(Clone)]
pub struct Collector {
    pub url: String,
    state: Arc<Received>,
}

#[derive(Default)]
struct Received {
    spans: Mutex<Vec<Span>>,
    bytes: Mutex<Vec<u8>>,
    headers: Mutex<HeaderMap>,
    status: AtomicU16,
    calls: AtomicUsize,
    hesitates: AtomicBool,
}

impl Collector {
    pub fn start() -> Self {
        let state = Arc::new(Received { status: AtomicU16::new(200), ..Received::default() });
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&state));
        let listener = server::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            server::serve(listener, router, &Config::default().server, std::future::pending()).await
        });
        Self { url, state }
    }

    /// From now on it answers with this status, and keeps nothing where that is not 200.
    pub fn answer_with(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    /// From now on it thinks for a moment before it takes a call, and takes none from who has gone meanwhile.
    pub fn hesitate(&self) {
        self.state.hesitates.store(true, Ordering::SeqCst);
    }

    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    pub fn spans(&self) -> Vec<Span> {
        self.state.spans.lock().expect("not poisoned").clone()
    }

    /// The bodies of all calls, one behind the other.
    pub fn bytes(&self) -> Vec<u8> {
        self.state.bytes.lock().expect("not poisoned").clone()
    }

    /// Of the last call.
    pub fn headers(&self) -> HeaderMap {
        self.state.headers.lock().expect("not poisoned").clone()
    }

    /// The spans of a trace once one of this name is among them, by their start. A span is handed over when it ends,
    /// so those below the named one are there.
    pub async fn trace_with(&self, name: &str) -> Vec<Span> {
        eventually(name, async || self.spans().iter().any(|span| span.name == name)).await;
        let spans = self.spans();
        let id = &spans.iter().find(|span| span.name == name).expect("is there").trace_id;
        let mut trace: Vec<_> = spans.iter().filter(|span| span.trace_id == *id).cloned().collect();
        trace.sort_by_key(|span| span.start_time_unix_nano);
        trace
    }
}

async fn take(State(state): State<Arc<Received>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    state.calls.fetch_add(1, Ordering::SeqCst);
    if state.hesitates.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let status = StatusCode::from_u16(state.status.load(Ordering::SeqCst)).expect("a status");
    if status == StatusCode::OK {
        let request = ExportTraceServiceRequest::decode(body.clone()).expect("OTLP");
        leaks::assert_absent("a call of the collector", &body);
        let spans = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        state.spans.lock().expect("not poisoned").extend(spans.flat_map(|scope| scope.spans));
        state.bytes.lock().expect("not poisoned").extend_from_slice(&body);
        *state.headers.lock().expect("not poisoned") = headers;
    }
    status
}

/// An attribute as text.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    let KeyValue { value: Some(AnyValue { value: Some(value) }), .. } = found else { return None };
    Some(match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}
