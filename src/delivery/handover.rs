//! Hands one mail over: the start is on disk before anything is sent, and the result before the next mail begins.

mod flood;
pub(super) mod key;
mod play;
mod recipients;
mod record;
mod result;
mod senders;
mod stop;
mod trace;

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::runner::{BUSY_PAUSE, FailedOpening, Run};
use super::slots::Slot;
use super::{Details, Error};
use crate::account::OpenAccount;
use crate::clock::Timestamp;
use crate::email_config::EmailConfig;
use crate::mail::address::EmailAddress;
use crate::mail::message::{Message, from_line};
use crate::outgoing::breaker::Stop;
use crate::outgoing::schedule::content_cost;
use crate::outgoing::transition::{Attempt, AttemptResult};
use crate::outgoing::{Email, Event, LastAttempt};
use crate::providers::delivery::{FailedHandover, Handover, SessionUnusable, sender_not_allowed};
use crate::smtp::Envelope;
use crate::store::api_keys::ApiKey;
use crate::store::delivery_accounts::NextDue;
use crate::store::emails::StoredEmail;
use crate::store::{DbError, Write, WriteOutcome, delivery_accounts, emails};
use crate::unwind::catch_panic;
pub(super) use key::{KeyVerdict, hold as hold_for_key, judge_key};
pub(super) use play::play;
use recipients::address_in_header;
use record::{fault, last_of_failure};
use result::{attempt, result, write_result};
use senders::{Senders, Unprepared};
pub(super) use stop::close_for_today;
use stop::{close, stopped, write_state};

/// How long a result that could not be written waits before the next try.
const WRITE_RETRY: Duration = Duration::from_secs(1);

/// How a hand-over ended for the run of its account.
pub(super) enum Handed {
    Done,
    /// Nothing of this mail was due any more.
    Nothing,
    /// A limit of this service allows no further session of the account now.
    Busy,
    /// The mail stands in the queue as due, and nothing of it can begin.
    Skipped,
    /// The account belongs to another process.
    Lost,
    /// The account stops until then.
    Closed(NextDue),
}

/// A mail whose start is on disk.
struct Begun {
    email: Email,
    positions: Vec<i64>,
    /// The API key that it depends on.
    key: Option<ApiKey>,
    sealed_details: Option<Vec<u8>>,
    key_day: i64,
}

/// Hands over what is due of one mail, within a trace of its own.
pub(super) async fn hand_over(
    run: &Run<'_>,
    id: Uuid,
    session: &mut Option<OpenAccount>,
    slot: &Slot<'_>,
) -> Handed {
    trace::traced(run, id, Box::pin(hand_over_due(run, id, session, slot))).await
}

async fn hand_over_due(
    run: &Run<'_>,
    id: Uuid,
    session: &mut Option<OpenAccount>,
    slot: &Slot<'_>,
) -> Handed {
    // The account is opened first: where that fails nothing has begun. For a mail that has expired it is not.
    if session.is_none() && sends_something(run, id).await {
        match run.open().await {
            Ok(open) => *session = Some(open),
            Err(Some(failed)) => return close(run, failed, id).await,
            Err(None) => return Handed::Busy,
        }
    }
    // Opening may have taken as long as the lease.
    if !run.may_begin() {
        return Handed::Nothing;
    }
    let lease = run.shared.lease();
    let begun = match begin(run, id).await {
        Ok(Ok(begun)) => begun,
        Ok(Err(handed)) => return handed,
        Err(Error::Database(DbError::Statement(error))) => {
            tracing::error!(email = %id, error, "an email cannot be read or written");
            return Handed::Skipped;
        }
        Err(error) => {
            tracing::warn!(?error, "a delivery attempt could not begin");
            return Handed::Closed(NextDue::At(run.delivery().clock.now().after(WRITE_RETRY)));
        }
    };
    slot.charge(content_cost(begun.positions.len(), begun.email.size));
    let _in_flight = run.delivery().metrics().begin_handover();
    let started = run.delivery().clock.elapsed();
    // The process may have stood still until the commit had returned, and the account have another owner.
    let outcome =
        if lease.is_long_enough(run.shared) { send(run, &begun, session).await } else { Sent::Nothing };
    let took = run.delivery().clock.elapsed().saturating_sub(started);
    trace::record(run, id, &outcome, took);
    finish(run, begun, outcome, session).await
}

