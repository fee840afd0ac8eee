//! What servers say about a sender, a recipient or relaying.

use crate::diagnosis::evidence::Fact;
use crate::diagnosis::rule::{ANY, Case, Condition, Kind, RULE, Rule, When};
use crate::diagnosis::{Confidence, Effect, Owner};

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "SENDER_NOT_OWNED",
        when: &[],
        concerns_configuration: true,
        confidence: Confidence::Generic,
        title: "{host} does not let {user} send as {from}",
        meaning: "The server lets users send only from their own addresses, and {from} is not one of them. The \
                  sign-in itself was not refused.",
        cases: &[Case {
            conditions: &[Condition::Host("smtp.zoho.*")],
            meaning: "Zoho also says this if the account belongs to another region, or if its domain is not verified at \
                      Zoho.",
            step: "",
        }],
        steps: &[
            "Use the address of the account as the sender address.",
            "Or add {from} to the account at the mail provider, as an alias or as a permitted sender.",
        ],
        ..RULE
    },
    Rule {
        code: "SENDER_NOT_VERIFIED",
        when: &[],
        concerns_configuration: true,
        confidence: Confidence::Generic,
        title: "{host} does not know {from} as a sender of this account",
        meaning: "The mail provider only sends from addresses and domains that were added to the account and \
                  verified. {from} is not one of them. The server's reply: {reply}.",
        cases: &[
            Case {
                conditions: &[Condition::Host("*.qcloudmail.com")],
                meaning: "The service is Tencent Cloud, which calls this NotAuthenticatedSender.",
                step: "Verify {from} or its domain in the console of Tencent Cloud.",
            },
            Case {
                conditions: &[Condition::Text("from/sender name is not valid")],
                meaning: "The mail server Postal replies this way if the sender's domain is not set up for this \
                          account. It does not mean the sender's name.",
                step: "",
            },
        ],
        steps: &[
            "Add the domain of {from} to the account at the mail service, and verify it there as the service describes.",
            "Or use a sender address of a domain that is verified already.",
        ],
        ..RULE
    },
    Rule {
        code: "SENDER_DOMAIN_NOT_FOUND",
        when: &[],
        concerns_configuration: true,
        owner: Owner::DnsOwner,
        confidence: Confidence::Generic,
        title: "{host} does not find the domain of the sender address {from}",
        meaning: "The server looked up the part of {from} after the @ in the Domain Name System and found no server \
                  that replies could go to. It accepts no mail from such a sender.",
        steps: &[
            "Check the sender address {from} for typing errors.",
            "If it is right, ask the administrators of the DNS of this domain to add an MX record, or an A record, for it.",
        ],
        ..RULE
    },
    Rule {
        code: "SENDER_DOMAIN_LISTED",
        when: &[],
        concerns_configuration: true,
        confidence: Confidence::Generic,
        title: "The domain of {from} is on a block list that {host} uses",
        meaning: "The list counts this domain among those that send unwanted mail. User name, password and the text of the \
                  mail are not the cause. The server's reply: {reply}.",
        steps: &[
            "If the reply contains a link, open it: it names the list and explains how to remove a domain.",
            "Ask the administrators of the domain to have it removed, and to find out what was sent in its name.",
            "Until then, use a sender address in another domain.",
        ],
        ..RULE
    },
    Rule {
        code: "SENDER_REFUSED",
        when: &[],
        concerns_configuration: true,
        confidence: Confidence::Generic,
        title: "{host} refuses the sender address {from}",
        meaning: "The server does not accept mail from this sender. Its reply: {reply}.",
        cases: &[Case {
            conditions: &[Condition::Fact(Fact::SignedIn)],
            meaning: "The sign-in as {user} had worked; often an account may send only as its own addresses.",
            step: "Use the address of the account {user} as the sender address, or add {from} to the account at the mail provider.",
        }],
        steps: &[
            "Check the sender address {from} for typing errors.",
            "If it is right, ask the mail provider why it refuses it, and give it the server's reply.",
        ],
        ..RULE
    },
    Rule {
        code: "SIGN_IN_REQUIRED",
        when: &[],
        concerns_configuration: true,
        confidence: Confidence::Generic,
        title: "{host} requires a sign-in, but no user name is configured",
        meaning: "The server only relays mail for users who have signed in. Nobody has signed in, because user name and \
                  password are missing in this configuration. The recipient is not the cause.",
        cases: &[
            Case {
                conditions: &[Condition::UserNameIsAddress],
                meaning: "",
                step: "Enter user name and password: at this service the user name is the whole email address.",
            },
            Case {
                conditions: &[Condition::UserNameIsFixed],
                meaning: "",
                step: "Enter user name and password: at this service the user name is always {user_name_form}.",
            },
            Case {
                conditions: &[Condition::UserNameIsIssued],
                meaning: "",
                step: "Enter the user name and the password that the service has issued for sending by SMTP.",
            },
            Case {
                conditions: &[Condition::NoService],
                meaning: "",
                step: "Enter user name and password of a mail account at this server.",
            },
            Case {
                conditions: &[Condition::NoSignInOffered],
                meaning: "On this port the server offers no sign-in.",
                step: "",
            },
        ],
        steps: &[
            "Use port 587 with StartTLS, or port 465 with SSL/TLS: sign-in is usual there.",
            "If this is a relay that should know us by our network address, ask the mail provider to allow that \
             address; the operator of this service can name it. A server that knows only POP before SMTP cannot be \
             used from here.",
        ],
        ..RULE
    },
    Rule {
        code: "RELAY_DENIED",
        when: &[],
        concerns_configuration: true,
        confidence: Confidence::Generic,
        title: "{host} does not pass on mail for us",
        meaning: "The server sends mail to others only for users and networks that it knows.",
        cases: &[
            Case {
                conditions: &[Condition::Fact(Fact::SignedIn)],
                meaning: "The sign-in as {user} had worked, so neither the password nor the port is the cause: this account \
                          may not send to others, or this server only receives mail for its own domains.",
                step: "Ask the mail provider whether the account {user} may send to other domains through this server, and \
                       which server is the one for sending.",
            },
            Case {
                conditions: &[Condition::Fact(Fact::NobodySignedIn)],
                meaning: "Nobody has signed in, or this server only receives mail for its own domains.",
                step: "Enter user name and password if they are missing.",
            },
            Case {
                conditions: &[Condition::Fact(Fact::NobodySignedIn)],
                meaning: "",
                step: "Use the server that your mail provider names for sending with a sign-in, with port 587 and StartTLS, \
                       or port 465 and SSL/TLS.",
            },
            Case {
                conditions: &[Condition::Fact(Fact::NobodySignedIn)],
                meaning: "",
                step: "If it is a relay that should know us by our address, ask the mail provider to allow that address.",
            },
        ],
        steps: &["Give the mail provider the server's reply: {reply}."],
        ..RULE
    },
    Rule {
        code: "GREYLISTED",
        when: &[],
        effect: Effect::None,
        owner: Owner::Nobody,
        retryable: true,
        title: "The receiving server asks to try again later",
        meaning: "Some servers refuse the first message from an unknown sender for a few minutes, to keep out spam \
                  (greylisting). This is normal, and your configuration is fine.",
        steps: &["Send the test email again in a few minutes; nothing needs to be changed."],
        ..RULE
    },
    Rule {
        code: "TOO_MANY_RECIPIENTS",
        when: &[],
        effect: Effect::None,
        owner: Owner::Nobody,
        retryable: true,
        title: "{host} accepts fewer recipients in one message",
        meaning: "The server limits how many recipients one message may have. The configuration is fine.",
        steps: &["Send to fewer recipients at a time."],
        ..RULE
    },
    Rule {
        code: "RECIPIENT_UNKNOWN",
        when: &[],
        effect: Effect::None,
        confidence: Confidence::Generic,
        title: "The address {recipient} does not exist",
        meaning: "The server that replied does not know this recipient. The connection to your mail server works.",
        steps: &["Check the recipient's address for typing errors, or try another recipient."],
        ..RULE
    },
    Rule {
        code: "RECIPIENT_MAILBOX_FULL",
        when: &[],
        effect: Effect::None,
        confidence: Confidence::Generic,
        owner: Owner::Nobody,
        title: "The mailbox of {recipient} is full",
        meaning: "The recipient's mailbox takes no more mail until there is room in it. Your configuration is fine.",
        steps: &["Tell the recipient some other way that the mailbox is full, or try another recipient."],
        ..RULE
    },
    Rule {
        code: "RECIPIENT_UNAVAILABLE",
        when: &[],
        effect: Effect::None,
        confidence: Confidence::Generic,
        title: "The mailbox of {recipient} is switched off or locked",
        meaning: "The recipient's server knows the address but accepts no mail for it. Your configuration is fine. \
                  The server's reply: {reply}.",
        steps: &["Ask the recipient some other way, or try another recipient."],
        ..RULE
    },
    Rule {
        code: "RECIPIENT_RATE_LIMITED",
        when: &[],
        effect: Effect::None,
        confidence: Confidence::Generic,
        owner: Owner::Nobody,
        retryable: true,
        title: "{recipient} is receiving too much mail right now",
        meaning: "The recipient's server limits how much mail this address may receive in a short time. Your \
                  configuration is fine.",
        steps: &["Try again later; nothing needs to be changed."],
        ..RULE
    },
    Rule {
        code: "RECIPIENT_REFUSED",
        when: &[],
        effect: Effect::None,
        confidence: Confidence::Generic,
        title: "The recipient's server does not accept this email for {recipient}",
        meaning: "A rule of the recipient, or of the recipient's organisation, refuses the mail: the address may be open to \
                  certain senders only, or {from} may be blocked there. The sign-in worked, and the text of the mail is \
                  not the cause. The server's reply: {reply}.",
        steps: &[
            "Ask the recipient, or the administrator of the recipient's mail, to allow mail from {from}.",
            "Try another recipient, to see that your configuration works.",
        ],
        ..RULE
    },
    Rule {
        code: "TRY_LATER",
        when: &[],
        owner: Owner::MailHost,
        retryable: true,
        confidence: Confidence::Generic,
        title: "{host} asks to send the email again later",
        meaning: "The reply code means the error is permanent, but its words say otherwise: {reply}. The recipient's \
                  address may be right.",
        steps: &[
            "Try again in a few minutes.",
            "If it happens every time, ask the mail provider why, and give it the server's reply.",
        ],
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
            "Or ask the mail provider whether it can enable SMTPUTF8.",
        ],
        ..RULE
    },
];
