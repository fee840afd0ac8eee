//! Instructions for the administrator of Microsoft 365 who lets an app send mail: steps, and commands to paste. Pure.

use super::Endpoints;
use crate::language::{Language, Text, texts};
use crate::percent::percent_encode;

/// The known values; a placeholder stands for each other one.
#[derive(Clone, Copy, Default, Debug)]
pub struct Values<'a> {
    pub client_id: Option<&'a str>,
    pub provider_tenant: Option<&'a str>,
    pub mailbox: Option<&'a str>,
}

/// One way to let the app send: the grant, and the steps that give it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetupOption {
    /// Stable: `mailbox`, `organisation` or `smtp`.
    pub id: &'static str,
    pub title: Text,
    /// When to choose it, and what it means.
    pub meaning: Text,
    /// The permission that the app gets, and its kind.
    pub permission: Text,
    pub steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub title: Text,
    pub text: Text,
    pub link: Option<String>,
    /// Exchange Online PowerShell, ready to paste.
    pub commands: Vec<String>,
}

/// The placeholder for what only Entra knows: the object id of the enterprise application, which is not that of
/// the app registration.
const OBJECT_ID: &str = "OBJECT-ID-OF-THE-ENTERPRISE-APPLICATION";

const APPLICATION_RBAC: &str = "https://learn.microsoft.com/exchange/permissions-exo/application-rbac";
const SMTP_OAUTH: &str = "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth";

texts! {
    ORGANISATION = "The app may send from every mailbox of the organisation";
    ORGANISATION_MEANING = "Fewer steps, wider access: the app can send as any mailbox. It overrides a restriction to \
                            one mailbox.";
    ORGANISATION_PERMISSION = "Microsoft Graph, Mail.Send, kind Application";
    ADD_PERMISSION = "Add the permission";
    ADD_PERMISSION_TEXT = "In the app open API permissions, Add a permission, Microsoft Graph, Application \
                           permissions (not Delegated), and choose Mail.Send.";
    APPROVE = "Approve it for the organisation";
    APPROVE_TEXT = "As an administrator open this link, sign in and accept. The button Grant admin consent \
                    under API permissions does the same.";
    MAILBOX = "The app may only send from this one mailbox (recommended)";
    MAILBOX_MEANING = "Narrow access through roles for applications in Exchange Online: the app can send as {mailbox} \
                       and can read or send nothing else. Do not grant Mail.Send in Entra as well: the wide \
                       permission would override the restriction.";
    MAILBOX_PERMISSION = "Exchange Online, role Application Mail.Send, limited to one mailbox";
    REMOVE_WIDE = "Remove the wide permission";
    REMOVE_WIDE_TEXT = "If the app has Mail.Send under API permissions, remove it there, and under \
                        Enterprise applications, Permissions, revoke its consent.";
    LIMIT = "Restrict the app to the mailbox";
    OBJECT_ID_TEXT = "Run this in Exchange Online PowerShell. {object_id} is the Object ID that Entra shows for this \
                      app under Enterprise applications. The one under App registrations is different and does not \
                      work.";
    TRY = "Check it";
    TRY_TEXT = "It can take half an hour or more until the restriction takes effect. InScope must be True.";
    SMTP = "The app signs in by SMTP with a token";
    SMTP_MEANING = "Only where the operator of this service has chosen SMTP for Microsoft 365. Mail then goes through \
                    {smtp_host} with a token in place of a password.";
    SMTP_PERMISSION = "Office 365 Exchange Online, SMTP.SendAsApp, kind Application";
    ADD_AND_APPROVE = "Add and approve the permission";
    ADD_AND_APPROVE_TEXT = "In the app open API permissions, Add a permission, APIs my organization uses, \
                            Office 365 Exchange Online, Application permissions, and choose SMTP.SendAsApp. \
                            Then open this link as an administrator and accept.";
    USE_MAILBOX = "Let the app use the mailbox";
    REGISTER = "Register the app";
    REGISTER_TEXT = "In the Microsoft Entra admin center, under App registrations, create a registration, or open an \
                     existing one. Its overview shows the Application (client) ID and the Directory (tenant) ID that \
                     are entered here.";
    SECRET = "Create a client secret";
    SECRET_TEXT = "In the app, under Certificates & secrets, create a client secret and copy its Value right away: it \
                   is shown only once. The Secret ID next to it is not the secret. Note the day on which it expires.";
    PERMISSION = "Permission: {permission}";
    SEND_BACK = "When you are done, please send back:";
    SEND_BACK_IDS = "the Application (client) ID and the Directory (tenant) ID; they are not secret";
    SEND_BACK_VALUE = "the Value of the client secret, in a safe way: through a password manager or a one-time link, \
                       not in an email or a chat";
    SEND_BACK_DAY = "the day on which the client secret expires";
}

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
pub fn admin_consent_link(endpoints: &Endpoints, values: &Values<'_>) -> String {
    format!(
        "{}/{}/adminconsent?client_id={}",
        endpoints.login,
        percent_encode(values.provider_tenant()),
        percent_encode(values.client_id())
    )
}