/// Whether something of the mail would be handed over now.
async fn sends_something(run: &Run<'_>, id: Uuid) -> bool {
    let delivery = run.delivery();
    let Ok(Some(stored)) = emails::find(&delivery.db, &run.tenant, id).await else { return false };
    let (mut email, now) = (stored.email, delivery.clock.now());
    if !matches!(judge_key(delivery, email.required_key_id, now).await, Ok(KeyVerdict::Usable(_))) {
        return false;
    }
    pass_time(&mut email, run, now);
    email.recipients.iter().any(|recipient| recipient.is_due(now))
}

/// What only time changes in a mail.
fn pass_time(email: &mut Email, run: &Run<'_>, now: Timestamp) -> Vec<Event> {
    let mut events = email.recover(run.fence, now);
    events.extend(email.apply_unknown_policy(now));
    events.extend(email.expire(now));
    events
}

/// Writes the start. Nothing is sent before that is on disk.
async fn begin(run: &Run<'_>, id: Uuid) -> Result<Result<Begun, Handed>, Error> {
    let delivery = run.delivery();
    let Some(StoredEmail { email: before, sealed_details, key_day }) =
        emails::find(&delivery.db, &run.tenant, id).await?
    else {
        return Ok(Err(Handed::Skipped));
    };
    let now = delivery.clock.now();
    let key = match judge_key(delivery, before.required_key_id, now).await? {
        KeyVerdict::Usable(key) => key,
        KeyVerdict::Refused => return Ok(Err(hold_for_key(run, id).await?)),
    };
    let mut email = before.clone();
    let mut events = pass_time(&mut email, run, now);
    events.extend(flood::hold(run, &mut email, now).await?);
    let positions = email.begin(run.max_recipients, run.fence, delivery.waits(), now);
    if email == before {
        let is_due = before.due_at().is_some_and(|at| at <= now);
        return Ok(Err(if is_due { Handed::Skipped } else { Handed::Nothing }));
    }
    let save = emails::save(&run.tenant, &before, &email, &events, Some(run.fence), now);
    // What is played takes nothing of the account.
    let is_sent = !positions.is_empty() && !email.is_test;
    let pace = is_sent.then(|| run.count_recipients(positions.len(), now));
    let written = delivery.db.write(Write::default().then_all(save).then_all(pace)).await?;
    if written == WriteOutcome::NoRowsAffected {
        return Ok(Err(if still_ours(run).await { Handed::Nothing } else { Handed::Lost }));
    }
    delivery.record_change(&run.tenant, &before, &email, &events);
    delivery.announce();
    email.version += 1;
    if positions.is_empty() {
        return Ok(Err(Handed::Nothing));
    }
    Ok(Ok(Begun { email, positions, key, sealed_details, key_day }))
}

/// Whether the account still belongs to this run; assumed where the database does not say.
async fn still_ours(run: &Run<'_>) -> bool {
    let found = delivery_accounts::find(&run.delivery().db, &run.tenant).await;
    !found.is_ok_and(|account| account.is_none_or(|account| account.fence != run.fence))
}

/// How the sending ended for each position.
enum Sent {
    Each(Vec<(i64, Handover)>),
    /// A fault of this service, for all of them.
    Fault(String),
    /// Account or key do not allow the sender any more: nothing was sent.
    SenderNotAllowed(Box<FailedHandover>),
    /// The account could not be opened again.
    NotOpened(Option<FailedOpening>),
    /// The database or the keys do not answer: nothing was sent.
    NotReadable(String),
    /// The lease was over before the first command: nothing was sent.
    Nothing,
}

