//! Known mail services: what to enter for them, as one table.

use crate::smtp::Security;

/// What belongs into the user name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UsernameForm {
    /// The whole mail address of the account.
    EmailAddress,
    /// Always this word.
    Fixed(&'static str),
    /// A name that the service issues for sending.
    Issued,
}

impl UsernameForm {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailAddress => "email_address",
            Self::Fixed(_) => "fixed",
            Self::Issued => "issued",
        }
    }
}

/// What kind of password the service wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordKind {
    /// The password with which the person signs in.
    Account,
    /// A password made for one program, in the account's security settings.
    App,
    /// A key of the service's own interface.
    ApiKey,
    /// A password that is issued together with a user name for sending.
    SmtpCredentials,
    /// None: the service is left in favour of its own interface.
    None,
}

impl PasswordKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account_password",
            Self::App => "app_password",
            Self::ApiKey => "api_key",
            Self::SmtpCredentials => "smtp_credentials",
            Self::None => "none",
        }
    }
}

/// One known service.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Stable.
    pub id: &'static str,
    pub name: &'static str,
    /// The contract's `serviceProvider`.
    pub service_provider: &'static str,
    /// Servers by region; one without a region where there is only one.
    pub servers: &'static [(&'static str, &'static str)],
    pub port: u16,
    pub security: Security,
    pub username: UsernameForm,
    pub password: PasswordKind,
    /// One or two sentences for an administrator.
    pub note: &'static str,
    pub help: &'static str,
}

const SMTP: Preset = Preset {
    id: "",
    name: "",
    service_provider: "BasicAuth",
    servers: &[],
    port: 587,
    security: Security::StartTls,
    username: UsernameForm::EmailAddress,
    password: PasswordKind::Account,
    note: "",
    help: "",
};

/// The regions in which Amazon SES has SMTP servers, see
/// <https://docs.aws.amazon.com/general/latest/gr/ses.html>.
const SES: &[(&str, &str)] = &[
    ("us-east-1", "email-smtp.us-east-1.amazonaws.com"),
    ("us-east-2", "email-smtp.us-east-2.amazonaws.com"),
    ("us-west-1", "email-smtp.us-west-1.amazonaws.com"),
    ("us-west-2", "email-smtp.us-west-2.amazonaws.com"),
    ("ca-central-1", "email-smtp.ca-central-1.amazonaws.com"),
    ("sa-east-1", "email-smtp.sa-east-1.amazonaws.com"),
    ("eu-central-1", "email-smtp.eu-central-1.amazonaws.com"),
    ("eu-west-1", "email-smtp.eu-west-1.amazonaws.com"),
    ("eu-west-2", "email-smtp.eu-west-2.amazonaws.com"),
    ("eu-west-3", "email-smtp.eu-west-3.amazonaws.com"),
    ("eu-north-1", "email-smtp.eu-north-1.amazonaws.com"),
    ("eu-south-1", "email-smtp.eu-south-1.amazonaws.com"),
    ("af-south-1", "email-smtp.af-south-1.amazonaws.com"),
    ("me-south-1", "email-smtp.me-south-1.amazonaws.com"),
    ("il-central-1", "email-smtp.il-central-1.amazonaws.com"),
    ("ap-south-1", "email-smtp.ap-south-1.amazonaws.com"),
    ("ap-southeast-1", "email-smtp.ap-southeast-1.amazonaws.com"),
    ("ap-southeast-2", "email-smtp.ap-southeast-2.amazonaws.com"),
    ("ap-southeast-3", "email-smtp.ap-southeast-3.amazonaws.com"),
    ("ap-northeast-1", "email-smtp.ap-northeast-1.amazonaws.com"),
    ("ap-northeast-2", "email-smtp.ap-northeast-2.amazonaws.com"),
    ("ap-northeast-3", "email-smtp.ap-northeast-3.amazonaws.com"),
];

