//! The spans of the traces of requests and of hand-overs: their names and attributes, after the semantic conventions of
//! OpenTelemetry.
//!
//! They are exported and never logged, and cost next to nothing where nothing is exported. What stands in them is
//! from a closed set or the operator's: no path and no query that a client sent, no tenant, no mail address, no
//! server that a tenant named, no value that is bound to a statement.

use std::fmt::Display;
use std::future::Future;

use axum::http::{HeaderMap, HeaderName, Method};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TARGET;
use crate::id::TraceId;

/// The span of a request, below which all others stand.
pub(super) const REQUEST: &str = "http.server";

/// The span of a hand-over, with which its trace begins.
pub(super) const HANDOVER: &str = "delivery.handover";

/// The span of a message that comes by SMTP.
pub(super) const SUBMISSION: &str = "smtp.server";

tokio::task_local! {
    /// The span of the request, the message or the hand-over, that a task works for.
    static TRACE: Span;
}

/// Does the work of a request within its trace.
pub async fn in_trace<T>(trace: Span, work: impl Future<Output = T>) -> T {
    TRACE.scope(trace.clone(), work.instrument(trace)).await
}

/// Keeps the trace of the request, and its place in the log, for work on a task of its own. The current span alone would
/// not do: it is that of the log, and what is exported is found among the spans that a task has entered.
pub fn in_current_trace<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let trace = TRACE.try_with(Span::clone).unwrap_or_else(|_| Span::none());
    in_trace(trace, work.in_current_span())
}

/// The current request as a `traceparent` header; none where it is not exported.
pub fn current_traceparent() -> Option<String> {
    let span = TRACE.try_with(Span::clone).ok().filter(|span| !span.is_disabled())?;
    let context = span.context();
    let context = context.span().span_context().clone();
    let flags = context.trace_flags().to_u8();
    context.is_valid().then(|| format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()))
}

/// Whether hand-overs are exported.
pub fn traces_handovers() -> bool {
    tracing::span_enabled!(target: TARGET, tracing::Level::INFO, HANDOVER)
}

/// Begins the trace of a hand-over. It links to the request that brought the email, which decides as well whether it is
/// sampled.
pub fn handover(provider: &'static str, traceparent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        HANDOVER,
        otel.name = "hand over an email",
        otel.kind = "consumer",
        otel.status_code = Empty,
        transports.provider = provider,
        transports.recipients = Empty,
        transports.accepted = Empty,
        error.r#type = Empty,
    );
    if let Some(request) = traceparent.and_then(span_context) {
        span.add_link(request);
    }
    span
}

/// The trace of a hand-over, for the log; none where it is not exported.
pub fn trace_id(span: &Span) -> Option<TraceId> {
    if span.is_disabled() {
        return None;
    }
    let id = span.context().span().span_context().trace_id();
    (id != opentelemetry::TraceId::INVALID).then(|| TraceId::of_trace(id))
}

/// The outcome of the current hand-over; `code` is the diagnosis of a recipient that was not accepted.
pub fn end_handover(recipients: usize, accepted: usize, code: Option<&str>) {
    let Ok(span) = TRACE.try_with(Span::clone) else { return };
    span.record("transports.recipients", recipients);
    span.record("transports.accepted", accepted);
    if let Some(code) = code {
        span.record("error.type", code);
        span.record("otel.status_code", "ERROR");
    }
}

/// Begins the trace of a message that a client hands in by SMTP: the protocol has no `traceparent`. Gives the span, which is
/// none where nothing is exported, and the id of the trace where there is one.
pub fn submission() -> (Span, Option<TraceId>) {
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        SUBMISSION,
        otel.name = "take a message by SMTP",
        otel.kind = "server",
        otel.status_code = Empty,
        smtp.response.code = Empty,
        error.r#type = Empty,
    );
    let id = trace_id(&span);
    (span, id)
}

/// The reply to the message.
pub fn end_submission(span: &Span, code: u16, outcome: &'static str) {
    span.record("smtp.response.code", i64::from(code));
    if code >= 400 {
        span.record("error.type", outcome);
    }
    if (400..500).contains(&code) {
        span.record("otel.status_code", "ERROR");
    }
}

/// What the platform asks every few seconds is not traced.
const NOT_TRACED: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];

/// Begins the trace of a request, or continues the one that its `traceparent` names (W3C Trace Context). Gives
/// the span, which is none where nothing is exported, and the id of the trace where there is one.
pub fn request(method: &Method, route: Option<&str>, headers: &HeaderMap) -> (Span, Option<TraceId>) {
    let parent = parent(headers);
    let named = parent.as_ref().map(|parent| TraceId::of_trace(parent.span().span_context().trace_id()));
    if route.is_some_and(|route| NOT_TRACED.contains(&route)) {
        return (Span::none(), named);
    }
    let method = method_attribute(method);
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        REQUEST,
        otel.name = name(method, route),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.r#type = Empty,
    );
    if span.is_disabled() {
        return (span, named);
    }
    if let Some(parent) = parent {
        // An error says that nothing is exported.
        let _ = span.set_parent(parent);
    }
    let id = trace_id(&span).or(named);
    (span, id)
}

/// The head of the answer has been sent.
pub fn end_request(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("error.type", status.to_string());
        span.record("otel.status_code", "ERROR");
    }
}

/// A step on the way to a mail server. `name` is for people who read traces.
pub fn step(name: &'static str, stage: &'static str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "step",
        otel.name = name,
        otel.kind = "client",
        otel.status_code = Empty,
        transports.stage = stage,
    )
}

