//! The trace of a hand-over, and its line in the log: neither holds an address, a subject, or what a server said.

use std::future::Future;
use std::time::Duration;

use tracing::Instrument as _;
use uuid::Uuid;

use super::{Run, Sent};
use crate::providers::delivery::Handover;
use crate::store::emails;
use crate::telemetry::spans;

/// Does the work of a hand-over within its trace, which links to the request that brought the email.
pub(super) async fn traced<T>(run: &Run<'_>, id: Uuid, work: impl Future<Output = T>) -> T {
    if !spans::traces_handovers() {
        return work.await;
    }
    let request = emails::traceparent(&run.delivery().db, &run.tenant, id).await.ok().flatten();
    let span = spans::handover(run.provider, request.as_deref());
    let trace_id = spans::trace_id(&span).map(tracing::field::display);
    let line = span.in_scope(|| tracing::info_span!("handover", trace_id));
    spans::in_trace(span, work.instrument(line)).await
}

/// Says how a hand-over ended at the server.
pub(super) fn record(run: &Run<'_>, id: Uuid, sent: &Sent, took: Duration) {
    let Sent::Each(outcomes) = sent else { return };
    let accepted = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Handover::Accepted(_))).count();
    let code = outcomes.iter().find_map(|(_, outcome)| match outcome {
        Handover::Accepted(_) => None,
        Handover::Failed(failed) => Some(failed.finding.diagnosis.code),
    });
    spans::end_handover(outcomes.len(), accepted, code);
    tracing::info!(
        tenant = run.tenant.as_str(),
        email = %id,
        provider = run.provider,
        recipients = outcomes.len(),
        accepted,
        code,
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "an email was handed over"
    );
}
