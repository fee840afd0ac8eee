//! The log: text for people, JSON for machines, always on standard error.
//!
//! It knows only `config::Log`. That no secret gets here is the work of `secret::Secret`; what dependencies
//! and panics would tell is cut here.

use std::any::Any;
use std::io::IsTerminal as _;
use std::panic::{self, PanicHookInfo};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, Problem};

/// Starts the log for the rest of the process, and sends panics there.
///
/// # Errors
/// Where the filter cannot be understood, or a log was started before.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let subscriber = subscriber(log, terminal, std::io::stderr).map_err(crate::config::Invalid::from)?;
    // This also takes in what dependencies log through the `log` crate.
    subscriber.try_init()?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
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
    Ok(parsed.add_directive("tokio_postgres=info".parse().expect("a fixed directive")))
}

fn subscriber<W>(log: &Log, terminal: bool, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, Problem>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(parse_filter(&log.filter)?).with_writer(writer);
    let text = match log.format.as_str() {
        "text" => true,
        "json" => false,
        _ => terminal,
    };
    Ok(if text {
        Box::new(builder.with_ansi(terminal).finish())
    } else {
        // The event's fields stand at the top, those of its span (trace id, route) under `span`.
        Box::new(builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish())
    })
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

    fn logged(format: &str, filter: &str, terminal: bool, write: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let log = Log { format: format.to_owned(), filter: filter.to_owned() };
        let subscriber = subscriber(&log, terminal, move || writer.clone()).unwrap();
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
        let line = logged("json", "info", true, a_request);
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
        assert!(!is_json("auto", true));
        assert!(is_json("auto", false));
        assert!(!is_json("text", false));
        assert!(is_json("json", true));
    }

    #[test]
    fn text_off_a_terminal_has_no_escape_sequences() {
        assert!(!logged("text", "info", false, a_request).contains('\u{1b}'));
        assert!(logged("text", "info", true, a_request).contains('\u{1b}'));
    }

    #[test]
    fn the_filter_decides_but_never_shows_bound_values() {
        let write = || {
            tracing::debug!("ours");
            tracing::debug!(target: "tokio_postgres::query", "theirs");
        };
        assert_eq!(logged("json", "info", false, write), "");
        let all = logged("json", "trace", false, write);
        assert!(all.contains("ours") && !all.contains("theirs"), "{all}");
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

    #[test]
    fn i1_a_formatted_panic_is_not_shown() {
        let data = "hunter2";
        let formatted = panic::catch_unwind(|| panic!("{data}")).unwrap_err();
        assert_eq!(literal(&*formatted), "(not shown)");
        let fixed = panic::catch_unwind(|| panic!("a fixed text")).unwrap_err();
        assert_eq!(literal(&*fixed), "a fixed text");
    }
}
