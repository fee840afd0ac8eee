//! Traces for an OpenTelemetry collector: OTLP over HTTP, in batches.
//!
//! A request never waits for it: a span goes into a queue, and where the queue is full it is dropped and counted.
//! What cannot be exported is counted, logged once, and not tried again.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::{self, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{Link, SpanKind, TraceId, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Sampler, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanLimits, SpanProcessor,
    Tracer,
};
use prost::Message as _;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::config::{Problem, Telemetry, check_operator_url};
use crate::telemetry::metrics::Metrics;

/// Spans that wait, some hundred bytes each.
const QUEUE_SPANS: usize = 4096;

/// Spans in one call.
const BATCH_SPANS: usize = 512;

/// How long a span waits, unless half of the queue fills before.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// One call of the collector.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The time at the end of the process to send the spans that still wait.
const SHUTDOWN_TIME: Duration = Duration::from_secs(3);

/// A good answer is empty or some bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What is to be traced, and where it goes.
pub struct Traces {
    destination: Destination,
    provider: SdkTracerProvider,
    resource: ResourceAttributesWithSchema,
    queue: Receiver<SpanData>,
    dropped: Arc<AtomicU64>,
    filling: Arc<Notify>,
}

impl Traces {
    /// None where no collector is configured.
    ///
    /// # Errors
    /// Names the setting.
    pub fn configured(settings: &Telemetry) -> Result<Option<Self>, Problem> {
        let Some(destination) = Destination::configured(settings)? else { return Ok(None) };
        let (sender, queue) = mpsc::channel(QUEUE_SPANS);
        let (dropped, filling) = (Arc::<AtomicU64>::default(), Arc::<Notify>::default());
        // Nothing is left to the variables that the SDK reads: settings come from `config`.
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "transports"),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
            ])
            .build();
        let share = f64::from(settings.sampled_percent) / 100.0;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_span_limits(SpanLimits::default())
            .with_sampler(Sampler::ParentBased(Box::new(LinkBased(Sampler::TraceIdRatioBased(share)))))
            .with_span_processor(Queue {
                sender,
                dropped: Arc::clone(&dropped),
                filling: Arc::clone(&filling),
            })
            .build();
        let resource = ResourceAttributesWithSchema::from(&resource);
        Ok(Some(Self { destination, provider, resource, queue, dropped, filling }))
    }

    /// What makes spans for the queue.
    pub(super) fn tracer(&self) -> Tracer {
        self.provider.tracer("transports")
    }

    /// Begins to export, on a task of its own.
    pub fn start_export(self, transport: impl Transport, metrics: Metrics) -> ExportTask {
        let (stop, stopped) = watch::channel(false);
        let worker = Worker { traces: self, transport, metrics, failing: false };
        ExportTask { stop, worker: tokio::spawn(worker.run(stopped)) }
    }
}

/// Samples a trace as the one that it links to was sampled; without a link as `0` decides.
#[derive(Clone, Debug)]
struct LinkBased(Sampler);

impl ShouldSample for LinkBased {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let alone = || self.0.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        match links.first().map(|link| link.span_context.is_sampled()) {
            None => alone(),
            Some(is_sampled) => {
                let fixed = if is_sampled { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
                fixed.should_sample(parent_context, trace_id, name, span_kind, attributes, links)
            }
        }
    }
}

/// One call of the collector.
pub struct ExportRequest<'a> {
    pub url: &'a str,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub time_limit: Duration,
    pub max_response_bytes: usize,
}

/// Carries batches to the collector.
pub trait Transport: Send + Sync + 'static {
    /// The body of an answer with status 200, or why there is none.
    fn post(&self, post: ExportRequest<'_>) -> impl Future<Output = Result<Vec<u8>, String>> + Send;
}

/// The running export.
pub struct ExportTask {
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
}

impl ExportTask {
    /// Exports what waits, for a bounded time.
    pub async fn finish(self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(SHUTDOWN_TIME, self.worker).await.is_err() {
            tracing::warn!("the last spans were not delivered in time");
        }
    }
}

/// Where spans go to.
pub struct Destination {
    url: String,
    headers: HeaderMap,
}

