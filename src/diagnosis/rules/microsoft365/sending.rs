//! Microsoft 365 and Outlook.com over SMTP, after the sign-in: senders, limits and blocked accounts.

use super::{BASE, DEVICES, LIMITS, MICROSOFT, MICROSOFTS_WORDS};
use crate::diagnosis::Owner;
use crate::diagnosis::rule::{ANY, Kind, REPLY, Rule, When};

const NDR: &str = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online";

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "M365_OUTBOUND_SPAM",
        when: &[
            When {
                codes: &["5*"],
                texts: &["outboundspamexception", "wascl useraction", "hipnotify"],
                ..REPLY
            },
            When { kinds: &[Kind::GraphRefused], errors: &["errormessagesubmissionblocked"], ..ANY },
        ],
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
        ..BASE
    },
    Rule {
        code: "M365_SEND_AS_DENIED",
        when: &[
            When { services: MICROSOFT, codes: &["5*"], enhanced: &["5.7.60", "5.2.252"], ..REPLY },
            When { codes: &["5*"], texts: &["sendasdenied", "permissions to send as this sender"], ..REPLY },
        ],
        concerns_configuration: true,
        title: "Microsoft 365 does not let {user} send as {from}",
        meaning: "The sign-in worked. The signed-in user may send only as its own mailbox, or as one for which it has \
                  the permission Send As.",
        steps: &[
            "Use the address of the signed-in mailbox as the sender address.",
            "Or ask your Microsoft 365 administrator for the permission: `Add-RecipientPermission {from} -Trustee \
             {user} -AccessRights SendAs`",
        ],
        links: &[
            "https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-permissions-for-recipients",
        ],
        ..BASE
    },
    Rule {
        code: "M365_SENDER_BLOCKED",
        when: &[
            When { codes: &["5*"], enhanced: &["5.1.8"], texts: &["bad outbound sender"], ..REPLY },
            When {
                services: MICROSOFT,
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
        ..BASE
    },
    Rule {
        code: "M365_CONNECTOR_MISMATCH",
        when: &[
            When { services: MICROSOFT, codes: &["5*"], enhanced: &["5.7.64"], ..REPLY },
            When { texts: &["tenantattribution"], ..REPLY },
            When { services: MICROSOFT, codes: &["4*"], enhanced: &["4.4.62"], ..REPLY },
        ],
        concerns_configuration: true,
        title: "No connector of your Microsoft 365 organisation recognises us",
        meaning: "Without sign-in, Microsoft 365 relays only what an inbound connector of your organisation \
                  recognises by network address or certificate. None does.",
        steps: &[
            "Ask the operator of this service which network address it sends from.",
            "Ask your Microsoft 365 administrator to enter it in the inbound connector, and to check that the domain \
             of {from} belongs to the organisation.",
            "Or sign in: use smtp.office365.com with port 587, StartTLS, user name and password.",
        ],
        links: &[
            "https://learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/set-up-connectors-to-route-mail",
            DEVICES,
        ],
        ..BASE
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
            "Wait until sending is possible again, within 24 hours.",
            "If this mailbox has not sent so much, ask your Microsoft 365 administrator whether somebody else uses it.",
            "For large amounts use a sending service.",
        ],
        links: &[LIMITS],
        ..BASE
    },
    Rule {
        code: "M365_QUOTA_TENANT",
        when: &[
            When { services: MICROSOFT, codes: &["5*"], enhanced: &["5.7.232", "5.7.233"], ..REPLY },
            When { codes: &["4*", "5*"], texts: &["tenant external recipient rate limit"], ..REPLY },
        ],
        retryable: true,
        title: "Your Microsoft 365 organisation has reached its limit for recipients outside",
        meaning: "Microsoft limits to how many outside recipients a whole organisation may send in a day. Others in \
                  the organisation may have used it up.",
        steps: &[
            "Wait until sending is possible again, within 24 hours.",
            "Ask your Microsoft 365 administrator to look at the report on the tenant's external recipients in the \
             Exchange admin center.",
        ],
        links: &[LIMITS],
        ..BASE
    },
    Rule {
        code: "M365_SUSPICIOUS",
        when: &[
            When {
                services: MICROSOFT,
                codes: &["4*"],
                enhanced: &["4.7.5??", "4.7.6??", "4.7.850"],
                ..REPLY
            },
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
            "Wait a few hours; sending is usually opened again.",
            "If this continues, ask your Microsoft 365 administrator to open a case with Microsoft, with the server's \
             reply.",
        ],
        links: &[NDR],
        ..BASE
    },
    Rule {
        code: "M365_TENANT_BLOCKED",
        when: &[
            When {
                services: MICROSOFT,
                codes: &["5*"],
                enhanced: &["5.7.705", "5.7.708", "5.7.750"],
                ..REPLY
            },
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
        ..BASE
    },
];
