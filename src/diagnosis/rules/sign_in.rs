//! EHLO and AUTH, as any server may answer them.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Effect, Owner};
use crate::mail::transcript::Stage;

/// What shows that a 535 judged something else than user name and password.
const NOT_ABOUT_CREDENTIALS: &[&str] = &[
    "too many",
    "rate limit",
    "temporar",
    "try again later",
    "try later",
    "blocked",
    "block list",
    "blacklist",
    "suspended",
    "disabled",
    "not enabled",
    "is locked",
    "not allowed",
    "not permitted",
    "access denied",
    "access rights",
    "policy",
    "connection lost to authentication server",
    "not supported",
    "unsupported",
    "unrecognized",
    "mechanism",
    "encryption required",
    "internal error",
    "internal server error",
    // Not the word alone: Postfix says "authentication failed: (reason unavailable)" of a wrong password.
    "service unavailable",
    "server unavailable",
    "backend unavailable",
    "currently unavailable",
    "is unavailable",
];

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "EHLO_NAME_REJECTED",
        when: &[
            When {
                stages: &[Stage::Ehlo],
                codes: &["5*"],
                texts: &["helo", "ehlo", "domain name", "invalid domain", "host name", "hostname", "fully"],
                unless: &["unrecognized", "not implemented", "unknown command"],
                ..REPLY
            },
            When { codes: &["5*"], enhanced: &["5.7.506"], ..REPLY },
            When { codes: &["5*"], texts: &["helo command rejected", "bad helo", "invalid helo"], ..REPLY },
            When {
                stages: &[Stage::Ehlo],
                hosts: &["smtp-relay.gmail.com"],
                codes: &["421"],
                enhanced: &["4.7.0"],
                ..REPLY
            },
        ],
        owner: Owner::Operator,
        confidence: Confidence::Generic,
        title: "{host} does not accept the name by which we introduce ourselves ({ehlo_name})",
        meaning: "At the start of a conversation each side gives its name, and the server refused ours. User name \
                  and password were not judged.",
        steps: &[
            "Ask the operator of this installation to set its EHLO name to a full public host name that leads to \
             its address.",
            "If that is already so, ask the mail host which names it accepts.",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_NEEDS_TLS",
        when: &[
            When { kinds: &[Kind::AuthNotOfferedInTheClear], ..ANY },
            When { codes: &["538"], ..REPLY },
            When { stages: &[Stage::Auth], codes: &["5*"], enhanced: &["5.7.11"], ..REPLY },
            When {
                stages: &[Stage::Auth],
                codes: &["5*"],
                texts: &["encryption required", "encrypted connection", "only over tls"],
                ..REPLY
            },
        ],
        title: "{host} offers no sign-in without encryption",
        meaning: "The connection is not encrypted, and this server lets nobody sign in that way. User name and \
                  password were not judged.",
        cases: &[Case {
            conditions: &[Condition::StartTlsOffered],
            meaning: "It does offer StartTLS on this port.",
            step: "Choose the security type StartTLS and keep port {port}.",
        }],
        steps: &[
            "Use an encrypted connection: port 587 with StartTLS, or port 465 with SSL/TLS.",
            "If this is a relay that needs no sign-in, remove user name and password.",
        ],
        ..RULE
    },
    Rule {
        code: "CLEARTEXT_SIGN_IN_REFUSED",
        when: &[When { kinds: &[Kind::ClearTextSignIn], ..ANY }],
        title: "The password was not sent, because the connection is not encrypted",
        meaning: "The security type is none, so anyone on the way could read the password. This installation sends \
                  one in the clear only to servers that its operator has named. Nothing was sent.",
        cases: &[Case {
            conditions: &[Condition::StartTlsOffered],
            meaning: "The server offers StartTLS on this port.",
            step: "Choose the security type StartTLS and keep port {port}.",
        }],
        steps: &[
            "Use an encrypted connection: port 587 with StartTLS, or port 465 with SSL/TLS.",
            "If this is a relay that needs no sign-in, remove user name and password.",
            "If it is a server on the operator's own network, ask the operator of this installation to allow it.",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_NOT_OFFERED",
        when: &[
            When { kinds: &[Kind::AuthNotOfferedEncrypted], ..ANY },
            When { stages: &[Stage::Auth], codes: &["500", "502", "503"], ..REPLY },
        ],
        title: "{host} takes no sign-in on port {port}",
        meaning: "A user name is configured, and this server offers no way to use it here. That is typical of servers \
                  that receive mail from outside, on port 25. User name and password were not judged.",
        cases: &[
            Case {
                conditions: &[Condition::Host("*.mail.protection.outlook.com")],
                meaning: "This host receives the mail for your domain (an MX host); it is not the server for sending \
                          with a sign-in.",
                step: "",
            },
            Case {
                conditions: &[Condition::SuggestionKnown],
                meaning: "",
                step: "For this provider the server for outgoing mail is {suggested_host}: use it with port 587 and \
                       StartTLS.",
            },
        ],
        steps: &[
            "Use the server that your mail provider names for sending with a sign-in, with port 587 and StartTLS, or \
             port 465 and SSL/TLS.",
            "If this is a relay that knows us by our address, remove user name and password.",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_MECHANISM_MISMATCH",
        when: &[
            When { kinds: &[Kind::NoCommonMechanism], ..ANY },
            When { stages: &[Stage::Auth], codes: &["504"], ..REPLY },
            When { stages: &[Stage::Auth], codes: &["5*"], enhanced: &["5.7.4", "5.5.4"], ..REPLY },
            When {
                stages: &[Stage::Auth],
                codes: &["5*"],
                texts: &[
                    "unrecognized authentication",
                    "mechanism*not supported",
                    "unsupported*mechanism",
                    "invalid mechanism",
                ],
                ..REPLY
            },
        ],
        title: "{host} does not accept our way to sign in",
        meaning: "There are several ways to sign in, and the server did not take ours. It offers: {offered}. Your \
                  password was not judged.",
        steps: &[
            "Ask the mail host to allow sign-in with PLAIN or LOGIN over an encrypted connection.",
            "If it offers only XOAUTH2, it takes tokens instead of passwords: choose a provider in the configuration \
             that signs in with OAuth, if there is one for this host.",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_TEMPORARY",
        when: &[When { stages: &[Stage::Auth], codes: &["4*"], ..REPLY }],
        owner: Owner::Nobody,
        retryable: true,
        confidence: Confidence::Generic,
        title: "{host} cannot check the sign-in at the moment",
        meaning: "The server put the sign-in off: it limits how often one may sign in, or has trouble of its own. It \
                  does not say that user name or password are wrong.",
        steps: &[
            "Leave the configuration as it is, and wait some minutes before you try again.",
            "If it lasts for hours, ask the mail host and give it the server's reply.",
        ],
        ..RULE
    },
    Rule {
        code: "OAUTH_TOKEN_REFUSED",
        when: &[When { kinds: &[Kind::OAuthRefused], stages: &[Stage::Auth], codes: &["5*"], ..ANY }],
        effect: Effect::CredentialsRefused,
        confidence: Confidence::Generic,
        title: "{host} refused the access token",
        meaning: "A token was issued for signing in, and the mail server did not accept it. Usual causes: the \
                  permission to send by SMTP is missing, or the token belongs to another user than {user}.",
        cases: &[Case {
            conditions: &[Condition::ProblemKnown],
            meaning: "The server's details: {problem}.",
            step: "",
        }],
        steps: &[
            "Check that {user} is the mailbox that gave its consent.",
            "Give the consent again, and include the permission to send (for Google https://mail.google.com/, for \
             Microsoft SMTP.Send).",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_REJECTED",
        when: &[
            When {
                stages: &[Stage::Auth],
                codes: &["535"],
                unless: NOT_ABOUT_CREDENTIALS,
                kinds: &[Kind::Refused],
                ..ANY
            },
            When {
                stages: &[Stage::Auth],
                codes: &["5*"],
                enhanced: &["5.7.8"],
                unless: NOT_ABOUT_CREDENTIALS,
                kinds: &[Kind::Refused],
                ..ANY
            },
        ],
        effect: Effect::CredentialsRefused,
        confidence: Confidence::Generic,
        title: "{host} refused the sign-in",
        meaning: "The server did not accept the user name {user} with the stored password. It does not say which of \
                  the two is the cause.",
        cases: &[Case {
            conditions: &[Condition::UserLacksAt],
            meaning: "",
            step: "Try the full e-mail address as user name: many mail hosts want it, and {user} is none.",
        }],
        steps: &[
            "Enter the password again, and check the user name for typing errors.",
            "Sign in with both on your mail provider's web page, to see that they work there.",
            "If sign-in with a second factor is on, create an app password at the provider and enter it here.",
            "Look in the provider's settings for a switch that allows sending by SMTP.",
        ],
        ..RULE
    },
];
