//! Holds mail to a recipient who got too many mails of the tenant within an hour: that is how a loop looks.

use std::time::Duration;

use super::record::last_of_failure;
use crate::clock::Timestamp;
use crate::delivery::runner::Run;
use crate::outgoing::{Email, Event, Recipient};
use crate::providers::delivery::recipient_flood;
use crate::store::{DbError, emails};

const HOUR: Duration = Duration::from_hours(1);

/// The diagnosis of what is held here.
const CODE: &str = "RECIPIENT_FLOOD";

/// Holds the recipients that are due and over the limit. Two sessions of the account may let one more go each.
pub(super) async fn hold(run: &Run<'_>, email: &mut Email, now: Timestamp) -> Result<Vec<Event>, DbError> {
    let delivery = run.delivery();
    let most = delivery.settings.mails_per_recipient_per_hour;
    // What the account has sent in all bounds what went to one recipient.
    if most == 0 || run.account().pace.recipients_of_last_hour(now) < most {
        return Ok(Vec::new());
    }
    let since = Timestamp(now.0.saturating_sub(i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX)));
    let mut over = Vec::new();
    for recipient in email.recipients.iter().filter(|recipient| recipient.is_due(now)) {
        let Some(address) = recipient.address.as_ref().filter(|_| !is_released(recipient)) else { continue };
        let period = (since, now);
        let begun =
            emails::begun_before(&delivery.db, &run.tenant, address, period, email.id, most - 1).await?;
        over.extend(begun.map(|begun| (recipient.position, begun.after(HOUR), recipient_flood(address))));
    }
    let mut events = Vec::new();
    for (position, until, failed) in over {
        let last = last_of_failure(&failed, now);
        delivery.metrics().record_handover("held", CODE, run.provider);
        events.extend(email.hold_until(&[position], until, &last, now));
    }
    Ok(events)
}

/// Whether an administrator or the operator has asked for another attempt although it was held here.
fn is_released(recipient: &Recipient) -> bool {
    let was_held_here = recipient.last.as_ref().and_then(|last| last.code()) == Some(CODE);
    was_held_here && recipient.state == crate::outgoing::RecipientState::Queued
}
