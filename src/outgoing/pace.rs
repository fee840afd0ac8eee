//! How fast an account may send: GCRA (ITU-T I.371), one number for each account.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::mail_services::Service;

/// What an account's provider allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Sessions at the same time.
    pub connections: usize,
    /// Mails per minute; none is no bound.
    pub per_minute: Option<u32>,
    /// Mails that may go out at once after a pause.
    pub burst: u32,
}

impl Pace {
    pub const MICROSOFT365: Self = Self { connections: 2, per_minute: Some(28), burst: 4 };
    pub const GOOGLE: Self = Self { connections: 2, per_minute: Some(60), burst: 1 };
    pub const AMAZON_SES: Self = Self { connections: 10, per_minute: Some(60), burst: 1 };
    pub const SENDING_SERVICE: Self = Self { connections: 5, per_minute: Some(1_200), burst: 20 };
    /// A relay of the operator's own, which `egress.allow` opens.
    pub const OWN_RELAY: Self = Self { connections: 10, per_minute: None, burst: 1 };
    pub const OTHER: Self = Self { connections: 2, per_minute: Some(300), burst: 50 };

    /// The pace that fits a known mail service.
    pub fn of_service(service: Option<Service>) -> Self {
        match service {
            Some(Service::Microsoft365 | Service::OutlookCom) => Self::MICROSOFT365,
            Some(Service::Google) => Self::GOOGLE,
            Some(Service::AmazonSes) => Self::AMAZON_SES,
            Some(
                Service::SendGrid
                | Service::Mailgun
                | Service::Postmark
                | Service::Brevo
                | Service::Mailjet
                | Service::SparkPost,
            ) => Self::SENDING_SERVICE,
            _ => Self::OTHER,
        }
    }

    /// How long until the next mail may go, or the state after it has gone now. `theoretical` is when the next one would
    /// be due if mails came evenly: all that is kept of an account.
    ///
    /// # Errors
    /// How long to wait.
    pub fn admit(&self, theoretical: Timestamp, now: Timestamp) -> Result<Timestamp, Duration> {
        let Some(per_minute) = self.per_minute else { return Ok(now) };
        let interval = 60_000 / i64::from(per_minute.max(1));
        let tolerance = interval * i64::from(self.burst.max(1) - 1);
        let wait = theoretical.0 - tolerance - now.0;
        if wait > 0 {
            return Err(Duration::from_millis(wait.unsigned_abs()));
        }
        Ok(Timestamp(theoretical.0.max(now.0) + interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as it is let for so long; how many mails went in the first and in each further minute.
    fn minutes(pace: Pace, count: i64) -> Vec<usize> {
        let (mut theoretical, mut now, mut sent) = (Timestamp(0), Timestamp(1_000_000), Vec::new());
        let start = now;
        while now.0 < start.0 + count * 60_000 {
            match pace.admit(theoretical, now) {
                Ok(next) => {
                    sent.push(now.0 - start.0);
                    theoretical = next;
                }
                Err(wait) => now = now.after(wait),
            }
        }
        (0..count).map(|minute| sent.iter().filter(|at| **at / 60_000 == minute).count()).collect()
    }

    #[test]
    fn a_burst_comes_first_and_then_the_rate_holds() {
        assert_eq!(minutes(Pace::MICROSOFT365, 3), [32, 28, 28]);
        assert_eq!(minutes(Pace::GOOGLE, 2), [60, 60]);
        assert_eq!(minutes(Pace::OTHER, 2), [349, 300]);
    }

    #[test]
    fn a_pause_earns_no_more_than_the_burst() {
        let pace = Pace { connections: 1, per_minute: Some(60), burst: 3 };
        let (mut theoretical, now) = (Timestamp(0), Timestamp(3_600_000));
        let mut at_once = 0;
        while let Ok(next) = pace.admit(theoretical, now) {
            theoretical = next;
            at_once += 1;
        }
        assert_eq!(at_once, 3);
    }

    #[test]
    fn no_bound_admits_always() {
        assert_eq!(Pace::OWN_RELAY.admit(Timestamp(9_999), Timestamp(5)), Ok(Timestamp(5)));
    }
}
