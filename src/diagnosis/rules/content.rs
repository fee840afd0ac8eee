//! What servers say about a message, about amounts and reputation; and the outcome that nobody knows.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Owner};
use crate::mail::transcript::Stage;

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "OUTCOME_UNKNOWN",
        when: &[When { kinds: &[Kind::OutcomeUnknown], ..ANY }],
        owner: Owner::Nobody,
        title: "It is not known whether {host} took the message",
        meaning: "The message was handed over whole, and the connection ended before the server confirmed it. We did \
                  not send it again, because it could arrive twice.",
        steps: &["Look whether the message has arrived at {recipient}.", "If it has not, send it again."],
        ..RULE
    },
    Rule {
        code: "MESSAGE_TOO_LARGE",
        when: &[
            When { kinds: &[Kind::TooLarge], ..ANY },
            When { codes: &["5*"], enhanced: &["5.3.4"], ..REPLY },
            When { codes: &["552"], enhanced: &["5.2.3"], ..REPLY },
            When {
                stages: &[Stage::MailFrom, Stage::Data],
                codes: &["5*"],
                texts: &["message size exceeds", "message too large", "message too big", "size limit"],
                ..REPLY
            },
        ],
        title: "The message is too large for {host}",
        meaning: "Mail servers limit the size of a message. Attachments count with about a third more than their size, \
                  because mail encodes them as text.",
        cases: &[
            Case {
                conditions: &[Condition::SizesKnown],
                meaning: "The limit is {limit}; this message has {size} as it would be sent. It was not sent.",
                step: "",
            },
            Case {
                conditions: &[Condition::LimitKnown],
                meaning: "The server states a limit of {limit}.",
                step: "",
            },
        ],
        steps: &[
            "Send less, or a link instead of an attachment.",
            "If you need this size, ask the mail host for a higher limit.",
        ],
        ..RULE
    },
    Rule {
        code: "DMARC_FAIL",
        when: &[
            When { codes: &["5*"], enhanced: &["5.7.26", "5.7.509", "5.7.515"], ..REPLY },
            When { stages: &[Stage::RcptTo, Stage::Data], codes: &["5*"], enhanced: &["5.7.23"], ..REPLY },
            When {
                codes: &["5*"],
                texts: &["does not pass dmarc", "fails dmarc", "unauthenticated email from"],
                ..REPLY
            },
        ],
        owner: Owner::DnsOwner,
        title: "The receiving side could not confirm that {from} is a genuine sender",
        meaning: "Receivers check three records in the DNS of the sender's domain: SPF lists the servers that may send \
                  for it, DKIM holds the key of a signature, DMARC says what to do if neither fits. The domain of \
                  {from} did not pass.",
        steps: &[
            "Ask whoever manages the DNS of the sender's domain to add the mail host's servers to the SPF record; the \
             mail host's help states the line.",
            "Turn on DKIM signing at the mail host, and publish the record that it shows.",
            "Use a sender address in the domain for which the mail host sends.",
        ],
        links: &["https://support.google.com/mail/answer/81126"],
        ..RULE
    },
    Rule {
        code: "RATE_LIMITED_REPUTATION",
        when: &[
            When { codes: &["4*"], enhanced: &["4.7.28", "4.7.32"], ..REPLY },
            When {
                codes: &["4*"],
                texts: &[
                    "unusual rate",
                    "suspicious due to",
                    "rate limited",
                    "poor reputation",
                    "low reputation",
                ],
                ..REPLY
            },
        ],
        owner: Owner::DnsOwner,
        retryable: true,
        title: "{host} accepts our mail only slowly at the moment",
        meaning: "The server finds the amount or the origin of the mail unusual and puts it off. User name and password \
                  are not the cause.",
        steps: &[
            "Wait, and send less at a time.",
            "Ask whoever manages the DNS of the sender's domain to check its SPF, DKIM and DMARC records; they show \
             that mail from {from} is genuine.",
        ],
        links: &["https://support.google.com/mail/answer/81126"],
        ..RULE
    },
    Rule {
        code: "CONTENT_REJECTED",
        when: &[
            When { stages: &[Stage::Data], codes: &["5*"], enhanced: &["5.6.*"], ..REPLY },
            When {
                stages: &[Stage::Data],
                codes: &["5*"],
                texts: &[
                    "virus",
                    "malware",
                    "spam",
                    "message content",
                    "content rejected",
                    "attachment",
                    "phish",
                ],
                ..REPLY
            },
        ],
        confidence: Confidence::Generic,
        title: "{host} refused the content of the message",
        meaning: "The server took sender and recipient, read the message and refused it: {reply}.",
        steps: &[
            "Change what the reply names: text, links or attachments. A message of plain text shows whether the \
             content is the cause.",
            "If that is refused too, ask the mail host and give it the server's reply.",
        ],
        ..RULE
    },
    Rule {
        code: "PROVIDER_TEMPORARY",
        when: &[
            When { codes: &["4*"], enhanced: &["4.3.*", "4.4.*"], ..REPLY },
            When { codes: &["421"], ..REPLY },
            When {
                codes: &["4*"],
                texts: &[
                    "temporary server error",
                    "temporarily unavailable",
                    "service unavailable",
                    "local error in processing",
                ],
                ..REPLY
            },
        ],
        owner: Owner::MailHost,
        retryable: true,
        confidence: Confidence::Generic,
        title: "{host} has temporary trouble",
        meaning: "The server says that it cannot do this now, and that it may work later: {reply}.",
        steps: &[
            "Try again in some minutes; nothing needs to be changed.",
            "If it lasts for hours, look at the status page of the mail provider, or ask its support.",
        ],
        ..RULE
    },
];
