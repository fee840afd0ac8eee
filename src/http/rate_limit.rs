//! Rate limits: a fixed window of 60 s from a key's first request, counted in this process. And the operator's
//! quotas, which are counted in the same way.

mod quotas;
mod windows;

use std::hash::Hash;
use std::net::IpAddr;

pub use quotas::{Quota, Quotas, Reached};
pub use windows::Exceeded;

use crate::clock::Clock;
use crate::config;
use crate::id::{TenantId, UserId};
use windows::{Kind, Windows};

/// The length of a window, in milliseconds.
const WINDOW: i64 = 60_000;

/// Which limit an operation is under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    Tier1,
    Tier2,
    /// Requests that end in 401, counted by remote address.
    Unauthenticated,
}

impl Limit {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tier1 => "tier1",
            Self::Tier2 => "tier2",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// Counts requests. A limit of 0 is switched off.
pub struct RateLimiter {
    clock: Clock,
    tier1: Kind,
    tier2: Kind,
    unauthenticated: Kind,
    windows: Windows,
}

impl RateLimiter {
    #[must_use]
    pub fn new(settings: &config::RateLimit, clock: Clock) -> Self {
        let kind = |number, most| Kind { number, length: WINDOW, most };
        Self {
            clock,
            tier1: kind(0, settings.tier1_per_minute),
            tier2: kind(1, settings.tier2_per_minute),
            unauthenticated: kind(2, settings.unauthenticated_per_minute),
            windows: Windows::default(),
        }
    }

    /// Counts one request of a user and says whether it may pass.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub fn count_user(&self, limit: Limit, tenant: &TenantId, user: &UserId) -> Result<(), Exceeded> {
        self.count(limit, &(tenant.as_str(), &user.0))
    }

    /// Counts one request that ends in 401 and says whether it may be told so. An IPv6 client is counted by
    /// its /64, of which it may use every address.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub fn count_unauthenticated(&self, remote: IpAddr) -> Result<(), Exceeded> {
        let network = match remote.to_canonical() {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        };
        self.count(Limit::Unauthenticated, &network)
    }

    fn count(&self, limit: Limit, key: &impl Hash) -> Result<(), Exceeded> {
        let kind = match limit {
            Limit::Tier1 => self.tier1,
            Limit::Tier2 => self.tier2,
            Limit::Unauthenticated => self.unauthenticated,
        };
        self.windows.count(kind, key, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn limiter(clock: &Clock) -> RateLimiter {
        let settings = config::RateLimit {
            tier1_per_minute: 1000,
            tier2_per_minute: 100,
            unauthenticated_per_minute: 3,
        };
        RateLimiter::new(&settings, clock.clone())
    }

    fn pass(limiter: &RateLimiter, limit: Limit, tenant: &str, user: &str, times: usize) -> usize {
        let (tenant, user) = (TenantId::from_operator(tenant), UserId(user.to_owned()));
        (0..times).filter(|_| limiter.count_user(limit, &tenant, &user).is_ok()).count()
    }

    #[test]
    fn h1_the_hundred_and_first_is_refused_and_nobody_else_is_touched() {
        let clock = Clock::manual(Timestamp(5_000_000));
        let limiter = limiter(&clock);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 150), 100);
        assert_eq!(pass(&limiter, Limit::Tier1, "a", "ann", 1001), 1000, "the other tier");
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "bob", 101), 100, "another user");
        assert_eq!(pass(&limiter, Limit::Tier2, "b", "ann", 101), 100, "another tenant");
    }

    #[test]
    fn the_window_is_fixed_from_the_first_request() {
        let clock = Clock::manual(Timestamp(0));
        let limiter = limiter(&clock);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 1), 1);
        clock.advance(59_001);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 99), 99);
        let refused =
            limiter.count_user(Limit::Tier2, &TenantId::from_operator("a"), &UserId("ann".to_owned()));
        assert_eq!(refused, Err(Exceeded { retry_after_seconds: 1 }));
        clock.advance(999);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 101), 100, "a new window");
    }

    #[test]
    fn the_seconds_to_wait_are_rounded_up() {
        let clock = Clock::manual(Timestamp(0));
        let limiter = limiter(&clock);
        let ip: IpAddr = "192.0.2.1".parse().expect("an address");
        for _ in 0..3 {
            assert_eq!(limiter.count_unauthenticated(ip), Ok(()));
        }
        clock.advance(1);
        assert_eq!(limiter.count_unauthenticated(ip), Err(Exceeded { retry_after_seconds: 60 }));
    }

    #[test]
    fn an_ipv6_client_cannot_escape_within_its_network() {
        let limiter = limiter(&Clock::manual(Timestamp(0)));
        let passed = (0..10)
            .filter(|host| {
                let ip: IpAddr = format!("2001:db8::{host:x}").parse().expect("an address");
                limiter.count_unauthenticated(ip).is_ok()
            })
            .count();
        assert_eq!(passed, 3);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_lock_a_user_out() {
        let clock = Clock::manual(Timestamp(10_000_000));
        let limiter = limiter(&clock);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 101), 100);
        clock.advance(-3_600_000);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 101), 100);
    }
}
