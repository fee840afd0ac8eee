//! Parts C and D: the server refuses user name, password or token.

use super::*;

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
