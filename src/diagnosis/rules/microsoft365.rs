//! Microsoft 365 and Outlook.com over SMTP. Entra and Graph have their own replies, which are none of SMTP's.

use crate::diagnosis::rule::{Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Effect, Owner};
use crate::mail::transcript::Stage;

const HOSTS: &[&str] =
    &["*.office365.com", "*.office365.us", "*.outlook.com", "*.outlook.office.com", "*.partner.outlook.cn"];
/// What only Microsoft's servers write into a reply.
const MICROSOFTS_WORDS: &[&str] =
    &[".outlook.com", "exchangelabs.com", "office 365", "office365", "microsoft", "storedrv"];
/// Mailboxes of persons, which no administrator manages.
const PERSONAL: &[&str] = &["*@outlook.*", "*@hotmail.*", "*@live.*", "*@msn.com"];
const SUBMISSION: &str = "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission";
const DEVICES: &str = "https://learn.microsoft.com/exchange/mail-flow-best-practices/how-to-set-up-a-multifunction-device-or-application-to-send-email-using-microsoft-365-or-office-365";
const LIMITS: &str = "https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits";
const NDR: &str = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online";
const USE_GRAPH: &str =
    "Recommended: choose the provider Microsoft 365 in this configuration. It sends without SMTP sign-in.";

