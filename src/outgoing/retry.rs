//! When a recipient is tried again after a temporary refusal.

use std::time::Duration;

use uuid::Uuid;

/// After the first, the second and each further attempt; the last one repeats.
const DELAYS: [Duration; 8] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(4),
];

/// Greylisting servers take the mail after some minutes, and not before.
const GREYLISTED_DELAYS: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(15)];

/// How long to wait after an attempt. `attempts` counts those that were made, the one that was refused included; `code`
/// is that of its diagnosis.
///
/// No number of attempts ends a mail: its lifetime does.
pub fn delay(attempts: i64, code: Option<&str>, email: Uuid, position: i64) -> Duration {
    if code == Some("TOO_MANY_RECIPIENTS") {
        // The rest of the recipients go at once, in a transaction of their own.
        return Duration::ZERO;
    }
    let made = usize::try_from(attempts.max(1) - 1).unwrap_or(usize::MAX);
    let greylisted = GREYLISTED_DELAYS.get(made).filter(|_| code == Some("GREYLISTED"));
    let delay = greylisted.unwrap_or(&DELAYS[made.min(DELAYS.len() - 1)]);
    delay.mul_f64(spread(email, position, attempts))
}

/// Between 0.8 and 1.2, so that mails that were refused together do not come back together. The same for the same
/// attempt, so that a rule stays a function.
fn spread(email: Uuid, position: i64, attempt: i64) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let numbers = [position.to_be_bytes(), attempt.to_be_bytes()].concat();
    for byte in email.as_bytes().iter().chain(&numbers) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let thousandths = u32::try_from(hash % 401).unwrap_or_default();
    0.8 + f64::from(thousandths) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(attempts: i64, code: Option<&str>) -> (f64, f64) {
        let all =
            (0..2_000).map(|position| delay(attempts, code, Uuid::nil(), position).as_secs_f64() / 60.0);
        all.fold((f64::MAX, 0.0), |(least, most), delay| (delay.min(least), delay.max(most)))
    }

    #[test]
    fn delays_grow_to_four_hours_and_are_spread_by_a_fifth() {
        let table =
            [(1, 1.0), (2, 5.0), (3, 15.0), (4, 30.0), (5, 60.0), (6, 120.0), (7, 240.0), (60, 240.0)];
        for (attempts, expected) in table {
            let (least, most) = minutes(attempts, None);
            assert!(least >= expected * 0.8 && least < expected * 0.82, "{attempts}: {least}");
            assert!(most <= expected * 1.2 && most > expected * 1.18, "{attempts}: {most}");
        }
    }

    #[test]
    fn some_codes_overrule_the_delays() {
        for (attempts, expected) in [(1, 5.0), (2, 15.0), (3, 15.0), (4, 30.0)] {
            let (least, most) = minutes(attempts, Some("GREYLISTED"));
            assert!(least >= expected * 0.8 && most <= expected * 1.2, "{attempts}: {least} {most}");
        }
        assert_eq!(minutes(3, Some("TOO_MANY_RECIPIENTS")), (0.0, 0.0));
    }
}
