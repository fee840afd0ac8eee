//! Everything that is known of public mail services, as one table.

use super::amazon_ses::REGIONS;
use super::{MailService, PasswordKind, Preset, Service, UsernameForm};
use crate::smtp::Security;

const SERVICE: MailService = MailService {
    service: Service::Google,
    name: "",
    hosts: &[],
    entered_as: &[],
    sender_bound: &[],
    preset: None,
};

const PRESET: Preset = Preset {
    id: "",
    name: "",
    servers: &[],
    port: 587,
    security: Security::StartTls,
    username: UsernameForm::EmailAddress,
    password: PasswordKind::Account,
    note: "",
    help: "",
};

/// Those with a preset stand in the order in which a picker shows them. Where two services match a host or a domain,
/// the first one counts.
pub(super) const SERVICES: &[MailService] = &[
    MailService {
        service: Service::Microsoft365,
        name: "Microsoft",
        hosts: &[
            "*.office365.com",
            "*.office365.us",
            "*.mail.protection.outlook.com",
            "*.outlook.office.com",
            "*.partner.outlook.cn",
        ],
        entered_as: &[
            ("mail.protection.outlook.com", "smtp.office365.com"),
            ("office365.com", "smtp.office365.com"),
            ("office.com", "smtp.office365.com"),
        ],
        sender_bound: &["smtp.office365.com"],
        preset: Some(Preset {
            id: "microsoft365",
            name: "Microsoft 365",
            servers: &[("", "smtp.office365.com")],
            password: PasswordKind::None,
            note: "Choose Microsoft 365 as the provider: it sends through an app of your own organisation and needs \
                   no mailbox password. Microsoft is switching off password sign-in over SMTP.",
            help: "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online",
            ..PRESET
        }),
    },
    MailService {
        service: Service::Google,
        name: "Google",
        hosts: &["smtp.gmail.com", "smtp.googlemail.com", "smtp-relay.gmail.com", "*.google.com"],
        entered_as: &[
            ("gmail.com", "smtp.gmail.com"),
            ("googlemail.com", "smtp.gmail.com"),
            ("l.google.com", "smtp.gmail.com"),
        ],
        sender_bound: &["smtp.gmail.com"],
        preset: Some(Preset {
            id: "google-workspace",
            name: "Google Workspace and Gmail",
            servers: &[("", "smtp.gmail.com")],
            password: PasswordKind::App,
            note: "Google only accepts an app password here, not your account password. Turn on 2-Step Verification \
                   for the account first, then create an app password.",
            help: "https://support.google.com/accounts/answer/185833",
            ..PRESET
        }),
    },
    MailService {
        service: Service::AmazonSes,
        name: "Amazon SES",
        hosts: &[
            "email-smtp.*.amazonaws.com",
            "email-smtp-fips.*.amazonaws.com",
            "email-smtp.*.amazonaws.com.cn",
        ],
        preset: Some(Preset {
            id: "amazon-ses",
            name: "Amazon SES",
            servers: REGIONS,
            username: UsernameForm::Issued,
            password: PasswordKind::SmtpCredentials,
            note: "Create SMTP credentials in the SES console, in the same region as the server. They are not your \
                   AWS access key.",
            help: "https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::SendGrid,
        name: "SendGrid",
        hosts: &["smtp.sendgrid.net", "*.smtp.sendgrid.net", "smtp.*.sendgrid.net"],
        entered_as: &[("sendgrid.net", "smtp.sendgrid.net"), ("sendgrid.com", "smtp.sendgrid.net")],
        preset: Some(Preset {
            id: "sendgrid",
            name: "SendGrid",
            servers: &[("global", "smtp.sendgrid.net"), ("eu", "smtp.eu.sendgrid.net")],
            username: UsernameForm::Fixed("apikey"),
            password: PasswordKind::ApiKey,
            note: "The user name is the word apikey; the password is an API key with the permission Mail Send.",
            help: "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-smtp",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::Mailgun,
        name: "Mailgun",
        hosts: &["smtp.mailgun.org", "smtp.*.mailgun.org"],
        entered_as: &[("mailgun.org", "smtp.mailgun.org")],
        preset: Some(Preset {
            id: "mailgun",
            name: "Mailgun",
            servers: &[("us", "smtp.mailgun.org"), ("eu", "smtp.eu.mailgun.org")],
            username: UsernameForm::Issued,
            password: PasswordKind::SmtpCredentials,
            note: "Create SMTP credentials for your sending domain in Mailgun. Use the server of the region in which \
                   the domain was created.",
            help: "https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::Postmark,
        name: "Postmark",
        hosts: &["*.postmarkapp.com"],
        preset: Some(Preset {
            id: "postmark",
            name: "Postmark",
            servers: &[("", "smtp.postmarkapp.com")],
            username: UsernameForm::Issued,
            password: PasswordKind::ApiKey,
            note: "User name and password are both the Server API token, or an SMTP token of the message stream.",
            help: "https://postmarkapp.com/developer/user-guide/send-email-with-smtp",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::Brevo,
        name: "Brevo",
        hosts: &["*.brevo.com", "*.sendinblue.com"],
        entered_as: &[("brevo.com", "smtp-relay.brevo.com")],
        preset: Some(Preset {
            id: "brevo",
            name: "Brevo",
            servers: &[("", "smtp-relay.brevo.com")],
            username: UsernameForm::Issued,
            password: PasswordKind::SmtpCredentials,
            note: "You find user name and SMTP key under SMTP & API in Brevo's settings.",
            help: "https://help.brevo.com/hc/en-us/articles/7924908994450",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::Mailjet,
        name: "Mailjet",
        hosts: &["*.mailjet.com"],
        preset: Some(Preset {
            id: "mailjet",
            name: "Mailjet",
            servers: &[("", "in-v3.mailjet.com")],
            username: UsernameForm::Issued,
            password: PasswordKind::ApiKey,
            note: "The user name is the API key, the password is the secret key.",
            help: "https://dev.mailjet.com/smtp-relay/configuration/",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::SparkPost,
        name: "SparkPost",
        hosts: &["smtp.sparkpostmail.com", "smtp.*.sparkpostmail.com"],
        preset: Some(Preset {
            id: "sparkpost",
            name: "SparkPost",
            servers: &[("us", "smtp.sparkpostmail.com"), ("eu", "smtp.eu.sparkpostmail.com")],
            username: UsernameForm::Fixed("SMTP_Injection"),
            password: PasswordKind::ApiKey,
            note: "The user name is the word SMTP_Injection; the password is an API key with the permission Send via SMTP.",
            help: "https://developers.sparkpost.com/api/smtp/",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::Zoho,
        name: "Zoho",
        hosts: &[
            "smtp.zoho.com",
            "smtp.zoho.eu",
            "smtp.zoho.in",
            "smtp.zoho.com.au",
            "smtp.zoho.jp",
            "smtppro.zoho.*",
        ],
        entered_as: &[("zoho.com", "smtp.zoho.com"), ("zoho.eu", "smtp.zoho.eu")],
        sender_bound: &["smtp.zoho.com"],
        preset: Some(Preset {
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
            note: "Use the server of the region in which the account was created. With two-factor sign-in you need an \
                   app password.",
            help: "https://www.zoho.com/mail/help/zoho-smtp.html",
            ..PRESET
        }),
    },
    MailService {
        service: Service::Fastmail,
        name: "Fastmail",
        hosts: &["*.fastmail.com"],
        entered_as: &[("fastmail.com", "smtp.fastmail.com")],
        preset: Some(Preset {
            id: "fastmail",
            name: "Fastmail",
            servers: &[("", "smtp.fastmail.com")],
            port: 465,
            security: Security::Tls,
            password: PasswordKind::App,
            note: "Fastmail only accepts an app password here, not your account password.",
            help: "https://www.fastmail.help/hc/en-us/articles/360058752854",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::ICloud,
        name: "Apple",
        hosts: &["smtp.mail.me.com"],
        entered_as: &[("icloud.com", "smtp.mail.me.com")],
        sender_bound: &["smtp.mail.me.com"],
        preset: Some(Preset {
            id: "icloud",
            name: "iCloud Mail",
            servers: &[("", "smtp.mail.me.com")],
            password: PasswordKind::App,
            note: "Apple only accepts an app-specific password here, not your account password.",
            help: "https://support.apple.com/102525",
            ..PRESET
        }),
    },
    MailService {
        service: Service::Yahoo,
        name: "Yahoo",
        hosts: &["*.mail.yahoo.com", "*.mail.yahoo.co.jp"],
        entered_as: &[("yahoo.com", "smtp.mail.yahoo.com")],
        sender_bound: &["smtp.mail.yahoo.com"],
        preset: Some(Preset {
            id: "yahoo",
            name: "Yahoo Mail",
            servers: &[("", "smtp.mail.yahoo.com")],
            port: 465,
            security: Security::Tls,
            password: PasswordKind::App,
            note: "Yahoo only accepts an app password here, not your account password.",
            help: "https://help.yahoo.com/kb/SLN4075.html",
            ..PRESET
        }),
    },
    MailService {
        service: Service::Gmx,
        name: "GMX",
        hosts: &["mail.gmx.net", "mail.gmx.com"],
        entered_as: &[("gmx.net", "mail.gmx.net"), ("gmx.de", "mail.gmx.net"), ("gmx.com", "mail.gmx.com")],
        sender_bound: &["mail.gmx.net", "mail.gmx.com"],
        preset: Some(Preset {
            id: "gmx",
            name: "GMX",
            servers: &[("gmx.net, gmx.de", "mail.gmx.net"), ("gmx.com", "mail.gmx.com")],
            note: "Allow mail programs once in GMX's settings, under POP3 & IMAP. With two-factor sign-in you need an \
                   app password.",
            help: "https://support.gmx.com/pop-imap/pop3/serverdata.html",
            ..PRESET
        }),
    },
    MailService {
        service: Service::Ionos,
        name: "IONOS",
        hosts: &["smtp.ionos.*"],
        entered_as: &[("ionos.com", "smtp.ionos.com"), ("ionos.de", "smtp.ionos.de")],
        preset: Some(Preset {
            id: "ionos",
            name: "IONOS",
            servers: &[("com", "smtp.ionos.com"), ("de", "smtp.ionos.de"), ("co.uk", "smtp.ionos.co.uk")],
            port: 465,
            security: Security::Tls,
            note: "User name and password are those of the mailbox, not of the IONOS account.",
            help: "https://www.ionos.com/help/email/general-topics/settings-for-your-email-programs-imap-pop3/",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::Ovh,
        name: "OVHcloud",
        hosts: &["ssl0.ovh.net", "smtp.mail.ovh.*"],
        preset: Some(Preset {
            id: "ovh",
            name: "OVHcloud",
            servers: &[("eu", "ssl0.ovh.net"), ("ca", "smtp.mail.ovh.ca")],
            port: 465,
            security: Security::Tls,
            note: "User name and password are those of the mailbox. Email Pro and Exchange accounts use other \
                   servers, which OVHcloud's control panel shows.",
            help: "https://help.ovhcloud.com/csm/en-mx-plan-generalities",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::Infomaniak,
        name: "Infomaniak",
        hosts: &["mail.infomaniak.com"],
        preset: Some(Preset {
            id: "infomaniak",
            name: "Infomaniak",
            servers: &[("", "mail.infomaniak.com")],
            port: 465,
            security: Security::Tls,
            note: "The password of the mailbox, or a device password for it.",
            help: "https://www.infomaniak.com/en/support/faq/2427",
            ..PRESET
        }),
        ..SERVICE
    },
    MailService {
        service: Service::OutlookCom,
        name: "Microsoft",
        hosts: &["*.outlook.com"],
        entered_as: &[
            ("outlook.com", "smtp-mail.outlook.com"),
            ("hotmail.com", "smtp-mail.outlook.com"),
            ("live.com", "smtp-mail.outlook.com"),
        ],
        sender_bound: &["smtp-mail.outlook.com"],
        ..SERVICE
    },
    MailService {
        service: Service::Aol,
        name: "AOL",
        hosts: &["smtp.aol.com"],
        entered_as: &[("aol.com", "smtp.aol.com")],
        ..SERVICE
    },
    MailService {
        service: Service::WebDe,
        name: "WEB.DE",
        hosts: &["smtp.web.de"],
        entered_as: &[("web.de", "smtp.web.de")],
        sender_bound: &["smtp.web.de"],
        ..SERVICE
    },
    MailService {
        service: Service::TOnline,
        name: "T-Online",
        hosts: &["securesmtp.t-online.de"],
        entered_as: &[("t-online.de", "securesmtp.t-online.de")],
        ..SERVICE
    },
    MailService {
        service: Service::Strato,
        name: "STRATO",
        hosts: &["smtp.strato.de"],
        entered_as: &[("strato.de", "smtp.strato.de")],
        ..SERVICE
    },
    MailService { service: Service::TencentMail, name: "Tencent", hosts: &["*.qq.com"], ..SERVICE },
];
