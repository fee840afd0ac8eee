//! What no rule knows: the class of the reply and the subject of its enhanced code are all that is said.

use crate::diagnosis::rule::{Case, Condition, RULE, Rule};
use crate::diagnosis::{Confidence, Owner};
use crate::mail::transcript::Stage;

pub(in crate::diagnosis) const RULES: &[Rule] = &[UNKNOWN_REPLY];

/// Where nothing else applies. The subjects are those of RFC 3463 section 3.
pub(in crate::diagnosis) const UNKNOWN_REPLY: Rule = Rule {
    code: "UNKNOWN_REPLY",
    when: &[],
    owner: Owner::MailHost,
    confidence: Confidence::Generic,
    title: "{host} refused, for a reason that we do not know",
    meaning: "The server answered with a refusal that is not in our list: {reply}.",
    cases: &[
        Case {
            conditions: &[Condition::Class(4)],
            meaning: "The reply's code says that the refusal is temporary: the same may succeed later.",
            step: "Try again in some minutes.",
        },
        Case {
            conditions: &[Condition::Class(5)],
            meaning: "The reply's code says that the refusal is permanent.",
            step: "",
        },
        Case {
            conditions: &[Condition::Stage(Stage::Token)],
            meaning: "It came when an access token for the app {client_id} was requested, so nothing was sent.",
            step: "Look up the number that begins with AADSTS in Microsoft's list of error codes.",
        },
        Case {
            conditions: &[Condition::Stage(Stage::Graph)],
            meaning: "It came when the message was handed to Microsoft Graph; the app's sign-in had worked.",
            step: "",
        },
        Case {
            conditions: &[Condition::Stage(Stage::Auth)],
            meaning: "It came at the sign-in, but does not clearly say that user name or password are wrong.",
            step: "",
        },
        Case {
            conditions: &[Condition::Stage(Stage::MailFrom)],
            meaning: "It came when the sender address {from} was given.",
            step: "Check that {from} is an address from which this account may send.",
        },
        Case {
            conditions: &[Condition::Stage(Stage::RcptTo)],
            meaning: "It came when the recipient {recipient} was given, and does not mean that your configuration is wrong.",
            step: "Check the recipient's address, or try another recipient.",
        },
        Case {
            conditions: &[Condition::Stage(Stage::Data)],
            meaning: "It came when the message itself was handed over.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(1)],
            meaning: "The reply's code says that it is about an address.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(2)],
            meaning: "The reply's code says that it is about a mailbox, for example a full one.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(3)],
            meaning: "The reply's code says that it is about the state of a mail server.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(4)],
            meaning: "The reply's code says that it is about the network or the route to another server.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(5)],
            meaning: "The reply's code says that it is about the commands that were exchanged with the server.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(6)],
            meaning: "The reply's code says that it is about the content of the message or its form.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(7)],
            meaning: "The reply's code says that it is about a rule of security or policy.",
            step: "",
        },
    ],
    steps: &[
        "Read the server's reply: it often names the cause.",
        "Search the mail provider's help for this reply, or give it to the provider's support.",
    ],
    ..RULE
};
