//! Gmail and Google Workspace.

use crate::diagnosis::rule::{ANY, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Effect, Owner};
use crate::mail::transcript::Stage;
use crate::mail_services::Service;

const GOOGLE: &[Service] = &[Service::Google];
/// A refused token is another matter: an app password would not help.
const PASSWORD: When = When { kinds: &[Kind::Refused], ..ANY };
const APP_PASSWORDS: &str = "https://support.google.com/mail/answer/185833";

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "GMAIL_APP_PASSWORD_REQUIRED",
        when: &[When {
            stages: &[Stage::Auth],
            services: GOOGLE,
            codes: &["534"],
            texts: &["application-specific password", "invalidsecondfactor"],
            ..PASSWORD
        }],
        effect: Effect::CredentialsRefused,
        title: "Google requires an app password for {user}",
        meaning: "The account uses 2-Step Verification, so Google does not accept its normal password from programs. \
                  An app password is a password of 16 letters that Google creates for one program. Changing the \
                  account's password will not help.",
        steps: &[
            "Sign in to the Google Account of {user}, create an app password, and enter it here.",
            "If that option is missing, the Workspace administrator has turned it off: ask for it, or for the SMTP \
             relay service.",
        ],
        links: &[APP_PASSWORDS, "https://support.google.com/a/answer/2956491"],
        ..RULE
    },
    Rule {
        code: "GMAIL_WEB_LOGIN_REQUIRED",
        when: &[
            When {
                stages: &[Stage::Auth],
                services: GOOGLE,
                codes: &["534"],
                enhanced: &["5.7.14"],
                ..PASSWORD
            },
            When {
                stages: &[Stage::Auth],
                services: GOOGLE,
                codes: &["534"],
                texts: &["web browser", "webloginrequired"],
                ..PASSWORD
            },
        ],
        effect: Effect::CredentialsRefused,
        title: "Google requires {user} to sign in with a web browser first",
        meaning: "Google found this sign-in unusual and holds it back until the owner of the account confirms it.",
        steps: &[
            "Sign in as {user} on Google's web page, and confirm the sign-in that Google asks about.",
            "Then run the check again.",
            "If it happens again, use an app password.",
        ],
        links: &[APP_PASSWORDS],
        ..RULE
    },
    Rule {
        code: "GMAIL_BAD_CREDENTIALS",
        when: &[
            When {
                stages: &[Stage::Auth],
                services: GOOGLE,
                codes: &["535"],
                enhanced: &["5.7.8"],
                unless: &["too many"],
                ..PASSWORD
            },
            When {
                stages: &[Stage::Auth],
                codes: &["535"],
                texts: &["support.google.com*badcredentials"],
                ..PASSWORD
            },
        ],
        effect: Effect::CredentialsRefused,
        title: "Google refused user name or password of {user}",
        meaning: "Google accepts no normal account password here. It requires an app password: a password of 16 \
                  letters that Google creates for one program.",
        steps: &[
            "Check that the user name is the full address of the Google account.",
            "Turn on 2-Step Verification for this account if it is off; app passwords need it.",
            "Create an app password and enter it here.",
            "If that option is missing, ask the Workspace administrator.",
        ],
        links: &[APP_PASSWORDS],
        ..RULE
    },
    Rule {
        code: "GSUITE_RELAY_NOT_AUTHORIZED",
        when: &[
            When { codes: &["550"], texts: &["invalid credentials for relay"], ..REPLY },
            When { services: GOOGLE, codes: &["550"], texts: &["mail relay denied"], ..REPLY },
        ],
        owner: Owner::WorkspaceAdmin,
        concerns_configuration: true,
        title: "The Google Workspace relay does not accept our address or the sender {from}",
        meaning: "The SMTP relay service of Google Workspace serves only network addresses and sender domains that \
                  the Workspace administrator has entered. Nothing in this configuration can change that.",
        steps: &[
            "Ask the operator of this service which network address it sends from.",
            "In the Google Admin console open Apps, Google Workspace, Gmail, Routing, SMTP relay service, and add \
             this address, or require SMTP authentication instead.",
            "Check there that the domain of {from} is allowed as a sender.",
        ],
        links: &["https://support.google.com/a/answer/2956491"],
        ..RULE
    },
    Rule {
        code: "QUOTA_DAILY",
        when: &[
            When {
                codes: &["5*"],
                enhanced: &["5.4.5"],
                texts: &["sending*limit", "sending*quota", "daily"],
                ..REPLY
            },
            When {
                codes: &["4*", "5*"],
                texts: &["daily user sending", "daily smtp relay*limit", "daily sending quota"],
                ..REPLY
            },
        ],
        owner: Owner::Nobody,
        retryable: true,
        title: "The daily sending limit of {user} is used up",
        meaning: "The mail provider limits how much one account may send in a day. User name and password are fine; \
                  sending is possible again within 24 hours.",
        steps: &[
            "Wait until sending is possible again; nothing needs to be changed.",
            "If it happens often, use an account or a service with a higher limit.",
        ],
        links: &["https://support.google.com/a/answer/166852"],
        ..RULE
    },
];
