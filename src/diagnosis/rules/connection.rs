//! From the host name to a server that speaks SMTP.

use crate::diagnosis::lexicon::Concept;
use crate::diagnosis::rule::{ANY, Case, Condition, Kind, RULE, Rule, When};
use crate::diagnosis::{Confidence, Owner};
use crate::mail::transcript::Stage;
use crate::smtp::Security;

const BASE: Rule = Rule { connection_failed: true, ..RULE };

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "DNS_NOT_FOUND",
        when: &[When { kinds: &[Kind::NotFound], ..ANY }],
        title: "No server named {host} was found",
        meaning: "The Domain Name System, the directory that turns names into network addresses, has no address \
                  for {host}.",
        cases: &[
            Case {
                conditions: &[Condition::HostHasAt],
                meaning: "This is an email address, but a server name belongs here.",
                step: "Put the address into the sender field, and the name of the mail server here.",
            },
            Case {
                conditions: &[Condition::SuggestionKnown],
                meaning: "",
                step: "For this provider the server for outgoing mail is {suggested_host}: enter that name.",
            },
            Case {
                conditions: &[Condition::SimilarKnown],
                meaning: "",
                step: "Did you mean {similar_host}? Then enter that name.",
            },
        ],
        steps: &[
            "Check the name for typing errors.",
            "Look up the name of the server for outgoing mail (SMTP) in your mail provider's help; it often begins \
             with smtp or mail.",
        ],
        ..BASE
    },
    Rule {
        code: "DNS_UNAVAILABLE",
        when: &[When { kinds: &[Kind::DnsUnavailable], ..ANY }],
        owner: Owner::DnsOwner,
        retryable: true,
        title: "The address of {host} could not be looked up",
        meaning: "The name servers gave no usable answer, so it is not known whether {host} exists. The mail \
                  server itself was not contacted.",
        steps: &[
            "Try again in a few minutes.",
            "If this continues, ask the administrators of the DNS of this domain to check its name servers.",
            "If other names fail too, ask the operator of this service to check its own name resolution.",
        ],
        ..BASE
    },
    Rule {
        code: "DEST_BLOCKED",
        when: &[When { kinds: &[Kind::DestinationBlocked], ..ANY }],
        owner: Owner::Operator,
        title: "This service does not connect to the address of {host}",
        meaning: "For safety, this service only connects to servers on the public internet, and {host} is not one of \
                  them. Nothing was sent there.",
        steps: &[
            "Use a mail server that is reachable on the public internet.",
            "If {host} is a server of your own network, ask the operator of this service to allow it with the \
             settings egress.allow (addresses) or egress.allow_hosts (names).",
        ],
        ..BASE
    },
    Rule {
        code: "OWN_GATEWAY",
        when: &[When { kinds: &[Kind::OwnGateway], ..ANY }],
        title: "{host} is the SMTP gateway of this service itself",
        meaning: "Programs hand their mail to this server, and it goes on through the account that is configured \
                  here: the mail would come back again and again. Nothing was sent.",
        steps: &[
            "Enter the server for outgoing mail of your mail provider, with the account that it gave you.",
        ],
        ..BASE
    },
    Rule {
        code: "PORT_BLOCKED",
        when: &[When { kinds: &[Kind::PortBlocked], ..ANY }],
        title: "Port {port} is not an allowed mail port here",
        meaning: "This service connects only to these ports: {ports}. Nothing was sent.",
        steps: &[
            "Choose one of the allowed ports: {ports}. Most mail servers use 587 with StartTLS or 465 with SSL/TLS.",
            "If your server only uses port {port}, ask the operator of this service to add it to the setting \
             egress.ports.",
        ],
        ..BASE
    },
    Rule {
        code: "CONNECTION_INTERCEPTED",
        when: &[
            When { kinds: &[Kind::TlsWrongName, Kind::TlsUntrusted], known_service: Some(true), ..ANY },
            When {
                kinds: &[Kind::NotSmtp, Kind::PlainTextOnTls, Kind::TlsFromFirstByte, Kind::StartTlsMissing],
                right_place: Some(true),
                ..ANY
            },
        ],
        owner: Owner::Operator,
        title: "Something else answers in place of {host}",
        meaning: "{host} is the right name, and what answered is not that server: it could not prove that it is \
                  {host}, or did not speak as that server does. Something between this service and the mail service \
                  takes the connection, for example a firewall, a mail filter or the hoster's network. The password \
                  was not sent.",
        steps: &[
            "Leave the configuration as it is: another host name or port could give your password to a stranger.",
            "Ask the operator of this service to look whether its network or hoster diverts outgoing mail ports.",
        ],
        ..BASE
    },
    Rule {
        code: "NETWORK_BLOCKED",
        when: &[When {
            kinds: &[Kind::ConnectRefused, Kind::ConnectTimeout, Kind::Unreachable],
            right_place: Some(true),
            ..ANY
        }],
        owner: Owner::Operator,
        retryable: true,
        title: "This service's network does not let it reach {host} on port {port}",
        meaning: "Host and port are the right ones for this mail service, and no connection could be established. \
                  Most often a firewall, or the hoster of this service, blocks outgoing mail.",
        steps: &[
            "Try again in a few minutes, in case the mail service has a short outage.",
            "If this continues, ask the operator of this service whether outgoing connections to port {port} are \
             open.",
        ],
        ..BASE
    },
    Rule {
        code: "CONNECT_REFUSED",
        when: &[When { kinds: &[Kind::ConnectRefused], ..ANY }],
        retryable: true,
        title: "{host} does not accept connections on port {port}",
        meaning: "The connection was refused immediately: either no mail server listens on port {port}, or a firewall \
                  blocks us.",
        cases: &[
            Case { conditions: &[Condition::Port(587)], meaning: "", step: "Try port 465 with SSL/TLS." },
            Case { conditions: &[Condition::Port(465)], meaning: "", step: "Try port 587 with StartTLS." },
            Case {
                conditions: &[Condition::SuggestionKnown],
                meaning: "",
                step: "For this provider the server for outgoing mail is {suggested_host}: check the host name.",
            },
        ],
        steps: &[
            "Compare host and port with your mail provider's help. The usual ports are 587 with StartTLS and 465 with SSL/TLS.",
            "If both are right, ask your mail provider whether the server is running and accepts connections from us.",
        ],
        ..BASE
    },
    Rule {
        code: "CONNECT_TIMEOUT",
        when: &[When { kinds: &[Kind::ConnectTimeout, Kind::Unreachable], ..ANY }],
        retryable: true,
        title: "{host} cannot be reached on port {port}",
        meaning: "The connection could not be established.",
        cases: &[
            Case {
                conditions: &[Condition::Kind(Kind::ConnectTimeout)],
                meaning: "Nothing answered in time. Most often a firewall drops such connections silently.",
                step: "",
            },
            Case {
                conditions: &[Condition::TimeLimitKnown, Condition::Kind(Kind::ConnectTimeout)],
                meaning: "A check may take {seconds} seconds in total.",
                step: "",
            },
            Case {
                conditions: &[Condition::Kind(Kind::Unreachable)],
                meaning: "The network has no route from this service to that server.",
                step: "",
            },
            Case {
                conditions: &[Condition::Port(25)],
                meaning: "Many networks block outgoing connections to port 25.",
                step: "Use port 587 with StartTLS, or port 465 with SSL/TLS.",
            },
        ],
        steps: &[
            "Check host and port. The usual ports are 587 with StartTLS and 465 with SSL/TLS.",
            "Ask the mail provider whether its firewall accepts connections from this service.",
            "Ask the operator of this service whether outgoing connections to port {port} are open.",
        ],
        ..BASE
    },
    Rule {
        code: "NOT_SMTP",
        when: &[When { kinds: &[Kind::NotSmtp], ..ANY }],
        title: "The service on port {port} of {host} is not a server for outgoing mail (protocol: {protocol})",
        meaning: "Outgoing mail is sent with the protocol SMTP, and this service did not answer in it. Ports 143, \
                  993, 110 and 995 are for reading mail; 80 and 443 are for web pages.",
        cases: &[Case {
            conditions: &[Condition::SuggestionKnown],
            meaning: "",
            step: "For this provider the server for outgoing mail is {suggested_host}.",
        }],
        steps: &[
            "Enter the server for outgoing mail (SMTP), not the one for reading mail.",
            "Use port 587 with StartTLS, or port 465 with SSL/TLS.",
        ],
        ..BASE
    },
    Rule {
        code: "GREETING_REFUSED",
        when: &[],
        owner: Owner::MailHost,
        confidence: Confidence::Generic,
        title: "{host} rejected the connection right away",
        meaning: "The mail server refused as soon as we connected: {reply}. User name and password \
                  were not sent, so nothing is known about them.",
        cases: &[
            Case {
                conditions: &[Condition::Says(Concept::TooManyConnections)],
                meaning: "It has too many connections at the moment.",
                step: "",
            },
            Case {
                conditions: &[Condition::Class(4)],
                meaning: "The server calls this temporary.",
                step: "Try again in a few minutes.",
            },
            Case {
                conditions: &[Condition::Class(5)],
                meaning: "Often the server does not accept connections from our network address.",
                step: "",
            },
        ],
        steps: &[
            "Check that {host} is the server for sending with a sign-in, not the one that receives mail from outside.",
            "Ask the mail provider to allow connections from this service. The operator of this service knows the \
             address.",
        ],
        ..BASE
    },
    Rule {
        code: "CLIENT_ADDRESS_REFUSED",
        when: &[],
        concerns_configuration: true,
        owner: Owner::Operator,
        confidence: Confidence::Generic,
        title: "{host} does not accept mail from our network address",
        meaning: "The server does not trust the network address of this service: it is on a block list, or not among \
                  those that the server knows. Your user name and password are not the cause. The server's reply: \
                  {reply}.",
        cases: &[Case {
            conditions: &[Condition::Host("mx*.t-online.de")],
            meaning: "T-Online takes connections only from network addresses that it knows, and ours is not one of them. \
                      This host receives mail from outside; an account at T-Online sends through \
                      securesmtp.t-online.de.",
            step: "If you have an account at T-Online, enter securesmtp.t-online.de with port 465 and SSL/TLS. Otherwise the \
                   operator can write to the address in the reply.",
        }],
        steps: &[
            "Give the server's reply to the operator of this service: only the operator can have the address taken \
             off a list, or made known to the server.",
            "If {host} belongs to your organisation or your mail provider, ask its administrator to accept \
             connections from this service.",
        ],
        ..RULE
    },
    Rule {
        code: "REVERSE_DNS_REFUSED",
        when: &[],
        concerns_configuration: true,
        owner: Owner::Operator,
        title: "{host} refuses us because our network address has no fitting reverse DNS name",
        meaning: "Mail servers look up the name that belongs to the connecting address, and whether that name leads \
                  back to the address. For this service it does not. User name and password are not the cause.",
        steps: &[
            "Give the server's reply to the operator of this service: only the operator, with the provider of the \
             network, can set the reverse DNS name (PTR record).",
        ],
        ..RULE
    },
    Rule {
        code: "TOO_MANY_CONNECTIONS",
        when: &[],
        concerns_configuration: true,
        owner: Owner::Nobody,
        retryable: true,
        confidence: Confidence::Generic,
        title: "{host} has too many connections from us or from others",
        meaning: "The server limits how many connections it takes at the same time, or in a short time. User name and \
                  password are not the cause.",
        steps: &[
            "Try again in a few minutes; nothing needs to be changed.",
            "If it happens often, ask the mail provider for its limits, and tell them to the operator of this \
             service.",
        ],
        ..RULE
    },
    Rule {
        code: "CONVERSATION_REFUSED",
        when: &[],
        owner: Owner::MailHost,
        confidence: Confidence::Generic,
        title: "{host} did not accept one of our commands",
        meaning: "The server called one of our commands unknown or out of order: {reply}. Every mail program uses \
                  these commands, so the server, or something in front of it, is set up in an unusual way.",
        steps: &[
            "Check that host and port are those of a mail server for sending.",
            "If they are, give the transcript below to the mail provider.",
            "If other mail servers answer so too, ask the operator of this service whether a firewall changes mail \
             traffic.",
        ],
        ..RULE
    },
    Rule {
        code: "CONNECTION_LOST",
        when: &[When { kinds: &[Kind::ConnectionLost], ..ANY }],
        owner: Owner::MailHost,
        retryable: true,
        title: "{host} closed the connection unexpectedly",
        meaning: "The connection ended before the server replied, and before a complete message was handed over. The \
                  reason is not known.",
        cases: &[
            Case {
                conditions: &[Condition::Stage(Stage::Greeting)],
                meaning: "It ended before the server said anything. Some servers do this to addresses they do not \
                          trust.",
                step: "",
            },
            Case {
                conditions: &[Condition::Port(465), Condition::Security(Security::StartTls)],
                meaning: "",
                step: "Port 465 is usually used with the security type SSL/TLS: choose it and try again.",
            },
        ],
        steps: &[
            "Try again in a few minutes.",
            "If it happens every time, give the transcript below to the mail provider and ask what its log says.",
        ],
        ..BASE
    },
    Rule {
        code: "REPLY_TIMEOUT",
        when: &[When { kinds: &[Kind::Timeout], ..ANY }],
        owner: Owner::MailHost,
        retryable: true,
        title: "{host} did not answer in time",
        meaning: "The connection was established, but the server's answer did not come in time.",
        cases: &[
            Case {
                conditions: &[Condition::TimeLimitKnown],
                meaning: "A check may take {seconds} seconds in total.",
                step: "",
            },
            Case {
                conditions: &[Condition::Stage(Stage::Greeting)],
                meaning: "Some servers deliberately make unknown clients wait before the greeting.",
                step: "",
            },
            Case {
                conditions: &[Condition::TimeLimitKnown, Condition::Stage(Stage::Greeting)],
                meaning: "",
                step: "If this server always makes clients wait, ask the operator of this service to give checks more \
                       time (egress.timeout_seconds).",
            },
            Case {
                conditions: &[Condition::Port(465), Condition::Security(Security::StartTls)],
                meaning: "",
                step: "Port 465 is usually used with the security type SSL/TLS: choose it and try again.",
            },
        ],
        steps: &[
            "Try again in a few minutes.",
            "If it happens every time, ask the mail provider whether the server is overloaded or delays connections.",
        ],
        ..BASE
    },
    Rule {
        code: "PROTOCOL_ERROR",
        when: &[When { kinds: &[Kind::Protocol], ..ANY }],
        owner: Owner::MailHost,
        title: "{host} sent a reply that breaks the rules of SMTP",
        meaning: "SMTP is the protocol for outgoing mail. The reply could not be read safely, so we ended the \
                  session.",
        cases: &[Case {
            conditions: &[Condition::ProblemKnown],
            meaning: "What was wrong: {problem}.",
            step: "",
        }],
        steps: &[
            "Check that host and port are those of a mail server for sending.",
            "If they are, give the transcript below to the mail provider.",
        ],
        ..BASE
    },
];
