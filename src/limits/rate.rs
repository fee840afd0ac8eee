//! Rate limits: fixed windows of 60 s from a key's first request, counted by this process, or by the database for all
//! replicas.

mod leases;
mod shared;

use std::net::IpAddr;

use super::addresses::Addresses;
use super::windows::{Exceeded, WindowKind, Windows};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::id::{TenantId, UserId};
use crate::store::{Db, DbError};
use shared::{LimitedUser, Shared};

/// The length of a window, in milliseconds.
const WINDOW: i64 = 60_000;

/// Which limit an operation is under.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Limit {
    Tier1,
    Tier2,
    /// Requests of the send API, counted for the whole tenant.
    Send,
    /// Requests that end in 401, counted by remote address.
    Unauthenticated,
    /// Sign-ins to the console, counted by remote address.
    SignIn,
}

impl Limit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tier1 => "tier1",
            Self::Tier2 => "tier2",
            Self::Send => "send",
            Self::Unauthenticated => "unauthenticated",
            Self::SignIn => "sign_in",
        }
    }

    /// Part of the keys in the database: never changed.
    fn number(self) -> u8 {
        match self {
            Self::Tier1 => 0,
            Self::Tier2 => 1,
            Self::Unauthenticated => 2,
            Self::SignIn => 3,
            Self::Send => 4,
        }
    }
}

/// Why a request does not pass.
#[derive(Clone, Debug)]
pub enum Refused {
    Exceeded(Exceeded),
    /// The request could not be counted.
    Database(DbError),
}

impl From<Exceeded> for Refused {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

impl From<DbError> for Refused {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

/// Counts requests. A limit of 0 means no limit.
pub struct RateLimiter {
    clock: Clock,
    settings: config::RateLimit,
    /// Users that are counted by this process alone.
    windows: Windows,
    /// Addresses that are counted by this process alone: in a table of their own, so that no user pays for strangers.
    addresses: Addresses,
    /// Where one limit is over all replicas.
    shared: Option<Shared<Db>>,
}

impl RateLimiter {
    pub fn new(config: &Config, clock: Clock, db: &Db) -> Self {
        let shared = config.shares_rate_limits().then(|| Shared::new(clock.clone(), db.clone()));
        Self {
            clock,
            settings: config.rate_limit.clone(),
            windows: Windows::default(),
            addresses: Addresses::default(),
            shared,
        }
    }

    /// Counts one request of a user and says whether it may pass.
    pub async fn count_user(&self, limit: Limit, tenant: &TenantId, user: &UserId) -> Result<(), Refused> {
        let all_users = UserId("".into());
        let user = if limit == Limit::Send { &all_users } else { user };
        let (max, counted) = (self.kind(limit).max, LimitedUser { limit, tenant, user });
        match (&self.shared, limit) {
            (Some(_), _) if max == 0 => Ok(()),
            (Some(shared), Limit::Tier1 | Limit::Send) => shared.count_leased(&counted, max).await,
            (Some(shared), _) => shared.count_one(&counted, max).await,
            (None, _) => Ok(self.count_user_locally(limit, tenant, user)?),
        }
    }

    /// Counts one request of the platform that names no tenant and says whether it may pass.
    pub async fn count_platform(&self, limit: Limit, user: &UserId) -> Result<(), Refused> {
        // No tenant has this name.
        self.count_user(limit, &TenantId::from_operator("*"), user).await
    }

    /// Counts in this process alone: for operations that need no database, while it is not available.
    pub fn count_user_locally(&self, limit: Limit, tenant: &TenantId, user: &UserId) -> Result<(), Exceeded> {
        self.windows.count(self.kind(limit), &(tenant.as_str(), user.as_str()), self.clock.now())
    }

    /// Counts one request that ends in 401 and says whether it gets that answer.
    pub async fn count_unauthenticated(&self, remote: IpAddr) -> Result<(), Exceeded> {
        let kind = self.kind(Limit::Unauthenticated);
        match &self.shared {
            Some(_) if kind.max == 0 => Ok(()),
            Some(shared) => shared.count_unauthenticated(kind.max, remote).await,
            None => self.addresses.count(kind, remote, self.clock.now()),
        }
    }

    /// Counts one request that makes the service ask the provider of the console's sign-in, in this process.
    pub fn count_sign_in(&self, remote: IpAddr) -> Result<(), Exceeded> {
        self.addresses.count(self.kind(Limit::SignIn), remote, self.clock.now())
    }

