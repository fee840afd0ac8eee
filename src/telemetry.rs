//! The log (text for people, JSON for machines, always on standard error), and the traces, where a collector
//! is configured.
//!
//! That no secret gets here is the work of `secret::Secret`; what dependencies and panics would tell is cut here.

mod json_line;
mod log_buffer;
pub mod metrics;
pub mod spans;
pub mod traces;

use std::any::Any;
use std::io::IsTerminal as _;
use std::panic::{self, PanicHookInfo};
use std::time::Duration;

use anyhow::Context as _;

use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

use self::json_line::{JsonLine, Members};
use self::log_buffer::LogBuffer;
use self::traces::Traces;
use crate::config::{Invalid, Log, LogFormat, Problem, Telemetry};

/// Of the spans that are exported. The log leaves them out, whatever its filter says.
const TARGET: &str = "otel";

/// The log. When dropped, what still waits is written.
#[must_use = "what waits is written when this is dropped"]
pub struct RunningLog(LogBuffer);

impl Drop for RunningLog {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts the log for the rest of the process, and sends panics there; and the traces, where a collector is
/// configured: what they gather waits to be delivered.
///
/// # Errors
/// Where the filter or the collector cannot be understood, or a log was started before.
pub fn init(log: &Log, telemetry: &Telemetry) -> anyhow::Result<(RunningLog, Option<Traces>)> {
    let terminal = std::io::stderr().is_terminal();
    let traces = Traces::configured(telemetry).map_err(Invalid::from)?;
    let delay = Duration::from_millis(log.buffer_milliseconds);
    let buffer = LogBuffer::start(std::io::stderr(), delay).context("the log's thread cannot be started")?;
    let subscriber = subscriber(log, terminal, buffer.clone(), traces.as_ref()).map_err(Invalid::from)?;
    // This also takes in what dependencies log through the `log` crate.
    subscriber.try_init()?;
    panic::set_hook(Box::new(log_panic));
    Ok((RunningLog(buffer), traces))
}

/// Checks `log.filter` without starting anything.
///
/// # Errors
/// Names the directive that cannot be understood.
pub fn check_filter(filter: &str) -> Result<(), Problem> {
    parse_filter(filter).map(|_| ())
}

fn parse_filter(filter: &str) -> Result<EnvFilter, Problem> {
    let parsed = EnvFilter::builder().parse(filter).map_err(|error| {
        Problem::new(format!("log.filter: {filter:?} is no filter: {error}")).with_hint(
            "use error, warn, info, debug or trace, or directives such as `info,transports::smtp=debug`",
        )
    })?;
    // At debug it logs the bound values of statements, which hold addresses.
    let parsed = parsed.add_directive("tokio_postgres=info".parse().expect("a fixed directive"));
    Ok(parsed.add_directive(format!("{TARGET}=off").parse().expect("a fixed directive")))
}

type BoxedSubscriber = Box<dyn Subscriber + Send + Sync>;

fn subscriber<W>(
    log: &Log,
    terminal: bool,
    writer: W,
    traces: Option<&Traces>,
) -> Result<BoxedSubscriber, Problem>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = parse_filter(&log.filter)?;
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let text = match log.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if text {
        Box::new(layer.with_ansi(terminal))
    } else {
        Box::new(layer.fmt_fields(Members).event_format(JsonLine))
    };
    Ok(match traces {
        // One filter for all: what it leaves out costs nothing.
        None => Box::new(Registry::default().with(lines).with(filter)),
        Some(traces) => Box::new(Registry::default().with(lines.with_filter(filter)).with(spans_of(traces))),
    })
}

/// Hands the spans of requests and hand-overs, and of what happens below them, to the traces. No events: the log has them.
fn spans_of<S>(traces: &Traces) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let is_span = |metadata: &Metadata<'_>| metadata.is_span() && metadata.target() == TARGET;
    // Asked about whatever another layer wants to see, too.
    let is_ours = dynamic_filter_fn(move |metadata, context| {
        let begins = [spans::REQUEST, spans::HANDOVER].contains(&metadata.name());
        is_span(metadata) && (begins || context.lookup_current().is_some())
    });
    let is_ours = is_ours.with_max_level_hint(LevelFilter::INFO).with_callsite_filter(move |metadata| {
        if is_span(metadata) { Interest::sometimes() } else { Interest::never() }
    });
    tracing_opentelemetry::layer()
        .with_tracer(traces.tracer())
        .with_context_activation(false)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(is_ours)
}

