//! What servers say about a sender, a recipient or relaying.

use crate::diagnosis::rule::{ANY, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Effect, Owner};
use crate::mail::transcript::Stage;

const ENVELOPE: &[Stage] = &[Stage::MailFrom, Stage::RcptTo, Stage::Data];

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "SENDER_NOT_OWNED",
        when: &[When {
            stages: ENVELOPE,
            codes: &["5*"],
            texts: &[
                "not owned by user",
                "sender address is not allowed",
                "sender address not allowed",
                "relaying disallowed as",
                "must be same as authorization user",
                "must equal authorized user",
                "not allowed to send as",
                "not authorized to send on behalf of",
                "not authorized to use this sender",
                "sender is not allowed to use",
                "from address is not one of your addresses",
                "sender address rejected: not logged in",
            ],
            ..REPLY
        }],
        about_sender_or_relay: true,
        confidence: Confidence::Generic,
        title: "{host} does not let {user} send as {from}",
        meaning: "The server lets a signed-in user send only as its own addresses, and does not count {from} among \
                  them. The sign-in itself was not refused.",
        steps: &[
            "Use the address of the account as the sender address.",
            "Or add {from} to the account at the mail host, as an alias or as a permitted sender.",
        ],
        ..RULE
    },
    Rule {
        code: "RELAY_DENIED",
        when: &[
            When {
                stages: ENVELOPE,
                codes: &["4*", "5*"],
                texts: &[
                    "relay access denied",
                    "relaying denied",
                    "relaying not allowed",
                    "relaying not permitted",
                    "relay not permitted",
                    "relay not allowed",
                    "relay denied",
                    "unable to relay",
                    "not permitted to relay",
                    "relaying is not allowed",
                ],
                ..REPLY
            },
            When { stages: ENVELOPE, codes: &["530"], ..REPLY },
            When {
                stages: ENVELOPE,
                codes: &["5*"],
                texts: &["authentication required", "authentication is required", "must authenticate"],
                ..REPLY
            },
        ],
        about_sender_or_relay: true,
        confidence: Confidence::Generic,
        title: "{host} does not pass on mail for us",
        meaning: "The server sends mail to others only for users and networks that it knows. Either nobody has \
                  signed in, or this server only receives mail for its own domains.",
        steps: &[
            "Enter user name and password if they are missing.",
            "Use the server that your mail provider names for sending with a sign-in, with port 587 and StartTLS, or \
             port 465 and SSL/TLS.",
            "If it is a relay that should know us by our address, ask the mail host to allow that address.",
        ],
        ..RULE
    },
    Rule {
        code: "GREYLISTED",
        when: &[When {
            codes: &["4*"],
            texts: &["greylist", "graylist", "grey-list", "gray-list", "grey list"],
            ..REPLY
        }],
        effect: Effect::None,
        owner: Owner::Nobody,
        retryable: true,
        title: "The receiving server asks to try again later",
        meaning: "Some servers turn the first message from an unknown sender away for a few minutes, to keep spam \
                  out (greylisting). That is normal, and says nothing against your configuration.",
        steps: &["Send the test again in some minutes; nothing needs to be changed."],
        ..RULE
    },
    Rule {
        code: "TOO_MANY_RECIPIENTS",
        when: &[
            When { codes: &["4*", "5*"], enhanced: &["4.5.3", "5.5.3"], ..REPLY },
            When {
                stages: &[Stage::RcptTo],
                codes: &["452", "552"],
                texts: &["too many recipients"],
                ..REPLY
            },
        ],
        effect: Effect::None,
        owner: Owner::Nobody,
        retryable: true,
        title: "{host} takes fewer recipients in one message",
        meaning: "The server limits how many recipients one message may have. The configuration is fine.",
        steps: &["Send to fewer recipients at a time."],
        ..RULE
    },
    Rule {
        code: "RECIPIENT_UNKNOWN",
        when: &[
            When {
                stages: &[Stage::RcptTo, Stage::Data],
                codes: &["5*"],
                enhanced: &["5.1.1", "5.1.10", "5.1.6"],
                ..REPLY
            },
            When {
                stages: &[Stage::RcptTo],
                codes: &["5*"],
                texts: &[
                    "user unknown",
                    "unknown user",
                    "no such user",
                    "user not found",
                    "no such recipient",
                    "unknown recipient",
                    "recipient unknown",
                    "recipient not found",
                    "no mailbox here",
                    "no such mailbox",
                    "mailbox not found",
                    "mailbox unavailable",
                    "does not exist",
                    "unrouteable address",
                ],
                unless: &["sender"],
                ..REPLY
            },
        ],
        effect: Effect::None,
        confidence: Confidence::Generic,
        title: "The address {recipient} does not exist",
        meaning: "The server that answered knows no such recipient. Your configuration reached it without trouble.",
        steps: &["Check the recipient's address for typing errors, or try another recipient."],
        ..RULE
    },
    Rule {
        code: "SMTPUTF8_MISSING",
        when: &[When { kinds: &[Kind::SmtpUtf8Missing], ..ANY }],
        owner: Owner::MailHost,
        title: "{host} does not accept addresses with letters beyond plain ASCII",
        meaning: "The sender or the recipient has letters such as umlauts in its address. Such addresses need a server \
                  with the extension SMTPUTF8, and this one does not offer it.",
        steps: &[
            "Use addresses with plain letters only.",
            "Or ask the mail host whether it can enable SMTPUTF8.",
        ],
        ..RULE
    },
];
