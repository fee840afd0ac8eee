//! Metrics for the operator, in the text format of `OpenMetrics` 1.0.
//!
//! A label is always from a small closed set: a route's template, a method, a status, a code. Never a
//! tenant, an address or anything else that a client chose.

mod delivery;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use delivery::InProgress;

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every name begins with it.
const PREFIX: &str = "transports";

/// Upper bounds in seconds. The first ones separate reads from writes; the last ones surround the eight
/// seconds that a check may take.
const DURATION_BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 10.0];

/// Upper bounds in seconds of a hand-over: a server may take ten minutes for its last reply alone.
const HANDOVER_BUCKETS: [f64; 10] = [0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0];

/// What was checked against a real server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Verify,
    SendTest,
    Put,
    Deliver,
}

impl Operation {
    fn label(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::SendTest => "send_test",
            Self::Put => "put",
            Self::Deliver => "deliver",
        }
    }
}

/// What a key service was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyOperation {
    Wrap,
    Unwrap,
    Rotate,
}

impl KeyOperation {
    fn label(self) -> &'static str {
        match self {
            Self::Wrap => "wrap",
            Self::Unwrap => "unwrap",
            Self::Rotate => "rotate",
        }
    }
}

/// Declares sets of labels, with their names for `docs/monitoring.md`.
macro_rules! labels {
    ($( $Labels:ident { $($name:ident: $type:ty),+ } )+) => {$(
        #[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
        struct $Labels {
            $($name: $type,)+
        }

        #[cfg(test)]
        impl tests::LabelNames for $Labels {
            const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];
        }
    )+};
}

