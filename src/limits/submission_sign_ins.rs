//! Counts sign-ins at the SMTP gateway that were refused, so that guessing and clients in a loop cost little.
//!
//! An address with too many refusals is refused for some time. A key that signed in from there within the last day can still
//! sign in: a tenant's wrong password does not lock out another tenant behind the same address. Attempts with a revoked or
//! expired key count only against that key.

use std::net::IpAddr;

use uuid::Uuid;

use super::addresses::{Addresses, network_of};
use super::windows::{WindowKind, Windows};
use crate::clock::{Clock, Timestamp};

const TEN_MINUTES: i64 = 10 * 60_000;
const DAY: i64 = 24 * 3_600_000;

/// So many refusals stop an address, or a key at an address.
const MAX_REFUSED: u32 = 20;

const fn kind(number: u8, length: i64) -> WindowKind {
    // The refusal that reaches the bound is the first that is over this one.
    WindowKind { number, length, max: MAX_REFUSED - 1 }
}

const REFUSED_ADDRESS: WindowKind = kind(0, TEN_MINUTES);
const STOPPED_ADDRESS: WindowKind = kind(1, TEN_MINUTES);
const REFUSED_KEY: WindowKind = kind(2, TEN_MINUTES);
const STOPPED_KEY: WindowKind = kind(3, TEN_MINUTES);
const ACCEPTED: WindowKind = kind(4, DAY);

/// Counts of this process.
pub struct SubmissionSignIns {
    clock: Clock,
    addresses: Addresses,
    windows: Windows,
}

impl SubmissionSignIns {
    pub fn new(clock: Clock) -> Self {
        Self { clock, addresses: Addresses::default(), windows: Windows::default() }
    }

    /// Whether a sign-in with this password is looked at; `key` is the id of the API key that it claims to be.
    pub fn may_try(&self, remote: IpAddr, key: Option<Uuid>, password: &str) -> bool {
        let (network, now) = (network_of(remote), self.clock.now());
        let is_remembered = |kind, key: u64| self.windows.lock().remembers(kind, key, now);
        let key = key.map(|key| self.windows.key(STOPPED_KEY, &(network, key)));
        if key.is_some_and(|key| is_remembered(STOPPED_KEY, key)) {
            return false;
        }
        !is_remembered(STOPPED_ADDRESS, self.windows.key(STOPPED_ADDRESS, &network))
            || is_remembered(ACCEPTED, self.windows.key(ACCEPTED, &(network, password)))
    }

    /// A sign-in was accepted.
    pub fn accepted(&self, remote: IpAddr, password: &str) {
        let key = self.windows.key(ACCEPTED, &(network_of(remote), password));
        self.remember(ACCEPTED, key);
    }

    /// The presented password is not a known key.
    pub fn refused(&self, remote: IpAddr) {
        if self.addresses.count(REFUSED_ADDRESS, remote, self.clock.now()).is_err() {
            let key = self.windows.key(STOPPED_ADDRESS, &network_of(remote));
            self.remember(STOPPED_ADDRESS, key);
        }
    }

    /// A key was presented that may not be used any more.
    pub fn refused_key(&self, remote: IpAddr, key: Uuid) {
        let key = (network_of(remote), key);
        if self.windows.count(REFUSED_KEY, &key, self.clock.now()).is_err() {
            self.remember(STOPPED_KEY, self.windows.key(STOPPED_KEY, &key));
        }
    }

    fn remember(&self, kind: WindowKind, key: u64) {
        let now = self.clock.now();
        self.windows.lock().remember(key, Timestamp(now.0 + kind.length), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));

    fn started() -> (Clock, SubmissionSignIns) {
        let clock = Clock::manual(Timestamp(1_000_000));
        (clock.clone(), SubmissionSignIns::new(clock))
    }

    #[test]
    fn twenty_refusals_stop_an_address_for_ten_minutes() {
        let (clock, sign_ins) = started();
        for _ in 0..19 {
            sign_ins.refused(HERE);
            clock.advance(20_000);
        }
        assert!(sign_ins.may_try(HERE, None, "x"));
        sign_ins.refused(HERE);
        assert!(!sign_ins.may_try(HERE, Some(Uuid::nil()), "x"));
        assert!(sign_ins.may_try(ELSEWHERE, None, "x"));
        clock.advance(TEN_MINUTES - 1);
        assert!(!sign_ins.may_try(HERE, None, "x"), "from the last one on");
        clock.advance(1);
        assert!(sign_ins.may_try(HERE, None, "x"));
    }

    #[test]
    fn a_key_that_signed_in_from_there_is_heard_all_the_same() {
        let (clock, sign_ins) = started();
        sign_ins.accepted(HERE, "the key");
        for _ in 0..MAX_REFUSED {
            sign_ins.refused(HERE);
        }
        assert!(sign_ins.may_try(HERE, Some(Uuid::nil()), "the key"));
        assert!(!sign_ins.may_try(HERE, Some(Uuid::nil()), "another key"));
        clock.advance(DAY - TEN_MINUTES);
        for _ in 0..MAX_REFUSED {
            sign_ins.refused(HERE);
        }
        assert!(sign_ins.may_try(HERE, None, "the key"));
        clock.advance(TEN_MINUTES);
        for _ in 0..MAX_REFUSED {
            sign_ins.refused(HERE);
        }
        assert!(!sign_ins.may_try(HERE, None, "the key"), "a day later");
    }

    #[test]
    fn a_revoked_key_in_a_loop_stops_nobody_else() {
        let (clock, sign_ins) = started();
        let (revoked, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for _ in 0..MAX_REFUSED {
            assert!(sign_ins.may_try(HERE, Some(revoked), "revoked"));
            sign_ins.refused_key(HERE, revoked);
        }
        assert!(!sign_ins.may_try(HERE, Some(revoked), "revoked"));
        assert!(sign_ins.may_try(HERE, Some(other), "other"));
        assert!(sign_ins.may_try(ELSEWHERE, Some(revoked), "revoked"));
        clock.advance(TEN_MINUTES);
        assert!(sign_ins.may_try(HERE, Some(revoked), "revoked"));
    }
}
