//! Limits how often mail servers refuse sign-ins, so that this service is no tool to guess passwords, and no server
//! blocks it for all tenants.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use moka::sync::Cache;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::quotas::{Quota, QuotaExceeded};
use super::windows::{Exceeded, WindowKind, Windows};
use crate::clock::Clock;
use crate::config;
use crate::id::TenantId;

const TEN_MINUTES: i64 = 600_000;
const HOUR: i64 = 6 * TEN_MINUTES;

/// The accounts whose last verdict is remembered; one takes some 100 bytes.
const MAX_VERDICTS: u64 = 100_000;

/// Counts refused sign-ins. Each process counts on its own.
pub struct RefusedSignIns {
    clock: Clock,
    of_tenant: WindowKind,
    to_account: WindowKind,
    at_destination: WindowKind,
    windows: Windows,
    /// The codes of the last diagnoses, by account.
    verdicts: Cache<u64, &'static str>,
    /// Sign-ins under way whose outcome is not known, by destination: each may be refused.
    under_way: Mutex<HashMap<u64, u32>>,
    /// One of them has ended.
    ended: Notify,
}

/// Whether a sign-in may begin at a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It has to be ended with [`RefusedSignIns::end_at_destination`].
    Admitted,
    /// Those under way would reach the limit if all of them were refused: wait for the end of one.
    Full,
    Barred(SignInBarred),
}

/// The account that a tenant signs in to.
#[derive(Clone, Debug)]
pub struct SignInTarget {
    pub tenant: TenantId,
    /// In lower case, without a final dot.
    pub host: String,
    pub user: String,
    /// All tenants share this server's addresses, and it looks after its mailboxes itself.
    pub is_public_service: bool,
}

/// Too many refused sign-ins, and the code of the last diagnosis where it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignInBarred {
    pub exceeded: QuotaExceeded,
    pub verdict: Option<&'static str>,
}

impl SignInBarred {
    /// Sign-ins of others at the same address have not ended in time.
    pub fn by_others() -> Self {
        barred(Quota::SignInsAtDestination, Exceeded { retry_after_seconds: 1 }, None)
    }
}

impl RefusedSignIns {
    pub fn new(settings: &config::Quotas, clock: Clock) -> Self {
        let kind = |number, length, max| WindowKind { number, length, max };
        Self {
            clock,
            of_tenant: kind(0, HOUR, settings.refused_sign_ins_per_tenant_per_hour),
            to_account: kind(1, TEN_MINUTES, settings.refused_sign_ins_per_account_per_ten_minutes),
            at_destination: kind(2, TEN_MINUTES, settings.refused_sign_ins_per_destination_per_ten_minutes),
            windows: Windows::default(),
            verdicts: Cache::new(MAX_VERDICTS),
            under_way: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Whether a tenant may try to sign in now. Asked before anything is connected to.
    pub fn check(&self, target: &SignInTarget) -> Result<(), SignInBarred> {
        let (account, tenant) = (self.account_key(target), self.tenant_key(target));
        let verdict = || self.verdicts.get(&account);
        let now = self.clock.now();
        let table = self.windows.lock();
        table
            .check(self.to_account, account, now)
            .map_err(|exceeded| barred(Quota::SignInsToAccount, exceeded, verdict()))?;
        table
            .check(self.of_tenant, tenant, now)
            .map_err(|exceeded| barred(Quota::SignInsOfTenant, exceeded, verdict()))
    }

    /// Begins a sign-in at this address, where anybody may try one now. Asked when the address is known.
    pub fn begin_at_destination(&self, target: &SignInTarget, address: IpAddr) -> Admission {
        let kind = self.at_destination;
        if kind.max == 0 {
            return Admission::Admitted;
        }
        let key = self.destination_key(target, address);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let left = match self.windows.lock().left(kind, key, self.clock.now()) {
            Ok(left) => left,
            Err(exceeded) => return Admission::Barred(barred(Quota::SignInsAtDestination, exceeded, None)),
        };
        let count = under_way.entry(key).or_insert(0);
        if *count >= left {
            return Admission::Full;
        }
        *count += 1;
        Admission::Admitted
    }

    /// Ends a sign-in that has begun at this address. A refused one counts.
    pub fn end_at_destination(&self, target: &SignInTarget, address: IpAddr, is_refused: bool) {
        let kind = self.at_destination;
        if kind.max == 0 {
            return;
        }
        let key = self.destination_key(target, address);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if is_refused {
            self.count_in(kind, key);
        }
        if let Some(count) = under_way.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                under_way.remove(&key);
            }
        }
        drop(under_way);
        self.ended.notify_waiters();
    }

