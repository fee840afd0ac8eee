//! EHLO and AUTH, as any server may answer them.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Effect, Owner};
use crate::mail::transcript::Stage;
use crate::mail_services::Service;

const NETEASE: &str =
    "At NetEase (163.com, 126.com, yeah.net) this reply means that SMTP is switched off for the account.";
const NETEASE_STEP: &str = "Sign in to the mailbox on the web, and switch on POP3/SMTP/IMAP in its settings. That also gives \
                            an authorization code: enter it here as the password.";
const WINDOWS_SIGN_IN: &str =
    "NTLM and GSSAPI sign in with accounts of a Windows domain, which is not supported here.";

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "EHLO_NAME_REJECTED",
        when: &[When { codes: &["5*"], enhanced: &["5.7.506"], ..REPLY }],
        concerns_configuration: true,
        owner: Owner::Operator,
        confidence: Confidence::Generic,
        title: "{host} does not accept the name by which we introduce ourselves ({ehlo_name})",
        meaning: "At the start of a session each side gives its name, and the server refused ours. User name and \
                  password were not checked.",
        steps: &[
            "Ask the operator of this service to set egress.ehlo_name to a full public host name that resolves to its \
             address.",
            "If that is already so, ask the mail provider which names it accepts.",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_NEEDS_TLS",
        when: &[When { kinds: &[Kind::AuthNotOfferedInTheClear], ..ANY }],
        title: "{host} offers no sign-in without encryption",
        meaning: "The connection is not encrypted, and this server lets nobody sign in that way. User name and \
                  password were not checked.",
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
        meaning: "The security type is none, so anyone along the way could read the password. This service only sends \
                  an unencrypted password to servers that its operator has allowed. Nothing was sent.",
        cases: &[Case {
            conditions: &[Condition::StartTlsOffered],
            meaning: "The server offers StartTLS on this port.",
            step: "Choose the security type StartTLS and keep port {port}.",
        }],
        steps: &[
            "Use an encrypted connection: port 587 with StartTLS, or port 465 with SSL/TLS.",
            "If this is a relay that needs no sign-in, remove user name and password.",
            "If the server is on the operator's own network, ask the operator of this service to allow it with the \
             setting egress.allow.",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_NOT_OFFERED",
        when: &[When { kinds: &[Kind::AuthNotOfferedEncrypted], ..ANY }],
        title: "{host} accepts no sign-in on port {port}",
        meaning: "A user name is configured, and this server offers no way to use it here. That is typical of servers \
                  that receive mail from outside, on port 25. User name and password were not checked.",
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
        when: &[When { kinds: &[Kind::NoCommonMechanism], ..ANY }],
        title: "{host} does not accept our way to sign in",
        meaning: "There are several ways to sign in, and the server did not take ours. It offers: {offered}. Your \
                  password was not checked.",
        cases: &[
            Case {
                conditions: &[Condition::Offers("XOAUTH2")],
                meaning: "",
                step: "XOAUTH2 takes tokens instead of passwords: choose a provider in the configuration that signs in \
                       with OAuth, if there is one for this host.",
            },
            Case { conditions: &[Condition::Offers("NTLM")], meaning: WINDOWS_SIGN_IN, step: "" },
            Case { conditions: &[Condition::Offers("GSSAPI")], meaning: WINDOWS_SIGN_IN, step: "" },
        ],
        steps: &["Ask the mail provider to allow sign-in with PLAIN or LOGIN over an encrypted connection."],
        ..RULE
    },
    Rule {
        code: "AUTHORIZATION_CODE_REQUIRED",
        when: &[When {
            stages: &[Stage::Auth],
            services: &[Service::TencentMail],
            codes: &["535"],
            texts: &["system busy"],
            ..REPLY
        }],
        effect: Effect::CredentialsRefused,
        title: "{host} requires an authorization code in place of the password",
        meaning: "This mail service does not accept the account's password from programs. It requires an \
                  authorization code, which it makes for programs in the settings of the mailbox.",
        cases: &[Case {
            conditions: &[Condition::Host("*.qq.com")],
            meaning: "Where the code had worked before: QQ ends codes when the account's password changes, or when a \
                      sign-in looks strange to it.",
            step: "",
        }],
        steps: &[
            "Sign in to the mailbox of {user} on the web, open the settings for POP3, IMAP and SMTP, and let it make an \
             authorization code. If there was one before, make a new one.",
            "Enter the code here as the password.",
        ],
        ..RULE
    },
    Rule {
        code: "APP_PASSWORD_REQUIRED",
        when: &[],
        effect: Effect::CredentialsRefused,
        title: "{host} requires an app password for {user}",
        meaning: "This mail service does not accept the account's own password from programs. It requires an app \
                  password: a password that it creates for one program. Entering the account's password again will \
                  not help.",
        steps: &[
            "Sign in as {user} on the mail service's web page, open the security settings, and create an app password.",
            "Enter the app password here.",
        ],
        ..RULE
    },
    Rule {
        code: "PASSWORD_TOO_WEAK",
        when: &[],
        effect: Effect::CredentialsRefused,
        title: "{host} no longer accepts this password",
        meaning: "The mail provider refuses the sign-in because the password is too simple for it, or out of date. The \
                  password may be the right one: {reply}.",
        steps: &[
            "Set a new, stronger password at the mail provider first.",
            "Then enter the new password here.",
        ],
        ..RULE
    },
    Rule {
        code: "WEB_SIGN_IN_REQUIRED",
        when: &[],
        effect: Effect::CredentialsRefused,
        title: "{host} requires {user} to sign in with a web browser first",
        meaning: "The mail provider found the sign-in unusual, and holds it back until the owner of the account confirms \
                  it: {reply}.",
        steps: &[
            "Sign in as {user} on the mail provider's web page, and do what it asks for.",
            "Then run the check again.",
        ],
        ..RULE
    },
    Rule {
        code: "SIGN_IN_SWITCHED_OFF",
        when: &[],
        title: "Sending by SMTP is switched off for {user} at {host}",
        meaning: "The mail provider lets no program sign in to this account. Your password was not checked. The \
                  server's reply: {reply}.",
        cases: &[
            Case { conditions: &[Condition::Host("*.163.com")], meaning: NETEASE, step: NETEASE_STEP },
            Case { conditions: &[Condition::Host("*.126.com")], meaning: NETEASE, step: NETEASE_STEP },
            Case { conditions: &[Condition::Host("*.yeah.net")], meaning: NETEASE, step: NETEASE_STEP },
        ],
        steps: &[
            "Sign in as {user} on the mail provider's web page, and switch on sending by programs: the switch is often \
             called POP3/SMTP/IMAP, external access or mail programs.",
            "If there is no such switch, ask the administrator of the mail accounts.",
        ],
        ..RULE
    },
    Rule {
        code: "ACCOUNT_BLOCKED",
        when: &[],
        concerns_configuration: true,
        owner: Owner::MailHost,
        title: "The mail provider has blocked the account at {host}",
        meaning: "The account of this configuration may not send at the moment. Providers do that after spam, after a \
                  break-in, or for their own rules. The server's reply: {reply}.",
        steps: &[
            "Sign in as {user} on the mail provider's web page, and look for a notice about the account.",
            "Ask the mail provider's support to open the account again, and give it the server's reply.",
        ],
        ..RULE
    },
    Rule {
        code: "AUTH_TEMPORARY",
        when: &[],
        owner: Owner::Nobody,
        retryable: true,
        confidence: Confidence::Generic,
        title: "{host} cannot check the sign-in at the moment",
        meaning: "The server put the sign-in off: it limits how often one may sign in, or has trouble of its own. It \
                  does not say that user name or password are wrong. Its reply: {reply}.",
        steps: &[
            "Leave the configuration as it is, and wait a few minutes before you try again.",
            "If it lasts for hours, ask the mail provider and give it the server's reply.",
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
        when: &[],
        effect: Effect::CredentialsRefused,
        confidence: Confidence::Generic,
        title: "{host} refused the sign-in",
        meaning: "The server did not accept the user name {user} with this password. It does not say which of the \
                  two is the cause.",
        cases: &[
            Case {
                conditions: &[Condition::UnusualPassword],
                meaning: "The password has letters or signs beyond plain ASCII (accents, for example), or spaces \
                          around it. Some servers read these differently than the mail provider's web page does.",
                step: "Set a password of plain letters, digits and ASCII signs (such as - or !) without spaces at the mail \
                       provider, and enter it here.",
            },
            Case {
                conditions: &[Condition::WantsAppPassword],
                meaning: "This mail service requires an app password: a password that it creates for one program.",
                step: "Create an app password in the account's security settings, and enter it here.",
            },
            Case {
                conditions: &[Condition::UserNameIsFixed],
                meaning: "",
                step: "Enter {user_name_form} as the user name: this mail service requires it.",
            },
            Case {
                conditions: &[Condition::UserLacksAt],
                meaning: "",
                step: "Try the full email address as the user name: many providers require it, and “{user}” is not an \
                       email address.",
            },
        ],
        steps: &[
            "Enter the password again, and check the user name for typing errors.",
            "Sign in with this user name and password on your mail provider's web page, to see whether they work there.",
            "If sign-in with a second factor is on, create an app password at the provider and enter it here.",
            "Look in the provider's settings for a switch that allows sending by SMTP.",
        ],
        ..RULE
    },
];