/// A panic's message is logged only where it is a literal: a formatted one may hold data of a tenant.
fn log_panic(info: &PanicHookInfo<'_>) {
    let location = info.location().map_or_else(String::new, ToString::to_string);
    tracing::error!(location, reason = literal(info.payload()), "a thread panicked");
}

fn literal(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(not shown)")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(super) fn logged(format: LogFormat, filter: &str, terminal: bool, write: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let log = Log { format, filter: filter.to_owned(), buffer_milliseconds: 0 };
        let subscriber = subscriber(&log, terminal, move || writer.clone(), None).unwrap();
        tracing::subscriber::with_default(subscriber, write);
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn a_request() {
        let span = tracing::info_span!("request", trace_id = "4bf92f", tenant = "t1", route = "/x");
        span.in_scope(|| tracing::info!(status = 204, duration_ms = 7, "answered"));
    }

    #[test]
    fn json_holds_the_fields_of_event_and_span() {
        let line = logged(LogFormat::Json, "info", true, a_request);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["level"], "INFO");
        assert_eq!(value["message"], "answered");
        assert_eq!(value["status"], 204);
        assert_eq!(value["duration_ms"], 7);
        assert_eq!(value["span"]["trace_id"], "4bf92f");
        assert_eq!(value["span"]["tenant"], "t1");
        assert_eq!(value["span"]["route"], "/x");
    }

    #[test]
    fn auto_is_text_on_a_terminal_and_json_elsewhere() {
        let is_json = |format, terminal| logged(format, "info", terminal, a_request).starts_with('{');
        assert!(!is_json(LogFormat::Auto, true));
        assert!(is_json(LogFormat::Auto, false));
        assert!(!is_json(LogFormat::Text, false));
        assert!(is_json(LogFormat::Json, true));
    }

    #[test]
    fn text_off_a_terminal_has_no_escape_sequences() {
        assert!(!logged(LogFormat::Text, "info", false, a_request).contains('\u{1b}'));
        assert!(logged(LogFormat::Text, "info", true, a_request).contains('\u{1b}'));
    }

    #[test]
    fn the_filter_decides_but_never_shows_bound_values() {
        let write = || {
            tracing::debug!("ours");
            tracing::debug!(target: "tokio_postgres::query", "theirs");
        };
        assert_eq!(logged(LogFormat::Json, "info", false, write), "");
        let all = logged(LogFormat::Json, "trace", false, write);
        assert!(all.contains("ours") && !all.contains("theirs"), "{all}");
    }

    #[test]
    fn without_a_collector_nothing_is_traced_whatever_the_filter_says() {
        let headers = axum::http::HeaderMap::new();
        let request = || spans::request(&axum::http::Method::GET, Some("/x"), &headers);
        for filter in ["trace", "otel=trace,info"] {
            let text = logged(LogFormat::Json, filter, false, || {
                let (span, id) = request();
                assert!(span.is_disabled() && id.is_none());
                span.in_scope(|| assert!(spans::database("sqlite", "select 1 from x", 1).is_disabled()));
            });
            assert_eq!(text, "");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_named() {
        for filter in ["transports=loud", "info,=", "a=b=c"] {
            let problem = check_filter(filter).unwrap_err();
            assert!(problem.text.starts_with("log.filter: "), "{}", problem.text);
            assert!(problem.hint.is_some());
        }
        for filter in ["info", "off", "warn,transports::smtp=debug"] {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
    }

    /// Security case I1.
    #[test]
    fn a_formatted_panic_is_not_shown() {
        let data = "hunter2";
        let formatted = panic::catch_unwind(|| panic!("{data}")).unwrap_err();
        assert_eq!(literal(&*formatted), "(not shown)");
        let fixed = panic::catch_unwind(|| panic!("a fixed text")).unwrap_err();
        assert_eq!(literal(&*fixed), "a fixed text");
    }
}
