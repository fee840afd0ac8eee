//! What is known of the limits of mail services.

use super::Pace;
use crate::mail_services::Service;

impl Pace {
    /// Any other server.
    pub const OTHER: Self = Self {
        connections: 2,
        per_minute: Some(300),
        burst: 50,
        per_day: None,
        mails_per_session: 100,
        grows: false,
    };
    /// Published: 30 messages in any minute, which burst and rate together keep, and 10,000 recipients a day.
    pub const MICROSOFT365: Self =
        Self { per_minute: Some(28), burst: 2, per_day: Some(9_500), ..Self::OTHER };
    /// Published: 500 recipients a day for a person, 2,000 for Workspace.
    pub const GMAIL: Self = Self { per_minute: Some(60), burst: 1, per_day: Some(450), ..Self::OTHER };
    pub const GOOGLE_WORKSPACE: Self = Self { per_day: Some(1_900), ..Self::GMAIL };
    /// A new account has one mail a second; how many it has later nobody says but its throttling.
    pub const AMAZON_SES: Self =
        Self { connections: 10, per_minute: Some(60), burst: 1, grows: true, ..Self::OTHER };
    pub const SENDING_SERVICE: Self =
        Self { connections: 5, per_minute: Some(1_200), burst: 20, ..Self::OTHER };
    /// It takes few mails on one session.
    pub const MAILGUN: Self = Self { mails_per_session: 3, ..Self::SENDING_SERVICE };
    /// A relay of the operator's own, which `egress.allow` opens.
    pub const OWN_RELAY: Self = Self { connections: 10, per_minute: None, burst: 1, ..Self::OTHER };

    /// The pace that fits a known mail service, for an account with an address of this domain.
    pub fn of_service(service: Option<Service>, domain: &str) -> Self {
        match service {
            Some(Service::Microsoft365 | Service::OutlookCom) => Self::MICROSOFT365,
            Some(Service::Google) if ["gmail.com", "googlemail.com"].contains(&domain) => Self::GMAIL,
            Some(Service::Google) => Self::GOOGLE_WORKSPACE,
            Some(Service::AmazonSes) => Self::AMAZON_SES,
            Some(Service::Mailgun) => Self::MAILGUN,
            Some(
                Service::SendGrid
                | Service::Postmark
                | Service::Brevo
                | Service::Mailjet
                | Service::SparkPost,
            ) => Self::SENDING_SERVICE,
            _ => Self::OTHER,
        }
    }
}