pub fn end_step(span: &Span, good: bool) {
    span.record("otel.status_code", if good { "OK" } else { "ERROR" });
}

/// A statement, or a write that begins with it. The text holds no values: they are bound.
pub fn database(system: &'static str, statement: &'static str, statements: usize) -> Span {
    // Parsing the statement costs a third of executing it, so it is parsed only where it is traced.
    if !tracing::span_enabled!(target: TARGET, tracing::Level::INFO) {
        return Span::none();
    }
    let (operation, table) = summary(statement);
    tracing::info_span!(
        target: TARGET,
        "database",
        otel.name = format!("{operation} {table}").trim_end(),
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = system,
        db.operation.name = operation,
        db.collection.name = table,
        db.operation.batch.size = (statements > 1).then_some(statements),
        db.query.text = statement,
    )
}

pub fn end_database(span: &Span, good: bool) {
    if !good {
        span.record("otel.status_code", "ERROR");
    }
}

/// A call of a service that the operator chose: a key set, Entra, Graph, Vault.
pub fn http_client(method: &str, host: &dyn Display, port: u16, encrypted: bool) -> Span {
    tracing::info_span!(
        target: TARGET,
        "http.client",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method,
        http.response.status_code = Empty,
        server.address = %host,
        server.port = port,
        url.scheme = if encrypted { "https" } else { "http" },
        error.r#type = Empty,
    )
}

pub fn end_http_client(span: &Span, outcome: Result<u16, &'static str>) {
    match outcome {
        Ok(status) => {
            span.record("http.response.status_code", i64::from(status));
            if status < 400 {
                return;
            }
            span.record("error.type", status.to_string());
        }
        Err(kind) => {
            span.record("error.type", kind);
        }
    }
    span.record("otel.status_code", "ERROR");
}

/// A client may send any word as the method.
fn method_attribute(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn name(method: &'static str, route: Option<&str>) -> String {
    let method = if method == "_OTHER" { "HTTP" } else { method };
    match route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    }
}

/// What a statement does, and to which table: `SELECT`, `email_configs`.
fn summary(statement: &'static str) -> (&'static str, &'static str) {
    let words =
        || statement.split(|c: char| c.is_whitespace() || "(,".contains(c)).filter(|word| !word.is_empty());
    let first = words().next().unwrap_or_default();
    let (operation, before_table) = match first.to_ascii_lowercase().as_str() {
        "select" => ("SELECT", "from"),
        "insert" => ("INSERT", "into"),
        "delete" => ("DELETE", "from"),
        "update" => ("UPDATE", "update"),
        _ => return ("OTHER", ""),
    };
    let table = words().skip_while(|word| !word.eq_ignore_ascii_case(before_table)).nth(1);
    (operation, table.unwrap_or_default())
}

/// What `traceparent` names, where there is exactly one and it is good.
fn parent(headers: &HeaderMap) -> Option<Context> {
    // Before the work of a propagator, since most requests have none.
    headers.get("traceparent")?;
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &TraceParent(headers));
    context.span().span_context().is_valid().then_some(context)
}

/// The span that a stored `traceparent` names.
fn span_context(traceparent: &str) -> Option<SpanContext> {
    let headers = HeaderMap::from_iter([(HeaderName::from_static("traceparent"), traceparent.parse().ok()?)]);
    parent(&headers).map(|context| context.span().span_context().clone())
}

/// Shows a propagator the one header that is heeded: `tracestate` is for those who hand a trace on, and this
/// service calls no other that would continue it.
struct TraceParent<'a>(&'a HeaderMap);

impl Extractor for TraceParent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key != "traceparent" {
            return None;
        }
        let mut values = self.0.get_all(key).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_traceparent_names_the_trace_where_there_is_one_and_it_is_good() {
        let good = format!("00-{ID}-00f067aa0ba902b7-01");
        let cases: [(&[&str], bool); 9] = [
            (&[&good], true),
            (&[&good.replace("-01", "-00")], true),
            (&[], false),
            (&[""], false),
            (&[&good, &good], false),
            (&[&good.to_uppercase()], false),
            (&["00-00000000000000000000000000000000-00f067aa0ba902b7-01"], false),
            (&[&format!("00-{ID}-0000000000000000-01")], false),
            (&[&good.replace("00-4", "ff-4")], false),
        ];
        for (values, is_good) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("traceparent", value.parse().unwrap());
            }
            let (_, id) = request(&Method::GET, None, &headers);
            assert_eq!(id.map(|id| id.to_string()), is_good.then(|| ID.to_owned()), "{values:?}");
        }
    }

    #[test]
    fn a_statement_is_summed_up() {
        for (statement, expected) in [
            ("select a, b from email_configs where x = $1", ("SELECT", "email_configs")),
            ("insert into audit(id, at) values ($1, $2)", ("INSERT", "audit")),
            ("update email_configs set a = $1", ("UPDATE", "email_configs")),
            ("delete from audit where id in (select id from audit)", ("DELETE", "audit")),
            ("with x as (select 1) select * from x", ("OTHER", "")),
            ("", ("OTHER", "")),
        ] {
            assert_eq!(summary(statement), expected, "{statement}");
        }
    }

    #[test]
    fn a_method_that_a_client_invents_is_no_name() {
        let brew = method_attribute(&Method::from_bytes(b"BREW").unwrap());
        assert_eq!((brew, name(brew, None)), ("_OTHER", "HTTP".to_owned()));
        assert_eq!(name("GET", Some("/x")), "GET /x");
    }
}
