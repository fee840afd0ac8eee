//! Public mail services (Gmail, Amazon SES …): what to enter for them, and by which hosts they are recognised.

mod amazon_ses;
mod table;

use crate::smtp::Security;
use table::SERVICES;

/// A service that we know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    Microsoft365,
    /// Microsoft's mailboxes for persons.
    OutlookCom,
    Google,
    AmazonSes,
    SendGrid,
    Mailgun,
    Postmark,
    Brevo,
    Mailjet,
    SparkPost,
    Zoho,
    Fastmail,
    ICloud,
    Yahoo,
    Aol,
    Gmx,
    WebDe,
    TOnline,
    Strato,
    Ionos,
    Ovh,
    Infomaniak,
    /// QQ Mail, and the mailboxes of companies at Tencent.
    TencentMail,
}

/// One mail service.
struct MailService {
    service: Service,
    /// Its operator, as a text names it.
    name: &'static str,
    /// Patterns of the names of its servers: `*` stands for anything.
    hosts: &'static [&'static str],
    /// Domains that people enter in place of the server for sending, and that server. A subdomain counts too.
    entered_as: &'static [(&'static str, &'static str)],
    /// Servers that refuse, or overwrite, a sender of another domain than the account's.
    sender_bound: &'static [&'static str],
    preset: Option<Preset>,
}

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
    /// Whether `username` can be one of this form.
    pub fn fits(self, username: &str) -> bool {
        match self {
            Self::EmailAddress => username.contains('@'),
            Self::Fixed(word) => username.eq_ignore_ascii_case(word),
            Self::Issued => true,
        }
    }

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
    /// None: the provider Microsoft 365 takes the place of SMTP.
    None,
}

impl PasswordKind {
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

/// What to enter for a service.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Stable.
    pub id: &'static str,
    pub name: &'static str,
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

/// Servers at which Microsoft ends the sign-in with a password.
const PASSWORD_SIGN_IN_ENDS: [&str; 3] =
    ["smtp.office365.com", "outlook.office365.com", "smtp-mail.outlook.com"];

/// Domains of Microsoft's personal mailboxes, without their top-level domain.
const PERSONAL_OUTLOOK: [&str; 4] = ["outlook", "hotmail", "live", "msn"];

/// What to enter for known services, in the order in which a picker shows them.
pub fn presets() -> impl Iterator<Item = &'static Preset> {
    SERVICES.iter().filter_map(|service| service.preset.as_ref())
}

/// The service that runs this host (in lower case, without a final dot).
pub fn of_host(host: &str) -> Option<Service> {
    let known = SERVICES.iter().find(|known| known.hosts.iter().any(|pattern| matches(pattern, host)))?;
    Some(known.service)
}

/// The server for sending that is meant by `host` (in lower case): only where the service is known, and only where
/// it is another name.
pub fn suggested_server(host: &str) -> Option<&'static str> {
    let host = host.rsplit('@').next().unwrap_or(host);
    let entered = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    };
    let mut domains = SERVICES.iter().flat_map(|known| known.entered_as);
    let (_, meant) = domains.find(|(domain, _)| entered(domain))?;
    let is_known = presets().flat_map(|preset| preset.servers).any(|(_, server)| *server == host);
    Some(*meant).filter(|meant| !is_known && *meant != host)
}

/// The most differences between a name with a typing error and the name that was meant.
const MAX_DIFFERENCES: usize = 2;

/// Shorter names differ too little from each other.
const MIN_SIMILAR_LENGTH: usize = 8;

/// Servers that exist, although their names are close to one that we know.
const OTHER_SERVERS: [&str; 4] = ["smtp.mail.com", "smtp.email.com", "mail.gmx.at", "mail.gmx.ch"];

/// A known server whose name differs from `host` (in lower case) by a typing error. The console has the same rule for what
/// is being typed (`web/element/model/server.js`).
pub fn similar_server(host: &str) -> Option<&'static str> {
    if host.len() < MIN_SIMILAR_LENGTH || OTHER_SERVERS.contains(&host) || preset_of(host).is_some() {
        return None;
    }
    let measured = presets()
        .flat_map(|preset| preset.servers)
        .map(|(_, server)| *server)
        .filter(|server| !differs_by_region(server, host))
        .map(|server| (strsim::osa_distance(server, host), server));
    measured
        .filter(|(count, _)| *count <= MAX_DIFFERENCES)
        .min_by_key(|(count, _)| *count)
        .map(|(_, server)| server)
}

/// Whether the names differ only in a country or a region, which may well be right: `smtp.zoho.eu`.
fn differs_by_region(one: &str, other: &str) -> bool {
    let (one, other): (Vec<_>, Vec<_>) = (one.split('.').collect(), other.split('.').collect());
    if one.len() != other.len() {
        return false;
    }
    let different: Vec<_> = (0..one.len()).filter(|index| one[*index] != other[*index]).collect();
    let [index] = different[..] else { return false };
    let label = other[index];
    if index + 1 == one.len() {
        let is_country = label.len() == 2 && label.bytes().all(|byte| byte.is_ascii_lowercase());
        is_country && !["co", "cm", "om"].contains(&label)
    } else {
        let without_digits = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        without_digits(label) == without_digits(one[index])
    }
}

