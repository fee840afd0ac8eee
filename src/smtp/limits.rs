//! How long a session waits. The caller's deadline stands over all of it.
//!
//! The times are the least that RFC 5321 section 4.5.3.2 asks a client to wait, where it names one. A check that
//! somebody waits for ends earlier, by its deadline; a delivery in the background has these.

use std::time::Duration;

use tokio::time::Instant;

/// The 220 at the beginning.
pub(super) const GREETING: Duration = Duration::from_mins(5);

/// The reply to EHLO, STARTTLS, AUTH or RSET. The RFC names none; MAIL's serves.
pub(super) const COMMAND: Duration = Duration::from_mins(5);

/// A whole TLS handshake. The RFC names none; it is machine to machine.
pub(super) const HANDSHAKE: Duration = Duration::from_mins(1);

pub(super) const MAIL: Duration = Duration::from_mins(5);
pub(super) const RECIPIENT: Duration = Duration::from_mins(5);

/// The 354 to DATA.
pub(super) const DATA_START: Duration = Duration::from_mins(2);

/// The reply to the final dot.
pub(super) const DATA_END: Duration = Duration::from_mins(10);

/// Handing one command over to the network ("data block" in the RFC).
pub(super) const WRITE: Duration = Duration::from_mins(3);

/// What a server said before it closed is there at once; it is not waited for.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// What was written behind a reply is there at once, or with the next packet.
pub(super) const SURPLUS: Duration = Duration::from_millis(150);

/// QUIT is written, not answered.
pub(super) const QUIT: Duration = Duration::from_millis(500);

/// The slowest server that a message is given to, in octets a second.
const SLOWEST: u64 = 500;

/// What a short message may take: connections have a round trip and a window to open.
const TRANSFER_START: Duration = Duration::from_secs(10);

/// How long a message of so many octets may take to be handed over.
pub(super) fn transfer(octets: usize) -> Duration {
    TRANSFER_START + Duration::from_secs(octets as u64 / SLOWEST)
}

/// When a step that may take `limit` has to be over.
pub(super) fn by(limit: Duration, deadline: Instant) -> Instant {
    deadline.min(Instant::now() + limit)
}

/// How long to wait for a greeting before asking whether the server speaks TLS: three quarters of what is left.
/// Servers that let unknown callers wait (up to some six seconds) still greet within that.
pub(super) fn silence(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + patience(deadline.saturating_duration_since(now))
}

fn patience(left: Duration) -> Duration {
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
        assert_eq!(by(hour, now), now);
        assert!(by(Duration::ZERO, now + hour) < now + hour);
    }

    #[test]
    fn a_silent_server_is_asked_while_there_is_time_for_its_answer() {
        for (left, asked) in [(8, 6), (4, 3), (0, 0), (3_600, 300)] {
            assert_eq!(patience(Duration::from_secs(left)), Duration::from_secs(asked), "{left} s left");
        }
    }
}
