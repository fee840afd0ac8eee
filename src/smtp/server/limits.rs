//! Bounds of a server: numbers, sizes and times.

use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Where it is reached, an idle connection ends for a new one: the oldest without a sign-in, else the longest idle. Where
    /// none is idle, the new one is refused.
    pub max_connections: usize,
    /// Connections of one [peer group](super::FrontDoor::peer_group).
    pub max_connections_per_peer: usize,
    /// Minimum idle time before a connection ends for another: a new client is about to say something.
    pub min_idle: Duration,
    /// The largest message in octets, offered as SIZE.
    pub max_message: usize,
    /// Octets of messages that are held at once, over all connections. Where it is reached, a message is read to its end
    /// and refused for now. One peer group may hold a quarter, or one message.
    pub max_held_octets: usize,
    /// Recipients of a message, offered as RCPTMAX. RFC 5321 section 4.5.3.1.8 asks for 100 at least.
    pub max_recipients: usize,
    /// Messages of a connection, offered as MAILMAX.
    pub max_messages: usize,
    /// Commands that are malformed, unknown or out of order; one more ends the connection.
    pub max_bad_commands: usize,
    /// Commands without a message accepted in between; one more ends the connection. RCPT and chunks of a message are not
    /// counted.
    pub max_idle_commands: usize,
    /// The refused sign-in that ends the connection.
    pub max_refused_sign_ins: usize,
    /// A TLS handshake.
    pub handshake: Duration,
    /// Between a reply and the end of the next command.
    pub idle: Duration,
    /// Until the client has taken the replies of a flight.
    pub write: Duration,
    /// A whole message, from DATA or the first BDAT to its last octet.
    pub message: Duration,
    /// Grace before [`Self::min_octets_per_second`] applies to a message, and the longest silence within one.
    pub transfer_grace: Duration,
    pub min_octets_per_second: usize,
    /// How long open transactions may run after shutdown begins.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1_000,
            max_connections_per_peer: 100,
            min_idle: Duration::from_secs(2),
            max_message: 10 * 1024 * 1024,
            max_held_octets: 256 * 1024 * 1024,
            max_recipients: 100,
            max_messages: 1_000,
            max_bad_commands: 20,
            max_idle_commands: 200,
            max_refused_sign_ins: 3,
            handshake: Duration::from_secs(30),
            // RFC 5321 section 4.5.3.2.7.
            idle: Duration::from_mins(5),
            write: Duration::from_mins(1),
            message: Duration::from_mins(30),
            // RFC 5321 section 4.5.3.2.5: three minutes for a block of data.
            transfer_grace: Duration::from_mins(3),
            min_octets_per_second: 1_000,
            shutdown: Duration::from_secs(20),
        }
    }
}

impl Limits {
    pub(super) fn held_octets_per_peer(&self) -> usize {
        (self.max_held_octets / 4).max(self.max_message).min(self.max_held_octets)
    }

    /// What a client may take for so many octets of a message.
    pub(super) fn transfer_time(&self, octets: usize) -> Duration {
        let seconds = octets / self.min_octets_per_second.max(1);
        self.transfer_grace + Duration::from_secs(seconds as u64)
    }
}