labels! {
    RequestLabels { route: String, method: &'static str, status: u16 }
    RouteLabels { route: String, method: &'static str }
    CheckLabels { operation: &'static str, code: &'static str }
    LimitLabel { limit: &'static str }
    StateLabel { state: &'static str }
    OutcomeLabel { outcome: &'static str }
    KeyServiceLabels { operation: &'static str, outcome: &'static str }
    ReasonLabel { reason: &'static str }
    LaneLabel { lane: &'static str }
    ProviderLabel { provider: &'static str }
    HandoverLabels { outcome: &'static str, code: String, provider: &'static str }
}

/// Declares every metric once: its name, its type, its help text at `/metrics`, and what `docs/monitoring.md` tells the
/// operator to look for. The encoder adds `_total` to a counter.
macro_rules! metrics {
    ($( $name:ident: $Type:ty = $new:expr, $help:literal, $look_for:literal; )+) => {
        /// All metrics. A clone counts into the same ones.
        #[derive(Clone)]
        pub struct Metrics {
            registry: Arc<Registry>,
            $($name: $Type,)+
        }

        impl Metrics {
            pub fn new() -> Self {
                let mut registry = Registry::with_prefix(PREFIX);
                $(
                    let $name: $Type = $new;
                    registry.register(stringify!($name), $help, $name.clone());
                )+
                let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
                registry.register("build", "The version that is running", version);
                Self { registry: Arc::new(registry), $($name,)+ }
            }
        }

        /// The lines of the table in `docs/monitoring.md`.
        #[cfg(test)]
        fn table_rows() -> Vec<String> {
            vec![$( tests::row::<$Type>(stringify!($name), $look_for), )+]
        }
    };
}

metrics! {
    http_requests: Family<RequestLabels, Counter> = Family::default(),
        "Requests answered",
        "a rise of 5xx";
    http_request_duration_seconds: Family<RouteLabels, Histogram, fn() -> Histogram> =
        Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
        "Time from the head of the request to the head of the answer",
        "GET beyond some milliseconds: the database";
    checks: Family<CheckLabels, Counter> = Family::default(),
        "Checks against a mail server, by outcome: OK or the code of the diagnosis",
        "one diagnosis code that grows over all tenants: trouble at a provider, or in this service's network (`CONNECT_TIMEOUT`, `DNS_UNAVAILABLE`)";
    rate_limit_refusals: Family<LimitLabel, Counter> = Family::default(),
        "Requests refused by a rate limit",
        "a client in a loop; a quota that was reached (`test_mails_per_tenant`, `test_mails_per_recipient`, `destinations_per_tenant`)";
    outgoing_connections: Gauge = Gauge::default(),
        "Outgoing connections open now",
        "near `egress.max_connections`: servers that do not answer";
    database_connections: Family<StateLabel, Gauge> = Family::default(),
        "Database connections now, by state",
        "none idle for long";
    database_writes_failing: Gauge = Gauge::default(),
        "1 where the last write failed because of trouble with the database, else 0",
        "1: the last write failed because of trouble with the database; reads may still succeed";
    key_reloads: Family<OutcomeLabel, Counter> = Family::default(),
        "Readings of the file of keys while running, by outcome",
        "any `failed`: the key file is invalid, and the old keys stay in use";
    key_service_calls: Family<KeyServiceLabels, Counter> = Family::default(),
        "Calls of the key service, by outcome: ok, refused or unavailable",
        "`unavailable`: Vault is away, or refuses the token";
    trace_spans: Family<OutcomeLabel, Counter> = Family::default(),
        "Spans for the collector, by outcome: exported, failed, or dropped since the queue was full",
        "`failed` or `dropped`: see [Traces](#traces)";
    emails_submitted: Family<OutcomeLabel, Counter> = Family::default(),
        "Emails that clients handed in, by outcome: taken, replayed (the same idempotency key and request as before) or the name of the refusal",
        "`queue_full` or `unavailable`: mail is refused that clients have to send again";
    submission_connections: Counter = Counter::default(),
        "Connections of clients to the SMTP gateway",
        "a client that connects again for each mail";
    submission_open_connections: Gauge = Gauge::default(),
        "Connections to the SMTP gateway that are open",
        "near `submission.max_connections`: further clients are answered 421";
    submission_messages: Family<OutcomeLabel, Counter> = Family::default(),
        "Messages at the SMTP gateway, by outcome: taken, repeated (the same message again), deferred (4yz) or refused (5yz)",
        "`deferred`: a limit, a full disk, or a database that does not answer; `refused`: a client whose mail has a fault";
    submission_refused_sign_ins: Family<ReasonLabel, Counter> = Family::default(),
        "Sign-ins at the SMTP gateway that were refused, by reason",
        "`WRONG_KEY` or `TOO_MANY`: someone guesses, or a program has an old password";
    delivery_waiting: Family<LaneLabel, Gauge> = Family::default(),
        "Emails that wait, in the whole database: transactional and bulk, and those that are held until their account sends again",
        "a rise that does not end; `held`: accounts that have stopped or are paused, and mail of API keys that were revoked; `test`: mail of test keys, which is never sent";
    delivery_oldest_due_seconds: Family<LaneLabel, Gauge> = Family::default(),
        "How long the oldest email has been due whose attempt has not begun, of accounts that are open, in the whole database",
        "`transactional` beyond some seconds: too few slots, no process that sends, or an account whose provider allows less than the tenant sends";
    delivery_accounts: Family<StateLabel, Gauge> = Family::default(),
        "Accounts that have sent or are to send, by state, in the whole database; 100,000 stands for that many or more",
        "a jump of `stopped`: trouble at a provider or in this service's network";
    delivery_content_bytes: Gauge = Gauge::default(),
        "Octets of the messages that are stored, before they are sealed, in the whole database",
        "near the room that the disk has";
    delivery_slots: Gauge = Gauge::default(),
        "Emails that this process may have in hand at once; 0 where it does not send",
        "0 everywhere: nothing is sent";
    delivery_slots_in_use: Gauge = Gauge::default(),
        "Emails that this process has in hand: it connects, waits for the server or writes the result",
        "all of `transports_delivery_slots` for long: raise `delivery.slots`";
    delivery_in_flight: Gauge = Gauge::default(),
        "Emails whose attempt this process has begun and whose result it has not written",
        "those whose outcome a crash would make unknown";
    delivery_handovers: Family<HandoverLabels, Counter> = Family::default(),
        "Recipients of hand-overs, by outcome, the code of the diagnosis (OK: accepted; NONE: a fault of this service) and provider; an account that does not open counts once, as held",
        "one code that grows; any `failed`";
    delivery_handover_duration_seconds: Family<ProviderLabel, Histogram, fn() -> Histogram> =
        Family::new_with_constructor(|| Histogram::new(HANDOVER_BUCKETS)),
        "Time from the first command of an email to the answer that decides",
        "servers that have become slow";
    delivery_recipients: Family<StateLabel, Counter> = Family::default(),
        "Recipients by the state that they came into after their email was taken",
        "`unknown`: connections that break in the middle of a mail; `expired`: mail that was never sent";
    delivery_copies: Counter = Counter::default(),
        "Attempts that followed an unknown outcome: so many recipients may have got a second copy",
        "more than a few in a day";
    delivery_fenced_results: Counter = Counter::default(),
        "Results that came after another process had taken the account over, and were dropped",
        "any: a process was stopped for longer than its leases";
    delivery_lease_takeovers: Counter = Counter::default(),
        "Accounts taken over from a process that had not given them up",
        "more than after a crash: processes that do not renew their leases in time";
    delivery_stalled: Gauge = Gauge::default(),
        "Hand-overs whose result cannot be written now: their sessions send nothing meanwhile",
        "above 0: the database refuses writes";
}

impl Metrics {
    /// Counts one answer. `route` is the template that matched, never the path that was asked for.
    pub fn record_request(&self, route: &str, method: &str, status: u16, duration: Duration) {
        let method = method_label(method);
        let labels = RequestLabels { route: route.to_owned(), method, status };
        self.http_requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: labels.route, method };
        self.http_request_duration_seconds.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Counts one check; `code` is `OK` or the code of its diagnosis.
    pub fn record_check(&self, operation: Operation, code: &'static str) {
        self.checks.get_or_create(&CheckLabels { operation: operation.label(), code }).inc();
    }

    /// Counts one refusal; `limit` is the limit's own name.
    pub fn record_rate_limit_refusal(&self, limit: &'static str) {
        self.rate_limit_refusals.get_or_create(&LimitLabel { limit }).inc();
    }

    /// Counts one reading of the file of keys; `outcome` is `ok` or `failed`.
    pub fn record_key_reload(&self, outcome: &'static str) {
        self.key_reloads.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts one call of the key service; `outcome` is `ok`, `refused` or `unavailable`.
    pub fn record_key_service_call(&self, operation: KeyOperation, outcome: &'static str) {
        let labels = KeyServiceLabels { operation: operation.label(), outcome };
        self.key_service_calls.get_or_create(&labels).inc();
    }

    /// Counts spans for the collector; `outcome` is `exported`, `failed` or `dropped`.
    pub fn record_trace_spans(&self, outcome: &'static str, count: u64) {
        self.trace_spans.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
    }

    /// Says how many outgoing connections are open; called before [`Metrics::encode`].
    pub fn observe_outgoing_connections(&self, open: usize) {
        self.outgoing_connections.set(gauge_value(open));
    }

    /// Says how many database connections are in a state (`idle`, `used`); called before
    /// [`Metrics::encode`].
    pub fn observe_database_connections(&self, state: &'static str, count: usize) {
        self.database_connections.get_or_create(&StateLabel { state }).set(gauge_value(count));
    }

    /// Says whether the database refuses writes; called before [`Metrics::encode`].
    pub fn observe_failing_writes(&self, fail: bool) {
        self.database_writes_failing.set(i64::from(fail));
    }

    /// Everything as text, with [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("a String takes every write");
        page
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A client may send any word as the method, so all but the known ones share a label.
fn method_label(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

fn gauge_value(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a set of labels.
    pub(super) trait LabelNames {
        const NAMES: &'static [&'static str];
    }

    /// What the type of a metric says about its samples.
    pub(super) trait Documented {
        const SUFFIX: &'static str = "";
        const LABELS: &'static [&'static str] = &[];
    }

    impl Documented for Gauge {}

    impl Documented for Counter {
        const SUFFIX: &'static str = "_total";
    }

    impl<L: LabelNames> Documented for Family<L, Gauge> {
        const LABELS: &'static [&'static str] = L::NAMES;
    }

    impl<L: LabelNames> Documented for Family<L, Counter> {
        const SUFFIX: &'static str = "_total";
        const LABELS: &'static [&'static str] = L::NAMES;
    }

    impl<L: LabelNames> Documented for Family<L, Histogram, fn() -> Histogram> {
        const LABELS: &'static [&'static str] = L::NAMES;
    }

    pub(super) fn row<M: Documented>(name: &str, look_for: &str) -> String {
        let labels: Vec<String> = M::LABELS.iter().map(|label| format!("`{label}`")).collect();
        let labels = labels.join(" ");
        let labels = if labels.is_empty() { labels } else { format!("{labels} ") };
        format!("| `{PREFIX}_{name}{}` | {labels}| {look_for} |\n", M::SUFFIX)
    }

    const TABLE_HEAD: &str = "| Metric | Labels | What to look for |\n|---|---|---|\n";
    const BUILD_ROW: &str =
        "| `transports_build_info` | `version` | two versions for long: an upgrade has stopped half-way |\n";

    #[test]
    fn the_table_in_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring.md");
        let page = std::fs::read_to_string(path).unwrap();
        let start = page.find(TABLE_HEAD).expect("a table of metrics");
        let end = start + page[start..].find("\n\n").expect("text below it") + 1;
        let table = [TABLE_HEAD, &table_rows().concat(), BUILD_ROW].concat();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, [&page[..start], &table, &page[end..]].concat()).unwrap();
        }
        assert_eq!(page[start..end], table, "docs/monitoring.md is stale: set UPDATE_DOCS=1 and test again");
    }

    #[test]
    fn everything_is_in_the_text() {
        let metrics = Metrics::new();
        let clone = metrics.clone();
        clone.record_request("/api/v1/transports/email-config", "GET", 200, Duration::from_millis(3));
        clone.record_request("/api/v1/transports/email-config", "GET", 200, Duration::from_secs(9));
        clone.record_check(Operation::SendTest, "OK");
        clone.record_check(Operation::Put, "AUTH_REFUSED");
        clone.record_check(Operation::Verify, "OK");
        clone.record_rate_limit_refusal("tier1");
        clone.record_rate_limit_refusal("tier2");
        clone.record_rate_limit_refusal("unauthenticated");
        clone.record_key_reload("failed");
        clone.record_key_service_call(KeyOperation::Unwrap, "unavailable");
        clone.record_trace_spans("dropped", 7);
        clone.observe_outgoing_connections(3);
        clone.observe_database_connections("idle", 4);
        clone.observe_failing_writes(true);
        let page = metrics.encode();
        let route = r#"route="/api/v1/transports/email-config",method="GET""#;
        for line in [
            format!(r#"transports_http_requests_total{{{route},status="200"}} 2"#),
            format!("transports_http_request_duration_seconds_count{{{route}}} 2"),
            format!(r#"transports_http_request_duration_seconds_bucket{{le="0.005",{route}}} 1"#),
            format!(r#"transports_http_request_duration_seconds_bucket{{le="8.0",{route}}} 1"#),
            format!(r#"transports_http_request_duration_seconds_bucket{{le="10.0",{route}}} 2"#),
            r#"transports_checks_total{operation="send_test",code="OK"} 1"#.to_owned(),
            r#"transports_checks_total{operation="put",code="AUTH_REFUSED"} 1"#.to_owned(),
            r#"transports_checks_total{operation="verify",code="OK"} 1"#.to_owned(),
            r#"transports_rate_limit_refusals_total{limit="tier1"} 1"#.to_owned(),
            r#"transports_rate_limit_refusals_total{limit="tier2"} 1"#.to_owned(),
            r#"transports_rate_limit_refusals_total{limit="unauthenticated"} 1"#.to_owned(),
            r#"transports_key_reloads_total{outcome="failed"} 1"#.to_owned(),
            r#"transports_key_service_calls_total{operation="unwrap",outcome="unavailable"} 1"#.to_owned(),
            r#"transports_trace_spans_total{outcome="dropped"} 7"#.to_owned(),
            "transports_outgoing_connections 3".to_owned(),
            r#"transports_database_connections{state="idle"} 4"#.to_owned(),
            "transports_database_writes_failing 1".to_owned(),
            format!(r#"transports_build_info{{version="{}"}} 1"#, env!("CARGO_PKG_VERSION")),
            "# EOF".to_owned(),
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn a_gauge_says_the_last_value() {
        let metrics = Metrics::new();
        metrics.observe_outgoing_connections(3);
        metrics.observe_outgoing_connections(1);
        assert!(metrics.encode().contains("transports_outgoing_connections 1\n"));
    }

    #[test]
    fn a_client_cannot_make_labels_by_inventing_methods() {
        let metrics = Metrics::new();
        for method in ["BREW", "get", "PROPFIND"] {
            metrics.record_request("/x", method, 405, Duration::ZERO);
        }
        let page = metrics.encode();
        assert!(page.contains(r#"{route="/x",method="other",status="405"} 3"#), "{page}");
    }
}