    fn kind(&self, limit: Limit) -> WindowKind {
        let max = match limit {
            Limit::Tier1 => self.settings.tier1_per_minute,
            Limit::Tier2 => self.settings.tier2_per_minute,
            Limit::Send => self.settings.send_per_minute,
            Limit::Unauthenticated => self.settings.unauthenticated_per_minute,
            Limit::SignIn => self.settings.sign_ins_per_minute,
        };
        WindowKind { number: limit.number(), length: WINDOW, max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn limiter(clock: &Clock) -> RateLimiter {
        let mut settings = Config::default().rate_limit;
        settings.unauthenticated_per_minute = 3;
        RateLimiter {
            clock: clock.clone(),
            settings,
            windows: Windows::default(),
            addresses: Addresses::default(),
            shared: None,
        }
    }

    async fn pass(limiter: &RateLimiter, limit: Limit, tenant: &str, user: &str, times: usize) -> usize {
        let (tenant, user) = (TenantId::from_operator(tenant), UserId(user.into()));
        let mut passed = 0;
        for _ in 0..times {
            passed += usize::from(limiter.count_user(limit, &tenant, &user).await.is_ok());
        }
        passed
    }

    /// Security case H1.
    #[tokio::test]
    async fn the_hundred_and_first_is_refused_and_nobody_else_is_touched() {
        let clock = Clock::manual(Timestamp(5_000_000));
        let limiter = limiter(&clock);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 150).await, 100);
        assert_eq!(pass(&limiter, Limit::Tier1, "a", "ann", 1001).await, 1000, "the other tier");
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "bob", 101).await, 100, "another user");
        assert_eq!(pass(&limiter, Limit::Tier2, "b", "ann", 101).await, 100, "another tenant");
    }

    #[tokio::test]
    async fn the_window_is_fixed_from_the_first_request() {
        let clock = Clock::manual(Timestamp(0));
        let limiter = limiter(&clock);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 1).await, 1);
        clock.advance(59_001);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 99).await, 99);
        let (tenant, user) = (TenantId::from_operator("a"), UserId("ann".into()));
        let refused = limiter.count_user(Limit::Tier2, &tenant, &user).await;
        assert!(
            matches!(refused, Err(Refused::Exceeded(Exceeded { retry_after_seconds: 1 }))),
            "{refused:?}"
        );
        clock.advance(999);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 101).await, 100, "a new window");
    }

    /// Security case M8.
    #[tokio::test]
    async fn addresses_without_a_token_take_no_room_from_users() {
        let limiter = limiter(&Clock::manual(Timestamp(0)));
        for number in 0..510_000_u128 {
            let address = IpAddr::V6(((0x2001_0db8_u128 << 96) | (number << 64)).into());
            let _ = limiter.count_unauthenticated(address).await;
        }
        for number in 0..130 {
            assert_eq!(pass(&limiter, Limit::Tier2, &format!("t{number}"), "ann", 1).await, 1);
        }
    }

    #[tokio::test]
    async fn the_seconds_to_wait_are_rounded_up() {
        let clock = Clock::manual(Timestamp(0));
        let limiter = limiter(&clock);
        let ip: IpAddr = "192.0.2.1".parse().expect("an address");
        for _ in 0..3 {
            assert_eq!(limiter.count_unauthenticated(ip).await, Ok(()));
        }
        clock.advance(1);
        assert_eq!(limiter.count_unauthenticated(ip).await, Err(Exceeded { retry_after_seconds: 60 }));
    }

    #[tokio::test]
    async fn an_ipv6_client_cannot_escape_within_its_network() {
        let limiter = limiter(&Clock::manual(Timestamp(0)));
        let mut passed = 0;
        for host in 0..10 {
            let ip: IpAddr = format!("2001:db8::{host:x}").parse().expect("an address");
            passed += usize::from(limiter.count_unauthenticated(ip).await.is_ok());
        }
        assert_eq!(passed, 3);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_does_not_lock_a_user_out() {
        let clock = Clock::manual(Timestamp(10_000_000));
        let limiter = limiter(&clock);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 101).await, 100);
        clock.advance(-3_600_000);
        assert_eq!(pass(&limiter, Limit::Tier2, "a", "ann", 101).await, 100);
    }
}