impl Destination {
    /// None where no collector is configured.
    ///
    /// # Errors
    /// Names the setting, and what to do.
    pub fn configured(settings: &Telemetry) -> Result<Option<Self>, Problem> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let faulty = |reason: &str| {
            Problem::new(format!("telemetry.otlp_endpoint: {endpoint}: {reason}")).with_hint(
                "give the collector's address for OTLP over HTTP, such as https://collector.example.com:4318",
            )
        };
        check_operator_url(endpoint).map_err(|error| faulty(&format!("{error:#}")))?;
        if endpoint.contains(['?', '#', '@']) {
            return Err(faulty("it holds more than a host, a port and a path"));
        }
        let mut headers = HeaderMap::new();
        for (index, header) in settings.otlp_headers.iter().enumerate() {
            let (name, value) = parse_header(header.expose()).ok_or_else(|| {
                Problem::new(format!("telemetry.otlp_headers: entry {} is not NAME: VALUE", index + 1))
                    .with_hint("write each header as `Authorization: Bearer …`")
            })?;
            headers.append(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        // The protocol's own path, unless it is there already.
        let base = endpoint.trim_end_matches('/');
        let url = if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") };
        Ok(Some(Self { url, headers }))
    }
}

fn parse_header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let mut value: HeaderValue = value.trim().parse().ok()?;
    value.set_sensitive(true);
    let ours = [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
    (!ours.contains(&name)).then_some((name, value))
}

/// Takes the spans that have ended.
#[derive(Debug)]
struct Queue {
    sender: Sender<SpanData>,
    dropped: Arc<AtomicU64>,
    filling: Arc<Notify>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.sender.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if self.sender.capacity() < QUEUE_SPANS / 2 {
            self.filling.notify_one();
        }
    }

    /// [`ExportTask::finish`] does it.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Worker<T> {
    traces: Traces,
    transport: T,
    metrics: Metrics,
    /// The last call failed, and that has been told.
    failing: bool,
}

