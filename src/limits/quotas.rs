//! The operator's quotas on test mails and on the servers that tenants name, so that nobody floods others through this
//! service. Counted by this process alone.

use super::windows::{Exceeded, WindowKind, Windows};
use crate::clock::Clock;
use crate::config;
use crate::egress::Host;
use crate::id::TenantId;
use crate::mail::address::EmailAddress;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Which quota was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quota {
    TestMailsOfTenant,
    TestMailsToRecipient,
    Destinations,
}

impl Quota {
    /// For the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TestMailsOfTenant => "test_mails_per_tenant",
            Self::TestMailsToRecipient => "test_mails_per_recipient",
            Self::Destinations => "destinations_per_tenant",
        }
    }
}

/// A quota is used up, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaExceeded {
    pub quota: Quota,
    pub retry_after_seconds: u64,
}

/// Counts against the quotas.
pub struct Quotas {
    clock: Clock,
    of_tenant: WindowKind,
    to_recipient: WindowKind,
    destinations: WindowKind,
    /// A destination that was counted already; the limit has no meaning here.
    destination: WindowKind,
    windows: Windows,
}

impl Quotas {
    #[must_use]
    pub fn new(settings: &config::Quotas, clock: Clock) -> Self {
        Self {
            clock,
            of_tenant: WindowKind { number: 0, length: DAY, max: settings.test_mails_per_tenant_per_day },
            to_recipient: WindowKind {
                number: 1,
                length: HOUR,
                max: settings.test_mails_per_recipient_per_hour,
            },
            destinations: WindowKind {
                number: 2,
                length: HOUR,
                max: settings.destinations_per_tenant_per_hour,
            },
            destination: WindowKind { number: 3, length: HOUR, max: 1 },
            windows: Windows::default(),
        }
    }

    /// Counts one test mail against both of its quotas. A recipient's quota is over all tenants, since it protects the
    /// recipient.
    ///
    /// # Errors
    /// [`QuotaExceeded`]; then nothing is counted.
    pub fn count_test_mail(&self, tenant: &TenantId, recipient: &EmailAddress) -> Result<(), QuotaExceeded> {
        let now = self.clock.now();
        let of_tenant = (Quota::TestMailsOfTenant, self.of_tenant, tenant.as_str().to_owned());
        let to_recipient =
            (Quota::TestMailsToRecipient, self.to_recipient, recipient.as_str().to_lowercase());
        let counted = [of_tenant, to_recipient].map(|(quota, kind, name)| {
            let key = self.windows.key(kind, &name);
            (quota, kind, key)
        });
        let mut table = self.windows.lock();
        for (quota, kind, key) in counted {
            table.check(kind, key, now).map_err(|exceeded| exceeded_quota(quota, exceeded))?;
        }
        for (quota, kind, key) in counted.into_iter().filter(|(_, kind, _)| kind.max > 0) {
            table.count(kind, key, now).map_err(|exceeded| exceeded_quota(quota, exceeded))?;
        }
        Ok(())
    }

    /// Counts a mail server, unless it was counted for this tenant in the same hour.
    ///
    /// # Errors
    /// [`QuotaExceeded`]; servers that were counted before are still allowed.
    pub fn count_destination(&self, tenant: &TenantId, host: &Host, port: u16) -> Result<(), QuotaExceeded> {
        if self.destinations.max == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        let known = self.windows.key(self.destination, &(tenant.as_str(), host.to_string(), port));
        let key = self.windows.key(self.destinations, &tenant.as_str());
        let mut table = self.windows.lock();
        if table.remembers(self.destination, known, now) {
            return Ok(());
        }
        let counted = table.count(self.destinations, key, now);
        let end = counted.map_err(|exceeded| exceeded_quota(Quota::Destinations, exceeded))?;
        table.remember(known, end, now);
        Ok(())
    }
}

