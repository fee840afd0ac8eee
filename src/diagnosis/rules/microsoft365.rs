//! Microsoft 365 and Outlook.com over SMTP, up to the sign-in. Entra and Graph have files of their own.

pub(super) mod sending;

use crate::diagnosis::rule::{Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Effect, Owner};
use crate::mail::transcript::Stage;
use crate::mail_services::Service;

const MICROSOFT: &[Service] = &[Service::Microsoft365, Service::OutlookCom];
/// What only Microsoft's servers write into a reply.
const MICROSOFTS_WORDS: &[&str] =
    &[".outlook.com", "exchangelabs.com", "office 365", "office365", "microsoft", "storedrv"];
/// Mailboxes of persons, which no administrator manages.
const PERSONAL: &[&str] = &["*@outlook.*", "*@hotmail.*", "*@live.*", "*@msn.com"];
const SUBMISSION: &str = "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission";
const DEVICES: &str = "https://learn.microsoft.com/exchange/mail-flow-best-practices/how-to-set-up-a-multifunction-device-or-application-to-send-email-using-microsoft-365-or-office-365";
const LIMITS: &str = "https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits";
const USE_GRAPH: &str =
    "Recommended: choose Microsoft 365 as the provider here. It sends without SMTP sign-in.";

const BASE: Rule = Rule { owner: Owner::Microsoft365Admin, ..RULE };

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "M365_SMTP_AUTH_DISABLED_TENANT",
        when: &[When {
            codes: &["5*"],
            texts: &["smtpclientauthentication is disabled for the tenant"],
            ..REPLY
        }],
        title: "SMTP sign-in is switched off in your Microsoft 365 organisation",
        meaning: "Microsoft 365 lets no program sign in to send mail by SMTP while this is off. No setting here can \
                  override it, and your password was not checked. It applies to sign-in with OAuth tokens too.",
        steps: &[
            USE_GRAPH,
            "Or ask your Microsoft 365 administrator to allow Authenticated SMTP for this one mailbox, in Exchange \
             Online PowerShell: `Set-CASMailbox {user} -SmtpClientAuthenticationDisabled $false`",
        ],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "MSA_SMTP_UNAVAILABLE",
        when: &[
            When {
                users: PERSONAL,
                codes: &["5*"],
                texts: &["smtpclientauthentication is disabled for the mailbox"],
                ..REPLY
            },
            When {
                services: &[Service::OutlookCom],
                codes: &["5*"],
                texts: &["smtpclientauthentication is disabled for the mailbox"],
                ..REPLY
            },
        ],
        owner: Owner::TenantAdmin,
        title: "Microsoft does not let the personal mailbox {user} send by SMTP with a password",
        meaning: "This is a personal mailbox of Outlook.com. Microsoft has switched SMTP sign-in off for it, and no \
                  administrator can switch it on. Your password was not checked.",
        steps: &["Send from another mailbox: one of your organisation, or an account at a sending service."],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "M365_SMTP_AUTH_DISABLED_MAILBOX",
        when: &[When {
            codes: &["5*"],
            texts: &["smtpclientauthentication is disabled for the mailbox"],
            ..REPLY
        }],
        title: "SMTP sign-in is switched off for the mailbox {user}",
        meaning: "Microsoft 365 lets no program sign in to this mailbox to send mail by SMTP. No setting here can \
                  override it, and your password was not checked.",
        steps: &[
            "Ask your Microsoft 365 administrator to open the Microsoft 365 admin center: Users, Active users, \
             {user}, Mail, Manage email apps, and to tick Authenticated SMTP.",
            "Wait up to an hour until it takes effect, then run the check again.",
            "Or choose Microsoft 365 as the provider here. It sends without SMTP sign-in.",
        ],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "M365_BASIC_AUTH_DISABLED",
        when: &[When { codes: &["5*"], texts: &["basic authentication is disabled"], ..REPLY }],
        title: "Microsoft does not accept a password for {user}",
        meaning: "Sign-in with user name and password (basic authentication) is switched off for this account. The \
                  password may be right: it was not checked.",
        steps: &[USE_GRAPH, "If this is a personal mailbox of Outlook.com, send from another mailbox."],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "M365_BASIC_AUTH_RETIRED",
        when: &[
            When { codes: &["5*"], enhanced: &["5.7.30"], texts: &["basic authentication"], ..REPLY },
            When {
                codes: &["5*"],
                texts: &["basic authentication is not supported for client submission"],
                ..REPLY
            },
        ],
        title: "Microsoft 365 no longer accepts passwords for sending mail",
        meaning: "Microsoft has retired sign-in with user name and password for sending. No setting and no \
                  administrator can bring it back.",
        steps: &[USE_GRAPH],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "M365_SECURITY_DEFAULTS",
        when: &[When {
            codes: &["5*"],
            texts: &["security defaults policy", "organization's security defaults"],
            ..REPLY
        }],
        title: "The security defaults of your Microsoft 365 organisation block SMTP sign-in",
        meaning: "Security defaults are Microsoft's basic protection of all accounts. They block SMTP sign-in for the \
                  whole organisation, with OAuth tokens too, and know no exception for one user. Your password was \
                  not checked.",
        steps: &[
            USE_GRAPH,
            "Please do not turn the security defaults off for this: they protect every account of the organisation.",
        ],
        links: &["https://learn.microsoft.com/entra/fundamentals/security-defaults"],
        ..BASE
    },
    Rule {
        code: "M365_CONDITIONAL_ACCESS",
        when: &[When { codes: &["5*"], texts: &["did not meet the criteria to be authenticated"], ..REPLY }],
        title: "A sign-in policy of your Microsoft 365 organisation refused {user}",
        meaning: "Microsoft 365 checks each sign-in against the organisation's policies (Conditional Access, \
                  authentication policies), for example by place or by kind of program. The reply names no policy.",
        steps: &[
            "Ask your Microsoft 365 administrator to look up this sign-in in the Entra sign-in log: it names the \
             policy.",
            "Let the policy allow this sign-in; the operator of this service can name the network address.",
            "Or choose Microsoft 365 as the provider here. It sends without SMTP sign-in.",
        ],
        links: &["https://learn.microsoft.com/entra/identity/monitoring-health/concept-sign-ins"],
        ..BASE
    },
    Rule {
        code: "M365_BAD_CREDENTIALS",
        when: &[When {
            stages: &[Stage::Auth],
            codes: &["535"],
            enhanced: &["5.7.139"],
            texts: &["credentials were incorrect"],
            ..REPLY
        }],
        effect: Effect::CredentialsRefused,
        owner: Owner::TenantAdmin,
        title: "Microsoft 365 refused user name or password of {user}",
        meaning: "Microsoft gives this answer to a wrong password, and also to a right one where the account needs a \
                  second factor.",
        steps: &[
            "Check that the user name is the full address with which the user signs in, and enter the password again.",
            "Sign in as {user} on Microsoft's web page. If a second factor is asked for, a password cannot be used \
             here: choose the provider Microsoft 365 in this configuration.",
        ],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "M365_AUTH_GENERIC",
        when: &[When {
            kinds: &[Kind::Refused],
            stages: &[Stage::Auth],
            services: MICROSOFT,
            codes: &["535"],
            enhanced: &["5.7.3"],
            ..REPLY
        }],
        effect: Effect::CredentialsRefused,
        confidence: Confidence::Generic,
        title: "Microsoft 365 refused the sign-in of {user} and gave no reason",
        meaning: "This reply has several causes, the likely ones first: SMTP sign-in is switched off, the account \
                  needs a second factor, the password is wrong, the mailbox has no licence.",
        steps: &[
            "Ask your Microsoft 365 administrator whether Authenticated SMTP is on for this mailbox.",
            "Ask whether security defaults or a second factor apply to it; then a password cannot be used.",
            "Check user name and password by signing in on Microsoft's web page.",
            "Check that the mailbox has a licence for Exchange Online.",
            "Or choose Microsoft 365 as the provider here. It sends without SMTP sign-in.",
        ],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "M365_APP_NOT_REGISTERED_IN_EXCHANGE",
        when: &[When {
            kinds: &[Kind::OAuthRefused],
            stages: &[Stage::Auth],
            services: MICROSOFT,
            codes: &["535"],
            enhanced: &["5.7.3"],
            app_only: Some(true),
            ..REPLY
        }],
        title: "Exchange Online does not know the app {client_id}, or not for the mailbox {from}",
        meaning: "Microsoft issued a token to the app, and Exchange Online refused it. Either the app is not registered \
                  in Exchange Online, or it has no right to the mailbox, or it was registered with the wrong object \
                  id: that of the app registration in place of that of the enterprise application.",
        steps: &[
            "In the Microsoft Entra admin center, under Enterprise applications, copy the Object ID of the app.",
            "In Exchange Online PowerShell run: `New-ServicePrincipal -AppId {client_id} -ObjectId OBJECT-ID`",
            "Then: `Add-MailboxPermission -Identity {from} -User OBJECT-ID -AccessRights FullAccess`",
            "Wait a few minutes, then run the check again. The setup help has these commands ready to paste.",
        ],
        links: &[
            "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
        ],
        ..BASE
    },
    Rule {
        code: "M365_TOKEN_USER_MISMATCH",
        when: &[When {
            kinds: &[Kind::OAuthRefused],
            stages: &[Stage::Auth],
            services: MICROSOFT,
            codes: &["535"],
            enhanced: &["5.7.3"],
            app_only: Some(false),
            ..REPLY
        }],
        owner: Owner::TenantAdmin,
        title: "Exchange Online does not let the token's user send from the mailbox {user}",
        meaning: "The access token was issued to one user, and the sign-in names another mailbox. For a shared mailbox \
                  the user needs the right Full Access.",
        steps: &[
            "Give the consent as the user of the mailbox {user}.",
            "For a shared mailbox ask your Microsoft 365 administrator for Full Access: `Add-MailboxPermission \
             -Identity {user} -User USER -AccessRights FullAccess`",
        ],
        links: &[SUBMISSION],
        ..BASE
    },
    Rule {
        code: "M365_NOT_AUTHENTICATED",
        when: &[
            When { services: MICROSOFT, codes: &["530"], enhanced: &["5.7.57"], ..REPLY },
            When { codes: &["530"], enhanced: &["5.7.57"], texts: MICROSOFTS_WORDS, ..REPLY },
        ],
        owner: Owner::TenantAdmin,
        title: "Microsoft 365 requires a sign-in before it takes mail",
        meaning: "The server for sending was reached, and nobody had signed in.",
        steps: &[
            "Enter user name and password.",
            "If your organisation sends through a connector without sign-in, use its own host, which ends in \
             mail.protection.outlook.com, with port 25.",
        ],
        links: &[DEVICES],
        ..BASE
    },
    Rule {
        code: "M365_CONCURRENCY",
        when: &[
            When { codes: &["4*"], texts: &["concurrent connections limit", "sender thread limit"], ..REPLY },
            When { services: MICROSOFT, codes: &["432"], enhanced: &["4.3.2"], ..REPLY },
        ],
        owner: Owner::Nobody,
        retryable: true,
        title: "Microsoft 365 has too many connections of {user} open at once",
        meaning: "Microsoft allows only a few connections at the same time for one mailbox. The sign-in itself is fine.",
        steps: &[
            "Try again in a minute; nothing needs to be changed.",
            "If other programs send as the same mailbox, give them a mailbox of their own.",
        ],
        links: &[LIMITS],
        ..BASE
    },
];