/// Two options with Graph, of which the administrator chooses one, and one with SMTP. The narrow one comes first.
pub fn options(endpoints: &Endpoints, values: &Values<'_>) -> [SetupOption; 3] {
    [mailbox(endpoints, values), organisation(endpoints, values), smtp(endpoints, values)]
}

fn organisation(endpoints: &Endpoints, values: &Values<'_>) -> SetupOption {
    SetupOption {
        id: "organisation",
        title: Text::new(ORGANISATION),
        meaning: Text::new(ORGANISATION_MEANING),
        permission: Text::new(ORGANISATION_PERMISSION),
        steps: vec![
            registration(endpoints),
            Step {
                title: Text::new(ADD_PERMISSION),
                text: Text::new(ADD_PERMISSION_TEXT),
                link: Some(endpoints.portal.to_owned()),
                commands: Vec::new(),
            },
            Step {
                title: Text::new(APPROVE),
                text: Text::new(APPROVE_TEXT),
                link: Some(admin_consent_link(endpoints, values)),
                commands: Vec::new(),
            },
            secret(),
        ],
    }
}

fn mailbox(endpoints: &Endpoints, values: &Values<'_>) -> SetupOption {
    // Exchange takes at most 64 characters for a name.
    let name: String = format!("transports {}", values.mailbox()).chars().take(64).collect();
    let scope = quoted(&name);
    let filter = quoted(&format!("PrimarySmtpAddress -eq {}", quoted(values.mailbox())));
    let app = quoted(values.client_id());
    SetupOption {
        id: "mailbox",
        title: Text::new(MAILBOX),
        meaning: Text::new(MAILBOX_MEANING).with("mailbox", values.mailbox()),
        permission: Text::new(MAILBOX_PERMISSION),
        steps: vec![
            registration(endpoints),
            Step {
                title: Text::new(REMOVE_WIDE),
                text: Text::new(REMOVE_WIDE_TEXT),
                link: Some(endpoints.portal.to_owned()),
                commands: Vec::new(),
            },
            Step {
                title: Text::new(LIMIT),
                text: Text::new(OBJECT_ID_TEXT).with("object_id", OBJECT_ID),
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
                title: Text::new(TRY),
                text: Text::new(TRY_TEXT),
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

fn smtp(endpoints: &Endpoints, values: &Values<'_>) -> SetupOption {
    let (app, mailbox) = (quoted(values.client_id()), quoted(values.mailbox()));
    SetupOption {
        id: "smtp",
        title: Text::new(SMTP),
        meaning: Text::new(SMTP_MEANING).with("smtp_host", &endpoints.smtp_host),
        permission: Text::new(SMTP_PERMISSION),
        steps: vec![
            registration(endpoints),
            Step {
                title: Text::new(ADD_AND_APPROVE),
                text: Text::new(ADD_AND_APPROVE_TEXT),
                link: Some(admin_consent_link(endpoints, values)),
                commands: Vec::new(),
            },
            Step {
                title: Text::new(USE_MAILBOX),
                text: Text::new(OBJECT_ID_TEXT).with("object_id", OBJECT_ID),
                link: Some(SMTP_OAUTH.to_owned()),
                commands: vec![
                    "Connect-ExchangeOnline".to_owned(),
                    format!(
                        "New-ServicePrincipal -AppId {app} -ObjectId '{OBJECT_ID}' -DisplayName 'Email transport'"
                    ),
                    format!(
                        "Add-MailboxPermission -Identity {mailbox} -User '{OBJECT_ID}' -AccessRights FullAccess"
                    ),
                    format!(
                        "Add-RecipientPermission -Identity {mailbox} -Trustee '{OBJECT_ID}' -AccessRights SendAs"
                    ),
                    format!("Set-CASMailbox -Identity {mailbox} -SmtpClientAuthenticationDisabled $false"),
                ],
            },
            secret(),
        ],
    }
}

fn registration(endpoints: &Endpoints) -> Step {
    Step {
        title: Text::new(REGISTER),
        text: Text::new(REGISTER_TEXT),
        link: Some(endpoints.portal.to_owned()),
        commands: Vec::new(),
    }
}

fn secret() -> Step {
    Step { title: Text::new(SECRET), text: Text::new(SECRET_TEXT), link: None, commands: Vec::new() }
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

/// An option as plain text, to be sent to the administrator of Microsoft 365.
pub fn as_text(option: &SetupOption, language: Language) -> String {
    let permission = Text::new(PERMISSION).with("permission", option.permission.render(language));
    let mut lines =
        vec![option.title.render(language), option.meaning.render(language), permission.render(language)];
    for (number, step) in (1..).zip(&option.steps) {
        lines.push(String::new());
        lines.push(format!("{number}. {}", step.title.render(language)));
        lines.push(step.text.render(language));
        lines.extend(step.link.clone());
        lines.extend(step.commands.iter().map(|command| format!("    {command}")));
    }
    lines.push(String::new());
    lines.push(Text::new(SEND_BACK).render(language));
    lines.extend(
        [SEND_BACK_IDS, SEND_BACK_VALUE, SEND_BACK_DAY]
            .map(|what| format!("- {}", Text::new(what).render(language))),
    );
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::English;

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
        let page: String =
            options(&endpoints(), &VALUES).iter().map(|option| as_text(option, English)).collect();
        insta::assert_snapshot!(page);
    }

    #[test]
    fn every_way_can_be_read_in_german() {
        let options = options(&endpoints(), &VALUES);
        let page: String = options.iter().map(|option| as_text(option, Language::German)).collect();
        for command in options.iter().flat_map(|option| &option.steps).flat_map(|step| &step.commands) {
            assert!(page.contains(command), "{command}");
        }
        insta::assert_snapshot!(page);
    }

    #[test]
    fn what_is_not_known_yet_is_a_placeholder() {
        let [mailbox, organisation, _] = options(&endpoints(), &Values::default());
        assert!(as_text(&organisation, English).contains("/TENANT-ID/adminconsent?client_id=CLIENT-ID"));
        assert!(as_text(&mailbox, English).contains("-Resource 'MAILBOX'"));
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let values = Values { mailbox: Some("o'neil$(x)`y@contoso.example"), ..VALUES };
        let [mailbox, _, smtp] = options(&endpoints(), &values);
        let text = as_text(&mailbox, English);
        assert!(text.contains("-Resource 'o''neil$(x)`y@contoso.example'"), "{text}");
        assert!(text.contains("'PrimarySmtpAddress -eq ''o''''neil$(x)`y@contoso.example'''"), "{text}");
        assert!(as_text(&smtp, English).contains("-Identity 'o''neil$(x)`y@contoso.example' -User"));
        let values = Values { mailbox: Some("o\u{2019}|x@contoso.example"), ..VALUES };
        let [mailbox, _, _] = options(&endpoints(), &values);
        let text = as_text(&mailbox, English);
        assert!(text.contains("-Resource 'o\u{2019}\u{2019}|x@contoso.example'"), "{text}");
    }

    #[test]
    fn the_narrow_way_grants_nothing_wide() {
        let [mailbox, organisation, _] = options(&endpoints(), &VALUES);
        assert!(as_text(&organisation, English).contains("adminconsent"));
        assert!(!as_text(&mailbox, English).contains("adminconsent"));
        assert!(as_text(&mailbox, English).contains("Do not grant Mail.Send in Entra"));
    }
}