async fn send(run: &Run<'_>, begun: &Begun, session: &mut Option<OpenAccount>) -> Sent {
    let delivery = run.delivery();
    let prepared = match session {
        Some(open) => catch_panic(prepare(run, begun, &open.config)).await,
        None => Some(Err(Error::Contended.into())),
    };
    let Some(prepared) = prepared else { return Sent::Fault("it panicked".to_owned()) };
    let (from, message) = match prepared {
        Ok(prepared) => prepared,
        Err(Unprepared::Other(
            error @ (Error::KeysUnavailable | Error::Contended | Error::Database(DbError::Unavailable(_))),
        )) => return Sent::NotReadable(format!("{error:?}")),
        Err(Unprepared::Sender(sender)) => return Sent::SenderNotAllowed(sender_not_allowed(&sender)),
        Err(Unprepared::Other(error)) => return Sent::Fault(format!("{error:?}")),
    };
    let addresses: Vec<(i64, EmailAddress)> = begun
        .positions
        .iter()
        .filter_map(|position| {
            let recipient =
                begun.email.recipients.iter().find(|recipient| recipient.position == *position)?;
            Some((*position, recipient.address.clone()?))
        })
        .collect();
    let to: Vec<EmailAddress> = addresses.iter().map(|(_, address)| address.clone()).collect();
    let envelope = Envelope { from: &from, to: &to };
    for _ in 0..2 {
        let Some(open) = session else { break };
        let started = delivery.clock.elapsed();
        match open.send(&delivery.accounts, &envelope, &message).await {
            Ok(outcomes) => {
                let took = delivery.clock.elapsed().saturating_sub(started);
                delivery.metrics().record_handover_duration(run.provider, took);
                return Sent::Each(addresses.iter().map(|(position, _)| *position).zip(outcomes).collect());
            }
            // The server had ended the idle session.
            Err(SessionUnusable::Gone) => {}
            Err(SessionUnusable::WithoutChunking) => run.avoid_chunking(),
        }
        // Another one, once, without an attempt.
        *session = match run.open().await {
            Ok(open) => Some(open),
            Err(failed) => return Sent::NotOpened(failed),
        };
    }
    Sent::NotOpened(None)
}

/// Opens the content, and puts the sender and the trace lines in front of it.
async fn prepare(
    run: &Run<'_>,
    begun: &Begun,
    config: &EmailConfig,
) -> Result<(EmailAddress, Message), Unprepared> {
    let delivery = run.delivery();
    let (tenant, id) = (&run.tenant, begun.email.id);
    let sealed = begun.sealed_details.as_deref().ok_or(Error::ContentGone { is_accepted: false })?;
    let details = delivery.open_details(tenant, id, begun.key_day, sealed).await?;
    let details: Details = serde_json::from_slice(&details).map_err(|error| Error::Internal(error.into()))?;
    let parts = emails::body(&delivery.db, tenant, id).await?;
    if parts.is_empty() {
        return Err(Error::ContentGone { is_accepted: false }.into());
    }
    let mut bytes = delivery.open_message(tenant, id, begun.key_day, &parts).await?;
    let settings = run.account().settings;
    let senders = Senders { config, settings: &settings, key: begun.key.as_ref() };
    let mailbox = senders.mailbox(&details)?;
    if !details.is_raw {
        bytes.splice(0..0, from_line(&mailbox).into_bytes());
    }
    if delivery.sends_by_graph(config) {
        address_in_header(&mut bytes, &begun.email, &begun.positions, &details);
    }
    let envelope_from = details.envelope_from.as_deref().map(EmailAddress::parse).transpose();
    let envelope_from = envelope_from.map_err(|error| Error::Internal(error.into()))?;
    let from = match envelope_from {
        Some(from) => senders.check(from)?,
        None => mailbox.address().clone(),
    };
    Ok((from, Message { message_id: begun.email.message_id.clone(), bytes }))
}

