//! Time limits of a session's steps; none outlasts the caller's deadline.
//!
//! They are the minimum timeouts of RFC 5321 section 4.5.3.2 where it names one. An interactive check ends earlier,
//! by its deadline; a delivery in the background has these.

use std::time::Duration;

use tokio::time::Instant;

/// The greeting (220).
pub(super) const GREETING: Duration = Duration::from_mins(5);

/// The reply to EHLO, STARTTLS, AUTH or RSET. The RFC names none; MAIL's serves.
pub(super) const COMMAND: Duration = Duration::from_mins(5);

/// The whole TLS handshake. The RFC names none.
pub(super) const HANDSHAKE: Duration = Duration::from_mins(1);

pub(super) const MAIL: Duration = Duration::from_mins(5);
pub(super) const RECIPIENT: Duration = Duration::from_mins(5);

/// The 354 to DATA.
pub(super) const DATA_START: Duration = Duration::from_mins(2);

/// The reply to the final dot.
pub(super) const DATA_END: Duration = Duration::from_mins(10);

/// Handing one command over to the network ("data block" in the RFC).
pub(super) const WRITE: Duration = Duration::from_mins(3);

/// The reply that a server sent before it closed the connection: it has usually arrived already.
pub(super) const FINAL_REPLY: Duration = Duration::from_secs(1);

/// Writing RSET. Its reply is read with the next command.
pub(super) const RESET: Duration = Duration::from_secs(1);

/// Bytes that follow a reply arrive with it, or in the next packet.
pub(super) const SURPLUS: Duration = Duration::from_millis(150);

/// Writing QUIT. Its reply is not read.
pub(super) const QUIT: Duration = Duration::from_millis(500);

/// The slowest server that receives a whole message.
const MIN_OCTETS_PER_SECOND: u64 = 500;

/// Added to every transfer: a new connection has round trips, and its window opens slowly.
const TRANSFER_START: Duration = Duration::from_secs(10);

/// The time to write a message of this size.
pub(super) fn transfer(octets: usize) -> Duration {
    TRANSFER_START + Duration::from_secs(octets as u64 / MIN_OCTETS_PER_SECOND)
}

/// The end of a step that may take `limit`.
pub(super) fn within(limit: Duration, deadline: Instant) -> Instant {
    deadline.min(Instant::now() + limit)
}

/// When to stop waiting for a greeting and probe for TLS: after three quarters of the time that is left.
/// Servers that delay their greeting for unknown clients (up to some six seconds) still greet by then.
pub(super) fn greeting_deadline(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + greeting_timeout(deadline.saturating_duration_since(now))
}

fn greeting_timeout(left: Duration) -> Duration {
    (left * 3 / 4).min(GREETING)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security case E5.
    #[test]
    fn a_message_may_take_two_milliseconds_for_each_octet_and_no_more() {
        for (octets, seconds) in [(0, 10), (500, 11), (50_000, 110), (1_000_000, 2_010)] {
            assert_eq!(transfer(octets), Duration::from_secs(seconds), "{octets}");
        }
    }

    #[test]
    fn the_earlier_of_the_two_limits_holds() {
        let now = Instant::now();
        let hour = Duration::from_hours(1);
        assert_eq!(within(hour, now), now);
        assert!(within(Duration::ZERO, now + hour) < now + hour);
    }

    #[test]
    fn a_silent_server_is_asked_while_there_is_time_for_its_answer() {
        for (left, asked) in [(8, 6), (4, 3), (0, 0), (3_600, 300)] {
            assert_eq!(
                greeting_timeout(Duration::from_secs(left)),
                Duration::from_secs(asked),
                "{left} s left"
            );
        }
    }
}