/// In the order in which a picker shows them.
pub const PRESETS: &[Preset] = &[
    Preset {
        id: "microsoft365",
        name: "Microsoft 365",
        service_provider: "Microsoft365",
        servers: &[("", "smtp.office365.com")],
        password: PasswordKind::None,
        note: "Choose the provider Microsoft 365: it sends with an app of your own organisation and needs no \
               password of a mailbox. Password sign-in over SMTP is being switched off by Microsoft.",
        help: "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online",
        ..SMTP
    },
    Preset {
        id: "google-workspace",
        name: "Google Workspace and Gmail",
        servers: &[("", "smtp.gmail.com")],
        password: PasswordKind::App,
        note: "Google takes an app password here, never the account's own one. The account needs 2-Step Verification \
               before an app password can be made.",
        help: "https://support.google.com/accounts/answer/185833",
        ..SMTP
    },
    Preset {
        id: "amazon-ses",
        name: "Amazon SES",
        servers: SES,
        username: UsernameForm::Issued,
        password: PasswordKind::SmtpCredentials,
        note: "Make SMTP credentials in the SES console, in the same region as the server. They are not your AWS \
               access key.",
        help: "https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html",
        ..SMTP
    },
    Preset {
        id: "sendgrid",
        name: "SendGrid",
        servers: &[("global", "smtp.sendgrid.net"), ("eu", "smtp.eu.sendgrid.net")],
        username: UsernameForm::Fixed("apikey"),
        password: PasswordKind::ApiKey,
        note: "The user name is the word apikey; the password is an API key with the permission Mail Send.",
        help: "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-smtp",
        ..SMTP
    },
    Preset {
        id: "mailgun",
        name: "Mailgun",
        servers: &[("us", "smtp.mailgun.org"), ("eu", "smtp.eu.mailgun.org")],
        username: UsernameForm::Issued,
        password: PasswordKind::SmtpCredentials,
        note: "Make SMTP credentials for your sending domain in Mailgun. Take the server of the region in which the \
               domain was made.",
        help: "https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp",
        ..SMTP
    },
    Preset {
        id: "postmark",
        name: "Postmark",
        servers: &[("", "smtp.postmarkapp.com")],
        username: UsernameForm::Issued,
        password: PasswordKind::ApiKey,
        note: "User name and password are both the Server API token, or an SMTP token of the message stream.",
        help: "https://postmarkapp.com/developer/user-guide/send-email-with-smtp",
        ..SMTP
    },
    Preset {
        id: "brevo",
        name: "Brevo",
        servers: &[("", "smtp-relay.brevo.com")],
        username: UsernameForm::Issued,
        password: PasswordKind::SmtpCredentials,
        note: "User name and SMTP key stand under SMTP & API in Brevo's settings.",
        help: "https://help.brevo.com/hc/en-us/articles/7924908994450",
        ..SMTP
    },
    Preset {
        id: "mailjet",
        name: "Mailjet",
        servers: &[("", "in-v3.mailjet.com")],
        username: UsernameForm::Issued,
        password: PasswordKind::ApiKey,
        note: "The user name is the API key, the password is the secret key.",
        help: "https://dev.mailjet.com/smtp-relay/configuration/",
        ..SMTP
    },
    Preset {
        id: "sparkpost",
        name: "SparkPost",
        servers: &[("us", "smtp.sparkpostmail.com"), ("eu", "smtp.eu.sparkpostmail.com")],
        username: UsernameForm::Fixed("SMTP_Injection"),
        password: PasswordKind::ApiKey,
        note: "The user name is the word SMTP_Injection; the password is an API key with the permission Send via SMTP.",
        help: "https://developers.sparkpost.com/api/smtp/",
        ..SMTP
    },
    Preset {
        id: "zoho",
        name: "Zoho Mail",
        servers: &[
            ("global", "smtp.zoho.com"),
            ("eu", "smtp.zoho.eu"),
            ("in", "smtp.zoho.in"),
            ("au", "smtp.zoho.com.au"),
            ("jp", "smtp.zoho.jp"),
        ],
        password: PasswordKind::App,
        note: "Take the server of the region in which the account was made. With two-factor sign-in an app password is \
               needed.",
        help: "https://www.zoho.com/mail/help/zoho-smtp.html",
        ..SMTP
    },
    Preset {
        id: "fastmail",
        name: "Fastmail",
        servers: &[("", "smtp.fastmail.com")],
        port: 465,
        security: Security::Tls,
        password: PasswordKind::App,
        note: "Fastmail takes an app password here, never the account's own one.",
        help: "https://www.fastmail.help/hc/en-us/articles/360058752854",
        ..SMTP
    },
    Preset {
        id: "icloud",
        name: "iCloud Mail",
        servers: &[("", "smtp.mail.me.com")],
        password: PasswordKind::App,
        note: "Apple takes an app-specific password here, never the account's own one.",
        help: "https://support.apple.com/102525",
        ..SMTP
    },
    Preset {
        id: "yahoo",
        name: "Yahoo Mail",
        servers: &[("", "smtp.mail.yahoo.com")],
        port: 465,
        security: Security::Tls,
        password: PasswordKind::App,
        note: "Yahoo takes an app password here, never the account's own one.",
        help: "https://help.yahoo.com/kb/SLN4075.html",
        ..SMTP
    },
    Preset {
        id: "gmx",
        name: "GMX",
        servers: &[("gmx.net, gmx.de", "mail.gmx.net"), ("gmx.com", "mail.gmx.com")],
        note: "Sending by programs has to be allowed once in GMX's settings, under POP3 & IMAP. With two-factor sign-in \
               an app password is needed.",
        help: "https://support.gmx.com/pop-imap/pop3/serverdata.html",
        ..SMTP
    },
    Preset {
        id: "ionos",
        name: "IONOS",
        servers: &[("com", "smtp.ionos.com"), ("de", "smtp.ionos.de"), ("co.uk", "smtp.ionos.co.uk")],
        port: 465,
        security: Security::Tls,
        note: "User name and password are those of the mailbox, not of the IONOS account.",
        help: "https://www.ionos.com/help/email/general-topics/settings-for-your-email-programs-imap-pop3/",
        ..SMTP
    },
    Preset {
        id: "ovh",
        name: "OVHcloud",
        servers: &[("eu", "ssl0.ovh.net"), ("ca", "smtp.mail.ovh.ca")],
        port: 465,
        security: Security::Tls,
        note: "User name and password are those of the mailbox. Accounts with Email Pro or Exchange have servers of \
               their own, which OVHcloud's control panel names.",
        help: "https://help.ovhcloud.com/csm/en-mx-plan-generalities",
        ..SMTP
    },
    Preset {
        id: "infomaniak",
        name: "Infomaniak",
        servers: &[("", "mail.infomaniak.com")],
        port: 465,
        security: Security::Tls,
        note: "The password is that of the mailbox, or a device password of it.",
        help: "https://www.infomaniak.com/en/support/faq/2427",
        ..SMTP
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Host;

    #[test]
    fn every_preset_can_be_entered_as_it_stands() {
        for preset in PRESETS {
            assert!(!preset.servers.is_empty() && !preset.note.is_empty(), "{}", preset.id);
            assert!(preset.help.starts_with("https://"), "{}", preset.id);
            assert!([25, 465, 587, 2465, 2525, 2587].contains(&preset.port), "{}", preset.id);
            assert_eq!(preset.port == 465, preset.security == Security::Tls, "{}", preset.id);
            for (region, server) in preset.servers {
                assert!(Host::parse(server).is_ok_and(|host| host.to_string() == *server), "{server}");
                assert!(!region.is_empty() || preset.servers.len() == 1, "{}", preset.id);
            }
        }
    }

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<_> = PRESETS.iter().map(|preset| preset.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), PRESETS.len());
    }
}