    /// The end of any sign-in from now on.
    pub fn next_end(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// Counts a refused sign-in.
    pub fn count(&self, target: &SignInTarget, verdict: &'static str) {
        let (account, tenant) = (self.account_key(target), self.tenant_key(target));
        self.verdicts.insert(account, verdict);
        self.count_in(self.to_account, account);
        self.count_in(self.of_tenant, tenant);
    }

    fn count_in(&self, kind: WindowKind, key: u64) {
        if kind.max > 0 {
            // Whether it was one too many is asked before the next one.
            let _ = self.windows.lock().count(kind, key, self.clock.now());
        }
    }

    fn account_key(&self, target: &SignInTarget) -> u64 {
        self.windows.key(self.to_account, &(target.tenant.as_str(), &target.host, &target.user))
    }

    fn tenant_key(&self, target: &SignInTarget) -> u64 {
        self.windows.key(self.of_tenant, &target.tenant.as_str())
    }

    fn destination_key(&self, target: &SignInTarget, address: IpAddr) -> u64 {
        if target.is_public_service {
            self.windows.key(self.at_destination, &(&target.host, target.user.to_lowercase()))
        } else {
            self.windows.key(self.at_destination, &address.to_canonical())
        }
    }
}

fn barred(quota: Quota, exceeded: Exceeded, verdict: Option<&'static str>) -> SignInBarred {
    let exceeded = QuotaExceeded { quota, retry_after_seconds: exceeded.retry_after_seconds };
    SignInBarred { exceeded, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn target(tenant: &str, host: &str, user: &str) -> SignInTarget {
        let tenant = TenantId::from_operator(tenant);
        SignInTarget {
            tenant,
            host: host.to_owned(),
            user: user.to_owned(),
            is_public_service: host == "public",
        }
    }

    fn limits() -> (RefusedSignIns, Clock) {
        let clock = Clock::manual(Timestamp(1_000));
        (RefusedSignIns::new(&config::Config::default().quotas, clock.clone()), clock)
    }

    /// How many sign-ins at this address are tried, all of which are refused.
    fn tried(limits: &RefusedSignIns, target: &SignInTarget, address: &str, times: usize) -> usize {
        let address = address.parse().expect("an address");
        let attempt = || {
            limits.check(target)?;
            match limits.begin_at_destination(target, address) {
                Admission::Admitted => {}
                Admission::Full => panic!("one after the other"),
                Admission::Barred(barred) => return Err(barred),
            }
            limits.count(target, "AUTH_REJECTED");
            limits.end_at_destination(target, address, true);
            Ok::<(), SignInBarred>(())
        };
        (0..times).filter(|_| attempt().is_ok()).count()
    }

    /// Security case M6.
    #[test]
    fn an_account_gets_five_a_tenant_twenty_and_an_address_six() {
        let (limits, clock) = limits();
        assert_eq!(tried(&limits, &target("a", "mx", "ceo"), "192.0.2.1", 50), 5);
        let barred = limits.check(&target("a", "mx", "ceo")).expect_err("too many");
        assert_eq!((barred.exceeded.retry_after_seconds, barred.verdict), (600, Some("AUTH_REJECTED")));
        assert_eq!(
            tried(&limits, &target("b", "mx", "ceo"), "192.0.2.1", 50),
            1,
            "the sixth at this address"
        );
        assert_eq!(
            tried(&limits, &target("b", "other", "ceo"), "::ffff:192.0.2.1", 50),
            0,
            "by another name"
        );
        let elsewhere = (0..50)
            .map(|number| {
                tried(&limits, &target("a", "mx", &format!("u{number}")), &format!("192.0.2.{number}"), 1)
            })
            .sum::<usize>();
        assert_eq!(elsewhere, 15, "twenty with the five before, none at the first address");
        clock.advance(TEN_MINUTES);
        assert_eq!(tried(&limits, &target("b", "mx", "ceo"), "192.0.2.1", 50), 5, "the next ten minutes");
        assert_eq!(tried(&limits, &target("a", "mx", "ceo"), "192.0.2.9", 50), 0, "the same hour");
        clock.advance(HOUR - TEN_MINUTES);
        assert_eq!(tried(&limits, &target("a", "mx", "ceo"), "192.0.2.9", 50), 5, "the next hour");
    }

    /// Security case M6.
    #[test]
    fn sign_ins_under_way_count_as_refused_until_they_end() {
        let (limits, clock) = limits();
        let address = "192.0.2.1".parse().expect("an address");
        let of = |number: usize| target(&format!("t{number}"), "mx", "ceo");
        let begin = |number| limits.begin_at_destination(&of(number), address);
        let end = |number, is_refused| limits.end_at_destination(&of(number), address, is_refused);
        for number in 0..6 {
            assert_eq!(begin(number), Admission::Admitted);
        }
        assert_eq!(begin(6), Admission::Full);
        end(0, false);
        assert_eq!(
            (begin(6), begin(7)),
            (Admission::Admitted, Admission::Full),
            "a success gives its place back"
        );
        for number in 1..=6 {
            end(number, true);
        }
        let barred = |admission| matches!(admission, Admission::Barred(barred) if barred.verdict.is_none());
        assert!(barred(begin(7)));
        clock.advance(TEN_MINUTES);
        assert_eq!(begin(7), Admission::Admitted);
        end(7, false);
        assert!(limits.under_way.lock().expect("not poisoned").is_empty(), "nothing is kept");
    }

    /// Security case M6.
    #[test]
    fn at_a_public_service_nobody_pays_for_the_mailboxes_of_others() {
        let (limits, _) = limits();
        assert_eq!(tried(&limits, &target("a", "public", "eve"), "192.0.2.1", 50), 5);
        assert_eq!(
            tried(&limits, &target("b", "public", "EVE"), "192.0.2.2", 50),
            1,
            "one mailbox, all tenants"
        );
        assert_eq!(tried(&limits, &target("b", "public", "bob"), "192.0.2.1", 50), 5);
    }
}