impl<T: Transport> Worker<T> {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(MAX_DELAY);
        loop {
            let stopping = tokio::select! {
                _ = tick.tick() => false,
                () = self.traces.filling.notified() => false,
                _ = stopped.wait_for(|stop| *stop) => true,
            };
            self.empty().await;
            if stopping {
                return;
            }
        }
    }

    async fn empty(&mut self) {
        loop {
            let dropped = self.traces.dropped.swap(0, Ordering::Relaxed);
            self.metrics.record_trace_spans("dropped", dropped);
            let batch: Vec<SpanData> =
                std::iter::from_fn(|| self.traces.queue.try_recv().ok()).take(BATCH_SPANS).collect();
            if batch.is_empty() {
                return;
            }
            self.export(batch).await;
        }
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.traces.resource);
        match self.call(&ExportTraceServiceRequest { resource_spans }).await {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                self.metrics.record_trace_spans("exported", count - rejected);
                self.metrics.record_trace_spans("failed", rejected);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("trace export recovered");
                }
            }
            Err(reason) => {
                self.metrics.record_trace_spans("failed", count);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(
                        reason,
                        "the collector of traces (telemetry.otlp_endpoint) does not take spans; they are lost until \
                         it does, and counted as transports_trace_spans_total"
                    );
                }
            }
        }
    }

    /// How many spans the collector did not want, or why the call failed.
    async fn call(&self, request: &ExportTraceServiceRequest) -> Result<u64, String> {
        let Destination { url, headers } = &self.traces.destination;
        let post = ExportRequest {
            url,
            headers: headers.clone(),
            body: request.encode_to_vec(),
            time_limit: TIME_LIMIT,
            max_response_bytes: MAX_ANSWER_BYTES,
        };
        let answer = self.transport.post(post).await?;
        // Some answer with nothing, or with JSON: then nothing is known to be rejected.
        let answer = ExportTraceServiceResponse::decode(answer.as_slice()).unwrap_or_default();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use hyper::Method;
    use tracing::Instrument as _;

    use super::*;
    use crate::config::{Log, LogFormat};
    use crate::secret::Secret;
    use crate::telemetry::{spans, subscriber};

    fn settings(endpoint: &str, headers: &[&str]) -> Telemetry {
        Telemetry {
            otlp_endpoint: Some(endpoint.to_owned()),
            otlp_headers: headers.iter().map(|header| Secret::new((*header).to_owned())).collect(),
            sampled_percent: 100,
        }
    }

    fn configured(endpoint: &str) -> Traces {
        Traces::configured(&settings(endpoint, &[])).unwrap().unwrap()
    }

    #[test]
    fn the_path_of_the_protocol_is_added_once() {
        for (endpoint, url) in [
            ("https://c.example:4318", "https://c.example:4318/v1/traces"),
            ("https://c.example:4318/", "https://c.example:4318/v1/traces"),
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://c.example/otlp/v1/traces", "https://c.example/otlp/v1/traces"),
        ] {
            let destination = Destination::configured(&settings(endpoint, &["X-Key: abc"])).unwrap().unwrap();
            assert_eq!(destination.url, url);
            assert!(destination.headers["x-key"].is_sensitive());
        }
    }

    #[test]
    fn an_endpoint_that_cannot_be_used_is_named_with_a_remedy() {
        for endpoint in [
            "http://collector.example:4318",
            "https://",
            "https://user:pass@collector.example",
            "https://collector.example/?key=1",
            "collector.example:4318",
        ] {
            let problem = Destination::configured(&settings(endpoint, &[])).err().expect(endpoint);
            assert!(problem.text.starts_with("telemetry.otlp_endpoint: "), "{}", problem.text);
            assert!(problem.hint.is_some());
        }
    }

    #[test]
    fn a_span_that_finds_the_queue_full_is_dropped_and_counted() {
        use opentelemetry::trace::{Span as _, Tracer as _};

        let (sender, mut queue) = mpsc::channel(2);
        let (dropped, filling) = (Arc::<AtomicU64>::default(), Arc::<Notify>::default());
        let processor = Queue { sender, dropped: Arc::clone(&dropped), filling };
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        for name in ["a", "b", "c", "d", "e"] {
            provider.tracer("test").start(name).end();
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        assert_eq!(queue.try_recv().unwrap().name, "a");
        assert_eq!(queue.try_recv().unwrap().name, "b");
        assert!(queue.try_recv().is_err());
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn spans_and_log_lines_stay_apart() {
        let (lines, mut traces) = (Lines::default(), configured("https://collector.example"));
        let log = Log { format: LogFormat::Json, filter: "trace".to_owned(), buffer_milliseconds: 0 };
        let writer = lines.clone();
        let subscriber = subscriber(&log, false, move || writer.clone(), Some(&traces)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tracing::subscriber::with_default(subscriber, || {
            drop(spans::database("sqlite", "select 1 from without_a_request", 1));
            let (request, id) = spans::request(&Method::GET, Some("/x"), &HeaderMap::new());
            assert!(id.is_some());
            let logged = request.in_scope(|| tracing::info_span!("request", trace_id = "4bf92f"));
            let work = async {
                spans::database("sqlite", "select 1 from x", 1).in_scope(|| tracing::info!("read"));
                let beside = async { drop(spans::database("sqlite", "select 1 from y", 1)) };
                tokio::spawn(spans::in_current_trace(beside)).await.unwrap();
            };
            runtime.block_on(spans::in_trace(request, work.instrument(logged)));
        });
        let bytes = lines.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&line["message"], &line["span"]["trace_id"]), (&"read".into(), &"4bf92f".into()));
        let ended: Vec<SpanData> = std::iter::from_fn(|| traces.queue.try_recv().ok()).collect();
        assert_eq!(
            ended.iter().map(|span| &*span.name).collect::<Vec<_>>(),
            ["SELECT x", "SELECT y", "GET /x"]
        );
        for below in &ended[..2] {
            assert_eq!(below.parent_span_id, ended[2].span_context.span_id(), "{}", below.name);
        }
        assert!(ended.iter().all(|span| span.events.is_empty()), "the log is no part of a trace");
    }

    /// Security case I1.
    #[test]
    fn a_header_that_is_none_is_named_without_its_value() {
        for header in ["hunter2", "a b: hunter2", ": hunter2", "Host: hunter2", "x: hunter2\nY: z"] {
            let settings = settings("https://collector.example", &["X-Good: 1", header]);
            let problem = Destination::configured(&settings).err().expect(header);
            assert_eq!(problem.text, "telemetry.otlp_headers: entry 2 is not NAME: VALUE");
        }
    }
}
