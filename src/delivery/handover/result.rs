//! What an outcome is for its recipient, and the write that records it.

use super::record::{last_of_failure, last_of_success};
use super::{Run, WRITE_RETRY};
use crate::clock::Timestamp;
use crate::outgoing::transition::{Attempt, AttemptResult};
use crate::outgoing::{Email, LastAttempt};
use crate::providers::delivery::Handover;
use crate::store::{Write, WriteOutcome, emails};
use crate::telemetry::metrics::InProgress;

/// In place of a diagnosis where a fault of this service ended the attempt.
const NO_DIAGNOSIS: &str = "NONE";

/// In place of a provider where nothing was sent.
const PLAYED: &str = "test";

/// What an outcome is for its recipient. Where the account has stopped, the mail that met it first waits with the others.
pub(super) fn result(outcome: &Handover, has_stopped: bool, now: Timestamp) -> Attempt {
    let failed = match outcome {
        Handover::Accepted(reply) => {
            return attempt(AttemptResult::Accepted, last_of_success(reply.as_ref(), now));
        }
        Handover::Failed(failed) => failed,
    };
    let last = last_of_failure(failed, now);
    let result = if failed.is_unknown {
        AttemptResult::Unknown
    } else if has_stopped {
        AttemptResult::Held
    } else if failed.is_permanent && !failed.finding.diagnosis.retryable {
        AttemptResult::Refused
    } else {
        AttemptResult::Deferred { retry_after: failed.retry_after }
    };
    attempt(result, last)
}

pub(super) fn attempt(result: AttemptResult, last: LastAttempt) -> Attempt {
    Attempt { result, last }
}

/// False where another owner has taken the recipients over: then the result is dropped.
pub(super) async fn write_result(run: &Run<'_>, mut before: Email, attempts: &[(i64, Attempt)]) -> bool {
    let delivery = run.delivery();
    let mut stalled: Option<InProgress> = None;
    loop {
        let now = delivery.clock.now();
        let mut email = before.clone();
        let events = email.finish(attempts, run.fence, delivery.waits(), now);
        if events.is_empty() {
            delivery.metrics().record_fenced_result();
            tracing::warn!(email = %email.id, "a result came too late and was dropped: the account has another owner");
            return false;
        }
        // Each recipient carries the fence: a late result is still true, unless another owner has taken the recipient.
        let save = emails::save(&run.tenant, &before, &email, &events, None, now);
        match delivery.db.write(Write::default().then_all(save)).await {
            Ok(WriteOutcome::Committed) => {
                delivery.record_change(&run.tenant, &before, &email, &events);
                count_attempts(run, &email, attempts);
                delivery.announce();
                return true;
            }
            Ok(WriteOutcome::NoRowsAffected) => {}
            Err(error) => {
                tracing::warn!(%error, "the result of a delivery attempt cannot be written; sending pauses until it is");
                stalled.get_or_insert_with(|| delivery.metrics().stall());
                tokio::time::sleep(WRITE_RETRY).await;
            }
        }
        match emails::find(&delivery.db, &run.tenant, before.id).await {
            Ok(Some(stored)) => before = stored.email,
            Ok(None) => return true,
            Err(_) => tokio::time::sleep(WRITE_RETRY).await,
        }
    }
}

fn count_attempts(run: &Run<'_>, email: &Email, attempts: &[(i64, Attempt)]) {
    let provider = if email.is_test { PLAYED } else { run.provider };
    for (_, attempt) in attempts {
        let (outcome, code) = match attempt.result {
            AttemptResult::Accepted => ("accepted", "OK"),
            AttemptResult::Refused => ("refused", NO_DIAGNOSIS),
            AttemptResult::Deferred { .. } => ("deferred", NO_DIAGNOSIS),
            AttemptResult::Held => ("held", NO_DIAGNOSIS),
            AttemptResult::NotSent => ("not_sent", NO_DIAGNOSIS),
            AttemptResult::Unknown => ("unknown", NO_DIAGNOSIS),
            AttemptResult::Failed => ("failed", NO_DIAGNOSIS),
        };
        let code = attempt.last.code().unwrap_or(code);
        run.delivery().metrics().record_handover(outcome, code, provider);
    }
}
