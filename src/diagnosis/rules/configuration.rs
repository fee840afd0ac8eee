//! Failures before anything is dialled. None of them says anything about the mail server.

use crate::diagnosis::rule::{ANY, Kind, RULE, Rule, When};
use crate::diagnosis::{Effect, Owner};

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "CONFIG_NOT_SET",
        when: &[When { kinds: &[Kind::ConfigNotSet], ..ANY }],
        effect: Effect::None,
        title: "No mail server is configured yet",
        meaning: "There is no email configuration, so nothing was contacted.",
        steps: &[
            "Enter the mail server, its port, the security type and the sender address, then try again.",
        ],
        ..RULE
    },
    Rule {
        code: "CONFIG_INCOMPLETE",
        when: &[When { kinds: &[Kind::ConfigIncomplete], ..ANY }],
        effect: Effect::None,
        title: "The email configuration is not complete: {missing}",
        meaning: "These fields are needed before anything can be sent: {missing}. Nothing was contacted.",
        steps: &[
            "Fill in: {missing}.",
            "User name and password belong together: set both, or leave both out for a relay that needs no sign-in.",
        ],
        ..RULE
    },
    Rule {
        code: "SECRET_UNREADABLE",
        when: &[When { kinds: &[Kind::SecretUnreadable], ..ANY }],
        effect: Effect::None,
        owner: Owner::Operator,
        title: "The stored password cannot be read",
        meaning: "The password is stored encrypted, and this service cannot decrypt it right now. Your mail server \
                  was not contacted and is probably fine.",
        steps: &[
            "Ask the operator of this service to restore the encryption key that the password was stored with.",
            "If the key is gone for good, enter the password again.",
        ],
        ..RULE
    },
    Rule {
        code: "API_KEY_REFUSED",
        when: &[When { kinds: &[Kind::ApiKeyRefused], ..ANY }],
        effect: Effect::None,
        title: "The API key that this email came with was revoked or has expired",
        meaning: "The email is held and is not sent, because the API key that it was sent with may no longer be used. Your mail \
                  server was not contacted.",
        steps: &[
            "Try the email again as an administrator if it is to be sent all the same; cancel it if not.",
            "If the key has only expired, set a later end, and the email is sent.",
        ],
        ..RULE
    },
    Rule {
        code: "SENDER_NOT_ALLOWED",
        when: &[When { kinds: &[Kind::SenderNotAllowed], ..ANY }],
        effect: Effect::None,
        title: "The sender of this email is no longer allowed",
        meaning: "When the email was accepted, it could be sent from {from}. Now the account, or the API key that it came with, \
                  does not allow this sender any more. Your mail server was not asked.",
        steps: &["Allow the sender again, for the account or for the API key, and then try the email again."],
        ..RULE
    },
    Rule {
        code: "RECIPIENT_FLOOD",
        when: &[When { kinds: &[Kind::RecipientFlood], ..ANY }],
        effect: Effect::None,
        retryable: true,
        title: "Too many mails go to {recipient} within an hour",
        meaning: "More emails go to this recipient within an hour than this service allows, which usually means a \
                  loop. This email waits until the limit allows it. The account is not the cause.",
        steps: &[
            "Check whether the sending program repeats itself, or replies to automatic replies.",
            "If the mail is right, try it again by hand: then it goes at once.",
            "If this recipient may get so much mail, ask the operator of this service to raise its limit.",
        ],
        ..RULE
    },
];
