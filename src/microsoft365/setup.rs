//! What an administrator of Microsoft 365 has to do so that an app may send mail: as steps, and as text that can
//! be pasted. Pure: from values to values.

use super::Endpoints;
use super::token::percent_encoded;

/// What is known already; what is not stands as a placeholder.
#[derive(Clone, Copy, Default, Debug)]
pub struct Values<'a> {
    pub client_id: Option<&'a str>,
    pub provider_tenant: Option<&'a str>,
    pub mailbox: Option<&'a str>,
}

/// One way to the goal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// Stable: `organisation`, `mailbox` or `smtp`.
    pub id: &'static str,
    pub title: &'static str,
    /// When to choose it, and what it means.
    pub meaning: String,
    /// The permission that the app gets, and its kind.
    pub permission: &'static str,
    pub steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub title: &'static str,
    pub text: String,
    pub link: Option<String>,
    /// Exchange Online PowerShell, ready to paste.
    pub commands: Vec<String>,
}

/// The placeholder for what only Entra knows: the object id of the enterprise application, which is not that of
/// the app registration.
const OBJECT_ID: &str = "OBJECT-ID-OF-THE-ENTERPRISE-APPLICATION";

const APPLICATION_RBAC: &str = "https://learn.microsoft.com/exchange/permissions-exo/application-rbac";
const SMTP_OAUTH: &str = "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth";

impl Values<'_> {
    fn client_id(&self) -> &str {
        self.client_id.unwrap_or("CLIENT-ID")
    }

    fn provider_tenant(&self) -> &str {
        self.provider_tenant.unwrap_or("TENANT-ID")
    }

    fn mailbox(&self) -> &str {
        self.mailbox.unwrap_or("MAILBOX")
    }
}

/// The link with which an administrator approves the app for the whole directory.
#[must_use]
pub fn admin_consent_link(endpoints: &Endpoints, values: &Values<'_>) -> String {
    format!(
        "{}/{}/adminconsent?client_id={}",
        endpoints.login,
        percent_encoded(values.provider_tenant()),
        percent_encoded(values.client_id())
    )
}

/// The two ways with Graph, of which one is to be chosen, and the one with SMTP.
#[must_use]
pub fn ways(endpoints: &Endpoints, values: &Values<'_>) -> [Way; 3] {
    [organisation(endpoints, values), mailbox(endpoints, values), smtp(endpoints, values)]
}

fn organisation(endpoints: &Endpoints, values: &Values<'_>) -> Way {
    Way {
        id: "organisation",
        title: "The app may send from every mailbox of the organisation",
        meaning: "The shorter way. Choose it where the app is trusted with all mailboxes; it would cancel a limit to \
                  one mailbox."
            .to_owned(),
        permission: "Microsoft Graph, Mail.Send, kind Application",
        steps: vec![
            registration(endpoints),
            Step {
                title: "Add the permission",
                text: "In the app open API permissions, Add a permission, Microsoft Graph, Application permissions \
                       (not Delegated), and choose Mail.Send."
                    .to_owned(),
                link: Some(endpoints.portal.to_owned()),
                commands: Vec::new(),
            },
            Step {
                title: "Approve it for the organisation",
                text: "As an administrator open this link, sign in and accept. The button Grant admin consent under \
                       API permissions does the same."
                    .to_owned(),
                link: Some(admin_consent_link(endpoints, values)),
                commands: Vec::new(),
            },
            secret(),
        ],
    }
}

fn mailbox(endpoints: &Endpoints, values: &Values<'_>) -> Way {
    // Exchange takes at most 64 characters for a name.
    let name: String = format!("transports {}", values.mailbox()).chars().take(64).collect();
    let scope = quoted(&name);
    let filter = quoted(&format!("PrimarySmtpAddress -eq {}", quoted(values.mailbox())));
    let app = quoted(values.client_id());
    Way {
        id: "mailbox",
        title: "The app may send from this one mailbox only",
        meaning: format!(
            "The narrow way, by roles for applications in Exchange Online: the app can send as {} and reads or sends \
             nothing else. Do not grant Mail.Send in Entra as well: the wide permission would cancel the limit.",
            values.mailbox()
        ),
        permission: "Exchange Online, role Application Mail.Send, limited to one mailbox",
        steps: vec![
            registration(endpoints),
            Step {
                title: "Remove the wide permission",
                text:
                    "If the app has Mail.Send under API permissions, remove it there, and under Enterprise \
                       applications, Permissions, revoke its consent."
                        .to_owned(),
                link: Some(endpoints.portal.to_owned()),
                commands: Vec::new(),
            },
            Step {
                title: "Limit the app to the mailbox",
                text: format!(
                    "In Exchange Online PowerShell. {OBJECT_ID} is the Object ID that Entra shows under Enterprise \
                     applications for this app; the one under App registrations is another and does not work."
                ),
                link: Some(APPLICATION_RBAC.to_owned()),
                commands: vec![
                    "Connect-ExchangeOnline".to_owned(),
                    format!(
                        "New-ServicePrincipal -AppId {app} -ObjectId '{OBJECT_ID}' -DisplayName 'Email transport'"
                    ),
                    format!("New-ManagementScope -Name {scope} -RecipientRestrictionFilter {filter}"),
                    format!(
                        "New-ManagementRoleAssignment -App {app} -Role 'Application Mail.Send' \
                         -CustomResourceScope {scope}"
                    ),
                ],
            },
            Step {
                title: "Try it",
                text: "It can take half an hour or more until the limit is in effect. InScope must say True."
                    .to_owned(),
                link: None,
                commands: vec![format!(
                    "Test-ServicePrincipalAuthorization -Identity {app} -Resource {}",
                    quoted(values.mailbox())
                )],
            },
            secret(),
        ],
    }
}

