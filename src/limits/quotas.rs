//! The operator's quotas on test mails and on the servers that tenants name, against abuse of this service to flood
//! others. Each process counts on its own.

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
    /// Refused sign-ins of a tenant.
    SignInsOfTenant,
    /// Refused sign-ins of a tenant with one server and user name.
    SignInsToAccount,
    /// Refused sign-ins at one address, over all tenants.
    SignInsAtDestination,
    /// Checks by users who are no administrators.
    ChecksOfUsers,
}

impl Quota {
    /// For the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TestMailsOfTenant => "test_mails_per_tenant",
            Self::TestMailsToRecipient => "test_mails_per_recipient",
            Self::Destinations => "destinations_per_tenant",
            Self::SignInsOfTenant => "refused_sign_ins_per_tenant",
            Self::SignInsToAccount => "refused_sign_ins_per_account",
            Self::SignInsAtDestination => "refused_sign_ins_per_destination",
            Self::ChecksOfUsers => "checks_of_users_per_tenant",
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
    /// Of all mail.
    all: Bounds,
    /// Of mail that leaves without a sign-in, beside those of all.
    anonymous: Bounds,
    windows: Windows,
}

/// The bounds of one kind of mail.
struct Bounds {
    of_tenant: WindowKind,
    to_recipient: WindowKind,
    destinations: WindowKind,
    /// A destination that was counted. The limit is of no meaning here.
    destination: WindowKind,
}

impl Bounds {
    /// `first` is the number of the first of the four kinds.
    fn new(first: u8, mails_of_tenant: u32, mails_to_recipient: u32, destinations: u32) -> Self {
        let kind = |number: u8, length, max| WindowKind { number: first + number, length, max };
        Self {
            of_tenant: kind(0, DAY, mails_of_tenant),
            to_recipient: kind(1, HOUR, mails_to_recipient),
            destinations: kind(2, HOUR, destinations),
            destination: kind(3, HOUR, 1),
        }
    }
}

impl Quotas {
    pub fn new(settings: &config::Quotas, clock: Clock) -> Self {
        Self {
            clock,
            all: Bounds::new(
                0,
                settings.test_mails_per_tenant_per_day,
                settings.test_mails_per_recipient_per_hour,
                settings.destinations_per_tenant_per_hour,
            ),
            anonymous: Bounds::new(
                4,
                settings.anonymous_test_mails_per_tenant_per_day,
                settings.anonymous_test_mails_per_recipient_per_hour,
                settings.anonymous_destinations_per_tenant_per_hour,
            ),
            windows: Windows::default(),
        }
    }

    /// The bounds that hold for mail with or without a sign-in.
    fn bounds(&self, signs_in: bool) -> impl Iterator<Item = &Bounds> {
        let anonymous = (!signs_in).then_some(&self.anonymous);
        anonymous.into_iter().chain([&self.all])
    }

    /// Counts one test mail, where all of its quotas have room for it. A recipient's is over all tenants, since it
    /// is the recipient whom it protects.
    ///
    /// # Errors
    /// [`QuotaExceeded`]; then nothing is counted.
    pub fn count_test_mail(
        &self,
        tenant: &TenantId,
        recipient: &EmailAddress,
        signs_in: bool,
    ) -> Result<(), QuotaExceeded> {
        let now = self.clock.now();
        let mailbox = mailbox(recipient);
        let counted: Vec<(Quota, WindowKind, u64)> = self
            .bounds(signs_in)
            .flat_map(|bounds| {
                let of_tenant = (Quota::TestMailsOfTenant, bounds.of_tenant, tenant.as_str());
                let to_recipient = (Quota::TestMailsToRecipient, bounds.to_recipient, mailbox.as_str());
                [of_tenant, to_recipient]
            })
            .filter(|(_, kind, _)| kind.max > 0)
            .map(|(quota, kind, name)| (quota, kind, self.windows.key(kind, &name)))
            .collect();
        let mut table = self.windows.lock();
        for &(quota, kind, key) in &counted {
            table.check(kind, key, now).map_err(|exceeded| exceeded_quota(quota, exceeded))?;
        }
        for (quota, kind, key) in counted {
            table.count(kind, key, now).map_err(|exceeded| exceeded_quota(quota, exceeded))?;
        }
        Ok(())
    }

