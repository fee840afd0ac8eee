//! Plays the outcome of a mail that came with a test key: no account is opened, and nothing of the account changes.

use std::time::Duration;

use uuid::Uuid;

use super::result::{result, write_result};
use super::{Begun, Handed, begin};
use crate::delivery::Error;
use crate::delivery::runner::Run;
use crate::mail::address::EmailAddress;
use crate::outgoing::played::PlayedOutcome;
use crate::outgoing::transition::Attempt;
use crate::providers::delivery;

/// How long the reply takes where a recipient asks for a slow one.
const SLOW_REPLY: Duration = Duration::from_secs(5);

/// Plays what is due of one mail. False where nothing of it has changed.
pub(in crate::delivery) async fn play(run: &Run<'_>, id: Uuid) -> Result<bool, Error> {
    let begun = match begin(run, id).await? {
        Ok(begun) => begun,
        Err(handed) => return Ok(matches!(handed, Handed::Done)),
    };
    if recipients(&begun)
        .any(|(_, address, _)| PlayedOutcome::find(address.as_str()) == Some(PlayedOutcome::Slow))
    {
        tokio::time::sleep(SLOW_REPLY).await;
    }
    let now = run.delivery().clock.now();
    let attempts: Vec<(i64, Attempt)> = recipients(&begun)
        .map(|(position, address, attempts)| {
            (position, result(&delivery::play(address, attempts), false, now))
        })
        .collect();
    Ok(write_result(run, begun.email, &attempts).await)
}

/// Position, address and attempts of those whose attempt has begun.
fn recipients(begun: &Begun) -> impl Iterator<Item = (i64, &EmailAddress, i64)> {
    let has_begun = |position: i64| begun.positions.contains(&position);
    begun
        .email
        .recipients
        .iter()
        .filter(move |recipient| has_begun(recipient.position))
        .filter_map(|recipient| Some((recipient.position, recipient.address.as_ref()?, recipient.attempts)))
}
