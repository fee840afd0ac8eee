//! Parts E and F: the server refuses sender, recipient, content or amount.

use super::*;

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
    let lost = ("OUTCOME_UNKNOWN", Nothing, false, false, Nobody, Exact);
    check("68", ANY_HOST, &failed(Data, ErrorKind::OutcomeUnknown), lost);
}