/// Writes the result, however long that takes: nothing else begins on this session before.
async fn finish(run: &Run<'_>, begun: Begun, sent: Sent, session: &mut Option<OpenAccount>) -> Handed {
    let delivery = run.delivery();
    let now = delivery.clock.now();
    let config = session.as_ref().map(|open| open.config.clone());
    let mut stop = None;
    // Without a stop as well: what is held is released by the next run.
    let mut pause = None;
    let all = |result: AttemptResult, last: LastAttempt| {
        let positions = begun.positions.iter();
        positions.map(|position| (*position, attempt(result, last.clone()))).collect()
    };
    let attempts: Vec<(i64, Attempt)> = match sent {
        Sent::Fault(reason) => {
            tracing::error!(email = %begun.email.id, reason, "an email could not be prepared");
            all(AttemptResult::Failed, fault(now))
        }
        Sent::SenderNotAllowed(failed) => all(AttemptResult::Failed, last_of_failure(&failed, now)),
        Sent::Nothing => {
            tracing::warn!(email = %begun.email.id, "the lease ended while the start of an email was being written: it was not sent");
            all(AttemptResult::NotSent, fault(now))
        }
        Sent::NotReadable(reason) => {
            tracing::warn!(email = %begun.email.id, reason, "the content of an email cannot be read at present");
            pause = Some(BUSY_PAUSE);
            all(AttemptResult::Held, fault(now))
        }
        Sent::NotOpened(failed) => {
            pause = Some(BUSY_PAUSE);
            let failed = failed.as_ref();
            stop = failed.and_then(|opening| run.count_failure(&opening.failed, opening.version.as_deref()));
            all(
                AttemptResult::Held,
                failed.map_or_else(|| fault(now), |opening| last_of_failure(&opening.failed, now)),
            )
        }
        Sent::Each(outcomes) => {
            stop = judge_account(run, &outcomes, config.as_ref()).await;
            outcomes
                .iter()
                .map(|(position, outcome)| (*position, result(outcome, stop.is_some(), now)))
                .collect()
        }
    };
    run.write_throttling().await;
    if !write_result(run, begun.email, &attempts).await {
        return Handed::Lost;
    }
    if stop.is_some()
        && let Some(session) = session.take()
    {
        session.close().await;
    }
    match (stop, pause) {
        (Some(stop), _) => stopped(run, &stop).await,
        (None, Some(pause)) => Handed::Closed(NextDue::At(delivery.clock.now().after(pause))),
        (None, None) => Handed::Done,
    }
}

/// Ends a hand-over that panicked, so that it does not panic again and again: what was under way may have been sent,
/// what had not begun has failed.
pub(super) async fn abandon(run: &Run<'_>, id: Uuid) -> Handed {
    let delivery = run.delivery();
    tracing::error!(email = %id, "sending an email panicked");
    let now = delivery.clock.now();
    let last = fault(now);
    let abandoned = run.change(id, |email| email.abandon(run.fence, &last, delivery.waits(), now)).await;
    match abandoned {
        Ok(_) => Handed::Done,
        Err(error) => {
            tracing::warn!(%error, "an email whose processing panicked could not be written");
            Handed::Closed(NextDue::At(now.after(BUSY_PAUSE)))
        }
    }
}

/// What the outcomes say about the account. The stop, where they stop it.
async fn judge_account(
    run: &Run<'_>,
    outcomes: &[(i64, Handover)],
    config: Option<&EmailConfig>,
) -> Option<Stop> {
    let config = config?;
    let accepted = outcomes.iter().find_map(|(_, outcome)| match outcome {
        Handover::Accepted(reply) => Some(reply.as_ref()),
        Handover::Failed(_) => None,
    });
    if let Some(reply) = accepted {
        if run.count_success() {
            write_state(run).await;
        }
        run.record(config, Ok(reply)).await;
        return None;
    }
    let mut recorded = HashSet::new();
    for (_, outcome) in outcomes {
        let Handover::Failed(failed) = outcome else { continue };
        if recorded.insert(failed.finding.diagnosis.code) {
            run.record(config, Err(failed)).await;
        }
        if let Some(stop) = run.count_failure(failed, Some(&config.version.config)) {
            return Some(stop);
        }
    }
    None
}
