//! Each failure of TLS, and of the way to a known service, has a diagnosis of its own.

use super::{Facts, facts, failed, refused};
use crate::diagnosis::{Failure, Owner, diagnose};
use crate::egress::DialError;
use crate::mail::transcript::Stage::{Auth, Ehlo, Greeting, Tls};
use crate::smtp::{Chain, ErrorKind, OtherProtocol, Security, TlsFailure};

/// Title, meaning and steps.
fn said(failure: &Failure, facts: &Facts) -> (&'static str, Owner, String) {
    let diagnosis = diagnose(failure, facts, &[]).diagnosis;
    let text = [&[diagnosis.title, diagnosis.meaning][..], &diagnosis.steps].concat().join("\n");
    (diagnosis.code, diagnosis.owner, text)
}

fn tls(failure: TlsFailure) -> Failure {
    failed(Tls, ErrorKind::Tls(failure))
}

fn wrong_name(names: &[&str], greeted_as: Option<&str>) -> Failure {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    tls(TlsFailure::WrongName { names, greeted_as: greeted_as.map(str::to_owned) })
}

#[test]
fn each_failure_of_tls_is_told_by_its_own_cause() {
    let cases = [
        (TlsFailure::NoCommonCipher, "TLS_VERSION", "ECDHE", "TLS 1.2 or newer"),
        (TlsFailure::Version, "TLS_VERSION", "TLS 1.2 or newer", "ECDHE"),
        (TlsFailure::ServerError, "TLS_VERSION", "internal error", "TLS 1.2 or newer"),
        (TlsFailure::ClientCertificateWanted, "TLS_CLIENT_CERTIFICATE", "not supported here", "again"),
        (
            TlsFailure::Untrusted { issuer: Some("CN=R3".to_owned()), chain: Chain::Alone },
            "TLS_CERT_UNTRUSTED",
            "missing intermediate certificate",
            "signed its certificate itself",
        ),
        (
            TlsFailure::Untrusted { issuer: None, chain: Chain::SelfSigned },
            "TLS_CERT_UNTRUSTED",
            "signed its certificate itself",
            "missing intermediate",
        ),
    ];
    for (failure, code, says, says_not) in cases {
        let (found, owner, text) = said(&tls(failure), &facts("mail.example.com"));
        assert_eq!((found, owner), (code, Owner::MailHost));
        assert!(text.contains(says) && !text.contains(says_not), "{text}");
        assert!(text.contains("password was not sent"), "{text}");
    }
}

#[test]
fn the_name_of_a_stranger_is_never_proposed_in_place_of_a_known_service() {
    let (code, owner, text) = said(&wrong_name(&["srv1.hosting.example"], None), &facts("smtp.gmail.com"));
    assert_eq!((code, owner), ("CONNECTION_INTERCEPTED", Owner::Operator));
    assert!(!text.contains("srv1.hosting.example") && text.contains("diverts"), "{text}");
    let untrusted = tls(TlsFailure::Untrusted { issuer: None, chain: Chain::SelfSigned });
    assert_eq!(said(&untrusted, &facts("smtp.gmail.com")).0, "CONNECTION_INTERCEPTED");
}

#[test]
fn only_names_that_can_be_entered_are_proposed() {
    let names = ["*.hosting.example", "hosting.example"];
    let facts = facts("mail.example.com");
    let (_, _, text) = said(&wrong_name(&names, Some("gator2016.hosting.example")), &facts);
    assert!(text.contains("It is valid for: *.hosting.example"), "{text}");
    assert!(text.contains("If gator2016.hosting.example belongs"), "{text}");
    assert!(!text.contains("enter that name: "), "{text}");
    let (_, _, text) = said(&wrong_name(&["*.hosting.example"], Some("other.example")), &facts);
    assert!(!text.contains("enter that name"), "{text}");
    let (_, _, text) = said(&wrong_name(&["mx.hosting.example"], None), &facts);
    assert!(text.contains("enter that name: mx.hosting.example"), "{text}");
}

#[test]
fn at_the_right_place_of_a_known_service_the_operator_has_to_look() {
    let right = facts("smtp.gmail.com");
    for failure in [DialError::ConnectRefused, DialError::ConnectTimeout, DialError::Unreachable] {
        let (code, owner, _) = said(&Failure::Dial(failure), &right);
        assert_eq!((code, owner), ("NETWORK_BLOCKED", Owner::Operator));
    }
    let other = failed(Greeting, ErrorKind::NotSmtp(OtherProtocol::Http));
    assert_eq!(said(&other, &right).0, "CONNECTION_INTERCEPTED");
    // With the wrong protection for the port, the choice is the cause.
    let wrong = Facts { port: 465, security: Some(Security::StartTls), ..facts("smtp.gmail.com") };
    let waits = failed(Greeting, ErrorKind::TlsFromFirstByte);
    assert_eq!(said(&waits, &wrong).0, "TLS_MODE_MISMATCH_USE_IMPLICIT");
    assert_eq!(
        said(&Failure::Dial(DialError::ConnectRefused), &facts("mail.example.com")).0,
        "CONNECT_REFUSED"
    );
}

#[test]
fn what_is_offered_decides_what_is_advised_for_the_sign_in() {
    let none = |offered: &[&str]| {
        let offered = offered.iter().map(|name| (*name).to_owned()).collect();
        failed(Auth, ErrorKind::NoCommonMechanism { offered })
    };
    let facts = facts("mail.example.com");
    let (code, _, text) = said(&none(&["DIGEST-MD5", "CRAM-MD5"]), &facts);
    assert_eq!(code, "AUTH_MECHANISM_MISMATCH");
    assert!(text.contains("DIGEST-MD5, CRAM-MD5") && text.contains("PLAIN or LOGIN"), "{text}");
    assert!(!text.contains("XOAUTH2") && !text.contains("Windows"), "{text}");
    assert!(said(&none(&["XOAUTH2"]), &facts).2.contains("XOAUTH2 takes tokens"));
    assert!(said(&none(&["NTLM", "GSSAPI"]), &facts).2.contains("Windows domain"));
}

#[test]
fn who_has_chosen_encryption_is_not_told_to_choose_it() {
    let failure = refused(Ehlo, "530 5.7.0 Must issue a STARTTLS command first");
    for (security, expected) in [
        (Security::None, "Choose the security type StartTLS and keep port 587."),
        (Security::StartTls, "Try port 465 with SSL/TLS, which is encrypted from the first byte."),
        (Security::Tls, "Try port 587 with StartTLS."),
    ] {
        let facts = Facts { security: Some(security), ..facts("mail.example.com") };
        let diagnosis = diagnose(&failure, &facts, &[]).diagnosis;
        assert_eq!((diagnosis.code, diagnosis.steps[0].as_str()), ("STARTTLS_REQUIRED", expected));
    }
}