fn exceeded_quota(quota: Quota, exceeded: Exceeded) -> QuotaExceeded {
    QuotaExceeded { quota, retry_after_seconds: exceeded.retry_after_seconds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn quotas(per_tenant: u32, per_recipient: u32, destinations: u32) -> (Quotas, Clock) {
        let clock = Clock::manual(Timestamp(1_000));
        let settings = config::Quotas {
            test_mails_per_tenant_per_day: per_tenant,
            test_mails_per_recipient_per_hour: per_recipient,
            destinations_per_tenant_per_hour: destinations,
        };
        (Quotas::new(&settings, clock.clone()), clock)
    }

    fn mail(quotas: &Quotas, tenant: &str, recipient: &str) -> Result<(), QuotaExceeded> {
        let recipient = EmailAddress::parse(recipient).expect("an address");
        quotas.count_test_mail(&TenantId::from_operator(tenant), &recipient)
    }

    fn dial(quotas: &Quotas, tenant: &str, host: &str, port: u16) -> Result<(), QuotaExceeded> {
        let host = Host::parse(host).expect("a host");
        quotas.count_destination(&TenantId::from_operator(tenant), &host, port)
    }

    /// Security case H2.
    #[test]
    fn a_thousand_mails_to_a_thousand_addresses_stop_at_the_quota() {
        let (quotas, clock) = quotas(20, 5, 0);
        let send = |tenant| {
            (0..1_000).filter(|n| mail(&quotas, tenant, &format!("a{n}@example.com")).is_ok()).count()
        };
        assert_eq!((send("acme"), send("other")), (20, 20));
        clock.advance(DAY - 1);
        let refused = Err(QuotaExceeded { quota: Quota::TestMailsOfTenant, retry_after_seconds: 1 });
        assert_eq!(mail(&quotas, "acme", "z@example.com"), refused);
        clock.advance(1);
        assert_eq!(send("acme"), 20, "the next day");
    }

    /// Security case H2.
    #[test]
    fn a_recipient_is_protected_from_all_tenants_together_and_in_every_spelling() {
        let (quotas, clock) = quotas(3, 5, 0);
        let spellings = ["bob@example.com", "Bob@example.com", "bob@EXAMPLE.com"];
        let tenants = ["a", "b", "c", "d", "e", "f", "g"];
        let sent =
            tenants.iter().enumerate().filter(|(n, tenant)| mail(&quotas, tenant, spellings[n % 3]).is_ok());
        assert_eq!(sent.count(), 5);
        let refused = mail(&quotas, "h", "bob@example.com").map_err(|exceeded| exceeded.quota);
        assert_eq!(refused, Err(Quota::TestMailsToRecipient));
        let others = (0..9).filter(|_| mail(&quotas, "h", "eve@example.com").is_ok()).count();
        assert_eq!(others, 3, "the refused one was not counted for its tenant");
        clock.advance(HOUR);
        assert_eq!(mail(&quotas, "i", "bob@example.com"), Ok(()));
    }

    /// Security case H3.
    #[test]
    fn two_hundred_servers_stop_at_the_quota_and_known_ones_go_on() {
        let (quotas, clock) = quotas(0, 0, 10);
        let passed: Vec<u16> =
            (1..=200).filter(|port| dial(&quotas, "acme", "a.example.com", *port).is_ok()).collect();
        assert_eq!(passed, (1..=10).collect::<Vec<_>>());
        for port in 1..=10 {
            assert_eq!(
                dial(&quotas, "acme", "A.example.com.", port),
                Ok(()),
                "a known one, in another spelling"
            );
        }
        assert!(dial(&quotas, "acme", "b.example.com", 1).is_err(), "another host is another server");
        assert_eq!(dial(&quotas, "other", "b.example.com", 1), Ok(()), "another tenant");
        clock.advance(HOUR);
        assert_eq!(dial(&quotas, "acme", "b.example.com", 1), Ok(()), "the next hour");
        assert_eq!((1..=200).filter(|port| dial(&quotas, "acme", "a.example.com", *port).is_ok()).count(), 9);
    }

    #[test]
    fn quotas_are_off_by_default() {
        let quotas = Quotas::new(&config::Config::default().quotas, Clock::manual(Timestamp(0)));
        assert!((0..1_000).all(|_| mail(&quotas, "acme", "bob@example.com").is_ok()));
        assert!((1..1_000).all(|port| dial(&quotas, "acme", "a.example.com", port).is_ok()));
    }
}
