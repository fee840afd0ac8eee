//! What an administrator should know about a configuration before it fails.

use super::{BasicAuth, Settings};
use crate::language::{Text, texts};
use crate::mail::domain_name;
use crate::mail_services::{self, Service, UsernameForm};
use crate::smtp::Security;

/// One piece of advice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advice {
    /// Stable.
    pub code: &'static str,
    pub title: Text,
    pub meaning: Text,
    pub link: &'static str,
}

texts! {
    PASSWORD_SIGN_IN = "Microsoft is ending password sign-in (end of December 2026)";
    PASSWORD_SIGN_IN_MEANING = "This configuration signs in at {host} with a user name and a password. At the end of \
                                December 2026 Microsoft switches this off by default in existing organisations, \
                                whose administrators can switch it back on for a time; organisations created after \
                                that cannot use it by default. Choose Microsoft 365 as the provider: it sends \
                                through an app of your own organisation, and the setup help lists the steps. A \
                                personal Outlook.com mailbox cannot switch; use another mailbox.";
    CLEAR_TEXT = "Email is sent without encryption";
    CLEAR_TEXT_MEANING = "With the security type none, anyone along the way can read the emails. Choose StartTLS \
                          (usually port 587) or SSL/TLS (usually port 465) if the server offers one of them.";
    PORT = "Port {port} is usually used with {wanted}";
    PORT_MEANING = "The security type is {chosen}. Most servers use {wanted} on port {port}: choose it if the check \
                    fails.";
    USERNAME_FORM = "{username} does not look like a user name at {service}";
    USERNAME_IS_ADDRESS = "At {service} the user name is the full email address of the account.";
    USERNAME_IS_FIXED = "At {service} the user name is always the word {expected}.";
    SERVER_NAME = "{host} is not {service}'s server for sending";
    SERVER_NAME_MEANING = "Mail programs send through {server}. Enter this name as the server.";
    SENDER_DOMAIN = "{service} may refuse the sender {sender}";
    SENDER_DOMAIN_MEANING = "The account belongs to the domain {account}, the sender address to {domain}. {service} \
                             lets an account send only as itself or as addresses that were added to it. Otherwise it \
                             refuses the email or replaces the sender.";
}