/// What to enter at this host (in lower case), where it is a server for sending of a known service.
pub fn preset_of(host: &str) -> Option<&'static Preset> {
    presets().find(|preset| preset.servers.iter().any(|(_, server)| *server == host))
}

/// Whether this host (in lower case) is a server for sending of a known service, so that its name is right.
pub fn is_sending_server(host: &str) -> bool {
    let entered = SERVICES.iter().flat_map(|known| known.entered_as);
    preset_of(host).is_some() || entered.map(|(_, server)| *server).any(|server| server == host)
}

/// The service, by its name in texts, that lets an account at this host send only as itself.
pub fn binds_sender(host: &str) -> Option<(Service, &'static str)> {
    let known = SERVICES.iter().find(|known| known.sender_bound.contains(&host))?;
    Some((known.service, known.name))
}

/// Whether Microsoft ends the sign-in with a password at this host.
pub fn ends_password_sign_in(host: &str) -> bool {
    PASSWORD_SIGN_IN_ENDS.contains(&host) || is_personal_outlook(host)
}

/// `outlook.com`, `smtp.live.com`, `hotmail.co.uk`: one of the personal domains with its top-level domain.
fn is_personal_outlook(host: &str) -> bool {
    host.split('.').rev().skip(1).take(2).any(|label| PERSONAL_OUTLOOK.contains(&label))
        && !host.ends_with(".mail.protection.outlook.com")
}

/// Whether the whole of `host` has the form of `pattern`, in which one `*` may stand for anything.
pub fn matches(pattern: &str, host: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == host,
        Some((before, after)) => {
            host.len() >= before.len() + after.len() && host.starts_with(before) && host.ends_with(after)
        }
    }
}

/// Names and notes that are shown in the reader's language.
#[cfg(test)]
pub(crate) fn texts() -> Vec<&'static str> {
    let names = presets().map(|preset| preset.name).filter(|name| name.contains(" and "));
    names.chain(presets().map(|preset| preset.note)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Host;

    #[test]
    fn every_preset_can_be_entered_as_it_stands() {
        for preset in presets() {
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
        let mut ids: Vec<_> = presets().map(|preset| preset.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), presets().count());
    }

    #[test]
    fn a_service_is_known_by_its_hosts() {
        for (host, expected) in [
            ("smtp.gmail.com", Some(Service::Google)),
            ("smtp-relay.gmail.com", Some(Service::Google)),
            ("email-smtp.eu-west-1.amazonaws.com", Some(Service::AmazonSes)),
            ("email-smtp.cn-north-1.amazonaws.com.cn", Some(Service::AmazonSes)),
            ("smtp.eu.sendgrid.net", Some(Service::SendGrid)),
            ("smtp.office365.com", Some(Service::Microsoft365)),
            ("smtp-mail.outlook.com", Some(Service::OutlookCom)),
            ("smtp.gmail.com.example.org", None),
            ("contoso.mail.protection.outlook.com", Some(Service::Microsoft365)),
            ("office365.com", None),
            ("mail.example.com", None),
            ("", None),
        ] {
            assert_eq!(of_host(host), expected, "{host}");
        }
        for known in SERVICES {
            let servers = known.preset.iter().flat_map(|preset| preset.servers).map(|(_, server)| server);
            let entered = known.entered_as.iter().map(|(_, server)| server);
            for server in servers.chain(entered).chain(known.sender_bound) {
                assert_eq!(of_host(server), Some(known.service), "{server}");
                assert_eq!(suggested_server(server), None, "{server} is the right one");
            }
        }
    }

    #[test]
    fn a_typing_error_leads_to_the_server_that_was_meant() {
        for (host, expected) in [
            ("smtp.gmial.com", Some("smtp.gmail.com")),
            ("stmp.gmial.com", Some("smtp.gmail.com")),
            ("smtp.gmail.con", Some("smtp.gmail.com")),
            ("smtp.gmail.co", Some("smtp.gmail.com")),
            ("smtp.ofice365.com", Some("smtp.office365.com")),
            ("smtp.gmail.com", None),
            ("smtp.zoho.uk", None),
            ("mail.gmx.at", None),
            ("smtp.mail.com", None),
            ("email-smtp.eu-west-9.amazonaws.com", None),
            ("smtp.example.com", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(similar_server(host), expected, "{host}");
        }
    }

    #[test]
    fn what_people_enter_leads_to_the_server_for_sending() {
        for (host, expected) in [
            ("gmail.com", Some("smtp.gmail.com")),
            ("imap.gmail.com", Some("smtp.gmail.com")),
            ("anna@gmail.com", Some("smtp.gmail.com")),
            ("aspmx.l.google.com", Some("smtp.gmail.com")),
            ("outlook.office365.com", Some("smtp.office365.com")),
            ("example-com.mail.protection.outlook.com", Some("smtp.office365.com")),
            ("outlook.com", Some("smtp-mail.outlook.com")),
            ("smtp.gmail.com", None),
            ("smtp.eu.mailgun.org", None),
            ("notgmail.com", None),
            ("example.com", None),
        ] {
            assert_eq!(suggested_server(host), expected, "{host}");
        }
    }
}
