//! What servers say about a message, about amounts and reputation; and mails whose delivery is uncertain.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Effect, Owner};
use crate::mail::transcript::Stage;
use crate::mail_services::Service;

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "OUTCOME_UNKNOWN",
        when: &[When { kinds: &[Kind::OutcomeUnknown], ..ANY }],
        effect: Effect::None,
        owner: Owner::Nobody,
        title: "It is not known whether {host} took the message",
        meaning: "The message was handed over whole, and the connection ended before the server confirmed it. If it \
                  is sent again, it could arrive twice.",
        steps: &["Check whether the message has arrived at {recipient}.", "If it has not, send it again."],
        ..RULE
    },
    Rule {
        code: "MESSAGE_TOO_LARGE",
        when: &[
            When { kinds: &[Kind::TooLarge], ..ANY },
            When { services: &[Service::Google], codes: &["552"], enhanced: &["5.2.3"], ..REPLY },
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
            "If you need this size, ask the mail provider for a higher limit.",
        ],
        ..RULE
    },
    Rule {
        code: "DMARC_FAIL",
        when: &[When { codes: &["5*"], enhanced: &["5.7.26", "5.7.509", "5.7.515"], ..REPLY }],
        concerns_configuration: true,
        owner: Owner::DnsOwner,
        title: "The receiving side could not confirm that {from} is a genuine sender",
        meaning: "Receivers check three records in the DNS of the sender's domain: SPF lists the servers that may send \
                  for it, DKIM holds the key of a signature, DMARC says what to do if neither fits. The domain of \
                  {from} did not pass.",
        steps: &[
            "Ask the administrators of the DNS of the sender's domain to add the mail provider's servers to the SPF record; the \
             mail provider's help states the line.",
            "Turn on DKIM signing at the mail provider, and publish the record that it shows.",
            "Use a sender address in the domain for which the mail provider sends.",
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
            "Ask the administrators of the DNS of the sender's domain to check its SPF, DKIM and DMARC records; they show \
             that mail from {from} is genuine.",
        ],
        links: &["https://support.google.com/mail/answer/81126"],
        ..RULE
    },
    Rule {
        code: "CONTENT_REJECTED",
        when: &[],
        confidence: Confidence::Generic,
        title: "{host} refused the content of the message",
        meaning: "The server accepted sender and recipient, read the message and refused it: {reply}.",
        steps: &[
            "Change what the reply names: text, links or attachments. A message of plain text shows whether the \
             content is the cause.",
            "If that is refused too, ask the mail provider and give it the server's reply.",
        ],
        ..RULE
    },
    Rule {
        code: "MESSAGE_FORM_REFUSED",
        when: &[When { stages: &[Stage::Data], codes: &["5*"], texts: &["policy*&c=hd"], ..REPLY }],
        owner: Owner::Operator,
        confidence: Confidence::Generic,
        title: "{host} refused the form of the message",
        meaning: "The server accepted sender and recipient, and refused how the message is built, most often its \
                  header lines. The account is not the cause, and neither is what you wrote. The server's reply: \
                  {reply}.",
        cases: &[Case {
            conditions: &[Condition::Text("&c=hd")],
            meaning: "The link in the reply explains it (c=hd stands for the header lines).",
            step: "",
        }],
        steps: &[
            "Give the server's reply and the transcript below to the operator of this service, which builds the \
             messages. They should never get this reply.",
        ],
        ..RULE
    },
    Rule {
        code: "ANTI_SPOOFING_RULE",
        when: &[],
        owner: Owner::MailHost,
        confidence: Confidence::Generic,
        title: "The recipient's organisation lets nobody from outside send as {from}",
        meaning: "A mail filter of the receiving organisation refuses mail from outside that names one of its own addresses \
                  as the sender, to protect it from forged mail. The text of the mail is not the cause.",
        cases: &[Case {
            conditions: &[Condition::Host("*.mimecast.com")],
            meaning: "The filter is Mimecast.",
            step: "",
        }],
        steps: &[
            "Ask the administrator of the receiving organisation to add an exception for the network address of this \
             service. The operator of this service knows the address.",
            "Or use a sender address of another domain.",
        ],
        ..RULE
    },
    Rule {
        code: "POLICY_REFUSED",
        when: &[],
        owner: Owner::MailHost,
        confidence: Confidence::Generic,
        title: "A rule of {host} or of the recipient's side refuses the mail",
        meaning: "The server refuses for a rule of its own, and does not say which: {reply}. That need not be the text of \
                  the mail.",
        steps: &[
            "If the reply holds a link, open it: it often explains the rule.",
            "Ask the mail provider which rule it was, and give it the server's reply.",
        ],
        ..RULE
    },
    Rule {
        code: "SENDING_LIMIT_REACHED",
        when: &[],
        concerns_configuration: true,
        owner: Owner::Nobody,
        retryable: true,
        confidence: Confidence::Generic,
        title: "A sending limit at {host} is reached",
        meaning: "The mail provider limits how much or how often one may send, and this is more. The server's reply: \
                  {reply}. It opens again by itself; user name and password are fine, and the text of the mail was \
                  not checked.",
        steps: &[
            "Wait until sending is possible again, with a daily limit within 24 hours, and send less at a time.",
            "If it happens often, ask the mail provider for a higher limit.",
        ],
        ..RULE
    },
    Rule {
        code: "MAILBOX_FULL",
        when: &[When {
            kinds: &[Kind::GraphRefused],
            errors: &["errorquotaexceeded", "errormailboxstoragefull", "quotaexceededexception"],
            ..ANY
        }],
        concerns_configuration: true,
        owner: Owner::MailHost,
        title: "The mailbox that sends, {from}, is full",
        meaning: "Sent mail is kept in the mailbox, and there is no room left in it. The sign-in worked.",
        steps: &[
            "Delete mail in the mailbox {from}, also in its deleted items, or ask its administrator to make it larger.",
            "Then send again.",
        ],
        ..RULE
    },
    Rule {
        code: "CREDITS_USED_UP",
        when: &[],
        concerns_configuration: true,
        title: "The plan or the credit of the account at {host} is used up",
        meaning: "The mail service sends no more until the account is paid for, or has a larger plan. User name and password \
                  are not the cause. The server's reply: {reply}.",
        steps: &[
            "Sign in to the mail service, and look under billing or plan what is missing.",
            "Then run the check again.",
        ],
        ..RULE
    },
    Rule {
        code: "SANDBOX_ONLY",
        when: &[],
        concerns_configuration: true,
        title: "{host} sends only to authorised recipients from this test domain",
        meaning: "The sender's domain, or the account, is in the sandbox of the mail service: it is for trying things out, \
                  and reaches only recipients that were authorised there. The server's reply: {reply}.",
        cases: &[Case {
            conditions: &[Condition::Host("*.mailgun.org")],
            meaning: "The service is Mailgun.",
            step: "",
        }],
        steps: &[
            "Add {recipient} to the authorised recipients at the mail service.",
            "Or add a domain of your own there, verify it, and send from it.",
        ],
        ..RULE
    },
    Rule {
        code: "PROVIDER_TROUBLE",
        when: &[],
        owner: Owner::MailHost,
        confidence: Confidence::Generic,
        title: "{host} reports an error of its own",
        meaning: "The server says that something on its side went wrong: {reply}. It does not blame your settings.",
        steps: &[
            "Try again in a few minutes.",
            "If this continues, look at the status page of the mail provider, or ask its support.",
        ],
        ..RULE
    },
    Rule {
        code: "PROVIDER_TEMPORARY",
        when: &[],
        owner: Owner::MailHost,
        retryable: true,
        confidence: Confidence::Generic,
        title: "{host} has temporary trouble",
        meaning: "The server says that it cannot do this now, and that it may work later: {reply}.",
        steps: &[
            "Try again in a few minutes; nothing needs to be changed.",
            "If it lasts for hours, look at the status page of the mail provider, or ask its support.",
        ],
        ..RULE
    },
];