const PART: Rule = Rule { owner: Owner::Microsoft365Admin, ..RULE };

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
                  override it, and your password was not judged. It applies to sign-in with OAuth tokens too.",
        steps: &[
            USE_GRAPH,
            "Or ask your Microsoft 365 administrator to allow Authenticated SMTP for this one mailbox: \
             Set-CASMailbox {user} -SmtpClientAuthenticationDisabled $false",
        ],
        links: &[SUBMISSION],
        ..PART
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
                hosts: &["smtp-mail.outlook.com"],
                codes: &["5*"],
                texts: &["smtpclientauthentication is disabled for the mailbox"],
                ..REPLY
            },
        ],
        owner: Owner::TenantAdmin,
        title: "Microsoft does not let the personal mailbox {user} send by SMTP with a password",
        meaning: "This is a personal mailbox of Outlook.com. Microsoft has switched SMTP sign-in off for it, and no \
                  administrator can switch it on. Your password was not judged.",
        steps: &["Send from another mailbox: one of your organisation, or an account at a sending service."],
        links: &[SUBMISSION],
        ..PART
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
                  override it, and your password was not judged.",
        steps: &[
            "Ask your Microsoft 365 administrator to open the Microsoft 365 admin center: Users, Active users, \
             {user}, Mail, Manage email apps, and to tick Authenticated SMTP.",
            "Wait up to an hour until it takes effect, then run the check again.",
            "Or choose the provider Microsoft 365 in this configuration. It sends without SMTP sign-in.",
        ],
        links: &[SUBMISSION],
        ..PART
    },
    Rule {
        code: "M365_BASIC_AUTH_DISABLED",
        when: &[When { codes: &["5*"], texts: &["basic authentication is disabled"], ..REPLY }],
        title: "Microsoft does not accept a password for {user}",
        meaning: "Sign-in with user name and password (basic authentication) is switched off for this account. The \
                  password may be right: it was not judged.",
        steps: &[USE_GRAPH, "If this is a personal mailbox of Outlook.com, send from another mailbox."],
        links: &[SUBMISSION],
        ..PART
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
        ..PART
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
                  not judged.",
        steps: &[
            USE_GRAPH,
            "Please do not turn the security defaults off for this: they protect every account of the organisation.",
        ],
        links: &["https://learn.microsoft.com/entra/fundamentals/security-defaults"],
        ..PART
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
            "Let the policy allow this sign-in; the operator of this installation can name the network address.",
            "Or choose the provider Microsoft 365 in this configuration. It sends without SMTP sign-in.",
        ],
        links: &["https://learn.microsoft.com/entra/identity/monitoring-health/concept-sign-ins"],
        ..PART
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
        ..PART
    },
    Rule {
        code: "M365_AUTH_GENERIC",
        when: &[When {
            kinds: &[Kind::Refused],
            stages: &[Stage::Auth],
            hosts: HOSTS,
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
            "Or choose the provider Microsoft 365 in this configuration. It sends without SMTP sign-in.",
        ],
        links: &[SUBMISSION],
        ..PART
    },
    Rule {
        code: "M365_APP_NOT_REGISTERED_IN_EXCHANGE",
        when: &[When {
            kinds: &[Kind::OAuthRefused],
            stages: &[Stage::Auth],
            hosts: HOSTS,
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
            "In Exchange Online PowerShell run: New-ServicePrincipal -AppId {client_id} -ObjectId OBJECT-ID",
            "Then: Add-MailboxPermission -Identity {from} -User OBJECT-ID -AccessRights FullAccess",
            "Wait some minutes, then run the check again. The setup help has these commands ready to paste.",
        ],
        links: &[
            "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
        ],
        ..PART
    },
    Rule {
        code: "M365_TOKEN_USER_MISMATCH",
        when: &[When {
            kinds: &[Kind::OAuthRefused],
            stages: &[Stage::Auth],
            hosts: HOSTS,
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
            "For a shared mailbox ask your Microsoft 365 administrator for Full Access: Add-MailboxPermission \
             -Identity {user} -User USER -AccessRights FullAccess",
        ],
        links: &[SUBMISSION],
        ..PART
    },
    Rule {
        code: "M365_NOT_AUTHENTICATED",
        when: &[
            When { hosts: HOSTS, codes: &["530"], enhanced: &["5.7.57"], ..REPLY },
            When { codes: &["530"], enhanced: &["5.7.57"], texts: MICROSOFTS_WORDS, ..REPLY },
        ],
        owner: Owner::TenantAdmin,
        title: "Microsoft 365 wants a sign-in before it takes mail",
        meaning: "The server for sending was reached, and nobody had signed in.",
        steps: &[
            "Enter user name and password.",
            "If your organisation sends through a connector without sign-in, use its own host, which ends in \
             mail.protection.outlook.com, with port 25.",
        ],
        links: &[DEVICES],
        ..PART
    },
    Rule {
        code: "M365_CONCURRENCY",
        when: &[
            When { codes: &["4*"], texts: &["concurrent connections limit", "sender thread limit"], ..REPLY },
            When { hosts: HOSTS, codes: &["432"], enhanced: &["4.3.2"], ..REPLY },
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
        ..PART
    },
    Rule {
        code: "M365_OUTBOUND_SPAM",
        when: &[When {
            codes: &["5*"],
            texts: &["outboundspamexception", "wascl useraction", "hipnotify"],
            ..REPLY
        }],
        concerns_configuration: true,
        owner: Owner::TenantAdmin,
        title: "Microsoft's check of outgoing mail has stopped the mailbox {user}",
        meaning: "Microsoft holds mail of mailboxes back that are not verified yet, or that send more than it allows a new \
                  account. The text of the mail is not the cause, and neither is the permission to send.",
        steps: &[
            "Sign in as {user} on Microsoft's web page, and verify the account where it asks for that.",
            "Then wait some hours, and send little at first.",
        ],
        links: &[LIMITS],
        ..PART
    },
    Rule {
        code: "M365_SEND_AS_DENIED",
        when: &[
            When { hosts: HOSTS, codes: &["5*"], enhanced: &["5.7.60", "5.2.252"], ..REPLY },
            When { codes: &["5*"], texts: &["sendasdenied", "permissions to send as this sender"], ..REPLY },
        ],
        concerns_configuration: true,
        title: "Microsoft 365 does not let {user} send as {from}",
        meaning: "The sign-in worked. The signed-in user may send only as its own mailbox, or as one for which it has \
                  the permission Send As.",
        steps: &[
            "Use the address of the signed-in mailbox as the sender address.",
            "Or ask your Microsoft 365 administrator for the permission: Add-RecipientPermission {from} -Trustee \
             {user} -AccessRights SendAs",
        ],
        links: &[
            "https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-permissions-for-recipients",
        ],
        ..PART
    },
    Rule {
        code: "M365_SENDER_BLOCKED",
        when: &[
            When { codes: &["5*"], enhanced: &["5.1.8"], texts: &["bad outbound sender"], ..REPLY },
            When {
                hosts: HOSTS,
                codes: &["5*"],
                enhanced: &["5.7.501", "5.7.502", "5.7.503", "5.7.511"],
                ..REPLY
            },
        ],
        concerns_configuration: true,
        title: "Microsoft has blocked the sender {from}",
        meaning: "Microsoft found spam among the mail of this sender and stopped it. The account may have been taken \
                  over by someone else.",
        steps: &[
            "Ask your Microsoft 365 administrator to look whether the account was taken over, and to change its \
             password.",
            "Then remove it from the Restricted entities in the Microsoft Defender portal.",
        ],
        links: &["https://learn.microsoft.com/defender-office-365/outbound-spam-restore-restricted-users"],
        ..PART
    },
    Rule {
        code: "M365_CONNECTOR_MISMATCH",
        when: &[
            When { hosts: HOSTS, codes: &["5*"], enhanced: &["5.7.64"], ..REPLY },
            When { texts: &["tenantattribution"], ..REPLY },
            When { hosts: HOSTS, codes: &["4*"], enhanced: &["4.4.62"], ..REPLY },
        ],
        concerns_configuration: true,
        title: "No connector of your Microsoft 365 organisation recognises us",
        meaning: "Without sign-in, Microsoft 365 relays only what an inbound connector of your organisation \
                  recognises by network address or certificate. None does.",
        steps: &[
            "Ask the operator of this installation for the network address that it sends from.",
            "Ask your Microsoft 365 administrator to enter it in the inbound connector, and to check that the domain \
             of {from} belongs to the organisation.",
            "Or sign in: use smtp.office365.com with port 587, StartTLS, user name and password.",
        ],
        links: &[
            "https://learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/set-up-connectors-to-route-mail",
            DEVICES,
        ],
        ..PART
    },
    Rule {
        code: "M365_QUOTA_MAILBOX",
        when: &[When {
            codes: &["4*", "5*"],
            texts: &["submissionquotaexceeded", "submission quota exceeded"],
            ..REPLY
        }],
        retryable: true,
        title: "The mailbox {user} has reached its sending limit at Microsoft 365",
        meaning: "Microsoft limits to how many recipients one mailbox may send in a day. The sign-in itself is fine.",
        steps: &[
            "Wait until the limit opens again, within 24 hours.",
            "If this mailbox has not sent so much, ask your Microsoft 365 administrator whether somebody else uses it.",
            "For large amounts use a sending service.",
        ],
        links: &[LIMITS],
        ..PART
    },
    Rule {
        code: "M365_QUOTA_TENANT",
        when: &[
            When { hosts: HOSTS, codes: &["5*"], enhanced: &["5.7.232", "5.7.233"], ..REPLY },
            When { codes: &["4*", "5*"], texts: &["tenant external recipient rate limit"], ..REPLY },
        ],
        retryable: true,
        title: "Your Microsoft 365 organisation has reached its limit for recipients outside",
        meaning: "Microsoft limits to how many outside recipients a whole organisation may send in a day. Others in \
                  the organisation may have used it up.",
        steps: &[
            "Wait until the limit opens again, within 24 hours.",
            "Ask your Microsoft 365 administrator to look at the report on the tenant's external recipients in the \
             Exchange admin center.",
        ],
        links: &[LIMITS],
        ..PART
    },
    Rule {
        code: "M365_SUSPICIOUS",
        when: &[
            When { hosts: HOSTS, codes: &["4*"], enhanced: &["4.7.5??", "4.7.6??", "4.7.850"], ..REPLY },
            When {
                codes: &["4*"],
                enhanced: &["4.7.5??", "4.7.6??", "4.7.850"],
                texts: MICROSOFTS_WORDS,
                ..REPLY
            },
        ],
        retryable: true,
        title: "Microsoft is holding mail back while it reviews the traffic",
        meaning: "Microsoft found the traffic unusual and accepts it only slowly or not at all for some time.",
        steps: &[
            "Wait some hours; sending is usually opened again.",
            "If it stays so, ask your Microsoft 365 administrator to open a case with Microsoft, with the server's \
             reply.",
        ],
        links: &[NDR],
        ..PART
    },
    Rule {
        code: "M365_TENANT_BLOCKED",
        when: &[
            When { hosts: HOSTS, codes: &["5*"], enhanced: &["5.7.705", "5.7.708", "5.7.750"], ..REPLY },
            When {
                codes: &["5*"],
                enhanced: &["5.7.705", "5.7.708", "5.7.750"],
                texts: MICROSOFTS_WORDS,
                ..REPLY
            },
        ],
        title: "Microsoft has blocked sending for your organisation",
        meaning: "Microsoft accepts no mail from this organisation or from this network address. That is frequent with \
                  new and trial organisations, and where sender domains are not registered.",
        steps: &[
            "Ask your Microsoft 365 administrator to check that all sender domains are registered in the organisation.",
            "Then open a case with Microsoft, with the server's reply.",
        ],
        links: &[NDR],
        ..PART
    },
];
