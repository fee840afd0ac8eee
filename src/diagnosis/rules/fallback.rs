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
    title: "{host} refused with a reply we do not recognise",
    meaning: "The server's reply: {reply}.",
    cases: &[
        Case {
            conditions: &[Condition::Class(4)],
            meaning: "The reply code means the error is temporary: it may work later.",
            step: "Try again in a few minutes.",
        },
        Case {
            conditions: &[Condition::Class(5)],
            meaning: "The reply code means the error is permanent.",
            step: "",
        },
        Case {
            conditions: &[Condition::Stage(Stage::Token)],
            meaning: "It came when we requested an access token for the app {client_id}, so nothing was sent.",
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
            meaning: "It came after the sender address {from}.",
            step: "Check that this account may send as {from}.",
        },
        Case {
            conditions: &[Condition::Stage(Stage::RcptTo)],
            meaning: "It came after the recipient {recipient} and does not mean that your configuration is wrong.",
            step: "Check the recipient's address, or try another recipient.",
        },
        Case {
            conditions: &[Condition::Stage(Stage::Data)],
            meaning: "It came after the message itself.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(1)],
            meaning: "The reply code points to an address.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(2)],
            meaning: "The reply code points to a mailbox, for example a full one.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(3)],
            meaning: "The reply code points to the state of a mail server.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(4)],
            meaning: "The reply code points to the network, or to the route to another server.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(5)],
            meaning: "The reply code points to the commands exchanged with the server.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(6)],
            meaning: "The reply code points to the content or the format of the message.",
            step: "",
        },
        Case {
            conditions: &[Condition::Subject(7)],
            meaning: "The reply code points to a security or policy rule.",
            step: "",
        },
    ],
    steps: &[
        "Read the server's reply: it often names the cause.",
        "Search the mail provider's help for this reply, or give it to the provider's support.",
    ],
    ..RULE
};
