//! The clocks, passed in, so that a test decides what time it is.
//!
//! The wall clock says what time it is, to compare with what others wrote down. It may be set, forward and back. How
//! long something may still be used is counted on the other clock, which only runs on.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, as it stands in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// So much later; the last moment that can be written where there is none.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// ISO 8601 with milliseconds and `Z`: `2022-06-30T09:57:40.954Z`. 1970 where the year has not four digits.
    pub fn to_iso(self) -> String {
        let moment = OffsetDateTime::from_unix_timestamp(self.seconds()).ok();
        let moment = moment.filter(|moment| (0..=9999).contains(&moment.year()));
        let Some(moment) = moment else { return "1970-01-01T00:00:00.000Z".to_owned() };
        let (date, time) = (moment.date(), moment.time());
        let parts = [
            (u64::from(date.year().unsigned_abs()), 0..4),
            (u8::from(date.month()).into(), 5..7),
            (date.day().into(), 8..10),
            (time.hour().into(), 11..13),
            (time.minute().into(), 14..16),
            (time.second().into(), 17..19),
            (self.0.rem_euclid(1000).unsigned_abs(), 20..23),
        ];
        // Digit by digit: a description of the format that is followed at run time takes many times as long, and
        // every answer has two of them.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (mut number, place) in parts {
            for digit in text[place].iter_mut().rev() {
                *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whole seconds since 1970, as a JSON Web Token counts (RFC 7519 `NumericDate`).
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Where the service reads the time. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// Stands still until a test moves it.
    Manual(Arc<ManualClock>),
}

/// Both times of a manual clock, in milliseconds.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    elapsed: AtomicU64,
}

impl Clock {
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(ManualClock { wall: AtomicI64::new(start.0), elapsed: AtomicU64::new(0) }))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Manual(manual) => Timestamp(manual.wall.load(Ordering::SeqCst)),
        }
    }

    /// The time since some moment of this process. It never goes back, and does not jump when the wall clock is set.
    pub fn elapsed(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        match self {
            Self::System => START.get_or_init(Instant::now).elapsed(),
            Self::Manual(manual) => Duration::from_millis(manual.elapsed.load(Ordering::SeqCst)),
        }
    }

    /// Lets time pass on a manual clock; the system clock stays as it is. A negative number sets the wall clock back.
    pub fn advance(&self, milliseconds: i64) {
        self.set_by(milliseconds);
        if let (Self::Manual(manual), Ok(passed)) = (self, u64::try_from(milliseconds)) {
            manual.elapsed.fetch_add(passed, Ordering::SeqCst);
        }
    }

    /// Sets the wall clock of a manual clock forward or back, while no time passes.
    pub fn set_by(&self, milliseconds: i64) {
        if let Self::Manual(manual) = self {
            manual.wall.fetch_add(milliseconds, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::format_description;

    use super::*;

    #[test]
    fn iso_form_has_milliseconds_and_z() {
        assert_eq!(Timestamp(1_656_583_060_954).to_iso(), "2022-06-30T09:57:40.954Z");
        assert_eq!(Timestamp(0).to_iso(), "1970-01-01T00:00:00.000Z");
        for beyond in [i64::MIN, -62_167_219_200_001, 253_402_300_800_000, i64::MAX] {
            assert_eq!(Timestamp(beyond).to_iso(), "1970-01-01T00:00:00.000Z", "{beyond}");
        }
    }

    proptest! {
        #[test]
        fn iso_form_is_that_of_the_calendar(milliseconds in -62_167_219_200_000..253_402_300_800_000_i64) {
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
            let expected = moment.expect("in range").format(&format).expect("it has all parts");
            prop_assert_eq!(Timestamp(milliseconds).to_iso(), expected);
        }
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp(1000));
        assert_eq!(clock.now(), Timestamp(1000));
        clock.advance(61_000);
        assert_eq!(clock.now(), Timestamp(62_000));
    }

    /// Security case K12.
    #[test]
    fn no_time_passes_where_the_wall_clock_is_set() {
        let clock = Clock::manual(Timestamp(1000));
        clock.advance(61_000);
        for jump in [3_600_000, -3_600_000, -3_600_000, 1000] {
            clock.set_by(jump);
        }
        assert_eq!((clock.now(), clock.elapsed()), (Timestamp(62_000 - 3_599_000), Duration::from_secs(61)));
        assert!(Clock::System.elapsed() <= Clock::System.elapsed());
    }
}
