//! One test case for each row of the table of known failures. Here are those in which no mail and no password matters:
//! the way to the server, and our own side.

mod mail;
mod sign_in;

use super::{facts, failed, refused, refused_as};
use crate::diagnosis::Confidence::{Exact, Generic};
use crate::diagnosis::Effect::{CredentialsRefused as Af, None as Nothing, ProviderError as Pe};
use crate::diagnosis::Owner::{
    self, DnsOwner, MailHost, Microsoft365Admin as Ms, Nobody, Operator, TenantAdmin as Tenant,
    WorkspaceAdmin,
};
use crate::diagnosis::{Confidence, Effect, Failure, diagnose};
use crate::egress::{DialError, Refusal};
use crate::mail::transcript::Stage::{self, Auth, Data, Ehlo, Greeting, MailFrom, RcptTo, Starttls, Tls};
use crate::smtp::{Chain, ErrorKind, OtherProtocol, TlsFailure};

/// What follows: the code, the effect, `retryable`, `connectionFailed`, who can act, how sure it is.
type Expected = (&'static str, Effect, bool, bool, Owner, Confidence);

const ANY_HOST: &str = "mail.example.com";
const MICROSOFT: &str = "smtp.office365.com";
const GMAIL: &str = "smtp.gmail.com";
const SES: &str = "email-smtp.eu-west-1.amazonaws.com";

fn check(row: &str, host: &str, failure: &Failure, expected: Expected) {
    check_as(row, host, "anna@example.com", failure, expected);
}

fn check_as(row: &str, host: &str, user: &str, failure: &Failure, expected: Expected) {
    let mut facts = facts(host);
    facts.username = Some(user.to_owned());
    let finding = diagnose(failure, &facts, &[]);
    let diagnosis = &finding.diagnosis;
    let found = (
        diagnosis.code,
        finding.effect,
        diagnosis.retryable,
        finding.connection_failed,
        diagnosis.owner,
        diagnosis.confidence,
    );
    assert_eq!(found, expected, "row {row}: {}", finding.message);
}

#[test]
fn part_a_before_smtp_speaks() {
    let dial = Failure::Dial;
    let address = Refusal::Address { address: "10.0.0.1".parse().unwrap(), class: "private" };
    let port = Refusal::Port { allowed: vec![587] };
    let tls = |failure| failed(Tls, ErrorKind::Tls(failure));
    let cases: &[(&str, Failure, Expected)] = &[
        ("1", dial(DialError::NotFound), ("DNS_NOT_FOUND", Pe, false, true, Tenant, Exact)),
        ("2", dial(DialError::DnsUnavailable), ("DNS_UNAVAILABLE", Pe, true, true, DnsOwner, Exact)),
        ("3", dial(DialError::Refused(address)), ("DEST_BLOCKED", Pe, false, true, Operator, Exact)),
        ("3", dial(DialError::Refused(Refusal::Name)), ("DEST_BLOCKED", Pe, false, true, Operator, Exact)),
        (
            "own gateway",
            dial(DialError::Refused(Refusal::OwnGateway)),
            ("OWN_GATEWAY", Pe, false, true, Tenant, Exact),
        ),
        ("4", dial(DialError::Refused(port)), ("PORT_BLOCKED", Pe, false, true, Tenant, Exact)),
        ("5", dial(DialError::ConnectRefused), ("CONNECT_REFUSED", Pe, true, true, Tenant, Exact)),
        ("6", dial(DialError::ConnectTimeout), ("CONNECT_TIMEOUT", Pe, true, true, Tenant, Exact)),
        ("6", dial(DialError::Unreachable), ("CONNECT_TIMEOUT", Pe, true, true, Tenant, Exact)),
        (
            "8",
            failed(Tls, ErrorKind::PlainTextOnTls),
            ("TLS_MODE_MISMATCH_USE_STARTTLS", Pe, false, true, Tenant, Exact),
        ),
        (
            "9",
            failed(Greeting, ErrorKind::TlsFromFirstByte),
            ("TLS_MODE_MISMATCH_USE_IMPLICIT", Pe, false, true, Tenant, Exact),
        ),
        (
            "10",
            tls(TlsFailure::Untrusted { issuer: None, chain: Chain::Unknown }),
            ("TLS_CERT_UNTRUSTED", Pe, false, true, MailHost, Exact),
        ),
        (
            "11",
            tls(TlsFailure::WrongName { names: vec![], greeted_as: None }),
            ("TLS_CERT_NAME", Pe, false, true, Tenant, Exact),
        ),
        ("12", tls(TlsFailure::Expired), ("TLS_CERT_EXPIRED", Pe, false, true, MailHost, Exact)),
        ("12", tls(TlsFailure::NotYetValid), ("TLS_CERT_EXPIRED", Pe, false, true, MailHost, Exact)),
        ("13", tls(TlsFailure::Version), ("TLS_VERSION", Pe, false, true, MailHost, Exact)),
        ("13", tls(TlsFailure::NoCommonCipher), ("TLS_VERSION", Pe, false, true, MailHost, Exact)),
        ("13", tls(TlsFailure::ServerError), ("TLS_VERSION", Pe, false, true, MailHost, Exact)),
        ("13", tls(TlsFailure::Other("alert".into())), ("TLS_VERSION", Pe, false, true, MailHost, Exact)),
        (
            "13",
            refused(MailFrom, "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade"),
            ("TLS_VERSION", Pe, true, true, MailHost, Exact),
        ),
        (
            "14",
            failed(Greeting, ErrorKind::NotSmtp(OtherProtocol::Imap)),
            ("NOT_SMTP", Pe, false, true, Tenant, Exact),
        ),
        (
            "15",
            refused(Greeting, "554 No SMTP service here"),
            ("GREETING_REFUSED", Pe, false, true, MailHost, Generic),
        ),
        (
            "15",
            refused(Greeting, "421 Too many connections"),
            ("GREETING_REFUSED", Pe, true, true, MailHost, Generic),
        ),
    ];
    for (row, failure, expected) in cases {
        check(row, ANY_HOST, failure, *expected);
    }
}

#[test]
fn part_b_introduction_encryption_and_mechanism() {
    let name = ("EHLO_NAME_REJECTED", Pe, false, false, Operator, Generic);
    let auth_needs_tls = ("AUTH_NEEDS_TLS", Pe, false, false, Tenant, Exact);
    let not_offered = ("AUTH_NOT_OFFERED", Pe, false, false, Tenant, Exact);
    let mismatch = ("AUTH_MECHANISM_MISMATCH", Pe, false, false, Tenant, Exact);
    let missing = ("STARTTLS_MISSING", Pe, false, true, Tenant, Exact);
    let cases: &[(&str, Failure, Expected)] = &[
        ("16", refused(Ehlo, "501 5.5.4 Invalid domain name"), name),
        ("16", refused(Ehlo, "550 Access denied - Invalid HELO name"), name),
        ("16", refused(MailFrom, "550 5.7.506 Bad HELO"), name),
        ("17", failed(Starttls, ErrorKind::StartTlsMissing), missing),
        ("17", refused(Starttls, "502 5.5.1 Command not implemented"), missing),
        (
            "18",
            refused(Starttls, "454 4.7.0 TLS not available"),
            ("STARTTLS_TEMP", Pe, true, true, MailHost, Generic),
        ),
        (
            "19",
            refused(MailFrom, "530 5.7.0 Must issue a STARTTLS command first"),
            ("STARTTLS_REQUIRED", Pe, false, false, Tenant, Generic),
        ),
        ("20", failed(Auth, ErrorKind::AuthNotOffered { encrypted: false }), auth_needs_tls),
        (
            "20",
            refused(Auth, "538 5.7.11 Encryption required for requested authentication mechanism"),
            auth_needs_tls,
        ),
        ("21", failed(Auth, ErrorKind::AuthNotOffered { encrypted: true }), not_offered),
        ("21", refused(Auth, "503 5.5.1 Error: authentication not enabled"), not_offered),
        ("21", refused(Auth, "502 5.5.1 Command not implemented"), not_offered),
        ("22", refused(Auth, "504 5.7.4 Unrecognized authentication type"), mismatch),
        ("22", failed(Auth, ErrorKind::NoCommonMechanism { offered: vec!["XOAUTH2".into()] }), mismatch),
    ];
    for (row, failure, expected) in cases {
        check(row, ANY_HOST, failure, *expected);
    }
    let relay = refused(Ehlo, "421 4.7.0 Try again later, closing connection.");
    check("16", "smtp-relay.gmail.com", &relay, ("EHLO_NAME_REJECTED", Pe, true, false, Operator, Generic));
}

#[test]
fn part_i_our_own_side_and_the_codes_beyond_the_table() {
    let oauth = ErrorKind::OAuthRefused { challenge: "{}".into() };
    let cases: &[(&str, Failure, Expected)] = &[
        (
            "28",
            refused_as(Auth, oauth.clone(), "535 5.7.1 no"),
            ("OAUTH_TOKEN_REFUSED", Af, false, false, Tenant, Generic),
        ),
        (
            "28 put off",
            refused_as(Auth, oauth, "454 4.7.0 busy"),
            ("AUTH_TEMPORARY", Pe, true, false, Nobody, Generic),
        ),
        ("96", Failure::SecretUnreadable, ("SECRET_UNREADABLE", Nothing, false, false, Operator, Exact)),
        (
            "97",
            Failure::ConfigIncomplete { missing: vec!["serverPort"] },
            ("CONFIG_INCOMPLETE", Nothing, false, false, Tenant, Exact),
        ),
        ("API key", Failure::ApiKeyRefused, ("API_KEY_REFUSED", Nothing, false, false, Tenant, Exact)),
        ("sender", Failure::SenderNotAllowed, ("SENDER_NOT_ALLOWED", Nothing, false, false, Tenant, Exact)),
        ("flood", Failure::RecipientFlood, ("RECIPIENT_FLOOD", Nothing, true, false, Tenant, Exact)),
        ("97", Failure::ConfigNotSet, ("CONFIG_NOT_SET", Nothing, false, false, Tenant, Exact)),
        (
            "clear text",
            failed(Auth, ErrorKind::ClearTextSignIn),
            ("CLEARTEXT_SIGN_IN_REFUSED", Pe, false, false, Tenant, Exact),
        ),
        (
            "injection",
            failed(Starttls, ErrorKind::ResponseInjection),
            ("TLS_RESPONSE_INJECTION", Pe, false, true, MailHost, Exact),
        ),
        (
            "lost",
            failed(Data, ErrorKind::ConnectionLost),
            ("CONNECTION_LOST", Pe, true, true, MailHost, Exact),
        ),
        ("silent", failed(Auth, ErrorKind::Timeout), ("REPLY_TIMEOUT", Pe, true, true, MailHost, Exact)),
        (
            "protocol",
            failed(Ehlo, ErrorKind::Protocol("x".into())),
            ("PROTOCOL_ERROR", Pe, false, true, MailHost, Exact),
        ),
        (
            "umlaut",
            failed(MailFrom, ErrorKind::SmtpUtf8Missing),
            ("SMTPUTF8_MISSING", Pe, false, false, MailHost, Exact),
        ),
        (
            "unknown",
            refused(Data, "550 5.9.9 Computer says no"),
            ("UNKNOWN_REPLY", Pe, false, false, MailHost, Generic),
        ),
    ];
    for (row, failure, expected) in cases {
        check(row, ANY_HOST, failure, *expected);
    }
}
