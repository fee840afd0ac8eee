//! What the delivery of mail counts.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::{
    HandoverLabels, LaneLabel, Metrics, OutcomeLabel, ProviderLabel, ReasonLabel, StateLabel, gauge_value,
};

/// Counts one in a gauge until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct InProgress(Gauge);

impl InProgress {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counts emails that a client handed in; `outcome` is `taken`, `replayed` or the name of the refusal.
    pub fn record_submitted(&self, outcome: &'static str, count: usize) {
        self.emails_submitted.get_or_create(&OutcomeLabel { outcome }).inc_by(count as u64);
    }

    /// Counts a connection of a client to the SMTP gateway.
    pub fn record_submission_connection(&self) {
        self.submission_connections.inc();
    }

    /// How many connections to the SMTP gateway are open.
    pub fn set_open_submission_connections(&self, count: usize) {
        self.submission_open_connections.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a message at the SMTP gateway; `outcome` is `taken`, `repeated`, `deferred` or `refused`.
    pub fn record_submission(&self, outcome: &'static str) {
        self.submission_messages.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a refused sign-in at the SMTP gateway.
    pub fn record_refused_submission_sign_in(&self, reason: &'static str) {
        self.submission_refused_sign_ins.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts how an attempt ended for one recipient.
    pub fn record_handover(&self, outcome: &'static str, code: &str, provider: &'static str) {
        let labels = HandoverLabels { outcome, code: code.to_owned(), provider };
        self.delivery_handovers.get_or_create(&labels).inc();
    }

    /// Says how long a server took for one email.
    pub fn record_handover_duration(&self, provider: &'static str, duration: Duration) {
        let labels = ProviderLabel { provider };
        self.delivery_handover_duration_seconds.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Counts recipients that came into a state. With 0 the counter exists before its first event: an alert sees no rise in a
    /// counter that appears with it.
    pub fn record_recipients(&self, state: &'static str, count: usize) {
        self.delivery_recipients.get_or_create(&StateLabel { state }).inc_by(count as u64);
    }

    /// Counts attempts that follow an unknown outcome.
    pub fn record_copies(&self, count: u64) {
        self.delivery_copies.inc_by(count);
    }

    /// Counts a result that was dropped since another process owns the account.
    pub fn record_fenced_result(&self) {
        self.delivery_fenced_results.inc();
    }

    /// Counts an account whose owner had not given it up.
    pub fn record_lease_takeover(&self) {
        self.delivery_lease_takeovers.inc();
    }

    /// Says how many emails this process may have in hand.
    pub fn observe_slots(&self, slots: usize) {
        self.delivery_slots.set(gauge_value(slots));
    }

    /// An email in hand, until the value is dropped.
    pub fn occupy_slot(&self) -> InProgress {
        InProgress::new(&self.delivery_slots_in_use)
    }

    /// An email whose attempt has begun, until the value is dropped.
    pub fn begin_handover(&self) -> InProgress {
        InProgress::new(&self.delivery_in_flight)
    }

    /// A result that cannot be written, until the value is dropped.
    pub fn stall(&self) -> InProgress {
        InProgress::new(&self.delivery_stalled)
    }

    /// Says how many emails wait in a lane; called before [`Metrics::encode`].
    pub fn observe_waiting(&self, lane: &'static str, count: i64) {
        self.delivery_waiting.get_or_create(&LaneLabel { lane }).set(count);
    }

    /// Says how long the oldest email of a lane has been due; called before [`Metrics::encode`].
    pub fn observe_oldest_due(&self, lane: &'static str, seconds: i64) {
        self.delivery_oldest_due_seconds.get_or_create(&LaneLabel { lane }).set(seconds);
    }

    /// Says how many accounts are in a state; called before [`Metrics::encode`].
    pub fn observe_accounts(&self, state: &'static str, count: i64) {
        self.delivery_accounts.get_or_create(&StateLabel { state }).set(count);
    }

    /// Says how many octets of content are stored; called before [`Metrics::encode`].
    pub fn observe_content(&self, octets: i64) {
        self.delivery_content_bytes.set(octets);
    }
}