/// In the order of their weight. Pure: it looks at the settings alone.
pub fn advice(settings: &Settings) -> Vec<Advice> {
    let Settings::BasicAuth(basic) = settings else { return Vec::new() };
    [
        password_sign_in(basic),
        server_name(basic),
        username_form(basic),
        clear_text(basic),
        port(basic),
        sender_domain(basic),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether it signs in with a password at Microsoft 365, as the advice `M365_PASSWORD_SIGN_IN` says.
pub fn has_password_at_microsoft365(settings: &Settings) -> bool {
    matches!(settings, Settings::BasicAuth(basic) if password_sign_in(basic).is_some())
}

fn password_sign_in(basic: &BasicAuth) -> Option<Advice> {
    let host = basic.server_address.as_ref()?.to_text();
    basic.username.as_ref()?;
    if !mail_services::ends_password_sign_in(&host) {
        return None;
    }
    Some(Advice {
        code: "M365_PASSWORD_SIGN_IN",
        title: Text::new(PASSWORD_SIGN_IN),
        meaning: Text::new(PASSWORD_SIGN_IN_MEANING).with("host", host),
        link: "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online",
    })
}

/// A relay without a sign-in may well be one of the service's other servers.
fn server_name(basic: &BasicAuth) -> Option<Advice> {
    let host = basic.server_address.as_ref()?.to_text();
    basic.username.as_ref()?;
    if mail_services::ends_password_sign_in(&host) {
        return None;
    }
    let server = mail_services::suggested_server(&host)?;
    let preset = mail_services::preset_of(server)?;
    Some(Advice {
        code: "SERVER_NOT_FOR_SENDING",
        title: Text::new(SERVER_NAME).with("host", host).with("service", preset.name),
        meaning: Text::new(SERVER_NAME_MEANING).with("server", server),
        link: preset.help,
    })
}

fn username_form(basic: &BasicAuth) -> Option<Advice> {
    let host = basic.server_address.as_ref()?.to_text();
    let username = basic.username.as_ref()?;
    let preset = mail_services::preset_of(&host)?;
    if preset.username.fits(username) {
        return None;
    }
    let meaning = match preset.username {
        UsernameForm::Fixed(word) => Text::new(USERNAME_IS_FIXED).with("expected", word),
        UsernameForm::EmailAddress | UsernameForm::Issued => Text::new(USERNAME_IS_ADDRESS),
    };
    Some(Advice {
        code: "USERNAME_FORM",
        title: Text::new(USERNAME_FORM).with("username", username).with("service", preset.name),
        meaning: meaning.with("service", preset.name),
        link: preset.help,
    })
}

fn clear_text(basic: &BasicAuth) -> Option<Advice> {
    (basic.security? == Security::None).then(|| Advice {
        code: "CLEAR_TEXT_CONNECTION",
        title: Text::new(CLEAR_TEXT),
        meaning: Text::new(CLEAR_TEXT_MEANING),
        link: "https://www.rfc-editor.org/rfc/rfc8314",
    })
}

fn port(basic: &BasicAuth) -> Option<Advice> {
    let (port, security) = (basic.server_port?, basic.security?);
    let wanted = match (port, security) {
        (465 | 2465, Security::StartTls | Security::None) => Security::Tls,
        (25 | 587 | 2525 | 2587, Security::Tls) => Security::StartTls,
        _ => return None,
    };
    Some(Advice {
        code: "PORT_SECURITY_MISMATCH",
        title: Text::new(PORT).with("port", port.to_string()).with("wanted", wanted.as_str()),
        meaning: Text::new(PORT_MEANING)
            .with("chosen", security.as_str())
            .with("wanted", wanted.as_str())
            .with("port", port.to_string()),
        link: "https://www.rfc-editor.org/rfc/rfc8314",
    })
}

fn sender_domain(basic: &BasicAuth) -> Option<Advice> {
    let host = basic.server_address.as_ref()?.to_text();
    let (service, name) = mail_services::binds_sender(&host)?;
    let (_, account) = basic.username.as_ref()?.rsplit_once('@')?;
    let sender = basic.email_address.as_ref()?;
    // The user name stays as it was entered, with a domain of any script.
    let account = domain_name::normalise(account).unwrap_or_else(|_| account.to_ascii_lowercase());
    if account == sender.domain() {
        return None;
    }
    Some(Advice {
        code: "SENDER_DOMAIN_DIFFERS",
        title: Text::new(SENDER_DOMAIN).with("service", name).with("sender", sender.to_unicode()),
        meaning: Text::new(SENDER_DOMAIN_MEANING)
            .with("account", domain_name::to_unicode(&account))
            .with("domain", domain_name::to_unicode(sender.domain()))
            .with("service", name),
        link: match service {
            Service::Microsoft365 | Service::OutlookCom => {
                "https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-permissions-for-recipients"
            }
            Service::Google => "https://support.google.com/mail/answer/22370",
            _ => "https://www.rfc-editor.org/rfc/rfc6409#section-6.1",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Host;
    use crate::mail::address::EmailAddress;

    fn codes(
        host: &str,
        port: u16,
        security: Security,
        username: Option<&str>,
        sender: &str,
    ) -> Vec<&'static str> {
        let basic = BasicAuth {
            server_address: Some(Host::parse(host).unwrap()),
            server_port: Some(port),
            security: Some(security),
            username: username.map(str::to_owned),
            email_address: Some(EmailAddress::parse(sender).unwrap()),
            sender_name: None,
        };
        advice(&Settings::BasicAuth(basic)).iter().map(|advice| advice.code).collect()
    }

    #[test]
    fn advice_is_given_where_it_is_due_and_nowhere_else() {
        use Security::{None as Clear, StartTls, Tls};
        let ann = Some("ann@example.com");
        let sender = "ann@example.com";
        for (found, expected) in [
            (codes("smtp.example.com", 587, StartTls, ann, sender), vec![]),
            (codes("smtp.example.com", 465, Tls, ann, sender), vec![]),
            (codes("smtp.example.com", 4465, Tls, ann, sender), vec![]),
            (codes("smtp.office365.com", 587, StartTls, ann, sender), vec!["M365_PASSWORD_SIGN_IN"]),
            (codes("outlook.office365.com", 587, StartTls, ann, sender), vec!["M365_PASSWORD_SIGN_IN"]),
            (codes("smtp-mail.outlook.com", 587, StartTls, ann, sender), vec!["M365_PASSWORD_SIGN_IN"]),
            (codes("smtp.live.com", 587, StartTls, ann, sender), vec!["M365_PASSWORD_SIGN_IN"]),
            (codes("mail.hotmail.co.uk", 587, StartTls, ann, sender), vec!["M365_PASSWORD_SIGN_IN"]),
            (codes("x.mail.protection.outlook.com", 25, StartTls, None, sender), vec![]),
            (codes("smtp.office365.com", 25, StartTls, None, sender), vec![]),
            (codes("smtp.example.com", 25, Clear, None, sender), vec!["CLEAR_TEXT_CONNECTION"]),
            (codes("smtp.example.com", 465, StartTls, ann, sender), vec!["PORT_SECURITY_MISMATCH"]),
            (codes("smtp.example.com", 587, Tls, ann, sender), vec!["PORT_SECURITY_MISMATCH"]),
            (
                codes("smtp.example.com", 465, Clear, None, sender),
                vec!["CLEAR_TEXT_CONNECTION", "PORT_SECURITY_MISMATCH"],
            ),
            (codes("smtp.gmail.com", 587, StartTls, ann, "news@example.org"), vec!["SENDER_DOMAIN_DIFFERS"]),
            (codes("smtp.gmail.com", 587, StartTls, ann, "news@example.com"), vec![]),
            (codes("smtp.gmail.com", 587, StartTls, Some("ann@Größe.de"), "news@größe.de"), vec![]),
            (codes("smtp.gmail.com", 587, StartTls, Some("ann"), sender), vec!["USERNAME_FORM"]),
            (codes("smtp.sendgrid.net", 587, StartTls, ann, sender), vec!["USERNAME_FORM"]),
            (codes("smtp.sendgrid.net", 587, StartTls, Some("apikey"), sender), vec![]),
            (codes("smtp.example.com", 587, StartTls, Some("ann"), sender), vec![]),
            (codes("imap.gmail.com", 587, StartTls, ann, sender), vec!["SERVER_NOT_FOR_SENDING"]),
            (codes("aspmx.l.google.com", 587, StartTls, None, sender), vec![]),
            (codes("smtp.example.com", 587, StartTls, ann, "news@example.org"), vec![]),
        ] {
            assert_eq!(found, expected);
        }
        assert!(advice(&Settings::BasicAuth(BasicAuth::default())).is_empty(), "nothing is known yet");
    }

    #[test]
    fn a_sender_of_another_domain_is_told_where_its_service_says_more() {
        for (host, link) in [
            ("smtp.gmail.com", "https://support.google.com/"),
            ("smtp-mail.outlook.com", "https://learn.microsoft.com/"),
            ("smtp.mail.yahoo.com", "https://www.rfc-editor.org/"),
        ] {
            let basic = BasicAuth {
                server_address: Some(Host::parse(host).unwrap()),
                username: Some("ann@example.com".to_owned()),
                email_address: Some(EmailAddress::parse("news@example.org").unwrap()),
                ..BasicAuth::default()
            };
            let found = sender_domain(&basic).expect("another domain");
            assert!(found.link.starts_with(link), "{host}: {}", found.link);
        }
    }
}
