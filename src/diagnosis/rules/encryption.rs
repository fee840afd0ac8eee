//! TLS, from the first byte or by STARTTLS.

use crate::diagnosis::rule::{ANY, Case, Condition, Kind, REPLY, RULE, Rule, When};
use crate::diagnosis::{Confidence, Owner};
use crate::smtp::{Chain, Security};

const BASE: Rule = Rule { connection_failed: true, ..RULE };

pub(in crate::diagnosis) const RULES: &[Rule] = &[
    Rule {
        code: "TLS_MODE_MISMATCH_USE_STARTTLS",
        when: &[When { kinds: &[Kind::PlainTextOnTls], ..ANY }],
        title: "Port {port} of {host} needs the security type StartTLS",
        meaning: "The security type is SSL/TLS, which encrypts from the first byte. This server begins in plain \
                  text, and encrypts after that (StartTLS). The password was not sent.",
        steps: &["Choose the security type StartTLS and keep port {port}."],
        ..BASE
    },
    Rule {
        code: "TLS_MODE_MISMATCH_USE_IMPLICIT",
        when: &[When { kinds: &[Kind::TlsFromFirstByte], ..ANY }],
        title: "Port {port} of {host} needs the security type SSL/TLS",
        meaning: "This server waits for encryption from the first byte, so it did not greet us in plain text. The \
                  password was not sent.",
        steps: &["Choose the security type SSL/TLS and keep port {port}."],
        ..BASE
    },
    Rule {
        code: "TLS_CERT_UNTRUSTED",
        when: &[When { kinds: &[Kind::TlsUntrusted], ..ANY }],
        owner: Owner::MailHost,
        title: "The certificate of {host} is not signed by a trusted authority",
        meaning: "A certificate proves that a server is the one it says it is. This one could not be traced to an \
                  authority that is trusted here, so the password was not sent.",
        cases: &[
            Case {
                conditions: &[Condition::IssuerKnown],
                meaning: "The certificate names as its issuer: {issuer}.",
                step: "",
            },
            Case {
                conditions: &[Condition::Chain(Chain::Alone)],
                meaning: "The server sent this one certificate alone. Most often the certificate between it and the \
                          authority (intermediate certificate) is missing on the server; or the issuer is a private \
                          authority.",
                step: "Ask the mail provider to install the missing intermediate certificate, so that the server sends its \
                       full chain.",
            },
            Case {
                conditions: &[Condition::Chain(Chain::SelfSigned)],
                meaning: "The server has signed its certificate itself, so nobody else vouches for it.",
                step: "",
            },
        ],
        steps: &[
            "Ask the mail provider to install a certificate of a public authority with its full chain.",
            "If the server belongs to your own organisation and uses an authority of its own, ask the operator of \
             this service to trust that authority with the setting tls.ca_file.",
        ],
        ..BASE
    },
    Rule {
        code: "TLS_CERT_NAME",
        when: &[When { kinds: &[Kind::TlsWrongName], ..ANY }],
        title: "The certificate of the server is not valid for {host}",
        meaning: "A certificate proves that a server is the one it says it is, and this one does not cover the name \
                  {host}. The password was not sent.",
        cases: &[
            Case { conditions: &[Condition::NamesKnown], meaning: "It is valid for: {names}.", step: "" },
            Case {
                conditions: &[Condition::GreetedNameFits],
                meaning: "The server calls itself {greeted_as}, which the certificate covers.",
                step: "If {greeted_as} belongs to your mail provider, enter that name as the server.",
            },
            Case {
                conditions: &[Condition::EnterableNames],
                meaning: "",
                step: "If one of these is your mail server, enter that name: {enterable_names}.",
            },
            Case {
                conditions: &[Condition::HostIsAddress],
                meaning: "Certificates are issued for names; the configuration has an IP address.",
                step: "Enter the name of the server instead of its IP address.",
            },
        ],
        steps: &[
            "Look up the right name of the server in your mail provider's help.",
            "If {host} is right, ask the mail provider to add this name to its certificate.",
        ],
        ..BASE
    },
    Rule {
        code: "TLS_CERT_EXPIRED",
        when: &[When { kinds: &[Kind::TlsExpired, Kind::TlsNotYetValid], ..ANY }],
        owner: Owner::MailHost,
        title: "The certificate of {host} is not valid at this time",
        meaning: "A certificate proves that a server is the one it says it is, and holds for a limited time. The \
                  password was not sent.",
        cases: &[
            Case {
                conditions: &[Condition::Kind(Kind::TlsExpired)],
                meaning: "This one has expired.",
                step: "Ask the mail provider to renew the certificate of {host}.",
            },
            Case {
                conditions: &[Condition::Kind(Kind::TlsNotYetValid)],
                meaning: "This one is not valid yet.",
                step: "Ask the mail provider to check from when on the certificate of {host} is valid.",
            },
        ],
        steps: &[
            "If the mail provider finds its certificate in order, ask the operator of this service to check its \
             clock.",
        ],
        ..BASE
    },
    Rule {
        code: "TLS_VERSION",
        when: &[
            When {
                kinds: &[Kind::TlsVersion, Kind::TlsNoCommonCipher, Kind::TlsServerError, Kind::TlsOther],
                ..ANY
            },
            When { enhanced: &["4.7.66", "5.7.66"], ..REPLY },
            When { texts: &["tls 1.0 and 1.1 are not supported"], ..REPLY },
        ],
        concerns_configuration: true,
        owner: Owner::MailHost,
        title: "No encrypted connection to {host} could be agreed on",
        meaning: "Mail is sent here only over an encrypted connection that both sides find strong enough.",
        cases: &[
            Case {
                conditions: &[Condition::Kind(Kind::TlsVersion)],
                meaning: "Both sides must know a common version of the encryption protocol TLS. There is none: this \
                          service takes TLS 1.2 and newer. The password was not sent.",
                step: "Ask the mail provider to offer TLS 1.2 or newer on port {port}.",
            },
            Case {
                conditions: &[Condition::Kind(Kind::TlsNoCommonCipher)],
                meaning: "Both sides must know a common cipher. There is none: the server has only old ones, without \
                          forward secrecy (RSA key exchange). Programs that still take those can connect, so it may \
                          work elsewhere. The password was not sent.",
                step: "Ask the mail provider for an endpoint with ECDHE ciphers, which have forward secrecy.",
            },
            Case {
                conditions: &[Condition::Kind(Kind::TlsServerError)],
                meaning: "The server broke the handshake off with an internal error (alert internal_error). The \
                          password was not sent.",
                step: "Try again in a few minutes.",
            },
            Case {
                conditions: &[Condition::Kind(Kind::TlsServerError)],
                meaning: "",
                step: "If this continues, ask the mail provider what the log of its server says.",
            },
            Case {
                conditions: &[Condition::Kind(Kind::TlsOther)],
                meaning: "The start of the encryption failed. The password was not sent.",
                step: "Ask the mail provider what the log of its server says about the encryption on port {port}.",
            },
            Case {
                conditions: &[Condition::Kind(Kind::TlsOther), Condition::ProblemKnown],
                meaning: "What happened: {problem}.",
                step: "",
            },
            Case {
                conditions: &[Condition::Kind(Kind::Refused)],
                meaning: "The server finds the version of the encryption too old: {reply}.",
                step: "If a proxy or firewall stands between this service and the server, ask its operator whether it \
                       lowers the TLS version.",
            },
        ],
        steps: &["Give the transcript below to the mail provider."],
        ..BASE
    },
    Rule {
        code: "TLS_CLIENT_CERTIFICATE",
        when: &[When { kinds: &[Kind::TlsClientCertificate], ..ANY }],
        owner: Owner::MailHost,
        title: "{host} requires a client certificate",
        meaning: "The server lets in only clients that show a certificate of their own. This service has none: \
                  signing in with a client certificate is not supported here. The password was not sent.",
        steps: &["Ask the mail provider for a server or a port where user name and password are enough."],
        ..BASE
    },
    Rule {
        code: "TLS_RESPONSE_INJECTION",
        when: &[When { kinds: &[Kind::ResponseInjection], ..ANY }],
        owner: Owner::MailHost,
        title: "{host} sent unencrypted data where encryption had to begin",
        meaning: "After agreeing to encrypt, the server, or something on the way to it, went on in plain text. \
                  That is how a connection is manipulated, so it was ended. The password was not sent.",
        steps: &[
            "Choose port 465 with SSL/TLS, which is encrypted from the first byte, if the server offers it.",
            "Ask the mail provider to check the server and anything in front of it (firewall, mail filter).",
        ],
        ..BASE
    },
    Rule {
        code: "STARTTLS_TEMP",
        when: &[],
        owner: Owner::MailHost,
        retryable: true,
        confidence: Confidence::Generic,
        title: "{host} cannot encrypt at the moment",
        meaning: "The server offers encryption, but could not start it just now. The password was not sent.",
        steps: &[
            "Try again in a few minutes.",
            "If this continues, tell the mail provider: the TLS set-up or the certificate of the server is often the \
             cause.",
        ],
        ..BASE
    },
    Rule {
        code: "STARTTLS_MISSING",
        when: &[When { kinds: &[Kind::StartTlsMissing], ..ANY }],
        title: "{host} does not offer StartTLS on port {port}",
        meaning: "The security type is StartTLS, and the server does not encrypt on this port. We stopped there: \
                  the password was not sent in the clear.",
        steps: &[
            "Try port 465 with SSL/TLS, or port 587 with StartTLS.",
            "If neither works, ask the mail provider to enable encryption.",
        ],
        ..BASE
    },
    Rule {
        code: "STARTTLS_REQUIRED",
        when: &[],
        concerns_configuration: true,
        confidence: Confidence::Generic,
        title: "{host} insists on encryption",
        meaning: "The server accepts nothing on this port before the connection is encrypted.",
        cases: &[
            Case {
                conditions: &[Condition::Security(Security::None)],
                meaning: "",
                step: "Choose the security type StartTLS and keep port {port}.",
            },
            Case {
                conditions: &[Condition::Security(Security::StartTls)],
                meaning: "StartTLS is chosen already, but the server refused before it had offered it.",
                step: "Try port 465 with SSL/TLS, which is encrypted from the first byte.",
            },
            Case {
                conditions: &[Condition::Security(Security::Tls)],
                meaning: "The connection is encrypted by SSL/TLS already, which the server does not see: something in \
                          front of it may end the encryption.",
                step: "Try port 587 with StartTLS.",
            },
        ],
        steps: &["If that does not help, give the transcript below to the mail provider."],
        ..RULE
    },
];
