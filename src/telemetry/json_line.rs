//! Formats log events as JSON, one object a line.
//!
//! The event's fields stand at the top, those of its span (the trace id) under `span`: the object that
//! `tracing_subscriber::fmt::format::Json` writes, which reads a span's fields back from JSON for every event. With it
//! the line of a request cost twice what it costs here, an eighth of a GET. Left out is where in its source a library
//! called the `log` crate.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::json::is_deceptive;

pub(super) struct JsonLine;

impl<S> FormatEvent<S, Members> for JsonLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Members>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // What came through the `log` crate has its own target and level in fields.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", metadata.level().as_str())?;
        Members.format_fields(writer.by_ref(), event)?;
        writer.write_str(",\"target\":")?;
        string(&mut writer, metadata.target())?;
        let span = event.parent().and_then(|id| context.span(id)).or_else(|| context.lookup_current());
        if let Some(span) = span {
            writer.write_str(",\"span\":{\"name\":")?;
            string(&mut writer, span.name())?;
            if let Some(members) = span.extensions().get::<FormattedFields<Members>>() {
                writer.write_str(members)?;
            }
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

/// Fields as members of an object, a comma before each.
pub(super) struct Members;

impl<'writer> FormatFields<'writer> for Members {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = MemberVisitor { writer, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

struct MemberVisitor<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl MemberVisitor<'_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        // Where the `log` crate keeps what `normalized_metadata` has told.
        if field.name().starts_with("log.") {
            return;
        }
        self.result = self.result.and_then(|()| {
            self.writer.write_char(',')?;
            string(&mut self.writer, field.name())?;
            self.writer.write_char(':')?;
            value(&mut self.writer)
        });
    }
}

impl Visit for MemberVisitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no number that is infinite or none.
        self.member(field, |writer| {
            if value.is_finite() { write!(writer, "{value:?}") } else { writer.write_str("null") }
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |writer| string(writer, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |writer| formatted_string(writer, format_args!("{value:?}")));
    }
}

/// A string of JSON (RFC 8259 section 7).
fn string(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    Escaping(writer).write_str(text)?;
    writer.write_char('"')
}

/// The same, written as it is formatted.
fn formatted_string(writer: &mut Writer<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    writer.write_char('"')?;
    // Writing to a string cannot fail. A value whose `Display` fails leaves a partial string; the line is still written.
    let _ = Escaping(writer).write_fmt(text);
    writer.write_char('"')
}

struct Escaping<'a, 'writer>(&'a mut Writer<'writer>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
        // Nearly all text is plain ASCII. Without a way out in the middle, many octets are looked at together.
        if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
            return self.0.write_str(text);
        }
        let mut rest = text;
        while let Some(position) = rest.bytes().position(|byte| !is_plain(byte)) {
            let (plain, from_here) = rest.split_at(position);
            self.0.write_str(plain)?;
            let mut characters = from_here.chars();
            match characters.next() {
                Some('"') => self.0.write_str("\\\"")?,
                Some('\\') => self.0.write_str("\\\\")?,
                Some('\n') => self.0.write_str("\\n")?,
                Some('\r') => self.0.write_str("\\r")?,
                Some('\t') => self.0.write_str("\\t")?,
                // All of them have four hexadecimal digits at most.
                Some(character) if is_deceptive(character) => {
                    write!(self.0, "\\u{:04x}", u32::from(character))?;
                }
                Some(character) => self.0.write_char(character)?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::{self, Debug};

    use proptest::prelude::*;
    use tracing::Level;

    use crate::config::LogFormat;
    use crate::telemetry::tests::logged;

    fn parsed(write: impl FnOnce()) -> serde_json::Value {
        let line = logged(LogFormat::Json, "trace", false, write);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.ends_with('\n'), "{line}");
        serde_json::from_str(&line).expect("one object")
    }

    #[test]
    fn each_kind_of_field_is_a_value_of_json() {
        let line = parsed(|| {
            let span = tracing::span!(Level::INFO, "outer", a = "in the span", late = tracing::field::Empty);
            span.record("late", 7);
            span.in_scope(|| {
                tracing::warn!(
                    text = "t", number = -1, size = 2_u64, truth = true, half = 0.5, large = 1e300, none = f64::NAN,
                    shown = %"s", debug = ?Some("d"), r#type = "y", absent = None::<&str>, "said {}", "so"
                );
            });
        });
        let expected = serde_json::json!({
            "timestamp": line["timestamp"], "level": "WARN", "target": "transports::telemetry::json_line::tests",
            "message": "said so", "text": "t", "number": -1, "size": 2, "truth": true, "half": 0.5, "large": 1e300, "none": null,
            "shown": "s", "debug": "Some(\"d\")", "type": "y",
            "span": { "name": "outer", "a": "in the span", "late": 7 },
        });
        assert_eq!(line, expected);
    }

    /// Cannot say itself to its end.
    struct Broken;

    impl Debug for Broken {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("as far as")?;
            Err(fmt::Error)
        }
    }

    #[test]
    fn a_value_that_fails_to_say_itself_costs_no_line() {
        let line = parsed(|| {
            let span = tracing::info_span!("outer", value = tracing::field::Empty);
            span.record("value", tracing::field::debug(Broken));
            span.in_scope(|| tracing::info!(value = ?Broken, "said"));
        });
        assert_eq!((&line["value"], &line["message"]), (&"as far as".into(), &"said".into()));
        assert_eq!(line["span"]["value"], "as far as");
    }

    #[test]
    fn an_event_outside_any_span_has_none() {
        assert_eq!(parsed(|| tracing::info!("alone")).get("span"), None);
    }

    #[test]
    fn an_event_stands_in_the_span_that_it_names() {
        let line = parsed(|| {
            let named = tracing::info_span!("named");
            let current = tracing::info_span!("current");
            current.in_scope(|| tracing::info!(parent: &named, "x"));
        });
        assert_eq!(line["span"]["name"], "named");
    }

    #[test]
    fn what_comes_through_the_log_crate_has_its_own_target_and_level() {
        let line = parsed(|| {
            let record = tracing_log::log::Record::builder()
                .args(format_args!("from a library"))
                .level(tracing_log::log::Level::Warn)
                .target("library::part")
                .build();
            tracing_log::format_trace(&record).expect("it is logged");
        });
        assert_eq!((&line["message"], &line["level"]), (&"from a library".into(), &"WARN".into()));
        assert_eq!(line["target"], "library::part");
        let names: Vec<_> = line.as_object().expect("an object").keys().collect();
        assert!(names.iter().all(|name| !name.starts_with("log.")), "{names:?}");
    }

    proptest! {
        #[test]
        fn whatever_a_text_holds_the_line_stays_one_line_and_tells_it(text in any::<String>()) {
            let line = parsed(|| {
                let span = tracing::info_span!("outer", value = %text);
                span.in_scope(|| tracing::info!(value = text.as_str(), shown = %text, "{text}"));
            });
            for found in [&line["value"], &line["shown"], &line["message"], &line["span"]["value"]] {
                prop_assert_eq!(found, &serde_json::Value::from(text.as_str()));
            }
        }
    }

    /// Security case I3.
    #[test]
    fn nothing_that_a_stranger_says_steers_a_terminal_that_shows_the_log() {
        let hostile = "a\u{1b}[2J\u{9b}2J\u{85}\u{7f}\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}\u{200f}Grüße 😀";
        let line =
            logged(LogFormat::Json, "trace", false, || tracing::info!(said = hostile, "said {hostile}"));
        let is_hostile = |character: char| {
            "\u{1b}\u{9b}\u{85}\u{7f}\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}\u{200f}".contains(character)
        };
        let shown = line.trim_end_matches('\n');
        assert!(!shown.chars().any(is_hostile), "{shown:?}");
        assert!(shown.contains("Grüße 😀"), "{shown}");
        let value: serde_json::Value = serde_json::from_str(shown).expect("one object");
        assert_eq!(value["said"], hostile);
    }
}
