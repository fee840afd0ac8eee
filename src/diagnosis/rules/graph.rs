//! Microsoft Graph, through which a mail of Microsoft 365 is sent.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, RULE, Rule, When};
use crate::diagnosis::{Effect, Owner};

const PERMISSIONS: &str = "https://learn.microsoft.com/graph/api/user-sendmail#permissions";
const SCOPE: &str = "https://learn.microsoft.com/exchange/permissions-exo/application-rbac";
const LIMITS: &str = "https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits";

/// Error codes that ask for a pause.
const THROTTLING: &[&str] =
    &["applicationthrottled", "errorserverbusy", "errorexceededmessagelimit", "toomanyrequests"];

/// A refusal by Graph, for `..REFUSAL`.
const REFUSAL: When = When { kinds: &[Kind::GraphRefused], ..ANY };

const BASE: Rule = Rule { owner: Owner::Microsoft365Admin, ..RULE };

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "GRAPH_TOKEN_AUDIENCE",
        when: &[
            When { errors: &["invalidauthenticationtoken"], ..REFUSAL },
            When { codes: &["401"], unless: &["contains no permissions"], ..REFUSAL },
        ],
        owner: Owner::Operator,
        title: "Microsoft Graph did not accept the access token",
        meaning: "Microsoft issued a token, and Microsoft Graph refused it, also a fresh one. Your settings are not the \
                  likely cause: the token may be for another of Microsoft's clouds.",
        steps: &[
            "Try again in a few minutes.",
            "If this continues, ask the operator of this service whether the cloud that is set for Microsoft 365 is \
             the one of your organisation.",
        ],
        links: &["https://learn.microsoft.com/graph/deployments"],
        ..BASE
    },
    Rule {
        code: "GRAPH_SEND_AS_DENIED",
        when: &[When { errors: &["errorsendasdenied"], ..REFUSAL }],
        title: "Microsoft 365 does not let the app send as {from}",
        meaning: "The app may send from the mailbox, but the sender in the message is another address.",
        steps: &[
            "Use the address of the mailbox itself as the sender address.",
            "Or ask your Microsoft 365 administrator for the permission Send As on {from}.",
        ],
        links: &[
            "https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-permissions-for-recipients",
        ],
        ..BASE
    },
    Rule {
        code: "GRAPH_MAILBOX_OUT_OF_SCOPE",
        when: &[
            When { codes: &["403"], texts: &["access to odata is disabled"], ..REFUSAL },
            When { errors: &["erroraccessdenied"], mail_send_role: Some(true), ..REFUSAL },
        ],
        title: "The app may send mail, but not from {from}",
        meaning: "The app {client_id} has the permission Mail.Send, and a rule of your organisation (an application \
                  access policy, or a scope of roles for applications) leaves this mailbox out.",
        steps: &[
            "Ask your Microsoft 365 administrator to add {from} to the group or scope of mailboxes that the app may \
             use.",
            "Wait: such a change can take more than half an hour. Then run the check again.",
        ],
        links: &[SCOPE],
        ..BASE
    },
    Rule {
        code: "GRAPH_PERMISSION_MISSING",
        when: &[When {
            errors: &["erroraccessdenied", "authorization_requestdenied", "nopermissionsinaccesstoken"],
            ..REFUSAL
        }],
        title: "The app {client_id} is not allowed to send mail as {from}",
        meaning: "The token holds no permission Mail.Send of the kind Application. Either nobody has granted it, or the \
                  app is limited to certain mailboxes and {from} is not one of them. The kind Delegated does not \
                  count here: it needs a person who is signed in.",
        steps: &[
            "In the Microsoft Entra admin center open the app, API permissions, and add Microsoft Graph, Application \
             permissions, Mail.Send.",
            "Then press Grant admin consent on the same page.",
            "If the app is limited to certain mailboxes instead, let your Microsoft 365 administrator add {from} to \
             them.",
        ],
        links: &[PERMISSIONS, SCOPE],
        ..BASE
    },
    Rule {
        code: "GRAPH_NO_CLOUD_MAILBOX",
        when: &[When { errors: &["mailboxnotenabledforrestapi", "errormissingemailaddress"], ..REFUSAL }],
        title: "{from} has no mailbox in Exchange Online",
        meaning: "The user exists, but Microsoft holds no mailbox for it that programs can use: it has no licence, is a \
                  guest, was deleted, or its mailbox is still on a server of your own.",
        steps: &[
            "Ask your Microsoft 365 administrator to give the user a licence with Exchange Online.",
            "If the mailbox is on a server of your own, choose SMTP as the provider and enter that server.",
        ],
        links: &["https://learn.microsoft.com/graph/resolve-auth-errors"],
        ..BASE
    },
    Rule {
        code: "GRAPH_USER_NOT_FOUND",
        when: &[When {
            errors: &[
                "errorinvaliduser",
                "resourcenotfound",
                "request_resourcenotfound",
                "erroritemnotfound",
            ],
            ..REFUSAL
        }],
        owner: Owner::TenantAdmin,
        title: "There is no user {from} in the directory {provider_tenant}",
        meaning: "Microsoft finds a mailbox by the name with which its user signs in (user principal name). An alias \
                  or a group is no user.",
        steps: &[
            "Check the address for typing errors.",
            "Enter the user principal name of the mailbox; the Microsoft 365 admin center shows it as Username.",
        ],
        links: &["https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-userprincipalname"],
        ..BASE
    },
    Rule {
        code: "GRAPH_THROTTLED",
        when: &[When { kinds: &[Kind::GraphBusy], ..ANY }, When { errors: THROTTLING, ..REFUSAL }],
        owner: Owner::Nobody,
        retryable: true,
        title: "Microsoft 365 asks to send more slowly",
        meaning: "Microsoft limits how much an app and a mailbox may send in a short time, and asked to come back \
                  later. The mail was not accepted, and your settings are fine.",
        steps: &["Try again in a few minutes; nothing needs to be changed."],
        links: &[LIMITS],
        ..BASE
    },
    Rule {
        code: "GRAPH_TOO_LARGE",
        when: &[
            When { kinds: &[Kind::GraphTooLarge], ..ANY },
            When { errors: &["errormessagesizeexceeded", "requestbodytoolarge"], ..REFUSAL },
            When { texts: &["maximum request length"], ..REFUSAL },
            When { codes: &["413"], ..REFUSAL },
        ],
        owner: Owner::TenantAdmin,
        title: "The message is too large for one call to Microsoft Graph",
        meaning: "Microsoft Graph takes a few megabytes in one call. Attachments count with about a third more than \
                  their size, because mail encodes them as text.",
        cases: &[Case {
            conditions: &[Condition::SizesKnown],
            meaning: "The limit is {limit}; this message has {size} as it would be sent. It was not sent.",
            step: "",
        }],
        steps: &["Send less, or a link instead of an attachment."],
        links: &["https://learn.microsoft.com/graph/outlook-large-attachments"],
        ..BASE
    },
    Rule {
        code: "GRAPH_MIME",
        when: &[
            When { errors: &["errormimecontentinvalid", "errormimecontentinvalidbase64string"], ..REFUSAL },
            When { codes: &["400"], texts: &["base64", "mime content"], ..REFUSAL },
        ],
        owner: Owner::Operator,
        title: "Microsoft Graph could not read the message",
        meaning: "The message did not arrive at Microsoft in the form that it requires. Your settings are not the \
                  cause.",
        steps: &["Ask the operator of this service to look at it, with the transcript below."],
        links: &["https://learn.microsoft.com/graph/outlook-send-mime-message"],
        ..BASE
    },
    Rule {
        code: "GRAPH_RECIPIENT_REFUSED",
        when: &[When {
            errors: &["errorinvalidrecipients", "errorrecipientnotfound", "errorinvalidsmtpaddress"],
            ..REFUSAL
        }],
        effect: Effect::None,
        owner: Owner::TenantAdmin,
        title: "Microsoft 365 does not accept {recipient} as a recipient",
        meaning: "The address is not one to which mail can go. Your configuration is fine.",
        steps: &["Check the recipient's address for typing errors, or try another recipient."],
        ..BASE
    },
];
