//! How fast an account may send: GCRA (ITU-T I.371) for the minute, a count for the day, and what throttling changes.

mod preset;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What an account's provider allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Sessions at the same time.
    pub connections: usize,
    /// Mails per minute; none is no bound.
    pub per_minute: Option<u32>,
    /// Mails that may go out at once after a pause.
    pub burst: u32,
    /// Recipients in 24 hours; none is no bound.
    pub per_day: Option<u32>,
    /// Mails on one session, after which another one is opened.
    pub mails_per_session: u32,
    /// Whether the rate grows while the provider does not throttle.
    pub grows: bool,
}

/// What is kept of an account's sending.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PaceState {
    /// When the next mail would be due if mails came evenly, in milliseconds; a column of its own.
    #[serde(skip)]
    pub due: i64,
    /// The rate, where it is not the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    /// The recipients of the last 24 hours: the hour since 1970, and their number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hours: Vec<(i64, u32)>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Rate {
    per_hour: u32,
    /// Since when it has not been raised.
    since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throttled_at: Option<i64>,
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// After throttling the rate grows by a tenth each time.
const QUIET: i64 = 5 * MINUTE;

/// Mails in hand together are throttled together, which halves the rate once.
const ONE_THROTTLING: i64 = 10_000;

/// The fastest that a rate grows to, per hour.
const MAX_GROWN: u32 = 6_000 * 60;

/// What an account without a bound begins with after throttling, per hour; twice that is no bound again.
const UNBOUNDED: u32 = 600 * 60;

const MIN_PER_HOUR: u32 = 60;

impl Pace {
    /// With the bounds of an operator or a tenant in the place of these. `per_minute` and `per_day` of 0 are no bound.
    #[must_use]
    pub fn with(
        self,
        connections: Option<usize>,
        per_minute: Option<u32>,
        burst: Option<u32>,
        per_day: Option<u32>,
    ) -> Self {
        let bound =
            |given: Option<u32>, preset| given.map_or(preset, |given| Some(given).filter(|most| *most > 0));
        Self {
            connections: connections.unwrap_or(self.connections),
            per_minute: bound(per_minute, self.per_minute),
            burst: burst.unwrap_or(self.burst),
            per_day: bound(per_day, self.per_day),
            // A rate that was named is that rate.
            grows: self.grows && per_minute.is_none(),
            ..self
        }
    }

    /// The rate now, per hour, with what is kept of it.
    fn rate(&self, state: &PaceState, now: Timestamp) -> (Option<u32>, Option<Rate>) {
        let preset = self.per_minute.map(|per_minute| per_minute.max(1).saturating_mul(60));
        let Some(rate) = state.rate else {
            let begins = preset.filter(|_| self.grows);
            return (preset, begins.map(|per_hour| Rate { per_hour, since: now.0, throttled_at: None }));
        };
        let step = if self.grows { MINUTE } else { QUIET };
        let steps = (now.0 - rate.since).max(0) / step;
        let (steps, since) = match steps {
            0 => (0, rate.since),
            // Only a minute in which something was sent has shown anything.
            _ if self.grows => (1, now.0),
            _ => (steps, rate.since + steps * step),
        };
        let most = if self.grows { MAX_GROWN } else { preset.unwrap_or(2 * UNBOUNDED) };
        let mut per_hour = rate.per_hour;
        for _ in 0..steps.min(100) {
            per_hour = per_hour.saturating_add((per_hour / 10).max(1)).min(most);
        }
        if per_hour >= most && !self.grows {
            return (preset, None);
        }
        let per_hour = per_hour.min(most);
        (Some(per_hour), Some(Rate { per_hour, since, ..rate }))
    }

    /// The time between two mails, and how much earlier than that the mails of a burst may go; in milliseconds.
    fn interval(&self, per_hour: u32) -> (i64, i64) {
        let interval = HOUR / i64::from(per_hour.max(1));
        (interval, interval * i64::from(self.burst.max(1) - 1))
    }

    /// The state after a mail has gone now.
    ///
    /// # Errors
    /// How long to wait before it may go.
    pub fn admit(&self, state: &PaceState, now: Timestamp) -> Result<PaceState, Duration> {
        let (per_hour, rate) = self.rate(state, now);
        let mut next = PaceState { rate, ..state.clone() };
        let Some(per_hour) = per_hour else {
            // A pause that the server has asked for counts without a bound as well.
            let wait = state.due - now.0;
            return if wait > 0 { Err(Duration::from_millis(wait.unsigned_abs())) } else { Ok(next) };
        };
        let (interval, tolerance) = self.interval(per_hour);
        let wait = state.due - tolerance - now.0;
        if wait > 0 {
            return Err(Duration::from_millis(wait.unsigned_abs()));
        }
        next.due = state.due.max(now.0) + interval;
        Ok(next)
    }

    /// The state after the server has said that the account sends too fast: it waits as long as it was asked to, or sends
    /// half as fast from now on.
    #[must_use]
    pub fn throttle(&self, state: &PaceState, retry_after: Option<Duration>, now: Timestamp) -> PaceState {
        let (per_hour, rate) = self.rate(state, now);
        if let Some(asked) = retry_after {
            let tolerance = per_hour.map_or(0, |per_hour| self.interval(per_hour).1);
            let due = now.after(asked).0.saturating_add(tolerance).max(state.due);
            return PaceState { due, rate, ..state.clone() };
        }
        let is_known = rate
            .and_then(|rate| rate.throttled_at)
            .is_some_and(|at| (0..ONE_THROTTLING).contains(&(now.0 - at)));
        if is_known {
            return PaceState { rate, ..state.clone() };
        }
        let per_hour = per_hour.map_or(UNBOUNDED, |per_hour| per_hour / 2).max(MIN_PER_HOUR);
        let (interval, tolerance) = self.interval(per_hour);
        PaceState {
            due: state.due.max(now.0 + interval + tolerance),
            rate: Some(Rate { per_hour, since: now.0, throttled_at: Some(now.0) }),
            hours: state.hours.clone(),
        }
    }

    /// When the daily limit allows another recipient; none while it is not reached.
    pub fn day_is_over_at(&self, state: &PaceState, now: Timestamp) -> Option<Timestamp> {
        let per_day = u64::from(self.per_day?);
        let counted = || state.hours.iter().filter(|(hour, _)| (hour + 1) * HOUR + DAY > now.0);
        let sum: u64 = counted().map(|(_, recipients)| u64::from(*recipients)).sum();
        if sum < per_day {
            return None;
        }
        counted().map(|(hour, _)| Timestamp((hour + 1) * HOUR + DAY)).min()
    }
}

impl PaceState {
    /// The recipients of the last hour, at least: those of the hours that it touches.
    pub fn recipients_of_last_hour(&self, now: Timestamp) -> u32 {
        let touched = self.hours.iter().filter(|(hour, _)| (hour + 1) * HOUR + HOUR > now.0);
        touched.map(|(_, recipients)| *recipients).fold(0, u32::saturating_add)
    }

    /// Counts the recipients of a mail that goes now.
    pub fn count(&mut self, recipients: usize, now: Timestamp) {
        let hour = now.0.div_euclid(HOUR);
        self.hours.retain(|(counted, _)| (counted + 1) * HOUR + DAY > now.0);
        let recipients = u32::try_from(recipients).unwrap_or(u32::MAX);
        match self.hours.iter_mut().find(|(counted, _)| *counted == hour) {
            Some((_, count)) => *count = count.saturating_add(recipients),
            None => self.hours.push((hour, recipients)),
        }
    }
}

#[cfg(test)]
mod tests;
