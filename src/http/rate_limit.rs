//! Rate limits: a fixed window of 60 s from a key's first request, counted in this process.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::config;
use crate::id::{TenantId, UserId};

/// The length of a window, in milliseconds.
const WINDOW: i64 = 60_000;

/// The most keys that are counted one by one. Beyond it new keys share one window: never an unlimited pass.
const MAX_KEYS: usize = 500_000;

/// Which limit an operation is under.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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

/// Over the limit; the window ends in so many whole seconds (at least one).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded {
    pub retry_after_seconds: u64,
}

/// Counts requests. A limit of 0 is switched off.
pub struct RateLimiter {
    settings: config::RateLimit,
    clock: Clock,
    hasher: RandomState,
    windows: Mutex<HashMap<u64, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    end: Timestamp,
    count: u32,
}

/// The key of the window that is shared once [`MAX_KEYS`] are in use.
const SHARED: u64 = 0;

impl RateLimiter {
    #[must_use]
    pub fn new(settings: config::RateLimit, clock: Clock) -> Self {
        Self { settings, clock, hasher: RandomState::new(), windows: Mutex::default() }
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
        let allowed = match limit {
            Limit::Tier1 => self.settings.tier1_per_minute,
            Limit::Tier2 => self.settings.tier2_per_minute,
            Limit::Unauthenticated => self.settings.unauthenticated_per_minute,
        };
        if allowed == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        let key = self.hasher.hash_one((limit, key));
        let mut windows = self.windows.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = if windows.contains_key(&key) || has_room(&mut windows, now) { key } else { SHARED };
        let window = windows.entry(key).or_insert(Window { end: Timestamp(now.0 + WINDOW), count: 0 });
        // A clock that was set back would otherwise hold a window open for longer than a minute.
        if window.end <= now || window.end.0 > now.0 + WINDOW {
            *window = Window { end: Timestamp(now.0 + WINDOW), count: 0 };
        }
        window.count = window.count.saturating_add(1);
        if window.count > allowed {
            let left = (window.end.0 - now.0).max(1);
            return Err(Exceeded { retry_after_seconds: left.unsigned_abs().div_ceil(1000) });
        }
        Ok(())
    }
}

fn has_room(windows: &mut HashMap<u64, Window>, now: Timestamp) -> bool {
    if windows.len() >= MAX_KEYS {
        windows.retain(|_, window| window.end > now);
    }
    windows.len() < MAX_KEYS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(clock: &Clock) -> RateLimiter {
        let settings = config::RateLimit {
            tier1_per_minute: 1000,
            tier2_per_minute: 100,
            unauthenticated_per_minute: 3,
        };
        RateLimiter::new(settings, clock.clone())
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

    #[test]
    fn beyond_the_largest_number_of_keys_new_ones_share_a_window() {
        let mut windows: HashMap<u64, Window> =
            (1..=MAX_KEYS as u64).map(|key| (key, Window { end: Timestamp(60_000), count: 1 })).collect();
        assert!(!has_room(&mut windows, Timestamp(0)), "all are in use");
        assert!(has_room(&mut windows, Timestamp(60_000)), "all have ended");
        assert!(windows.is_empty());
    }
}