    /// Counts a mail server, unless it was counted for this tenant in the same hour.
    ///
    /// # Errors
    /// [`QuotaExceeded`]; servers that were counted before are still allowed.
    pub fn count_destination(
        &self,
        tenant: &TenantId,
        host: &Host,
        port: u16,
        signs_in: bool,
    ) -> Result<(), QuotaExceeded> {
        let now = self.clock.now();
        let mut table = self.windows.lock();
        for bounds in self.bounds(signs_in).filter(|bounds| bounds.destinations.max > 0) {
            let known = self.windows.key(bounds.destination, &(tenant.as_str(), host.to_string(), port));
            if !table.remembers(bounds.destination, known, now) {
                let key = self.windows.key(bounds.destinations, &tenant.as_str());
                let counted = table.count(bounds.destinations, key, now);
                let end = counted.map_err(|exceeded| exceeded_quota(Quota::Destinations, exceeded))?;
                table.remember(known, end, now);
            }
        }
        Ok(())
    }
}

/// The mailbox that an address leads to, as far as all servers agree: what follows `+` chooses a folder there.
fn mailbox(address: &EmailAddress) -> String {
    let local_part = address.local_part().split('+').next().unwrap_or_default();
    format!("{local_part}@{}", address.domain()).to_lowercase()
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
            ..config::Config::default().quotas
        };
        (Quotas::new(&settings, clock.clone()), clock)
    }

    fn mail(quotas: &Quotas, tenant: &str, recipient: &str) -> Result<(), QuotaExceeded> {
        let recipient = EmailAddress::parse(recipient).expect("an address");
        quotas.count_test_mail(&TenantId::from_operator(tenant), &recipient, true)
    }

    fn dial(quotas: &Quotas, tenant: &str, host: &str, port: u16) -> Result<(), QuotaExceeded> {
        let host = Host::parse(host).expect("a host");
        quotas.count_destination(&TenantId::from_operator(tenant), &host, port, true)
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
        let spellings = ["bob@example.com", "Bob+1@example.com", "bob+x+y@EXAMPLE.com"];
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

    /// Security case M7.
    #[test]
    fn mail_without_a_sign_in_has_tight_bounds_by_default_and_other_mail_wide_ones() {
        let sent = |signs_in: bool, recipient: &dyn Fn(usize) -> String| {
            let quotas = Quotas::new(&config::Config::default().quotas, Clock::manual(Timestamp(0)));
            let tenant = TenantId::from_operator("acme");
            let passes = |number: &usize| {
                let recipient = EmailAddress::parse(&recipient(*number)).expect("an address");
                quotas.count_test_mail(&tenant, &recipient, signs_in).is_ok()
            };
            (0..1_000).filter(passes).count()
        };
        let many = |number| format!("a{number}@example.com");
        let one = |number| format!("bob+{number}@example.com");
        assert_eq!((sent(false, &many), sent(false, &one)), (20, 5));
        assert_eq!((sent(true, &many), sent(true, &one)), (200, 50));
        let dialled = |signs_in: bool| {
            let quotas = Quotas::new(&config::Config::default().quotas, Clock::manual(Timestamp(0)));
            let tenant = TenantId::from_operator("acme");
            let host = Host::parse("a.example.com").expect("a host");
            (1..1_000)
                .filter(|port| quotas.count_destination(&tenant, &host, *port, signs_in).is_ok())
                .count()
        };
        assert_eq!((dialled(false), dialled(true)), (10, 100));
    }

    #[test]
    fn a_quota_of_none_is_no_bound() {
        let (quotas, _) = quotas(0, 0, 0);
        assert!((0..1_000).all(|_| mail(&quotas, "acme", "bob@example.com").is_ok()));
        assert!((1..1_000).all(|port| dial(&quotas, "acme", "a.example.com", port).is_ok()));
    }
}