fn smtp(endpoints: &Endpoints, values: &Values<'_>) -> Way {
    let (app, mailbox) = (quoted(values.client_id()), quoted(values.mailbox()));
    Way {
        id: "smtp",
        title: "The app signs in by SMTP with a token",
        meaning: format!(
            "Only where the operator of this installation has chosen SMTP for Microsoft 365. Mail then goes through \
             {} with a token in place of a password.",
            endpoints.smtp_host
        ),
        permission: "Office 365 Exchange Online, SMTP.SendAsApp, kind Application",
        steps: vec![
            registration(endpoints),
            Step {
                title: "Add and approve the permission",
                text: "In the app open API permissions, Add a permission, APIs my organization uses, Office 365 \
                       Exchange Online, Application permissions, and choose SMTP.SendAsApp. Then open this link as an \
                       administrator and accept."
                    .to_owned(),
                link: Some(admin_consent_link(endpoints, values)),
                commands: Vec::new(),
            },
            Step {
                title: "Let the app use the mailbox",
                text: format!(
                    "In Exchange Online PowerShell. {OBJECT_ID} is the Object ID that Entra shows under Enterprise \
                     applications for this app; the one under App registrations is another and does not work."
                ),
                link: Some(SMTP_OAUTH.to_owned()),
                commands: vec![
                    "Connect-ExchangeOnline".to_owned(),
                    format!(
                        "New-ServicePrincipal -AppId {app} -ObjectId '{OBJECT_ID}' -DisplayName 'Email transport'"
                    ),
                    format!("Add-MailboxPermission -Identity {mailbox} -User '{OBJECT_ID}' -AccessRights FullAccess"),
                    format!("Add-RecipientPermission -Identity {mailbox} -Trustee '{OBJECT_ID}' -AccessRights SendAs"),
                    format!("Set-CASMailbox -Identity {mailbox} -SmtpClientAuthenticationDisabled $false"),
                ],
            },
            secret(),
        ],
    }
}

fn registration(endpoints: &Endpoints) -> Step {
    Step {
        title: "Register the app",
        text: "In the Microsoft Entra admin center, under App registrations, make a new registration, or open the one \
               that there is. Its overview shows the Application (client) ID and the Directory (tenant) ID that are \
               entered here."
            .to_owned(),
        link: Some(endpoints.portal.to_owned()),
        commands: Vec::new(),
    }
}

fn secret() -> Step {
    Step {
        title: "Make a client secret",
        text: "In the app, under Certificates & secrets, make a new client secret and copy its Value at once: it is \
               shown only then. The Secret ID beside it is not the secret. Note the day on which it expires."
            .to_owned(),
        link: None,
        commands: Vec::new(),
    }
}

/// A value as PowerShell takes it: in single quotes, where nothing but a doubled quote has a meaning. Typographic quotes
/// open and close a literal there as well.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// A way as plain text, to be sent to the administrator of Microsoft 365.
#[must_use]
pub fn as_text(way: &Way) -> String {
    let mut lines =
        vec![way.title.to_owned(), way.meaning.clone(), format!("Permission: {}", way.permission)];
    for (number, step) in (1..).zip(&way.steps) {
        lines.push(String::new());
        lines.push(format!("{number}. {}", step.title));
        lines.push(step.text.clone());
        lines.extend(step.link.clone());
        lines.extend(step.commands.iter().map(|command| format!("    {command}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints::new(&crate::config::Config::default().microsoft365).unwrap()
    }

    const VALUES: Values<'_> = Values {
        client_id: Some("11111111-2222-3333-4444-555555555555"),
        provider_tenant: Some("contoso.example"),
        mailbox: Some("news@contoso.example"),
    };

    #[test]
    fn every_way_is_filled_with_the_values() {
        let page: String = ways(&endpoints(), &VALUES).iter().map(as_text).collect();
        insta::assert_snapshot!(page);
    }

    #[test]
    fn what_is_not_known_yet_is_a_placeholder() {
        let [organisation, mailbox, _] = ways(&endpoints(), &Values::default());
        assert!(as_text(&organisation).contains("/TENANT-ID/adminconsent?client_id=CLIENT-ID"));
        assert!(as_text(&mailbox).contains("-Resource 'MAILBOX'"));
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let values = Values { mailbox: Some("o'neil$(x)`y@contoso.example"), ..VALUES };
        let [_, mailbox, smtp] = ways(&endpoints(), &values);
        let text = as_text(&mailbox);
        assert!(text.contains("-Resource 'o''neil$(x)`y@contoso.example'"), "{text}");
        assert!(text.contains("'PrimarySmtpAddress -eq ''o''''neil$(x)`y@contoso.example'''"), "{text}");
        assert!(as_text(&smtp).contains("-Identity 'o''neil$(x)`y@contoso.example' -User"));
        let values = Values { mailbox: Some("o\u{2019}|x@contoso.example"), ..VALUES };
        let [_, mailbox, _] = ways(&endpoints(), &values);
        let text = as_text(&mailbox);
        assert!(text.contains("-Resource 'o\u{2019}\u{2019}|x@contoso.example'"), "{text}");
    }

    #[test]
    fn the_narrow_way_grants_nothing_wide() {
        let [organisation, mailbox, _] = ways(&endpoints(), &VALUES);
        assert!(as_text(&organisation).contains("adminconsent"));
        assert!(!as_text(&mailbox).contains("adminconsent"));
        assert!(as_text(&mailbox).contains("Do not grant Mail.Send in Entra"));
    }
}
