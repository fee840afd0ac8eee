//! One case for each row of the table that concerns Entra and Graph.

use super::{Facts, facts};
use crate::diagnosis::Effect::{self, CredentialsRefused as Af, None as Nothing, ProviderError as Pe};
use crate::diagnosis::Owner::{self, Microsoft365Admin as Ms, Nobody, Operator, TenantAdmin as Tenant};
use crate::diagnosis::microsoft365::{Error, ErrorKind};
use crate::diagnosis::{Failure, diagnose};
use crate::mail::transcript::Stage::{self, Graph, Token};

/// The code, the effect, `retryable`, `connectionFailed`, who can act.
type Expected = (&'static str, Effect, bool, bool, Owner);

fn check(row: &str, error: Error, role: Option<bool>, expected: Expected) {
    let mut facts = facts("Microsoft 365");
    facts.mail_send_role = role;
    let finding = diagnose(&Failure::Microsoft365(Box::new(error)), &facts, &[]);
    let diagnosis = &finding.diagnosis;
    let found =
        (diagnosis.code, finding.effect, diagnosis.retryable, finding.connection_failed, diagnosis.owner);
    assert_eq!(found, expected, "row {row}: {}", finding.message);
    assert!(finding.reply.is_none(), "an HTTP status is no SMTP reply");
}

fn answer(stage: Stage, status: u16, code: &str) -> Error {
    let error = Error::without_answer(stage, ErrorKind::Refused);
    Error { status: Some(status), code: Some(code.to_owned()), ..error }
}

fn entra(number: u32, code: &str) -> Error {
    Error { numbers: vec![number], ..answer(Token, 400, code) }
}

#[test]
fn part_g_the_token_endpoint() {
    let rows: [(&str, &[u32], &str, Expected); 11] = [
        ("70", &[7_000_215], "invalid_client", ("ENTRA_SECRET_INVALID", Af, false, false, Ms)),
        ("71", &[7_000_222], "invalid_client", ("ENTRA_SECRET_EXPIRED", Af, false, false, Ms)),
        ("72", &[700_016], "unauthorized_client", ("ENTRA_APP_NOT_FOUND", Af, false, false, Ms)),
        ("73", &[90_002, 900_023], "invalid_request", ("ENTRA_TENANT_NOT_FOUND", Af, false, false, Ms)),
        ("74", &[1_002_012, 70_011], "invalid_scope", ("ENTRA_SCOPE", Pe, false, false, Operator)),
        ("75", &[65_001, 650_056, 500_011], "invalid_grant", ("ENTRA_CONSENT_MISSING", Pe, false, false, Ms)),
        ("76", &[7_000_229], "unauthorized_client", ("ENTRA_NO_SERVICE_PRINCIPAL", Pe, false, false, Ms)),
        (
            "77",
            &[53_003, 53_000, 530_034],
            "access_denied",
            ("ENTRA_CONDITIONAL_ACCESS", Pe, false, false, Ms),
        ),
        ("78", &[700_027, 700_024], "invalid_client", ("ENTRA_CERT_ASSERTION", Af, false, false, Ms)),
        (
            "79",
            &[700_082, 70_043, 50_173],
            "interaction_required",
            ("OAUTH_REAUTH_REQUIRED", Af, false, false, Tenant),
        ),
        (
            "80",
            &[50_076, 50_079, 50_126, 50_034, 50_053],
            "invalid_grant",
            ("ENTRA_USER", Af, false, false, Tenant),
        ),
    ];
    for (row, numbers, code, expected) in rows {
        for number in numbers {
            check(row, entra(*number, code), None, expected);
        }
    }
    // Only where a user had given a consent; an app that signs in for itself has none that could end.
    let ended = Failure::Microsoft365(Box::new(answer(Token, 400, "invalid_grant")));
    let delegated = Facts { client_id: None, ..facts("Microsoft 365") };
    assert_eq!(diagnose(&ended, &delegated, &[]).diagnosis.code, "OAUTH_REAUTH_REQUIRED");
    check("79 app", answer(Token, 400, "invalid_grant"), None, {
        ("UNKNOWN_REPLY", Pe, false, false, Owner::MailHost)
    });
    let busy = Error { status: Some(429), ..Error::without_answer(Token, ErrorKind::Busy) };
    check("81", busy, None, ("TOKEN_ENDPOINT_TEMPORARY", Pe, true, false, Nobody));
    let silent = Error::without_answer(Token, ErrorKind::Timeout);
    check("81", silent, None, ("TOKEN_ENDPOINT_TEMPORARY", Pe, true, true, Nobody));
    for kind in
        [ErrorKind::Unreachable("a page in HTML".to_owned()), ErrorKind::Malformed("no token".to_owned())]
    {
        let error = Error::without_answer(Token, kind);
        check("82", error, None, ("TOKEN_ENDPOINT_UNREACHABLE", Pe, true, true, Operator));
    }
    check("unknown", entra(1234, "invalid_client"), None, {
        ("UNKNOWN_REPLY", Pe, false, false, Owner::MailHost)
    });
}

#[test]
fn part_h_graph() {
    let rows: [(&str, u16, &str, Option<bool>, Expected); 14] = [
        ("83", 401, "InvalidAuthenticationToken", None, ("GRAPH_TOKEN_AUDIENCE", Pe, false, false, Operator)),
        ("84", 403, "ErrorAccessDenied", Some(false), ("GRAPH_PERMISSION_MISSING", Pe, false, false, Ms)),
        ("84", 403, "ErrorAccessDenied", None, ("GRAPH_PERMISSION_MISSING", Pe, false, false, Ms)),
        ("85", 403, "ErrorAccessDenied", Some(true), ("GRAPH_MAILBOX_OUT_OF_SCOPE", Pe, false, false, Ms)),
        ("86", 403, "ErrorSendAsDenied", Some(true), ("GRAPH_SEND_AS_DENIED", Pe, false, false, Ms)),
        ("87", 404, "ErrorInvalidUser", None, ("GRAPH_USER_NOT_FOUND", Pe, false, false, Tenant)),
        ("87", 404, "ResourceNotFound", None, ("GRAPH_USER_NOT_FOUND", Pe, false, false, Tenant)),
        ("88", 404, "MailboxNotEnabledForRESTAPI", None, ("GRAPH_NO_CLOUD_MAILBOX", Pe, false, false, Ms)),
        ("89", 429, "ApplicationThrottled", None, ("GRAPH_THROTTLED", Pe, true, false, Nobody)),
        ("89", 503, "ErrorServerBusy", None, ("GRAPH_THROTTLED", Pe, true, false, Nobody)),
        ("90", 413, "RequestBodyTooLarge", None, ("GRAPH_TOO_LARGE", Pe, false, false, Tenant)),
        ("90", 400, "ErrorMimeContentInvalidBase64String", None, ("GRAPH_MIME", Pe, false, false, Operator)),
        ("unknown", 400, "ErrorSomethingNew", None, ("UNKNOWN_REPLY", Pe, false, false, Owner::MailHost)),
        ("unknown", 418, "", None, ("UNKNOWN_REPLY", Pe, false, false, Owner::MailHost)),
    ];
    for (row, status, code, role, expected) in rows {
        let busy = status == 429 || status == 503;
        let kind = if busy { ErrorKind::Busy } else { ErrorKind::Refused };
        check(row, Error { kind, ..answer(Graph, status, code) }, role, expected);
    }
    let disabled = Error {
        message: "Access to OData is disabled.".to_owned(),
        ..answer(Graph, 403, "ErrorAccessDenied")
    };
    check("85", disabled, Some(false), ("GRAPH_MAILBOX_OUT_OF_SCOPE", Pe, false, false, Ms));
    let large = Error::without_answer(Graph, ErrorKind::TooLarge { limit: 4_000_000, size: 5_000_000 });
    check("90", large, None, ("GRAPH_TOO_LARGE", Pe, false, false, Tenant));
    let unknown = Error::without_answer(Graph, ErrorKind::OutcomeUnknown);
    check("89", unknown, None, ("OUTCOME_UNKNOWN", Nothing, false, false, Nobody));
}

#[test]
fn what_microsoft_said_is_shown_with_its_number() {
    let error = Error {
        message: "Invalid client secret provided.\u{1b}[31m".to_owned(),
        ..entra(7_000_215, "invalid_client")
    };
    let finding = diagnose(&Failure::Microsoft365(Box::new(error)), &facts("Microsoft 365"), &[]);
    assert_eq!(
        finding.message,
        "Microsoft did not accept the client secret (AADSTS7000215 invalid_client Invalid client secret \
         provided.?[31m)."
    );
    assert_eq!(finding.status_reason, "Microsoft did not accept the client secret.");
    assert!(finding.diagnosis.meaning.contains("11111111-2222-3333-4444-555555555555"));
}
