//! One test case for each row of the table of known failures.

use super::{facts, failed, refused, refused_as};
use crate::diagnosis::Confidence::{Exact, Generic};
use crate::diagnosis::Effect::{CredentialsRefused as Af, None as Nothing, ProviderError as Pe};
use crate::diagnosis::Owner::{
    self, DnsOwner, MailHost, Microsoft365Admin as Ms, Nobody, Operator, TenantAdmin as Tenant,
    WorkspaceAdmin,
};
use crate::diagnosis::{Confidence, Effect, Failure, diagnose};
use crate::egress::{DialError, Refusal};
use crate::smtp::{ErrorKind, OtherProtocol, TlsFailure};
use crate::transcript::Stage::{self, Auth, Data, Ehlo, Greeting, MailFrom, RcptTo, Starttls, Tls};

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
            tls(TlsFailure::Untrusted { issuer: None }),
            ("TLS_CERT_UNTRUSTED", Pe, false, true, MailHost, Exact),
        ),
        (
            "11",
            tls(TlsFailure::WrongName { names: vec![] }),
            ("TLS_CERT_NAME", Pe, false, true, Tenant, Exact),
        ),
        ("12", tls(TlsFailure::Expired), ("TLS_CERT_EXPIRED", Pe, false, true, MailHost, Exact)),
        ("12", tls(TlsFailure::NotYetValid), ("TLS_CERT_EXPIRED", Pe, false, true, MailHost, Exact)),
        ("13", tls(TlsFailure::Version), ("TLS_VERSION", Pe, false, true, MailHost, Exact)),
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
fn part_c_sign_in_in_general_and_at_google() {
    let oauth = ErrorKind::OAuthRefused { challenge: r#"{"status":"400"}"#.into() };
    let temporary = ("AUTH_TEMPORARY", Pe, true, false, Nobody, Generic);
    let rejected = ("AUTH_REJECTED", Af, false, false, Tenant, Generic);
    let relay = ("GSUITE_RELAY_NOT_AUTHORIZED", Pe, false, false, WorkspaceAdmin, Exact);
    let cases: &[(&str, &str, Failure, Expected)] = &[
        ("23", ANY_HOST, refused(Auth, "535 5.7.8 Error: authentication failed"), rejected),
        ("23", ANY_HOST, refused(Auth, "535 Incorrect authentication data"), rejected),
        (
            "24",
            GMAIL,
            refused(
                Auth,
                "535 5.7.8 Username and Password not accepted. https://support.google.com/mail/?p=BadCredentials x",
            ),
            ("GMAIL_BAD_CREDENTIALS", Af, false, false, Tenant, Exact),
        ),
        (
            "25",
            GMAIL,
            refused(
                Auth,
                "534 5.7.9 Application-specific password required. https://support.google.com/mail/?p=InvalidSecondFactor",
            ),
            ("GMAIL_APP_PASSWORD_REQUIRED", Af, false, false, Tenant, Exact),
        ),
        (
            "26",
            GMAIL,
            refused(
                Auth,
                "534 5.7.14 <https://accounts.google.com/signin> Please log in via your web browser",
            ),
            ("GMAIL_WEB_LOGIN_REQUIRED", Af, false, false, Tenant, Exact),
        ),
        ("27", GMAIL, refused(Auth, "454 4.7.0 Too many login attempts, please try again later."), temporary),
        ("27", ANY_HOST, refused(Auth, "454 4.7.0 temporary authentication failure"), temporary),
        (
            "28",
            GMAIL,
            refused_as(Auth, oauth, "535 5.7.8 Username and Password not accepted"),
            ("OAUTH_TOKEN_REFUSED", Af, false, false, Tenant, Generic),
        ),
        (
            "29",
            "smtp-relay.gmail.com",
            refused(MailFrom, "550 5.7.1 Invalid credentials for relay [192.0.2.1]"),
            relay,
        ),
        ("29", "smtp-relay.gmail.com", refused(RcptTo, "550 5.7.0 Mail relay denied [192.0.2.1]"), relay),
    ];
    for (row, host, failure, expected) in cases {
        check(row, host, failure, *expected);
    }
}

#[test]
fn part_d_sign_in_at_microsoft_365() {
    let cases: &[(&str, Stage, &str, Expected)] = &[
        (
            "30",
            Auth,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled",
            ("M365_SMTP_AUTH_DISABLED_TENANT", Pe, false, false, Ms, Exact),
        ),
        (
            "31",
            Auth,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
            ("M365_SMTP_AUTH_DISABLED_MAILBOX", Pe, false, false, Ms, Exact),
        ),
        (
            "33",
            Auth,
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            ("M365_BASIC_AUTH_DISABLED", Pe, false, false, Ms, Exact),
        ),
        (
            "34",
            Auth,
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            ("M365_BASIC_AUTH_RETIRED", Pe, false, false, Ms, Exact),
        ),
        (
            "35",
            Auth,
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
            ("M365_SECURITY_DEFAULTS", Pe, false, false, Ms, Exact),
        ),
        (
            "36",
            Auth,
            "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator.",
            ("M365_CONDITIONAL_ACCESS", Pe, false, false, Ms, Exact),
        ),
        (
            "37",
            Auth,
            "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
            ("M365_BAD_CREDENTIALS", Af, false, false, Tenant, Exact),
        ),
        (
            "38",
            Auth,
            "535 5.7.3 Authentication unsuccessful [AM0PR01CA0001.eurprd01.prod.exchangelabs.com]",
            ("M365_AUTH_GENERIC", Af, false, false, Ms, Generic),
        ),
        (
            "41",
            MailFrom,
            "530 5.7.57 Client not authenticated to send mail.",
            ("M365_NOT_AUTHENTICATED", Pe, false, false, Tenant, Exact),
        ),
        (
            "41 round 30",
            MailFrom,
            "530 5.7.57 Client not authenticated to send mail. Error: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            ("M365_SMTP_AUTH_DISABLED_TENANT", Pe, false, false, Ms, Exact),
        ),
        (
            "42",
            Data,
            "432 4.3.2 Concurrent connections limit exceeded.",
            ("M365_CONCURRENCY", Pe, true, false, Nobody, Exact),
        ),
        (
            "42",
            Data,
            "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
            ("M365_CONCURRENCY", Pe, true, false, Nobody, Exact),
        ),
    ];
    for (row, stage, line, expected) in cases {
        check(row, MICROSOFT, &refused(*stage, line), *expected);
    }
    let personal = refused(
        Auth,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
    );
    let expected = ("MSA_SMTP_UNAVAILABLE", Pe, false, false, Tenant, Exact);
    check_as("32", MICROSOFT, "anna@hotmail.com", &personal, expected);
    check_as("32", "smtp-mail.outlook.com", "anna@example.com", &personal, expected);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn part_e_sender_and_recipient() {
    let send_as = ("M365_SEND_AS_DENIED", Pe, false, false, Ms, Exact);
    let blocked = ("M365_SENDER_BLOCKED", Pe, false, false, Ms, Exact);
    let connector = ("M365_CONNECTOR_MISMATCH", Pe, false, false, Ms, Exact);
    let relay = ("RELAY_DENIED", Pe, false, false, Tenant, Generic);
    let identity = ("SES_IDENTITY_NOT_VERIFIED", Pe, false, false, Tenant, Exact);
    let owned = ("SENDER_NOT_OWNED", Pe, false, false, Tenant, Generic);
    let unknown = ("RECIPIENT_UNKNOWN", Nothing, false, false, Tenant, Generic);
    let grey = ("GREYLISTED", Nothing, true, false, Nobody, Exact);
    let many = ("TOO_MANY_RECIPIENTS", Nothing, true, false, Nobody, Exact);
    let cases: &[(&str, &str, Stage, &str, Expected)] = &[
        (
            "43",
            MICROSOFT,
            MailFrom,
            "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
            send_as,
        ),
        (
            "44",
            MICROSOFT,
            Data,
            "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example; STOREDRV.Submission",
            send_as,
        ),
        (
            "44",
            MICROSOFT,
            Data,
            "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
            send_as,
        ),
        (
            "45",
            ANY_HOST,
            RcptTo,
            "553 5.7.1 <news@example.com>: Sender address rejected: not owned by user x",
            owned,
        ),
        (
            "45",
            ANY_HOST,
            MailFrom,
            "553 5.7.1 <news@example.com>: Sender address rejected: not owned by user x",
            owned,
        ),
        (
            "46",
            SES,
            Data,
            "554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: news@example.com",
            identity,
        ),
        (
            "47",
            "smtp.sendgrid.net",
            Data,
            "550 The from address does not match a verified Sender Identity.",
            ("SENDGRID_SENDER", Pe, false, false, Tenant, Exact),
        ),
        (
            "48",
            SES,
            Auth,
            "535 Authentication Credentials Invalid",
            ("SES_BAD_SMTP_CREDENTIALS", Af, false, false, Tenant, Exact),
        ),
        (
            "49",
            "smtp.sendgrid.net",
            Auth,
            "535 Authentication failed: Bad username / password",
            ("SENDGRID_APIKEY", Af, false, false, Tenant, Exact),
        ),
        (
            "50",
            "smtp-relay.brevo.com",
            Auth,
            "502 5.7.0 Your SMTP account is not yet activated.",
            ("PROVIDER_NOT_ACTIVATED", Pe, false, false, MailHost, Exact),
        ),
        (
            "50",
            "smtp-relay.brevo.com",
            Auth,
            "525 5.7.1 Unauthorized IP address",
            ("PROVIDER_IP_NOT_ALLOWED", Pe, false, false, Tenant, Exact),
        ),
        ("51", MICROSOFT, Data, "550 5.1.8 Access denied, bad outbound sender AS(42004)", blocked),
        ("51", MICROSOFT, Data, "550 5.7.501 Service unavailable. Spam abuse detected", blocked),
        ("52", ANY_HOST, RcptTo, "554 5.7.1 <bob@example.org>: Relay access denied", relay),
        ("52", ANY_HOST, RcptTo, "550 5.7.1 Relaying denied", relay),
        ("52", ANY_HOST, RcptTo, "550 relay not permitted", relay),
        (
            "52 put off",
            ANY_HOST,
            RcptTo,
            "454 4.7.1 <bob@example.org>: Relay access denied",
            ("RELAY_DENIED", Pe, true, false, Tenant, Generic),
        ),
        (
            "53",
            "example-com.mail.protection.outlook.com",
            RcptTo,
            "550 5.7.64 TenantAttribution; Relay Access Denied",
            connector,
        ),
        (
            "53",
            "example-com.mail.protection.outlook.com",
            Data,
            "451 4.4.62 Mail sent to the wrong Office 365 region",
            ("M365_CONNECTOR_MISMATCH", Pe, true, false, Ms, Exact),
        ),
        (
            "54",
            ANY_HOST,
            RcptTo,
            "550 5.1.1 <bob@example.org>: Recipient address rejected: User unknown",
            unknown,
        ),
        ("54", MICROSOFT, Data, "550 5.1.10 RESOLVER.ADR.RecipientNotFound", unknown),
        ("55", ANY_HOST, RcptTo, "450 4.7.1 <bob@example.org>: Recipient address rejected: Greylisted", grey),
        ("55", ANY_HOST, RcptTo, "451 4.7.1 Greylisting in action, please come back later", grey),
        ("56", ANY_HOST, RcptTo, "452 4.5.3 Too many recipients", many),
    ];
    for (row, host, stage, line, expected) in cases {
        check(row, host, &refused(*stage, line), *expected);
    }
}

#[test]
fn part_f_content_limits_and_outcome() {
    let large = ("MESSAGE_TOO_LARGE", Pe, false, false, Tenant, Exact);
    let slow = ("RATE_LIMITED_REPUTATION", Pe, true, false, DnsOwner, Exact);
    let trouble = ("PROVIDER_TEMPORARY", Pe, true, false, MailHost, Generic);
    let dmarc = ("DMARC_FAIL", Pe, false, false, DnsOwner, Exact);
    let blocked = ("M365_TENANT_BLOCKED", Pe, false, false, Ms, Exact);
    let content = ("CONTENT_REJECTED", Pe, false, false, Tenant, Generic);
    let cases: &[(&str, &str, Stage, &str, Expected)] = &[
        ("58", ANY_HOST, MailFrom, "552 5.3.4 Message size exceeds fixed limit", large),
        ("58", GMAIL, Data, "552 5.2.3 Your message exceeded Google's message size limits", large),
        (
            "59",
            GMAIL,
            Data,
            "550 5.4.5 Daily user sending limit exceeded",
            ("QUOTA_DAILY", Pe, true, false, Nobody, Exact),
        ),
        (
            "60",
            MICROSOFT,
            Data,
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
            ("M365_QUOTA_MAILBOX", Pe, true, false, Ms, Exact),
        ),
        (
            "61",
            MICROSOFT,
            Data,
            "550 5.7.233 tenant external recipient rate limit",
            ("M365_QUOTA_TENANT", Pe, true, false, Ms, Exact),
        ),
        ("62", GMAIL, Data, "421 4.7.28 Our system has detected an unusual rate of unsolicited mail", slow),
        ("62", GMAIL, Data, "421 4.7.32 Your email has been rate limited, no DMARC alignment", slow),
        (
            "63",
            SES,
            Data,
            "454 Throttling failure: Maximum sending rate exceeded.",
            ("SES_THROTTLED", Pe, true, false, Tenant, Exact),
        ),
        ("64", MICROSOFT, MailFrom, "451 4.7.0 Temporary server error. Please try again later.", trouble),
        ("64", ANY_HOST, Data, "451 4.3.2 Please try again later", trouble),
        ("64", ANY_HOST, Data, "451 4.4.2 Timeout", trouble),
        (
            "65",
            MICROSOFT,
            Data,
            "451 4.7.651 AS843 traffic paused",
            ("M365_SUSPICIOUS", Pe, true, false, Ms, Exact),
        ),
        ("66", GMAIL, Data, "550 5.7.26 Unauthenticated email from example.com is not accepted", dmarc),
        (
            "66",
            MICROSOFT,
            Data,
            "550 5.7.509 Access denied, sending domain does not pass DMARC verification",
            dmarc,
        ),
        (
            "67",
            MICROSOFT,
            Data,
            "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP",
            blocked,
        ),
        ("69", ANY_HOST, Data, "550 5.6.0 Message refused", content),
        ("69", ANY_HOST, Data, "554 5.7.1 Virus found", content),
    ];
    for (row, host, stage, line, expected) in cases {
        check(row, host, &refused(*stage, line), *expected);
    }
    check("58", ANY_HOST, &failed(MailFrom, ErrorKind::TooLarge { limit: 1, size: 2 }), large);
    let lost = ("OUTCOME_UNKNOWN", Pe, false, false, Nobody, Exact);
    check("68", ANY_HOST, &failed(Data, ErrorKind::OutcomeUnknown), lost);
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
            refused(MailFrom, "550 5.9.9 Computer says no"),
            ("UNKNOWN_REPLY", Pe, false, false, MailHost, Generic),
        ),
    ];
    for (row, failure, expected) in cases {
        check(row, ANY_HOST, failure, *expected);
    }
}
